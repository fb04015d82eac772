// SPDX-License-Identifier: Apache-2.0
// A plugin that allows everything: what asking a plugin costs by itself. With an
// option, whatever it is, it has a thread that sleeps: in a process with threads
// every system call and allocation costs more.
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <pthread.h>
#include <unistd.h>

static void *sleeper(void *nothing) {
  for (;;) {
    pause();
  }
  return nothing;
}

static int allow(int event, void *data, void *user) {
  (void)event;
  (void)data;
  (void)user;
  return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int count, const int *versions) {
  (void)count;
  (void)versions;
  return MOSQ_PLUGIN_VERSION;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *options, int count) {
  (void)user;
  (void)options;
  pthread_t thread;
  if (count > 0 && pthread_create(&thread, NULL, sleeper, NULL) != 0) {
    return MOSQ_ERR_UNKNOWN;
  }
  return mosquitto_callback_register(id, MOSQ_EVT_ACL_CHECK, allow, NULL, NULL) ||
         mosquitto_callback_register(id, MOSQ_EVT_BASIC_AUTH, allow, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *options, int count) {
  (void)user;
  (void)options;
  (void)count;
  return MOSQ_ERR_SUCCESS;
}
