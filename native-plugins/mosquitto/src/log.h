// SPDX-License-Identifier: Apache-2.0
// Lines in the broker's log, from the broker's thread only.
#ifndef STANDIN_MOSQUITTO_LOG_H
#define STANDIN_MOSQUITTO_LOG_H

#include <stdint.h>

#include "standin.h"

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Moves what the library has to say into the broker's log.
void log_drain(standin_engine engine);

// A message that was not delivered: neither its publisher nor its subscriber
// learns of it. Few lines per window, the rest is counted.
struct log_limit {
  int64_t window_ends; // steady milliseconds
  uint32_t lines;
  uint64_t left_out;
};
void log_undelivered(struct log_limit *limit, int64_t now, const char *topic, const char *client_id, const char *name);

// Says how many lines were left out, once their window is over.
void log_limit_flush(struct log_limit *limit, int64_t now);

#endif
