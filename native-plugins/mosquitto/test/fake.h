// SPDX-License-Identifier: Apache-2.0
// A broker and a library that do as a test says: what depends on where the broker
// puts a client, or on what comes in between, cannot be brought about in a real one.
// To be included once. NEWER: the broker is Mosquitto 2.1.
#ifndef STANDIN_MOSQUITTO_FAKE_H
#define STANDIN_MOSQUITTO_FAKE_H

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/acl.h"
#include "../src/events.h"
#include "../src/login.h"
#include "../src/tick.h"

#define NAME "arn:aws:iam::123456789012:user/a"
#define OTHER "arn:aws:iam::123456789012:user/b"

struct mosquitto {
  const char *id, *name;
  bool clean, nowhere; // nowhere: restored, it has no address
  int version;
};

static struct fake {
  // What the broker was told.
  unsigned kicks, completions;
  char kicked[64];
  int completed, kept_while_kicked;
  // What the broker does.
  struct mosquitto *found;              // under any id
  struct mosquitto *found_by_completed; // the same after a completion
  int set_username;
  const struct mosquitto_evt_acl_check *asked_while_kicked;
  // Sessions: those below 64 are alive until they are released, once.
  unsigned released[64], retired[64];
  const char *principal;
  uint32_t state;
  // What the library says.
  standin_event events[8];
  size_t event_count;
  unsigned silent; // how often nothing is told, though there are events
  standin_outcome outcomes[3];
  standin_status status;
  standin_status started;
  standin_request asked[3];
  size_t asked_count;
  uint32_t abi;
  char log[4096];
} fake;

static struct host host;
static struct instance instance = {.host = &host,
                                   .options = {.token = true,
                                               .listener = (char *)"l",
                                               .enhanced_auth = (char *)"M",
                                               .login_delay = 600000, // tests that give up say so
                                               .offline_grace = 7}};

// Everything as after the start.
static void begin(void) {
  clients_forget_all(&host.clients);
  for (size_t i = 0; i < host.pending.capacity; i++) {
    if (host.pending.slots[i].value) free(((struct pending *)host.pending.slots[i].value)->id);
    free(host.pending.slots[i].value);
  }
  map_free(&host.pending);
  queue_free(&host.answered);
  queue_free(&host.ended);
  queue_free(&host.gone);
  fake = (struct fake){.principal = NAME, .state = STANDIN_SESSION_LIVE, .completed = -1, .kept_while_kicked = -1};
  host = (struct host){.actions = {1, 2, 3, 4, 5}, .ticking = true, .instances = &instance};
}

// A turn of the broker's loop long after the last.
static void turn(void) {
  struct mosquitto_evt_tick event = {0};
  host.worked = 0;
  assert(tick(&host, &event) == MOSQ_ERR_SUCCESS);
}

// The broker.

const char *mosquitto_client_id(const struct mosquitto *client) { return client->id; }
const char *mosquitto_client_username(const struct mosquitto *client) { return client->name; }
const char *mosquitto_client_address(const struct mosquitto *client) { return client->nowhere ? NULL : "127.0.0.1"; }
bool mosquitto_client_clean_session(const struct mosquitto *client) { return client->clean; }
int mosquitto_client_protocol(const struct mosquitto *client) { return (void)client, mp_mqtt; }
int mosquitto_client_protocol_version(const struct mosquitto *client) { return client->version; }
void *mosquitto_client_certificate(const struct mosquitto *client) { return (void)client, NULL; }

int mosquitto_set_username(struct mosquitto *client, const char *name) {
  static char names[16][64]; // each at a place of its own
  static unsigned next;
  if (fake.set_username) return fake.set_username;
  char *place = names[next++ % 16];
  snprintf(place, sizeof names[0], "%s", name);
  client->name = place;
  return MOSQ_ERR_SUCCESS;
}

int mosquitto_kick_client_by_clientid(const char *id, bool with_will) {
  fake.kicks++;
  assert(!with_will);
  snprintf(fake.kicked, sizeof fake.kicked, "%s", id);
  if (fake.asked_while_kicked) fake.kept_while_kicked = acl_check(&host, fake.asked_while_kicked);
  return MOSQ_ERR_SUCCESS;
}

void mosquitto_log_printf(int level, const char *format, ...) {
  va_list arguments;
  (void)level;
  va_start(arguments, format);
  size_t used = strlen(fake.log);
  vsnprintf(fake.log + used, sizeof fake.log - used, format, arguments);
  va_end(arguments);
}

#ifdef NEWER
struct mosquitto *mosquitto_client(const char *id) { return (void)id, fake.found; }

void mosquitto_complete_basic_auth(const char *id, int result) {
  (void)id;
  fake.completions++;
  fake.completed = result;
  fake.found = result == MOSQ_ERR_SUCCESS ? fake.found_by_completed : fake.found;
}
#endif

// The library.

standin_status standin_session_release(standin_session session) { return fake.released[session]++, STANDIN_OK; }

standin_status standin_session_retire(standin_session session, uint32_t grace_ms) {
  assert(grace_ms == instance.options.offline_grace);
  return fake.retired[session]++, STANDIN_OK;
}

