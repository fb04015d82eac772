// SPDX-License-Identifier: Apache-2.0
// A plugin that stands behind Standin's and says what it is told.
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

static int told(int event, void *data, void *user) {
  (void)event, (void)data, (void)user;
  mosquitto_log_printf(MOSQ_LOG_INFO, "after: told to reload");
  return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int count, const int *versions) {
  (void)count, (void)versions;
  return MOSQ_PLUGIN_VERSION;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *options, int count) {
  (void)user, (void)options, (void)count;
  return mosquitto_callback_register(id, MOSQ_EVT_RELOAD, told, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *options, int count) {
  (void)user, (void)options, (void)count;
  return MOSQ_ERR_SUCCESS;
}
