/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
/* A host with an event loop: logins that never wait, sessions that end behind
   its back, settings that change while it runs. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* The next event, whatever it is; false after half a minute of silence. */
static bool next(const stage *on, standin_event *event) {
  struct pollfd ready = {standin_event_fd(on->engine), POLLIN, 0};
  size_t n = 0;
  memset(event, 0, sizeof *event);
  for (int tries = 0; tries < 30; tries++) {
    if (standin_events(on->engine, event, sizeof *event, 1, &n) == STANDIN_OK && n == 1) return true;
    if (poll(&ready, 1, 1000) < 0) return false;
  }
  fprintf(stderr, "no event came\n");
  return false;
}

static bool is_readable(const stage *on) {
  struct pollfd ready = {standin_event_fd(on->engine), POLLIN, 0};
  return poll(&ready, 1, 0) == 1;
}

static standin_session start(const stage *on, standin_bytes payload, uint64_t tag, standin_status expected) {
  standin_login login = login_of(on, payload);
  standin_event event;
  EXPECT(STANDIN_OK, standin_login_start(on->engine, &login, 30000, tag));
  CHECK(next(on, &event));
  CHECK(event.kind == STANDIN_EVENT_LOGIN_DONE && event.tag == tag && event.size == sizeof event);
  CHECK(event.status == expected && (event.session != 0) == (expected == STANDIN_OK));
  CHECK((event.deadline_unix_ms > 0) == (expected == STANDIN_OK) && event.request > 0);

  char text[100], small[3];
  standin_buffer id = {(uint8_t *)text, sizeof text, 0}, few = {(uint8_t *)small, sizeof small, 0};
  EXPECT(STANDIN_OK, standin_request_id(on->engine, event.request, &id));
  CHECK(id.len > 16 && memchr(text, '-', id.len) != NULL);
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_request_id(on->engine, event.request, &few));
  CHECK(few.len == id.len);
  EXPECT(STANDIN_NOT_FOUND, standin_request_id(on->engine, event.request + 1000, &id));
  EXPECT(STANDIN_NOT_FOUND, standin_request_id(on->engine, 0, &id));
  return event.session;
}

static void run(const char *command) {
  char line[512];
  const char *program = getenv("STANDIN_TEST_PROGRAM");
  snprintf(line, sizeof line, "%s %s >/dev/null", program == NULL ? "standin" : program, command);
  CHECK(system(line) == 0);
}

