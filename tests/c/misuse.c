/* SPDX-License-Identifier: Apache-2.0 */
/* whatever a host passes, a documented status comes back, everything is
   denied, and the process lives. */
#include "harness.h"

#include <sys/wait.h>
#include <unistd.h>

#define HUGE_LENGTH ((size_t)-1)
#define MISALIGNED(type, at) ((type *)(void *)((char *)(at) + 1))

static stage on;
static standin_request good;
static standin_outcome outcomes[100];

/* A status below 0 that says what is wrong, and no defect. */
static bool is_misuse(standin_status status) { return status <= -100 && status > -200; }

static standin_status decide_raw(const standin_batch *batch, const standin_request *requests, size_t stride, size_t n) {
  memset(outcomes, STANDIN_ALLOW, sizeof outcomes);
  standin_status status = standin_authorize(on.session, batch, requests, stride, n, outcomes);
  for (size_t i = 0; status != STANDIN_OK && i < n && i < sizeof outcomes; i++) {
    CHECK(outcomes[i] == STANDIN_DENY);
  }
  return status;
}

static standin_status decide_one(uint32_t flags, standin_bytes resource, uint32_t reserved) {
  standin_request request = {on.read, flags, resource, 1, reserved};
  return decide_raw(NULL, &request, sizeof request, 1);
}

