// SPDX-License-Identifier: Apache-2.0
// Who is let in, and who is not asked again. As in guards_test.c.
#include "fake.h"

#include <sys/timerfd.h>
#include <unistd.h>

// The second look.

static void a_known_client_is_not_asked_for_evidence_again(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  assert(basic(&at, NULL) == MOSQ_ERR_SUCCESS);
  clients_at(&host.clients, &at)->naming = true; // the broker has not been told yet
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
}

static void what_is_offline_is_known_again_only_in_a_reload(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  tick_disconnected(&instance, &at);
  const struct mosquitto same = at;
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
  host.reloading = true;
  assert(basic(&at, NULL) == MOSQ_ERR_SUCCESS);
  // A new connection that says the same.
  char id[] = "x", name[] = NAME;
  at.name = name;
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
  at = same;
  at.id = id;
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
  at = same;
  host.ticking = false;
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
  host.ticking = true;
  assert(basic(&at, NULL) == MOSQ_ERR_SUCCESS);
  // However soon the next tick is.
  struct mosquitto_evt_tick event = {0};
  host.worked = host_now();
  tick(&host, &event);
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
}

static void what_was_restored_is_known_again_only_in_a_reload(void) {
  struct mosquitto at = {.id = "x", .name = NAME, .version = 4, .nowhere = true};
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
  host.reloading = true;
  assert(basic(&at, NULL) == MOSQ_ERR_SUCCESS);
  // It may no more than before, and a connection may nothing.
  assert(!known(&at) && check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_ACL_DENIED);
  at.nowhere = false;
  assert(basic(&at, NULL) == MOSQ_ERR_AUTH);
}

// Logins.

static void a_login_makes_the_principal_the_name(void) {
  struct mosquitto at = {.id = "x", .name = "hint", .version = 4};
  tell(done(0, STANDIN_OK, 1));
  assert(basic(&at, "t") == MOSQ_ERR_SUCCESS);
  assert(strcmp(at.name, NAME) == 0 && known(&at) && !fake.released[1]);
}

static void a_name_that_the_broker_must_not_have_is_refused(void) {
  static const char *const names[] = {"arn:a+b", "arn:a#b", ""};
  for (size_t i = 0; i < 3; i++) {
    begin();
    fake.principal = names[i];
    struct mosquitto at = {.id = "x", .version = 4};
    tell(done(0, STANDIN_OK, 1));
    assert(basic(&at, "t") == MOSQ_ERR_AUTH && fake.released[1] == 1 && !known(&at));
  }
}

static void an_id_that_would_be_a_filter_or_is_too_long_is_refused(void) {
  static char longest[1026];
  memset(longest, 'i', 1025);
  static const char *const ids[] = {"+", "#", "a+", "#b", longest};
  for (size_t i = 0; i < 5; i++) {
    begin();
    struct mosquitto at = {.id = ids[i], .version = 5};
    tell(done(0, STANDIN_OK, 1));
    assert(basic(&at, "t") == MOSQ_ERR_AUTH && enhanced(&at) == MOSQ_ERR_AUTH && !known(&at) && !host.last_tag);
  }
}

static void a_client_the_broker_cannot_name_is_forgotten(void) {
  struct mosquitto at = {.id = "x", .version = 4};
  fake.set_username = MOSQ_ERR_NOMEM;
  tell(done(0, STANDIN_OK, 1));
  assert(basic(&at, "t") == MOSQ_ERR_NOMEM && fake.released[1] == 1 && !clients_at(&host.clients, &at));
}

static void refused_and_undecided_are_told_apart(void) {
  static const struct {
    standin_status status;
    bool refused;
  } cases[] = {{-200, true}, {-299, true}, {-300, false}, {-399, false}, {-101, false}, {-499, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int version = 4; version <= 5; version++) {
      int undecided = broker_delays_logins() && version == 5 ? BROKER_SERVER_UNAVAILABLE : MOSQ_ERR_UNKNOWN;
      int expected = cases[i].refused ? MOSQ_ERR_AUTH : undecided;
      struct mosquitto at = {.id = "x", .version = version};
      begin();
      fake.started = cases[i].status;
      assert(basic(&at, "t") == expected && enhanced(&at) == expected);
      begin();
      tell(done(0, cases[i].status, 0));
      assert(basic(&at, "t") == expected);
      tell(done(0, cases[i].status, 0));
      assert(enhanced(&at) == expected);
    }
  }
}

