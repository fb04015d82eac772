// SPDX-License-Identifier: Apache-2.0
// The functions the broker calls.
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "host.h"
#include "login.h"
#include "options.h"
#include "tick.h"

#define EXPORT __attribute__((visibility("default")))

// The file of settings is read again. What is wrong with it changes nothing.
static void reload(const struct host *host) {
  uint8_t reason[4096];
  standin_buffer why = {.data = reason, .cap = sizeof reason - 1};
  standin_status status = standin_reload(host->engine, NULL, 0, &why);
  if (status) {
    reason[why.len < sizeof reason ? why.len : 0] = '\0';
    log_error("settings stay as they were: %s: %s", standin_status_text(status), (const char *)reason);
  } else {
    log_info("settings read again");
  }
}

static int on_reload(int event, void *data, void *user) {
  (void)event;
  (void)data;
  struct instance *instance = user;
  struct host *host = instance->host;
  host->reloading = true;
  if (instance == host->instances) { // once for all listeners
    reload(host);
  }
  // In 2.0 an answer other than this one keeps the reload from the next plugin;
  // in 2.1 it is this one that does.
  return broker_delays_logins() ? MOSQ_ERR_SUCCESS : MOSQ_ERR_PLUGIN_DEFER;
}

static int on_acl_check(int event, void *data, void *user) {
  (void)event;
  struct instance *instance = user;
  return acl_check(instance->host, data);
}

static int on_basic_auth(int event, void *data, void *user) {
  (void)event;
  return login_basic(user, data);
}

static int on_enhanced_auth(int event, void *data, void *user) {
  (void)event;
  return login_enhanced(user, data);
}

static int on_tick(int event, void *data, void *user) {
  (void)event;
  struct instance *instance = user;
  return tick(instance->host, data);
}

static int on_disconnect(int event, void *data, void *user) {
  (void)event;
  // The event of 2.1 for durable sessions begins with the same two fields.
  const struct mosquitto_evt_disconnect *disconnect = data;
  tick_disconnected(user, disconnect->client);
  return MOSQ_ERR_SUCCESS;
}

static const struct {
  int event;
  MOSQ_FUNC_generic_callback function;
  bool optional;
} callbacks[] = {
    {MOSQ_EVT_RELOAD, on_reload, false},
    {MOSQ_EVT_ACL_CHECK, on_acl_check, false},
    {MOSQ_EVT_BASIC_AUTH, on_basic_auth, false},
    {MOSQ_EVT_EXT_AUTH_START, on_enhanced_auth, false},
    {MOSQ_EVT_TICK, on_tick, false},
    {MOSQ_EVT_DISCONNECT, on_disconnect, false},
    {BROKER_EVENT_CLIENT_OFFLINE, on_disconnect, true},
};
enum { CALLBACKS = sizeof callbacks / sizeof callbacks[0] };

static bool register_all(struct instance *instance) {
  for (size_t i = 0; i < CALLBACKS; i++) {
    int rc =
        mosquitto_callback_register(instance->identifier, callbacks[i].event, callbacks[i].function, NULL, instance);
    if (rc == MOSQ_ERR_ALREADY_EXISTS) {
      log_error("this plugin stands twice in the broker's configuration");
      return false;
    }
    if (rc && !(callbacks[i].optional && rc == MOSQ_ERR_NOT_SUPPORTED)) {
      log_error("event %d: the broker answers %d; Mosquitto 2.0 or 2.1 is accepted", callbacks[i].event, rc);
      return false;
    }
  }
  return true;
}

static standin_bytes text(const char *value) {
  return (standin_bytes){.data = (const uint8_t *)value, .len = strlen(value)};
}

static bool make_profile(struct instance *instance) {
  const struct options *options = &instance->options;
  bool token = options->token || options->enhanced_auth;
  const char *evidence = !options->certificate ? "token" : token ? "token,certificate" : "certificate";
  standin_pair settings[] = {{.key = text("standin.evidence"), .value = text(evidence)}};
  uint8_t reason[4096];
  standin_buffer why = {.data = reason, .cap = sizeof reason - 1};
  standin_status status =
      standin_profile(instance->host->engine, text(options->listener), settings, 1, &instance->profile, &why);
  if (status) {
    reason[why.len < sizeof reason ? why.len : 0] = '\0';
    log_error("listener %s: %s: %s", options->listener, standin_status_text(status), (const char *)reason);
    return false;
  }
  instance->connect = STANDIN_NO_ACTION;
  if (!options->connect_action) {
    return true;
  }
  status = standin_action(instance->host->engine, text(options->connect_action), text("client"), 0, &instance->connect);
  if (status) {
    log_error("plugin_opt_connect_action %s: %s", options->connect_action, standin_status_text(status));
  }
  return !status;
}

// Enters an instance among those of the host. Two of one name would share a
// profile, and 2.1 does not mind when a plugin is loaded twice.
static bool join(struct instance *instance) {
  struct host *host = instance->host;
  for (const struct instance *other = host->instances; other; other = other->next) {
    if (strcmp(other->options.listener, instance->options.listener) == 0) {
      log_error("plugin_opt_listener %s: another plugin line has that name, or this plugin stands twice in the "
                "broker's configuration",
                instance->options.listener);
      return false;
    }
  }
  instance->next = host->instances;
  host->instances = instance;
  return true;
}

static void discard(struct instance *instance) {
  if (instance->host) {
    struct instance **link = &instance->host->instances;
    while (*link && *link != instance) {
      link = &(*link)->next;
    }
    if (*link) {
      *link = instance->next;
    }
    host_close(instance->host);
  }
  options_free(&instance->options);
  free(instance);
}

EXPORT int mosquitto_plugin_version(int count, const int *versions) {
  for (int i = 0; i < count; i++) {
    if (versions[i] == MOSQ_PLUGIN_VERSION) {
      return MOSQ_PLUGIN_VERSION;
    }
  }
  return -1;
}

// A failure keeps the broker from starting.
EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **user, struct mosquitto_opt *given,
                                 int count) {
  struct instance *instance = calloc(1, sizeof *instance);
  if (!instance) {
    return MOSQ_ERR_NOMEM;
  }
  instance->identifier = identifier;
  if (!options_read(&instance->options, given, count) || !(instance->host = host_open(&instance->options)) ||
      !join(instance) || !make_profile(instance) || !register_all(instance)) {
    discard(instance);
    return MOSQ_ERR_INVAL;
  }
  log_drain(instance->host->engine);
  log_info("%s decides about listener %s", standin_version(), instance->options.listener);
  *user = instance;
  return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *given, int count) {
  (void)given;
  (void)count;
  struct instance *instance = user;
  if (!instance) {
    return MOSQ_ERR_SUCCESS;
  }
  for (size_t i = 0; i < CALLBACKS; i++) {
    mosquitto_callback_unregister(instance->identifier, callbacks[i].event, callbacks[i].function, NULL);
  }
  discard(instance);
  return MOSQ_ERR_SUCCESS;
}
