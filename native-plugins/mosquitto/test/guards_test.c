// SPDX-License-Identifier: Apache-2.0
// What keeps a client from getting what is another's, and the broker from what it
// does not bear. Each test fails when its guard is taken out.
#include "fake.h"

// Addresses.

static void an_address_counts_only_with_its_id_and_name(void) {
  char id[] = "x", again[] = "x";
  struct mosquitto at;
  struct client *client = bound(&at, id, 1);
  const struct mosquitto same = at;
  assert(known(&at));
  at.id = again;
  assert(known(&at));
  at.id = "y";
  assert(!known(&at));
  at.id = NULL;
  assert(!known(&at));
  at = same;
  at.name = OTHER;
  assert(!known(&at));
  at.name = NULL;
  assert(!known(&at));
  // Once the connection is gone the same places may hold other texts.
  at = same;
  client->offline = true;
  assert(known(&at));
  id[0] = 'y';
  assert(!known(&at));
  id[0] = 'x';
  char name[] = NAME;
  client->name_place = at.name = name;
  assert(known(&at));
  name[sizeof name - 2] = 'b';
  assert(!known(&at));
}

static void the_name_is_not_looked_at_until_the_broker_has_it(void) {
  struct mosquitto at;
  bound(&at, "x", 1)->naming = true;
  at.name = "whatever it came with";
  assert(known(&at));
  at.id = "y";
  assert(!known(&at));
}

static void who_comes_to_an_address_takes_the_place_of_who_was_there(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  struct client *second = bound(&at, "y", 2);
  assert(fake.released[1] == 1 && !fake.released[2]);
  assert(clients_at(&host.clients, &at) == second);
  assert(!clients_of_session(&host.clients, 1));
}

static void forgetting_an_old_client_leaves_the_new_one_of_its_id(void) {
  struct mosquitto first, second;
  struct client *old = bound(&first, "x", 1), *new = bound(&second, "x", 2);
  clients_forget(&host.clients, old);
  assert(clients_is_latest(&host.clients, new) && known(&second) && !known(&first));
}

// Disconnecting.

static void an_ended_session_disconnects_its_client(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  for (unsigned n = 1; n <= 2; n++) {
    standin_event event = ended(1);
    event.kind = n == 1 ? STANDIN_EVENT_SESSION_ENDED : STANDIN_EVENT_SESSION_EXPIRED;
    tell(event);
    turn();
    assert(fake.kicks == n && strcmp(fake.kicked, "x") == 0);
  }
  tell(ended(9));
  turn();
  assert(fake.kicks == 2);
}

static void who_is_offline_is_not_disconnected(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  tick_disconnected(&instance, &at);
  tell(ended(1));
  turn();
  assert(!fake.kicks);
}

// As with a websocket, which the broker keeps for a while.
static void who_was_taken_over_does_not_disconnect_the_new_client(void) {
  struct mosquitto old, new;
  bound(&old, "x", 1);
  bound(&new, "x", 2);
  tell(ended(1));
  turn();
  assert(!fake.kicks);
  tell(ended(2));
  turn();
  assert(fake.kicks == 1);
}

static void subscriptions_are_kept_while_their_client_is_disconnected(void) {
  struct mosquitto at, other;
  bound(&at, "x", 1);
  bound(&other, "y", 2);
  struct mosquitto_evt_acl_check own = {.client = &at, .access = MOSQ_ACL_SUBSCRIBE, .topic = "t"}, not_own = own;
  not_own.client = &other;
  fake.asked_while_kicked = &own;
  tell(ended(1));
  turn();
  assert(fake.kept_while_kicked == MOSQ_ERR_SUCCESS);
  assert(check(&at, MOSQ_ACL_SUBSCRIBE, "t", false) == MOSQ_ERR_ACL_DENIED);
  fake.asked_while_kicked = &not_own;
  tell(ended(1));
  turn();
  assert(fake.kicks == 2 && fake.kept_while_kicked == MOSQ_ERR_ACL_DENIED);
}

static void a_client_that_is_gone_is_forgotten_at_the_next_tick(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  at.clean = true;
  tick_disconnected(&instance, &at);
  tick_disconnected(&instance, &at);
  assert(fake.retired[1] == 1 && known(&at));
  turn();
  assert(fake.released[1] == 1 && !clients_at(&host.clients, &at));
}

static void a_new_client_at_the_address_of_one_that_is_gone_stays(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  at.clean = true;
  tick_disconnected(&instance, &at);
  bound(&at, "y", 2);
  turn();
  assert(fake.released[1] == 1 && !fake.released[2] && known(&at));
}