int main(void) {
  stage on = begin("events");
  int fd = standin_event_fd(on.engine);
  standin_event event;
  size_t n = 77;
  CHECK(fd >= 0 && standin_event_fd(on.engine) == fd);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  EXPECT(STANDIN_OK, standin_events(on.engine, &event, sizeof event, 1, &n));
  CHECK(n == 0 && !is_readable(&on));

  /* One event for each login, by its tag. */
  standin_bytes good = evidence("STANDIN_TEST_LOGINS");
  standin_session session = start(&on, good, 41, STANDIN_OK);
  CHECK(decide(session, on.read, ALLOWED) == STANDIN_ALLOW && decide(session, on.read, DENIED) == STANDIN_DENY);
  start(&on, bytes("{}"), 42, STANDIN_MALFORMED);
  start(&on, NONE, ~0ull, STANDIN_MALFORMED);
  CHECK(!is_readable(&on));
  standin_login login = login_of(&on, good);
  for (uint64_t tag = 100; tag < 164; tag++) {
    EXPECT(STANDIN_OK, standin_login_start(on.engine, &login, 30000, tag));
  }
  uint64_t seen = 0;
  while (seen != ~0ull && next(&on, &event)) {
    CHECK(event.kind == STANDIN_EVENT_LOGIN_DONE && event.tag >= 100 && event.tag < 164);
    CHECK((seen >> (event.tag - 100) & 1) == 0);
    seen |= 1ull << (event.tag - 100);
    if (event.session != 0) EXPECT(STANDIN_OK, standin_session_release(event.session));
  }

  /* A profile changes for the next login; one that is wrong changes nothing. */
  standin_pair shorter = {bytes("standin.session.max.ms"), bytes("2500")};
  standin_pair wrong = {bytes("standin.session.max.ms"), bytes("-5")};
  uint32_t profile = 99;
  EXPECT(STANDIN_INVALID_SETTING, standin_profile(on.engine, bytes("main"), &wrong, 1, &profile, NULL));
  EXPECT(STANDIN_OK, standin_profile(on.engine, bytes("main"), &shorter, 1, &profile, NULL));
  CHECK(profile == on.profile);
  standin_session passing = start(&on, good, 43, STANDIN_OK);
  CHECK(decide(passing, on.read, ALLOWED) == STANDIN_ALLOW);
  CHECK(next(&on, &event) && event.kind == STANDIN_EVENT_SESSION_EXPIRED && event.session == passing);
  CHECK(event.status == STANDIN_EXPIRED);
  CHECK(decide(passing, on.read, ALLOWED) == STANDIN_DENY);
  standin_info info = {.size = sizeof info};
  EXPECT(STANDIN_OK, standin_session_info(passing, &info, NULL));
  CHECK(info.state == STANDIN_SESSION_EXPIRED);
  EXPECT(STANDIN_OK, standin_session_release(passing));
  EXPECT(STANDIN_OK, standin_profile(on.engine, bytes("main"), NULL, 0, &profile, NULL));

  /* Reload: settings of listeners change, those of the engine cannot. */
  char text[512];
  standin_buffer why = {(uint8_t *)text, sizeof text, 0};
  standin_pair settings[] = {{bytes("standin.engine"), bytes("events")}, {bytes("standin.evidence"), bytes("token")}};
  EXPECT(STANDIN_OK, standin_reload(on.engine, settings, 2, &why));
  start(&on, good, 44, STANDIN_KIND_NOT_ACCEPTED);
  settings[1].value = bytes("msk-iam,token");
  EXPECT(STANDIN_OK, standin_reload(on.engine, settings, 2, &why));
  standin_session_release(start(&on, good, 45, STANDIN_OK));
  settings[1] = (standin_pair){bytes("standin.audit.flush.ms"), bytes("111")};
  EXPECT(STANDIN_OK, standin_reload(on.engine, settings, 2, &why));
  settings[1] = (standin_pair){bytes("standin.cache.entries"), bytes("128")};
  EXPECT(STANDIN_INVALID_SETTING, standin_reload(on.engine, settings, 2, &why));
  CHECK(why.len > 0 && memmem(text, why.len, "standin.cache.entries", 21) != NULL);
  settings[1] = (standin_pair){bytes("standin.sesion.max.ms"), bytes("4321")};
  EXPECT(STANDIN_INVALID_SETTING, standin_reload(on.engine, settings, 2, &why));
  EXPECT(STANDIN_OK, standin_reload(on.engine, NULL, 0, NULL));

  /* Revoked: told, and denied whether it was told or not. */
  CHECK(decide(session, on.read, ALLOWED) == STANDIN_ALLOW);
  run("user disable alice");
  CHECK(next(&on, &event) && event.kind == STANDIN_EVENT_SESSION_ENDED && event.status == STANDIN_REVOKED);
  bool told = event.session == session;
  CHECK(next(&on, &event) && event.kind == STANDIN_EVENT_SESSION_ENDED);
  CHECK(told || event.session == session);
  CHECK(decide(session, on.read, ALLOWED) == STANDIN_DENY && decide(on.session, on.read, ALLOWED) == STANDIN_DENY);
  start(&on, good, 46, STANDIN_IDENTITY_DISABLED);
  run("user enable alice");

  /* The audit comes to the host as well, from the first call on. */
  static char records[1 << 16];
  standin_buffer lines = {(uint8_t *)records, sizeof records - 1, 0};
  EXPECT(STANDIN_OK, standin_records(on.engine, STANDIN_RECORDS_AUDIT, &lines));
  start(&on, bytes("{}"), 47, STANDIN_MALFORMED);
  for (int tries = 0; tries < 300; tries++) {
    EXPECT(STANDIN_OK, standin_records(on.engine, STANDIN_RECORDS_AUDIT, &lines));
    if (lines.len > 0) break;
    usleep(100000);
  }
  CHECK(lines.len > 0 && records[0] == '{' && records[lines.len - 1] == '\n');
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
  CHECK(fcntl(fd, F_GETFD) == -1);
  CHECK(standin_event_fd(on.engine) == -1);
  return done("events");
}