static void null_pointers(void) {
  standin_options options = {.size = sizeof options};
  standin_login login = login_of(&on, bytes("{}"));
  standin_login_result result = {.size = sizeof result};
  standin_engine engine = 77;
  standin_session session = 77;
  standin_info info = {.size = sizeof info};
  standin_event event;
  standin_metric metric;
  standin_outcome outcome = STANDIN_ALLOW;
  uint8_t room[256];
  standin_buffer buffer = {room, sizeof room, 0};
  uint32_t number = 77;
  size_t n;
  standin_bytes name = bytes("main"), nowhere = {NULL, 4};

  EXPECT(STANDIN_INVALID_ARGUMENT, standin_open(NULL, &engine, &buffer));
  CHECK(engine == 0);
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_open(&options, NULL, &buffer));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_open(NULL, NULL, NULL));
  EXPECT(STANDIN_OK, standin_reload(on.engine, NULL, 0, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_reload(on.engine, NULL, 1, &buffer));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, nowhere, NULL, 0, &number, &buffer));
  CHECK(number == 0);
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, name, NULL, 1, &number, &buffer));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, name, NULL, 0, NULL, &buffer));
  EXPECT(STANDIN_OK, standin_profile(on.engine, name, NULL, 0, &number, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, nowhere, NONE, 0, &number));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes("shop:Read"), nowhere, 0, &number));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes("shop:Read"), NONE, 0, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, NULL, 1, &result, &buffer));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, NULL, &buffer));
  EXPECT(STANDIN_MALFORMED, standin_login_now(on.engine, &login, 1, &result, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_start(on.engine, NULL, 1, 1));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_events(on.engine, NULL, sizeof event, 1, &n));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_events(on.engine, &event, sizeof event, 1, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_request_id(on.engine, 1, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_authorize(on.session, NULL, NULL, sizeof good, 1, &outcome));
  CHECK(outcome == STANDIN_DENY);
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_authorize(on.session, NULL, &good, sizeof good, 1, NULL));
  EXPECT(STANDIN_OK, standin_authorize(on.session, NULL, NULL, sizeof good, 0, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_authorize_any(on.session, NULL, on.read, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_explain(on.session, NULL, NULL, &buffer));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_explain(on.session, NULL, &good, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_info(on.session, NULL, &buffer));
  EXPECT(STANDIN_OK, standin_session_info(on.session, &info, NULL));
  CHECK(info.state == STANDIN_SESSION_LIVE && info.deadline_unix_ms > 0 && info.size == sizeof info);
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_export(on.session, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_import(on.engine, nowhere, 1, &session));
  CHECK(session == 0);
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_import(on.engine, name, 1, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_metrics(on.engine, NULL, sizeof metric, 1, &n));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_metrics(on.engine, &metric, sizeof metric, 1, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_records(on.engine, STANDIN_RECORDS_LOG, NULL));
}

static void lengths(void) {
  static uint8_t large[2 << 20];
  const uint8_t *somewhere = (const uint8_t *)"x";
  uint8_t room[512];
  size_t n = 77;
  memset(large, 'a', sizeof large);
  for (size_t i = 0; i < 4; i++) {
    size_t length = (const size_t[]){HUGE_LENGTH, HUGE_LENGTH / 2 + 1, (size_t)1 << 40, 65536}[i];
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(0, (standin_bytes){large, length}, 0));
  }
  EXPECT(STANDIN_OK, decide_one(0, (standin_bytes){large, 65535}, 0));
  EXPECT(STANDIN_OK, decide_one(0, NONE, 0));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(0, (standin_bytes){NULL, 1}, 0));
  /* More requests than there may be: not one outcome is believed to have room. */
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_authorize(on.session, NULL, &good, sizeof good, HUGE_LENGTH, outcomes));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_authorize(on.session, NULL, &good, sizeof good, 65537, outcomes));
  for (size_t i = 0; i < 7; i++) {
    size_t stride = (const size_t[]){0, 1, 8, sizeof good - 8, sizeof good + 1, 1 << 20, HUGE_LENGTH}[i];
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(NULL, &good, stride, 1));
  }
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(NULL, MISALIGNED(const standin_request, &good), sizeof good, 1));

  standin_login login = login_of(&on, (standin_bytes){large, sizeof large});
  standin_login_result result = {.size = sizeof result};
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
  CHECK(result.session == 0);
  login.payload = (standin_bytes){somewhere, HUGE_LENGTH};
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
  login.payload = NONE;
  EXPECT(STANDIN_MALFORMED, standin_login_now(on.engine, &login, 1, &result, NULL));
  for (size_t length = 1; length < 20; length++) {
    login = login_of(&on, bytes("{}"));
    login.peer_address = (standin_bytes){large, length};
    EXPECT(length == 4 || length == 16 ? STANDIN_MALFORMED : STANDIN_INVALID_ARGUMENT,
           standin_login_now(on.engine, &login, 1, &result, NULL));
    standin_batch batch = {sizeof batch, 0, {large, length}, {NULL, 0}};
    EXPECT(length == 4 || length == 16 ? STANDIN_OK : STANDIN_INVALID_ARGUMENT,
           decide_raw(&batch, &good, sizeof good, 1));
  }
  login = login_of(&on, bytes("{}"));
  login.fact_count = HUGE_LENGTH;
  login.facts = (const standin_pair *)(const void *)large;
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));

  /* Room for the reply is looked at before anything is done. */
  login = login_of(&on, bytes("{}"));
  standin_buffer reply = {room, STANDIN_REPLY_MAX - 1, 0};
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_login_now(on.engine, &login, 1, &result, &reply));
  CHECK(reply.len == STANDIN_REPLY_MAX);
  standin_buffer buffers[] = {{NULL, 5, 0}, {room, HUGE_LENGTH, 0}};
  for (size_t i = 0; i < 2; i++) {
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, &buffers[i]));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_export(on.session, &buffers[i]));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_records(on.engine, STANDIN_RECORDS_LOG, &buffers[i]));
  }
  standin_buffer asks = {NULL, 0, 0};
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_session_export(on.session, &asks));
  CHECK(asks.len > 100);
  standin_buffer small = {room, 3, 0};
  standin_info info = {.size = sizeof info};
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_session_info(on.session, &info, &small));
  CHECK(small.len > 30 && info.state == STANDIN_SESSION_LIVE);
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_explain(on.session, NULL, &good, &small));
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_records(on.engine, STANDIN_RECORDS_LOG, &small));

  standin_metric metrics[4];
  EXPECT(STANDIN_BUFFER_TOO_SMALL, standin_metrics(on.engine, metrics, sizeof metrics[0], 4, &n));
  CHECK(n > 4);
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_metrics(on.engine, metrics, sizeof metrics[0], HUGE_LENGTH, &n));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_metrics(on.engine, metrics, 8, 4, &n));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_metrics(on.engine, MISALIGNED(standin_metric, metrics), 24, 3, &n));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_metrics(on.engine, metrics, 24, 4, MISALIGNED(size_t, metrics)));

  standin_pair pair = {bytes("standin.x.test"), bytes("1")};
  uint32_t number;
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, bytes("main"), &pair, HUGE_LENGTH, &number, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, NONE, &pair, 1, &number, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, (standin_bytes){large, 256}, &pair, 1, &number, NULL));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, (standin_bytes){large, 256}, NONE, 0, &number));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_import(on.engine, (standin_bytes){large, sizeof large}, 1, NULL));
}

