// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLOSE_WAIT_MS = 3000 };

// With per_listener_settings the broker makes an instance per listener, in one
// process: one engine, whose events must not be divided between them.
static struct {
  struct host host;
  char *config;
  unsigned instances;
} shared;

int64_t host_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool queue_add(struct queue *queue, uint64_t item) {
  if (queue->count == queue->capacity) {
    size_t capacity = queue->capacity ? queue->capacity * 2 : 16;
    uint64_t *items = realloc(queue->items, capacity * sizeof *items);
    if (!items) {
      return false;
    }
    queue->items = items;
    queue->capacity = capacity;
  }
  queue->items[queue->count++] = item;
  return true;
}

void queue_free(struct queue *queue) {
  free(queue->items);
  *queue = (struct queue){0};
}

static standin_bytes text(const char *value) {
  return (standin_bytes){.data = (const uint8_t *)value, .len = strlen(value)};
}

static bool find_actions(struct host *host) {
  static const struct {
    const char *name, *type;
    uint32_t flags;
    size_t at;
  } table[] = {
      {"iot:Publish", "topic", STANDIN_ACTION_RIDES_OUT, offsetof(struct actions, publish)},
      {"iot:RetainPublish", "topic", STANDIN_ACTION_RIDES_OUT, offsetof(struct actions, retain_publish)},
      {"iot:Subscribe", "topicfilter", STANDIN_ACTION_RIDES_OUT, offsetof(struct actions, subscribe)},
      {"iot:Receive", "topic", STANDIN_ACTION_RIDES_OUT, offsetof(struct actions, receive)},
      {"mosquitto:Control", "topic", 0, offsetof(struct actions, control)},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    uint32_t *number = (uint32_t *)((char *)&host->actions + table[i].at);
    standin_status status =
        standin_action(host->engine, text(table[i].name), text(table[i].type), table[i].flags, number);
    if (status) {
      log_error("action %s: %s", table[i].name, standin_status_text(status));
      return false;
    }
  }
  return true;
}

// A library of another major version, or an older one, lacks what is called here.
static bool fits(void) {
  uint32_t abi = standin_abi();
  if (abi >> 16 == STANDIN_ABI >> 16 && (abi & 0xffff) >= (STANDIN_ABI & 0xffff)) {
    return true;
  }
  log_error("libstandin %s has interface %u.%u; %u.%u or a later one of the same major number is accepted",
            standin_version(), abi >> 16, abi & 0xffff, STANDIN_ABI >> 16, STANDIN_ABI & 0xffff);
  return false;
}

static bool start(struct host *host, const struct options *options) {
  if (!fits()) {
    return false;
  }
  uint8_t reason[4096];
  standin_buffer why = {.data = reason, .cap = sizeof reason - 1};
  // The broker has one thread, which makes half a dozen system calls per delivery.
  standin_options given = {
      .size = sizeof given, .flags = STANDIN_OWN_FILES, .config_file = text(options->config)};
  standin_status status = standin_open(&given, &host->engine, &why);
  if (status) {
    reason[why.len < sizeof reason ? why.len : 0] = '\0';
    log_error("%s: %s", standin_status_text(status), (const char *)reason);
    return false;
  }
  host->events = standin_event_fd(host->engine);
  if (host->events < 0) {
    log_error("the engine has no event descriptor");
    return false;
  }
  return find_actions(host);
}

static void stop(struct host *host) {
  clients_forget_all(&host->clients);
  for (size_t i = 0; i < host->pending.capacity; i++) {
    free(host->pending.slots[i].value);
  }
  map_free(&host->pending);
  queue_free(&host->answered);
  queue_free(&host->ended);
  queue_free(&host->gone);
  if (host->engine) {
    log_drain(host->engine);
    standin_close(host->engine, CLOSE_WAIT_MS);
  }
  *host = (struct host){0};
}

struct host *host_open(const struct options *options) {
  if (shared.instances) {
    if (strcmp(shared.config, options->config) != 0) {
      log_error("plugin_opt_config %s: another listener names %s; one broker has one", options->config, shared.config);
      return NULL;
    }
    shared.instances++;
    return &shared.host;
  }
  shared.config = strdup(options->config);
  if (!shared.config || !start(&shared.host, options)) {
    stop(&shared.host);
    free(shared.config);
    shared.config = NULL;
    return NULL;
  }
  shared.instances = 1;
  return &shared.host;
}

void host_close(struct host *host) {
  if (--shared.instances) {
    return;
  }
  stop(host);
  free(shared.config);
  shared.config = NULL;
}
