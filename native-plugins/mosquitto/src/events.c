// SPDX-License-Identifier: Apache-2.0
#include "events.h"

#include <poll.h>
#include <time.h>

enum { AT_ONCE = 32, ROUNDS = 64 };

// Keeps what one event says; true when it is the awaited answer.
static bool keep(struct host *host, const standin_event *event, uint64_t tag) {
  switch (event->kind) {
  case STANDIN_EVENT_LOGIN_DONE: {
    if (event->tag == tag) {
      return true;
    }
    struct pending *pending = map_get(&host->pending, event->tag);
    if (pending && queue_add(&host->answered, event->tag)) {
      pending->done = true;
      pending->answer = *event;
    } else if (event->session) {
      // Nobody waits any more.
      standin_session_release(event->session);
    }
    return false;
  }
  case STANDIN_EVENT_SESSION_ENDED:
  case STANDIN_EVENT_SESSION_EXPIRED:
    // Without memory nobody is disconnected; every check refuses all the same.
    queue_add(&host->ended, event->session);
    return false;
  default:
    return false; // of a newer library
  }
}

bool events_take(struct host *host, uint64_t tag, standin_event *answer) {
  bool found = false;
  size_t count = AT_ONCE;
  for (int round = 0; round < ROUNDS && count == AT_ONCE; round++) {
    standin_event events[AT_ONCE];
    if (standin_events(host->engine, events, sizeof events[0], AT_ONCE, &count) != 0) {
      return found;
    }
    for (size_t i = 0; i < count; i++) {
      if (keep(host, &events[i], tag)) {
        *answer = events[i];
        found = true;
      }
    }
  }
  return found;
}

static int64_t precise_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool events_await(struct host *host, uint64_t tag, uint32_t wait_ms, standin_event *answer) {
  if (events_take(host, tag, answer)) {
    return true;
  }
  int64_t until = precise_now() + wait_ms;
  for (int64_t left = wait_ms; left > 0; left = until - precise_now()) {
    struct pollfd ready = {.fd = host->events, .events = POLLIN};
    // A signal ends the wait early; the loop goes on with what is left.
    if (poll(&ready, 1, (int)left) > 0 && events_take(host, tag, answer)) {
      return true;
    }
  }
  return false;
}