static void a_client_that_may_come_back_is_not_forgotten(void) {
  struct mosquitto at;
  for (int version = 4; version <= 5; version++) {
    begin();
    bound(&at, "x", 1);
    at.clean = version == 5; // says nothing there
    at.version = version;
    tick_disconnected(&instance, &at);
    turn();
    assert(fake.retired[1] == 1 && !fake.released[1] && known(&at));
  }
}

static void the_end_of_a_connection_that_never_logged_in_is_nobodys(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  at.id = at.name = NULL;
  tick_disconnected(&instance, &at);
  assert(!fake.retired[1] && !clients_at(&host.clients, &at)->offline);
}

static void a_tick_is_due_always(void) {
  struct mosquitto_evt_tick event = {.now_s = 9, .now_ns = 9, .next_s = 9};
  tick(&host, &event);
  assert(!event.now_s && !event.now_ns && !event.next_s && event.next_ns >= 1 && event.next_ns <= 100);
}

// Operations.

static void who_has_not_logged_in_is_denied(void) {
  struct mosquitto at = {.id = "x", .name = NAME};
  assert(check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_ACL_DENIED);
  assert(check(&at, MOSQ_ACL_READ, "t", false) == MOSQ_ERR_ACL_DENIED);
  assert(check(&at, MOSQ_ACL_SUBSCRIBE, "t", false) == MOSQ_ERR_ACL_DENIED);
  assert(check(&at, MOSQ_ACL_UNSUBSCRIBE, "t", false) == MOSQ_ERR_SUCCESS);
  // Restored by the broker: what is for it is queued.
  at.nowhere = true;
  assert(check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_ACL_DENIED);
  assert(check(&at, MOSQ_ACL_SUBSCRIBE, "t", false) == MOSQ_ERR_ACL_DENIED);
  assert(check(&at, MOSQ_ACL_READ, "t", false) == MOSQ_ERR_SUCCESS);
}

static void what_is_for_who_is_offline_is_queued_undecided(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  tick_disconnected(&instance, &at);
  assert(check(&at, MOSQ_ACL_READ, "t", false) == MOSQ_ERR_SUCCESS && !fake.asked_count);
  assert(check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_ACL_DENIED && fake.asked_count == 1);
}

