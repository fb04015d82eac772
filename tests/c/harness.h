/* SPDX-License-Identifier: Apache-2.0 */
/* What the C programs share: checks that are counted, an engine on the store
   that `run` has made, and every function of the door behind one number. */
#ifndef HARNESS_H
#define HARNESS_H

#include <standin.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

#define CHECK(condition)                                                                                               \
  ((condition) ? (void)passed++ : (void)(failed++, fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition)))

/* A call that has to come back with this status. */
#define EXPECT(status, call)                                                                                           \
  do {                                                                                                                 \
    standin_status came_ = (call);                                                                                     \
    if (came_ == (status)) {                                                                                           \
      passed++;                                                                                                        \
    } else {                                                                                                           \
      failed++;                                                                                                        \
      fprintf(stderr, "%s:%d: %s gave %d\n", __FILE__, __LINE__, #call, came_);                                        \
    }                                                                                                                  \
  } while (0)

static inline int done(const char *name) {
  printf("%s: %d passed, %d failed\n", name, passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

static inline standin_bytes bytes(const char *text) { return (standin_bytes){(const uint8_t *)text, strlen(text)}; }

#define NONE ((standin_bytes){NULL, 0})

/* A login of the user whose logins the environment's file holds; the next one
   at each call. */
static inline standin_bytes evidence(const char *variable) {
  static char line[16384];
  static FILE *file;
  if (file == NULL) {
    const char *path = getenv(variable);
    file = path == NULL ? NULL : fopen(path, "r");
  }
  if (file == NULL || fgets(line, sizeof line, file) == NULL) {
    fprintf(stderr, "%s names no file with a login left in it\n", variable);
    exit(2);
  }
  line[strcspn(line, "\n")] = 0;
  return bytes(line);
}

typedef struct {
  standin_engine engine;
  standin_session session;
  uint32_t profile, connect, read;
} stage;

static inline standin_login login_of(const stage *stage, standin_bytes payload) {
  standin_login login;
  memset(&login, 0, sizeof login);
  login.size = sizeof login;
  login.profile = stage->profile;
  login.evidence = STANDIN_EVIDENCE_MSK_IAM;
  login.flags = STANDIN_CHANNEL_SECURE;
  login.payload = payload;
  login.action = stage->connect;
  login.resource = bytes("arn:aws:shop:::server");
  login.listener = bytes("main");
  return login;
}

static inline standin_engine open_named(const char *name) {
  static char text[1024];
  standin_buffer why = {(uint8_t *)text, sizeof text, 0};
  standin_pair settings[] = {{bytes("standin.engine"), bytes(name)}};
  standin_options options = {sizeof options, 0, settings, 1, {NULL, 0}};
  standin_engine engine = 0;
  if (standin_open(&options, &engine, &why) != STANDIN_OK) {
    fprintf(stderr, "standin_open: %.*s\n", (int)why.len, text);
    exit(2);
  }
  return engine;
}

static inline standin_session enter(const stage *stage) {
  standin_login login = login_of(stage, evidence("STANDIN_TEST_LOGINS"));
  standin_login_result result = {.size = sizeof result};
  char text[512];
  standin_buffer reply = {(uint8_t *)text, sizeof text, 0};
  standin_status status = standin_login_now(stage->engine, &login, 30000, &result, &reply);
  if (status != STANDIN_OK) {
    fprintf(stderr, "standin_login_now: %d %.*s\n", status, (int)reply.len, text);
    exit(2);
  }
  return result.session;
}

/* Opens an engine with a profile and actions, and logs somebody in. */
static inline stage begin(const char *name) {
  stage stage = {0};
  stage.engine = open_named(name);
  if (standin_profile(stage.engine, bytes("main"), NULL, 0, &stage.profile, NULL) != STANDIN_OK ||
      standin_action(stage.engine, bytes("shop:Connect"), NONE, 0, &stage.connect) != STANDIN_OK ||
      standin_action(stage.engine, bytes("shop:Read"), NONE, 0, &stage.read) != STANDIN_OK) {
    fprintf(stderr, "%s cannot be set up\n", name);
    exit(2);
  }
  stage.session = enter(&stage);
  return stage;
}

#define ALLOWED "arn:aws:shop:::item/blue1"
#define DENIED "arn:aws:shop:::item/red1"

static inline standin_outcome decide(standin_session session, uint32_t action, const char *item) {
  standin_request request = {action, STANDIN_LOG_DENY, bytes(item), 1, 0};
  standin_outcome outcome = STANDIN_ALLOW;
  standin_status status = standin_authorize(session, NULL, &request, sizeof request, 1, &outcome);
  return status == STANDIN_OK ? outcome : STANDIN_DENY;
}

/* Every function that takes an engine or a session, called with arguments that
   are right but for the numbers it is given. */
static const char *const entries[] = {
    "open",           "reload",         "profile",       "action",  "login_now",    "login_start",    "events",
    "request_id",     "authorize",      "authorize_any", "explain", "session_info", "session_retire", "session_release",
    "session_export", "session_import", "metrics",       "records", "close",
};
enum { ENTRIES = sizeof entries / sizeof entries[0], CLOSE = ENTRIES - 1, OPEN = 0 };

/* What the last call of `call` was to hand out, with something in it before. */
static _Thread_local struct {
  uint64_t number;
  uint32_t small;
  size_t count, length;
  standin_session session;
} handed;

static inline bool handed_nothing(void) {
  return handed.number == 0 && handed.small == 0 && handed.count == 0 && handed.length == 0 && handed.session == 0;
}

static inline standin_status call_of(int entry, const stage *stage, standin_outcome *outcome, standin_buffer *buffer,
                                     standin_login_result *result) {
  static const uint8_t sealed[64];
  standin_login login = login_of(stage, bytes("{}"));
  standin_event event;
  standin_request request = {stage->read, 0, bytes(ALLOWED), 1, 0};
  standin_info info = {.size = sizeof info};
  standin_metric metrics[128];
  standin_options options = {.size = sizeof options};
  uint64_t *number = &handed.number;
  uint32_t *small = &handed.small;
  size_t *n = &handed.count;
  switch (entry) {
  case 0:
    *number = 77;
    return standin_open(&options, number, NULL);
  case 1:
    return standin_reload(stage->engine, NULL, 0, buffer);
  case 2:
    *small = 77;
    return standin_profile(stage->engine, bytes("main"), NULL, 0, small, buffer);
  case 3:
    *small = 77;
    return standin_action(stage->engine, bytes("shop:Read"), NONE, 0, small);
  case 4:
    return standin_login_now(stage->engine, &login, 10, result, buffer);
  case 5:
    return standin_login_start(stage->engine, &login, 10, 7);
  case 6:
    *n = 77;
    return standin_events(stage->engine, &event, sizeof event, 1, n);
  case 7:
    return standin_request_id(stage->engine, 1, buffer);
  case 8:
    *outcome = STANDIN_ALLOW;
    return standin_authorize(stage->session, NULL, &request, sizeof request, 1, outcome);
  case 9:
    *outcome = STANDIN_ALLOW;
    return standin_authorize_any(stage->session, NULL, stage->read, outcome);
  case 10:
    return standin_explain(stage->session, NULL, &request, buffer);
  case 11:
    return standin_session_info(stage->session, &info, buffer);
  case 12:
    return standin_session_retire(stage->session, 1000);
  case 13:
    return standin_session_release(stage->session);
  case 14:
    return standin_session_export(stage->session, buffer);
  case 15:
    *number = 77;
    return standin_session_import(stage->engine, (standin_bytes){sealed, sizeof sealed}, 10, number);
  case 16:
    *n = 77;
    return standin_metrics(stage->engine, metrics, sizeof metrics[0], 128, n);
  case 17:
    return standin_records(stage->engine, STANDIN_RECORDS_LOG, buffer);
  default:
    return standin_close(stage->engine, 1000);
  }
}

/* `outcome` has to be denied after a call that has not succeeded. */
static inline standin_status call(int entry, const stage *stage, standin_outcome *outcome) {
  uint8_t room[2048];
  standin_buffer buffer = {room, sizeof room, 77};
  standin_login_result result = {.size = sizeof result, .session = 77};
  memset(&handed, 0, sizeof handed);
  standin_status status = call_of(entry, stage, outcome, &buffer, &result);
  /* Of those that fill a buffer, but for a text that says why. */
  static const bool fills[ENTRIES] = {[4] = true, [7] = true, [10] = true, [11] = true, [14] = true, [17] = true};
  handed.length = fills[entry] ? buffer.len : 0;
  handed.session = entry == 4 ? result.session : 0;
  return status;
}

#endif