// The engine gives a login up shortly before the broker does, so an answer comes
// each time, and each time the broker has stood still.
static void after_a_login_that_was_given_up_late_nobody_is_waited_for(void) {
  struct mosquitto at = {.id = "x", .version = 4};
  instance.options.login_wait = 60000;
  tell(done(0, -301, 0));
  assert(basic(&at, "t") == MOSQ_ERR_UNKNOWN && host.impatient_until == 0);
  instance.options.login_wait = 50;
  struct itimerspec soon = {.it_value.tv_nsec = 40000000};
  host.events = timerfd_create(CLOCK_MONOTONIC, 0);
  assert(timerfd_settime(host.events, 0, &soon, NULL) == 0);
  fake.silent = 1;
  tell(done(0, -301, 0));
  assert(basic(&at, "t") == MOSQ_ERR_UNKNOWN && host.impatient_until >= host_now());
  close(host.events);
  instance.options.login_wait = 0;
}

static void evidence_that_is_switched_off_is_none(void) {
  struct mosquitto at = {.id = "x", .version = 4};
  instance.options.token = false;
  tell(done(0, STANDIN_OK, 1));
  assert(basic(&at, "t") == MOSQ_ERR_AUTH && !known(&at));
  instance.options.token = true;
  assert(basic(&at, "") == MOSQ_ERR_AUTH && !known(&at));
}

static void an_answer_that_nobody_waits_for_is_given_back(void) {
  tell(done(77, STANDIN_OK, 1));
  turn();
  assert(fake.released[1] == 1);
}

static void proving_the_same_again_replaces_the_session(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  tell(done(0, STANDIN_OK, 2));
  assert(enhanced(&at) == MOSQ_ERR_SUCCESS);
  assert(fake.released[1] == 1 && !fake.released[2] && known(&at)->session == 2);
  tell(ended(1));
  turn();
  assert(!fake.kicks);
  fake.principal = OTHER;
  tell(done(0, STANDIN_OK, 3));
  assert(enhanced(&at) == MOSQ_ERR_AUTH && fake.released[3] == 1 && !fake.released[2]);
}

static void a_new_connection_at_an_old_address_is_no_renewal(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  tick_disconnected(&instance, &at);
  fake.principal = OTHER;
  tell(done(0, STANDIN_OK, 2));
  assert(enhanced(&at) == MOSQ_ERR_SUCCESS && strcmp(at.name, OTHER) == 0 && fake.released[1] == 1);
}

// Logins that Mosquitto 2.1 is answered later.

#ifdef NEWER
static struct mosquitto late = {.id = "x", .name = "hint", .version = 5};

static void postponed(void) {
  late.name = "hint";
  assert(basic(&late, "t") == BROKER_AUTH_DELAYED && host.pending.count == 1);
  fake.found_by_completed = &late;
}

static void a_login_is_completed_when_its_answer_comes(void) {
  postponed();
  tell(done(host.last_tag, STANDIN_OK, 1));
  turn();
  assert(fake.completions == 1 && fake.completed == MOSQ_ERR_SUCCESS && strcmp(late.name, NAME) == 0 && known(&late));
  assert(!host.pending.count && !fake.released[1]);
}

static void a_late_refusal_is_one(void) {
  postponed();
  tell(done(host.last_tag, -202, 0));
  turn();
  assert(fake.completed == MOSQ_ERR_AUTH && !host.pending.count && !known(&late));
  postponed();
  fake.principal = "a+b";
  tell(done(host.last_tag, STANDIN_OK, 1));
  turn();
  assert(fake.completed == MOSQ_ERR_AUTH && fake.released[1] == 1);
}