static void all_that_is_asked_has_to_be_allowed(void) {
  struct mosquitto at;
  static const struct {
    standin_outcome outcomes[3];
    standin_status status;
    int answer;
  } cases[] = {
      {{STANDIN_ALLOW, STANDIN_ALLOW, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_SUCCESS},
      {{STANDIN_DENY, STANDIN_ALLOW, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_ACL_DENIED},
      {{STANDIN_ALLOW, STANDIN_DENY, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_ACL_DENIED},
      {{STANDIN_ALLOW, STANDIN_ALLOW, STANDIN_DENY}, STANDIN_OK, MOSQ_ERR_ACL_DENIED},
      {{STANDIN_ALLOW, STANDIN_ALLOW, STANDIN_UNDECIDED}, STANDIN_OK, MOSQ_ERR_UNKNOWN},
      {{STANDIN_UNDECIDED, STANDIN_ALLOW, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_UNKNOWN},
      {{STANDIN_UNDECIDED, STANDIN_DENY, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_ACL_DENIED},
      {{STANDIN_DENY, STANDIN_UNDECIDED, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_ACL_DENIED},
      {{7, STANDIN_ALLOW, STANDIN_ALLOW}, STANDIN_OK, MOSQ_ERR_ACL_DENIED},
      {{0}, -101, MOSQ_ERR_ACL_DENIED},
      {{0}, -300, MOSQ_ERR_UNKNOWN},
      {{0}, -399, MOSQ_ERR_UNKNOWN},
      {{0}, -499, MOSQ_ERR_ACL_DENIED},
  };
  bound(&at, "x", 1);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    memcpy(fake.outcomes, cases[i].outcomes, sizeof fake.outcomes);
    fake.status = cases[i].status;
    assert(check(&at, MOSQ_ACL_WRITE, "$CONTROL/x", true) == cases[i].answer);
  }
}

static void each_operation_is_asked_for_by_its_actions(void) {
  static const struct {
    int access;
    const char *topic;
    bool retain;
    uint32_t actions[3];
    const char *resource;
  } cases[] = {
      {MOSQ_ACL_WRITE, "t", false, {1}, "t"},
      {MOSQ_ACL_WRITE, "t", true, {1, 2}, "t"},
      {MOSQ_ACL_WRITE, "$CONTROL/t", false, {1, 5}, "$CONTROL/t"},
      {MOSQ_ACL_WRITE, "$CONTROL/t", true, {1, 2, 5}, "$CONTROL/t"},
      {MOSQ_ACL_READ, "t", true, {4}, "t"},
      {MOSQ_ACL_SUBSCRIBE, "t/#", false, {3}, "t/#"},
      {MOSQ_ACL_SUBSCRIBE, "$share/g/t/#", false, {3}, "t/#"},
      {MOSQ_ACL_SUBSCRIBE, "$share/g", false, {0}, NULL},
      {MOSQ_ACL_SUBSCRIBE, "$share/g/", false, {0}, NULL},
      {99, "t", false, {0}, NULL},
  };
  struct mosquitto at;
  bound(&at, "x", 1);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fake.asked_count = 0;
    assert(check(&at, cases[i].access, cases[i].topic, cases[i].retain) == MOSQ_ERR_ACL_DENIED);
    for (size_t n = 0; n < 3; n++) {
      assert((n < fake.asked_count ? fake.asked[n].action : 0) == cases[i].actions[n]);
      if (n >= fake.asked_count) continue;
      assert(fake.asked[n].flags == STANDIN_LOG_DENY);
      assert(fake.asked[n].resource.len == strlen(cases[i].resource));
      assert(memcmp(fake.asked[n].resource.data, cases[i].resource, fake.asked[n].resource.len) == 0);
    }
  }
}

static void without_ticks_an_ended_session_closes_its_connection(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  fake.state = STANDIN_SESSION_ENDED;
  assert(check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_ACL_DENIED);
  host.ticking = false;
  assert(check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_AUTH);
  fake.state = STANDIN_SESSION_LIVE;
  assert(check(&at, MOSQ_ACL_WRITE, "t", false) == MOSQ_ERR_ACL_DENIED);
}

static void without_ticks_a_login_does_their_work(void) {
  struct mosquitto at, next = {.id = "y", .version = 4};
  bound(&at, "x", 1);
  at.clean = true;
  host.ticking = false;
  tick_disconnected(&instance, &at);
  tell(ended(1));
  assert(basic(&next, NULL) == MOSQ_ERR_AUTH);
  assert(!fake.event_count && !host.ended.count && fake.released[1] == 1 && !fake.kicks);
}

static void refused_deliveries_are_counted_when_they_are_many(void) {
  struct mosquitto at;
  bound(&at, "x", 1);
  for (int n = 0; n < 100; n++) check(&at, MOSQ_ACL_READ, "t", false);
  size_t lines = 0;
  for (const char *line = fake.log; (line = strstr(line, "is not delivered")); line++) lines++;
  assert(lines == 5 && host.undelivered.left_out == 95);
  host.undelivered.window_ends = host_now();
  turn();
  assert(strstr(fake.log, "95 further messages were not delivered"));
}

static void a_library_that_does_not_fit_is_not_opened(void) {
  static const struct {
    uint32_t abi;
    bool fits;
  } cases[] = {
      {STANDIN_ABI, true}, {STANDIN_ABI + 1, true}, {STANDIN_ABI - 1, false}, {STANDIN_ABI + (1 << 16), false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    begin();
    struct options options = {.config = (char *)"file"};
    fake.abi = cases[i].abi;
    assert(!host_open(&options));
    assert(!strstr(fake.log, "opened") != cases[i].fits);
    assert(!strstr(fake.log, "has interface") == cases[i].fits);
  }
}

const struct test tests[] = {
    TEST(an_address_counts_only_with_its_id_and_name),
    TEST(the_name_is_not_looked_at_until_the_broker_has_it),
    TEST(who_comes_to_an_address_takes_the_place_of_who_was_there),
    TEST(forgetting_an_old_client_leaves_the_new_one_of_its_id),
    TEST(an_ended_session_disconnects_its_client),
    TEST(who_is_offline_is_not_disconnected),
    TEST(who_was_taken_over_does_not_disconnect_the_new_client),
    TEST(subscriptions_are_kept_while_their_client_is_disconnected),
    TEST(a_client_that_is_gone_is_forgotten_at_the_next_tick),
    TEST(a_new_client_at_the_address_of_one_that_is_gone_stays),
    TEST(a_client_that_may_come_back_is_not_forgotten),
    TEST(the_end_of_a_connection_that_never_logged_in_is_nobodys),
    TEST(a_tick_is_due_always),
    TEST(who_has_not_logged_in_is_denied),
    TEST(what_is_for_who_is_offline_is_queued_undecided),
    TEST(all_that_is_asked_has_to_be_allowed),
    TEST(each_operation_is_asked_for_by_its_actions),
    TEST(without_ticks_an_ended_session_closes_its_connection),
    TEST(without_ticks_a_login_does_their_work),
    TEST(refused_deliveries_are_counted_when_they_are_many),
    TEST(a_library_that_does_not_fit_is_not_opened),
};
const size_t test_count = sizeof tests / sizeof tests[0];