static void texts_and_numbers(void) {
  const char *const broken[] = {"\xff", "\xc3", "\xed\xa0\x80", "a\xf5\x80\x80\x80"};
  standin_login_result result = {.size = sizeof result};
  uint8_t room[512];
  standin_buffer buffer = {room, sizeof room, 0};
  uint32_t number;
  for (size_t i = 0; i < 4; i++) {
    standin_bytes bad = bytes(broken[i]);
    standin_pair pairs[] = {{bad, bytes("1")}, {bytes("standin.x.test"), bad}};
    standin_batch batch = {sizeof batch, 0, {NULL, 0}, bad};
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(0, bad, 0));
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(&batch, &good, sizeof good, 1));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bad, NONE, 0, &number));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes("shop:Read"), bad, 0, &number));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, bad, NULL, 0, &number, NULL));
    for (size_t j = 0; j < 2; j++) {
      EXPECT(STANDIN_INVALID_ARGUMENT, standin_profile(on.engine, bytes("main"), &pairs[j], 1, &number, NULL));
      standin_login login = login_of(&on, bytes("{}"));
      login.facts = &pairs[j];
      login.fact_count = 1;
      EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
    }
    for (size_t j = 0; j < 4; j++) {
      standin_login login = login_of(&on, bytes("{}"));
      *(standin_bytes *const[]){&login.resource, &login.listener, &login.protocol, &login.connection}[j] = bad;
      EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
    }
  }
  for (size_t i = 0; i < 4; i++) {
    uint32_t odd = (const uint32_t[]){4, 99, 0x80000000u, 0xffffffffu}[i];
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(odd, bytes(ALLOWED), 0));
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(0, bytes(ALLOWED), odd));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes("shop:Read"), NONE, odd, &number));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_records(on.engine, odd, &buffer));
    standin_login login = login_of(&on, bytes("{}"));
    login.evidence = odd;
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_start(on.engine, &login, 1, 1));
    login = login_of(&on, bytes("{}"));
    login.flags = odd;
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
    login = login_of(&on, bytes("{}"));
    login.profile = odd;
    EXPECT(STANDIN_UNKNOWN_ID, standin_login_now(on.engine, &login, 1, &result, NULL));
    login = login_of(&on, bytes("{}"));
    login.peer_port = 65536 + i;
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login, 1, &result, NULL));
    standin_options options = {.size = sizeof options, .flags = odd};
    standin_engine engine;
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_open(&options, &engine, &buffer));
  }
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes("Read"), NONE, 0, &number));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes(":Read"), NONE, 0, &number));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_action(on.engine, bytes("shop:"), NONE, 0, &number));
  /* An action that was never made denies. */
  CHECK(decide(on.session, 0, ALLOWED) == STANDIN_DENY);
  CHECK(decide(on.session, 4711, ALLOWED) == STANDIN_DENY);
  CHECK(decide(on.session, STANDIN_NO_ACTION, ALLOWED) == STANDIN_DENY);
  /* What is wrong is said, and as much of it as there is room for. */
  standin_pair wrong = {bytes("standin.session.mx.ms"), bytes("1")};
  EXPECT(STANDIN_INVALID_SETTING, standin_profile(on.engine, bytes("main"), &wrong, 1, &number, &buffer));
  CHECK(buffer.len > 20 && memchr(room, 0, buffer.len) == NULL);
  standin_buffer small = {room, 10, 0};
  EXPECT(STANDIN_INVALID_SETTING, standin_profile(on.engine, bytes("main"), &wrong, 1, &number, &small));
  CHECK(small.len <= 10);
  CHECK(strcmp(standin_status_text(-101), "a setting is unknown, missing or malformed") == 0);
  CHECK(strcmp(standin_status_text(12345), "unknown status") == 0);
  CHECK(standin_abi() == STANDIN_ABI && strchr(standin_version(), '.') != NULL);
}

