// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "broker.h"

enum { WINDOW_MS = 10000, LINES_PER_WINDOW = 5, DRAINS_AT_ONCE = 8 };

static void say(int level, const char *format, va_list arguments) {
  char line[900]; // the broker cuts a line at 1000
  vsnprintf(line, sizeof line, format, arguments);
  mosquitto_log_printf(level, "standin: %s", line);
}

void log_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(MOSQ_LOG_ERR, format, arguments);
  va_end(arguments);
}

void log_warn(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(MOSQ_LOG_WARNING, format, arguments);
  va_end(arguments);
}

void log_info(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(MOSQ_LOG_INFO, format, arguments);
  va_end(arguments);
}

// One line of the library: its level, a blank, its text.
static void pass_on(char *line) {
  char *text = strchr(line, ' ');
  if (!text) {
    return;
  }
  *text++ = '\0';
  if (strcmp(line, "error") == 0) {
    log_error("%s", text);
  } else if (strcmp(line, "warn") == 0) {
    log_warn("%s", text);
  } else {
    log_info("%s", text);
  }
}

void log_drain(standin_engine engine) {
  static uint8_t bytes[65536];
  // Bounded: who floods the log must not stop the broker.
  for (int i = 0; i < DRAINS_AT_ONCE; i++) {
    standin_buffer buffer = {.data = bytes, .cap = sizeof bytes - 1};
    if (standin_records(engine, STANDIN_RECORDS_LOG, &buffer) != 0 || !buffer.len || buffer.len >= sizeof bytes) {
      return;
    }
    bytes[buffer.len] = '\0';
    char *rest = NULL;
    for (char *line = strtok_r((char *)bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
      pass_on(line);
    }
  }
}

void log_limit_flush(struct log_limit *limit, int64_t now) {
  if (now < limit->window_ends) {
    return;
  }
  if (limit->left_out) {
    log_warn("%llu further messages were not delivered; the audit has them", (unsigned long long)limit->left_out);
  }
  *limit = (struct log_limit){0};
}

void log_undelivered(struct log_limit *limit, int64_t now, const char *topic, const char *client_id, const char *name) {
  log_limit_flush(limit, now);
  if (!limit->window_ends) {
    limit->window_ends = now + WINDOW_MS;
  }
  if (limit->lines == LINES_PER_WINDOW) {
    limit->left_out++;
    return;
  }
  limit->lines++;
  log_warn("a message on %s is not delivered to %s (%s): not allowed", topic, client_id, name);
}