standin_status standin_session_info(standin_session session, standin_info *out, standin_buffer *names) {
  assert(session < 64 && !fake.released[session]);
  out->state = fake.state;
  if (names) names->len = (size_t)snprintf((char *)names->data, names->cap, "%s", fake.principal);
  return STANDIN_OK;
}

standin_status standin_events(standin_engine engine, standin_event *out, size_t stride, size_t room, size_t *count) {
  (void)engine;
  assert(stride == sizeof *out && room >= fake.event_count);
  if (fake.silent) {
    fake.silent--;
    *count = 0;
    return STANDIN_OK;
  }
  memcpy(out, fake.events, fake.event_count * sizeof *out);
  *count = fake.event_count;
  fake.event_count = 0;
  return STANDIN_OK;
}

// The answer is among the events when it comes at once: of tag 0, of any login.
standin_status standin_login_start(standin_engine engine, const standin_login *login, uint32_t wait_ms, uint64_t tag) {
  (void)engine, (void)login, (void)wait_ms;
  for (size_t i = 0; i < fake.event_count; i++) {
    if (!fake.events[i].tag) fake.events[i].tag = tag;
  }
  return fake.started;
}

standin_status standin_authorize(standin_session session, const standin_batch *batch, const standin_request *requests,
                                 size_t stride, size_t n, standin_outcome *out) {
  (void)batch;
  assert(session < 64 && !fake.released[session] && n <= 3 && stride == sizeof *requests);
  memcpy(fake.asked, requests, n * sizeof *requests);
  fake.asked_count = n;
  for (size_t i = 0; i < n; i++) out[i] = fake.status ? STANDIN_DENY : fake.outcomes[i];
  return fake.status;
}

standin_status standin_records(standin_engine engine, uint32_t kind, standin_buffer *out) {
  (void)engine, (void)kind;
  out->len = 0;
  return STANDIN_OK;
}

const char *standin_status_text(standin_status status) { return (void)status, "status"; }

uint32_t standin_abi(void) { return fake.abi; }
const char *standin_version(void) { return "0"; }

// Nothing is opened here.
standin_status standin_open(const standin_options *options, standin_engine *engine, standin_buffer *why) {
  assert(options->flags == STANDIN_OWN_FILES);
  (void)engine;
  why->len = (size_t)snprintf((char *)why->data, why->cap, "opened");
  return -102;
}

// Not called by what is tested.
static standin_status nothing(void) { abort(); }
standin_status standin_close(standin_engine engine, uint32_t wait_ms) { return (void)engine, (void)wait_ms, nothing(); }
int standin_event_fd(standin_engine engine) { return (void)engine, nothing(); }
standin_status standin_action(standin_engine e, standin_bytes n, standin_bytes t, uint32_t f, uint32_t *o) {
  return (void)e, (void)n, (void)t, (void)f, (void)o, nothing();
}

// What tests say.

static inline standin_event ended(standin_session session) {
  return (standin_event){.kind = STANDIN_EVENT_SESSION_ENDED, .session = session};
}

static inline standin_event done(uint64_t tag, standin_status status, standin_session session) {
  return (standin_event){.kind = STANDIN_EVENT_LOGIN_DONE, .tag = tag, .status = status, .session = session};
}

static inline void tell(standin_event event) { fake.events[fake.event_count++] = event; }

static inline struct client *bound(struct mosquitto *at, const char *id, standin_session session) {
  *at = (struct mosquitto){.id = id, .version = 4};
  struct client *client = clients_bind(&host.clients, at, id, NAME, session);
  assert(client && !mosquitto_set_username(at, NAME));
  clients_named(client);
  return client;
}

static inline const struct client *known(const struct mosquitto *at) { return clients_known(&host.clients, at); }

static inline int basic(struct mosquitto *at, const char *password) {
  struct mosquitto_evt_basic_auth event = {
      .client = at, .username = (char *)(uintptr_t)at->name, .password = (char *)(uintptr_t)password};
  return login_basic(&instance, &event);
}

static inline int enhanced(struct mosquitto *at) {
  struct mosquitto_evt_extended_auth event = {.client = at, .auth_method = "M", .data_in = "t", .data_in_len = 1};
  return login_enhanced(&instance, &event);
}

static inline int check(struct mosquitto *at, int access, const char *topic, bool retain) {
  struct mosquitto_evt_acl_check event = {.client = at, .access = access, .topic = topic, .retain = retain};
  return acl_check(&host, &event);
}

// The tests of the file this is included into.
struct test {
  const char *name;
  void (*run)(void);
};
#define TEST(name) {#name, name}
extern const struct test tests[];
extern const size_t test_count;

// All tests by name, or the one that is named.
int main(int count, char **arguments) {
  for (size_t i = 0; i < test_count; i++) {
    if (count == 1) puts(tests[i].name);
    if (count == 1 || strcmp(arguments[1], tests[i].name) != 0) continue;
    begin();
    tests[i].run();
    begin();
    return 0;
  }
  return count == 1 ? 0 : 2;
}

#endif