static void a_client_that_is_there_already_is_not_completed(void) {
  postponed();
  fake.found = &late;
  tell(done(host.last_tag, STANDIN_OK, 1));
  turn();
  assert(!fake.completions && fake.released[1] == 1 && !clients_at(&host.clients, &late));
}

static void who_is_not_found_after_the_completion_is_not_touched(void) {
  struct mosquitto other = {.id = "x", .version = 5};
  postponed();
  fake.found_by_completed = &other;
  tell(done(host.last_tag, STANDIN_OK, 1));
  turn();
  assert(!fake.kicks && !other.name && strcmp(late.name, "hint") == 0);
  assert(fake.released[1] == 1 && !clients_at(&host.clients, &late));
}

static void who_cannot_be_named_after_the_completion_is_disconnected(void) {
  postponed();
  fake.set_username = MOSQ_ERR_NOMEM;
  tell(done(host.last_tag, STANDIN_OK, 1));
  turn();
  assert(fake.kicks == 1 && fake.released[1] == 1 && !clients_at(&host.clients, &late));
}

static void a_login_that_takes_too_long_is_given_up(void) {
  postponed();
  turn();
  assert(!fake.completions);
  ((struct pending *)map_get(&host.pending, host.last_tag))->give_up = host_now() - 1;
  turn();
  assert(fake.completions == 1 && fake.completed == MOSQ_ERR_AUTH && !host.pending.count);
  tell(done(host.last_tag, STANDIN_OK, 1));
  turn();
  assert(fake.completions == 1 && fake.released[1] == 1);
}

static void a_login_is_forgotten_when_its_address_or_id_logs_in_again(void) {
  struct mosquitto elsewhere = {.id = "x", .version = 5};
  postponed();
  uint64_t first = host.last_tag;
  assert(basic(&elsewhere, "t") == BROKER_AUTH_DELAYED && host.pending.count == 1);
  uint64_t second = host.last_tag;
  elsewhere.id = "y";
  assert(enhanced(&elsewhere) == BROKER_SERVER_UNAVAILABLE && !host.pending.count);
  tell(done(first, STANDIN_OK, 1));
  tell(done(second, STANDIN_OK, 2));
  turn();
  assert(!fake.completions && fake.released[1] == 1 && fake.released[2] == 1);
  // Its answer is there and nobody has looked at it.
  postponed();
  tell(done(host.last_tag, STANDIN_OK, 3));
  events_take(&host, 0, NULL);
  assert(basic(&elsewhere, "t") == BROKER_AUTH_DELAYED && !fake.released[3]);
  assert(basic(&late, "t") == BROKER_AUTH_DELAYED && fake.released[3] == 1);
}
#endif

const struct test tests[] = {
    TEST(a_known_client_is_not_asked_for_evidence_again),
    TEST(what_is_offline_is_known_again_only_in_a_reload),
    TEST(what_was_restored_is_known_again_only_in_a_reload),
    TEST(a_login_makes_the_principal_the_name),
    TEST(a_name_that_the_broker_must_not_have_is_refused),
    TEST(an_id_that_would_be_a_filter_or_is_too_long_is_refused),
    TEST(a_client_the_broker_cannot_name_is_forgotten),
    TEST(refused_and_undecided_are_told_apart),
    TEST(after_a_login_that_was_given_up_late_nobody_is_waited_for),
    TEST(evidence_that_is_switched_off_is_none),
    TEST(an_answer_that_nobody_waits_for_is_given_back),
    TEST(proving_the_same_again_replaces_the_session),
    TEST(a_new_connection_at_an_old_address_is_no_renewal),
#ifdef NEWER
    TEST(a_login_is_completed_when_its_answer_comes),
    TEST(a_late_refusal_is_one),
    TEST(a_client_that_is_there_already_is_not_completed),
    TEST(who_is_not_found_after_the_completion_is_not_touched),
    TEST(who_cannot_be_named_after_the_completion_is_disconnected),
    TEST(a_login_that_takes_too_long_is_given_up),
    TEST(a_login_is_forgotten_when_its_address_or_id_logs_in_again),
#endif
};
const size_t test_count = sizeof tests / sizeof tests[0];