/* What a thread remembers is no way around what a call is checked for. */
static void remembered(void) {
  standin_bytes name = bytes(ALLOWED);
  for (size_t i = 0; i < 100; i++) {
    EXPECT(STANDIN_OK, decide_one(STANDIN_LOG_DENY, name, 0));
    CHECK(outcomes[0] == STANDIN_ALLOW);
  }
  standin_request request = {on.read, 0, name, 1, 0};
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(4, name, 0));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(0, name, 1));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_one(0, (standin_bytes){NULL, name.len}, 0));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(NULL, NULL, sizeof request, 1));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(NULL, &request, sizeof request - 8, 1));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(NULL, &request, sizeof request + 1, 1));
  EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(NULL, MISALIGNED(const standin_request, &request), sizeof request, 1));
  EXPECT(STANDIN_INVALID_ARGUMENT, standin_authorize(on.session, NULL, &request, sizeof request, 1, NULL));
  /* Another name, action or session is another question. */
  CHECK(decide(on.session, on.read, DENIED) == STANDIN_DENY);
  CHECK(decide(on.session, on.read + 1, ALLOWED) == STANDIN_DENY);
  for (size_t i = 0; i < 4; i++) {
    standin_session other = (const standin_session[]){0, on.session + 1, on.session | 1ull << 63, ~on.session}[i];
    standin_outcome outcome = STANDIN_ALLOW;
    EXPECT(STANDIN_UNKNOWN_ID, standin_authorize(other, NULL, &request, sizeof request, 1, &outcome));
    CHECK(outcome == STANDIN_DENY);
  }
  EXPECT(STANDIN_OK, decide_one(0, name, 0));
  CHECK(outcomes[0] == STANDIN_ALLOW);
}

/* Structs of an older version end earlier, those of a newer one later. */
static void sizes(void) {
  struct {
    standin_login login;
    uint64_t newer[4];
  } login;
  struct {
    standin_login_result result;
    uint64_t newer[2];
  } result;
  struct {
    standin_batch batch;
    uint64_t newer;
  } batch;
  struct {
    standin_request request;
    uint64_t newer;
  } requests[3];
  memset(&login, 0xa5, sizeof login);
  memset(&result, 0xa5, sizeof result);
  memset(&batch, 0xa5, sizeof batch);
  login.login = login_of(&on, evidence("STANDIN_TEST_LOGINS"));
  login.login.size = sizeof login;
  result.result.size = sizeof result;
  EXPECT(STANDIN_OK, standin_login_now(on.engine, &login.login, 5000, &result.result, NULL));
  CHECK(result.result.session != 0 && result.result.size == sizeof result);
  CHECK(decide(result.result.session, on.read, ALLOWED) == STANDIN_ALLOW);
  standin_session_release(result.result.session);

  /* An older result has no room for the session: nothing behind is written. */
  standin_login_result older;
  memset(&older, 0xa5, sizeof older);
  older.size = 16;
  login.login.size = 48; /* without action, names and facts */
  EXPECT(STANDIN_MALFORMED,
         (login.login.payload = bytes("{}"), standin_login_now(on.engine, &login.login, 10, &older, NULL)));
  CHECK(older.status == STANDIN_MALFORMED && older.session == 0 &&
        older.deadline_unix_ms == (int64_t)0xa5a5a5a5a5a5a5a5);

  batch.batch = (standin_batch){sizeof batch, 0, {NULL, 0}, {NULL, 0}};
  for (size_t i = 0; i < 3; i++) {
    requests[i].request = (standin_request){on.read, 0, bytes(i == 1 ? DENIED : ALLOWED), 0, 0};
    requests[i].newer = 99;
  }
  EXPECT(STANDIN_OK, decide_raw(&batch.batch, &requests[0].request, sizeof requests[0], 3));
  CHECK(outcomes[0] == STANDIN_ALLOW && outcomes[1] == STANDIN_DENY && outcomes[2] == STANDIN_ALLOW);
  batch.batch.size = 8; /* only the wait */
  batch.batch.client_id = (standin_bytes){NULL, 99};
  EXPECT(STANDIN_OK, decide_raw(&batch.batch, &good, sizeof good, 1));

  for (size_t i = 0; i < 7; i++) {
    uint32_t size = (const uint32_t[]){0, 1, 4, 7, 12, 8192, 0xffffffffu}[i];
    standin_options options = {.size = size};
    standin_info info = {.size = size};
    standin_engine engine;
    batch.batch.size = login.login.size = older.size = size;
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_open(&options, &engine, NULL));
    EXPECT(STANDIN_INVALID_ARGUMENT, decide_raw(&batch.batch, &good, sizeof good, 1));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login.login, 1, &result.result, NULL));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_session_info(on.session, &info, NULL));
    login.login = login_of(&on, bytes("{}"));
    EXPECT(STANDIN_INVALID_ARGUMENT, standin_login_now(on.engine, &login.login, 1, &older, NULL));
  }
  struct {
    standin_metric metric;
    uint64_t newer;
  } metrics[128];
  memset(metrics, 0xa5, sizeof metrics);
  size_t n;
  EXPECT(STANDIN_OK, standin_metrics(on.engine, &metrics[0].metric, sizeof metrics[0], 128, &n));
  CHECK(metrics[0].metric.size == sizeof(standin_metric) && metrics[0].newer == 0xa5a5a5a5a5a5a5a5);
  CHECK(n > 20 && strcmp(metrics[0].metric.name, "logins-success-total") == 0);
  CHECK(metrics[0].metric.value >= 2);
}

