/* SPDX-License-Identifier: Apache-2.0 */
/* 64 threads call everything at once, while engines open and close and
   sessions come and go. */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 64, ROUNDS = 60 };

static stage on;
static standin_session last; /* of an engine that is closed in the middle */
static stage middle;
static atomic_int wrong, allowed;

static void note(bool right) {
  if (!right) atomic_fetch_add(&wrong, 1);
}

static void decide_batch(void) {
  standin_request requests[40];
  standin_outcome outcomes[40];
  for (int i = 0; i < 40; i++) {
    requests[i] = (standin_request){on.read, STANDIN_LOG_DENY, bytes(i % 2 ? DENIED : ALLOWED), 1, 0};
  }
  note(standin_authorize(on.session, NULL, requests, sizeof requests[0], 40, outcomes) == STANDIN_OK);
  for (int i = 0; i < 40; i++) {
    note(outcomes[i] == (i % 2 ? STANDIN_DENY : STANDIN_ALLOW));
  }
}

static void *work(void *argument) {
  size_t self = (size_t)argument;
  for (size_t round = 0; round < ROUNDS; round++) {
    uint8_t room[4096];
    standin_buffer buffer = {room, sizeof room, 0};
    standin_metric metrics[128];
    standin_info info = {.size = sizeof info};
    standin_outcome outcome = STANDIN_ALLOW;
    uint32_t number = 0;
    size_t n;
    decide_batch();
    switch ((self + round) % 8) {
    case 0: {
      standin_engine engine = open_named("threads");
      note(engine != 0 && standin_close(engine, 1000) == STANDIN_OK);
      note(standin_close(engine, 1000) == STANDIN_UNKNOWN_ID);
      break;
    }
    case 1:
      note(standin_metrics(on.engine, metrics, sizeof metrics[0], 128, &n) == STANDIN_OK);
      break;
    case 2: {
      standin_login login = login_of(&on, bytes("{\"version\":\"2020_10_22\"}"));
      standin_login_result result = {.size = sizeof result};
      standin_status status = standin_login_now(on.engine, &login, 10, &result, &buffer);
      note(status == STANDIN_MALFORMED && result.session == 0);
      break;
    }
    case 3:
      note(standin_action(on.engine, bytes("shop:Read"), NONE, 0, &number) == STANDIN_OK && number == on.read);
      break;
    case 4:
      note(standin_session_info(on.session, &info, &buffer) == STANDIN_OK);
      break;
    case 5:
      note(standin_records(on.engine, STANDIN_RECORDS_LOG, &buffer) == STANDIN_OK);
      break;
    case 6: {
      standin_request request = {on.read, 0, bytes(DENIED), 1, 0};
      note(standin_explain(on.session, NULL, &request, &buffer) == STANDIN_OK);
      break;
    }
    default:
      note(standin_profile(on.engine, bytes("main"), NULL, 0, &number, NULL) == STANDIN_OK);
    }
    /* Allowed until its engine is closed, denied ever after. */
    standin_request request = {middle.read, 0, bytes(ALLOWED), 1, 0};
    standin_status status = standin_authorize(last, NULL, &request, sizeof request, 1, &outcome);
    if (status == STANDIN_OK && outcome == STANDIN_ALLOW) {
      atomic_fetch_add(&allowed, 1);
    } else {
      note(status == STANDIN_UNKNOWN_ID && outcome == STANDIN_DENY);
    }
    if (self == 7 && round == ROUNDS / 2) {
      note(standin_close(middle.engine, 5000) == STANDIN_OK);
    }
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  on = begin("threads");
  middle = begin("middle");
  last = middle.session;
  CHECK(decide(last, middle.read, ALLOWED) == STANDIN_ALLOW);
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  }
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_join(threads[i], NULL) == 0);
  }
  CHECK(wrong == 0);
  CHECK(allowed > 0);
  CHECK(decide(last, middle.read, ALLOWED) == STANDIN_DENY);
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
  return done("threads");
}
