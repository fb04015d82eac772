// SPDX-License-Identifier: Apache-2.0
// A plugin that allows everything: what asking a plugin costs by itself. With
// plugin_opt_thread it has a thread that sleeps: in a process with threads every
// system call and allocation costs more. With plugin_opt_thread apart the thread
// has a table of open files of its own, so that the broker's is not shared.
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static void *sleeper(void *apart) {
  if (apart) unshare(CLONE_FILES);
  for (;;) {
    pause();
  }
  return apart;
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
  pthread_t thread;
  bool apart = count > 0 && strcmp(options[0].value, "apart") == 0;
  if (count > 0 && pthread_create(&thread, NULL, sleeper, apart ? id : NULL) != 0) {
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