static void forged(void) {
  const uint64_t ids[] = {0,
                          1,
                          77,
                          255,
                          65535,
                          1ull << 32,
                          1ull << 63,
                          ~0ull,
                          on.engine ^ 1,
                          on.engine + (1ull << 32),
                          on.engine - (1ull << 32),
                          on.session ^ 1,
                          on.session + (1ull << 32),
                          on.session ^ (1 << 24)};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    stage with = on;
    with.engine = with.session = ids[i];
    for (int entry = OPEN + 1; entry < ENTRIES; entry++) {
      standin_outcome outcome = STANDIN_DENY;
      standin_status status = call(entry, &with, &outcome);
      CHECK(status == STANDIN_UNKNOWN_ID);
      CHECK(outcome == STANDIN_DENY && handed_nothing());
      if (status != STANDIN_UNKNOWN_ID) {
        fprintf(stderr, "standin_%s with %#llx gave %d\n", entries[entry], (unsigned long long)ids[i], status);
      }
    }
    CHECK(standin_event_fd(ids[i]) == -1);
  }
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);
}

static void twice_and_after_close(void) {
  stage other = begin("misuse");
  /* The same name gives another number for the same engine. */
  CHECK(other.engine != on.engine);
  CHECK(decide(other.session, other.read, ALLOWED) == STANDIN_ALLOW);
  EXPECT(STANDIN_OK, standin_session_release(other.session));
  EXPECT(STANDIN_UNKNOWN_ID, standin_session_release(other.session));
  EXPECT(STANDIN_UNKNOWN_ID, standin_session_retire(other.session, 1));
  CHECK(decide(other.session, other.read, ALLOWED) == STANDIN_DENY);
  EXPECT(STANDIN_OK, standin_close(other.engine, 1000));
  EXPECT(STANDIN_UNKNOWN_ID, standin_close(other.engine, 1000));
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);

  stage gone = begin("gone");
  EXPECT(STANDIN_OK, standin_close(gone.engine, 5000));
  stage next = begin("next"); /* which gets the number that is free again */
  for (int entry = OPEN + 1; entry < ENTRIES; entry++) {
    standin_outcome outcome = STANDIN_DENY;
    EXPECT(STANDIN_UNKNOWN_ID, call(entry, &gone, &outcome));
    CHECK(outcome == STANDIN_DENY && handed_nothing());
  }
  CHECK(decide(next.session, next.read, ALLOWED) == STANDIN_ALLOW);
  EXPECT(STANDIN_OK, standin_close(next.engine, 5000));
}

/* In a child everything answers at once, and the parent goes on. */
static void fork_child(void) {
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    passed = failed = 0;
    for (int entry = OPEN; entry < CLOSE; entry++) {
      standin_outcome outcome = STANDIN_DENY;
      EXPECT(STANDIN_FORKED, call(entry, &on, &outcome));
      CHECK(outcome == STANDIN_DENY && handed_nothing());
    }
    CHECK(standin_event_fd(on.engine) == -1);
    CHECK(standin_abi() == STANDIN_ABI);
    EXPECT(STANDIN_OK, standin_close(on.engine, 60000));
    EXPECT(STANDIN_OK, standin_close(on.engine, 60000));
    /* Not _exit: what the parent had would count as leaked in valgrind. */
    execlp(failed == 0 ? "true" : "false", "child", (char *)NULL);
    _exit(2);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);
  standin_session another = enter(&on);
  CHECK(decide(another, on.read, ALLOWED) == STANDIN_ALLOW);
  CHECK(decide(another, on.read, DENIED) == STANDIN_DENY);
  standin_session_release(another);
}

int main(void) {
  CHECK(is_misuse(standin_close(0, 0)));
  on = begin("misuse");
  good = (standin_request){on.read, 0, bytes(ALLOWED), 1, 0};
  null_pointers();
  lengths();
  texts_and_numbers();
  remembered();
  sizes();
  forged();
  twice_and_after_close();
  fork_child();
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
  return done("misuse");
}
