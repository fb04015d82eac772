// SPDX-License-Identifier: Apache-2.0
// What the engine tells: logins done, sessions ended.
#ifndef STANDIN_MOSQUITTO_EVENTS_H
#define STANDIN_MOSQUITTO_EVENTS_H

#include "host.h"

// A login that is answered later. Tags are never used again.
struct pending {
  uint64_t tag;
  struct instance *instance;
  const struct mosquitto *address; // compared, never followed
  char *id;
  int64_t give_up; // steady milliseconds
  bool done;
  standin_event answer;
};

// Takes what is there, without waiting, and keeps it for the next tick; the
// answer to the login of this tag (0: none is awaited) is handed out instead.
bool events_take(struct host *host, uint64_t tag, standin_event *answer);

// Waits for the answer to a login, no longer than this.
bool events_await(struct host *host, uint64_t tag, uint32_t wait_ms, standin_event *answer);

#endif
