// SPDX-License-Identifier: Apache-2.0
// What all listeners of the broker share: the engine, and who is connected.
#ifndef STANDIN_MOSQUITTO_HOST_H
#define STANDIN_MOSQUITTO_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "clients.h"
#include "log.h"
#include "map.h"
#include "options.h"
#include "standin.h"

struct actions {
  uint32_t publish, retain_publish, subscribe, receive, control;
};

// Numbers that wait for the next tick. Sessions and tags, never pointers: what
// they name may be gone by then.
struct queue {
  uint64_t *items;
  size_t count, capacity;
};
bool queue_add(struct queue *queue, uint64_t item);
void queue_free(struct queue *queue);

struct host {
  standin_engine engine;
  int events; // readable when the engine has something to tell
  struct actions actions;
  struct clients clients;
  struct map pending;    // logins that are answered later, by tag
  struct queue answered; // tags of those that have their answer
  struct queue ended;    // sessions whose clients are to be disconnected
  struct queue gone;     // addresses whose clients are to be forgotten
  uint64_t last_tag;
  const struct client *kicked; // while the broker is told to disconnect it
  struct log_limit undelivered;
  int64_t impatient_until; // no login is waited for before, steady milliseconds
  int64_t worked;          // when a tick last did its work
  int64_t drained;         // when the log was last drained
  bool reloading;          // until the next tick
  bool ticking;            // Mosquitto 2.0 does not tick with per_listener_settings
  struct instance *instances;
};

// One listener, or all of them: what a plugin line of mosquitto.conf makes.
struct instance {
  struct host *host;
  struct instance *next;
  mosquitto_plugin_id_t *identifier;
  struct options options;
  uint32_t profile;
  uint32_t connect; // the action of connecting
};

// The host, opened with the first instance and closed with the last. NULL, and
// the reason in the log, when the engine does not start.
struct host *host_open(const struct options *options);
void host_close(struct host *host);

// What a status of the library says of a client: it is refused, or that could not
// be decided.
static inline bool is_refused(standin_status status) { return status <= -200 && status > -300; }
static inline bool is_undecided(standin_status status) { return status <= -300 && status > -400; }

// Steady milliseconds, cheap and coarse.
int64_t host_now(void);

#endif
