// SPDX-License-Identifier: Apache-2.0
#include "login.h"

#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "tick.h"

enum { MQTT_5 = 5, IMPATIENT_MS = 1000, LONGEST_ID = 1024 };

// The broker's answer to a login that was not decided. Closing without a word is
// what clients take for "try again"; a refusal is what many take for final.
static int undecided(const struct mosquitto *client) {
  return broker_delays_logins() && mosquitto_client_protocol_version(client) == MQTT_5 ? BROKER_SERVER_UNAVAILABLE
                                                                                       : MOSQ_ERR_UNKNOWN;
}

// The answer to a login that did not succeed; its reason is in the library's log.
static int unsuccessful(const struct mosquitto *client, standin_status status) {
  return is_refused(status) ? MOSQ_ERR_AUTH : undecided(client);
}

// Name of the session's principal. False when it may not be a user name.
static bool principal(standin_session session, char *name, size_t size) {
  standin_info info = {.size = sizeof info};
  standin_buffer names = {.data = (uint8_t *)name, .cap = size - 1};
  standin_status status = standin_session_info(session, &info, &names);
  if (status) {
    log_error("the name of a session: %s", standin_status_text(status));
    return false;
  }
  name[names.len] = '\0'; // the first name is the principal; a NUL is behind it
  // The broker and other plugins put user names into topic patterns.
  if (!*name || strpbrk(name, "+#")) {
    log_warn("login of %s refused: a user name must not hold + or #", name);
    return false;
  }
  return true;
}

// Makes a session the one of this client. The broker's user name is set before
// anything else can look at it.
static int bind(struct host *host, struct mosquitto *client, const standin_event *answer) {
  char name[2048];
  const char *id = mosquitto_client_id(client);
  if (!id || !principal(answer->session, name, sizeof name)) {
    standin_session_release(answer->session);
    return MOSQ_ERR_AUTH;
  }
  struct client *bound = clients_bind(&host->clients, client, id, name, answer->session);
  if (!bound) {
    return MOSQ_ERR_NOMEM;
  }
  // Frees the name the event points to.
  int rc = mosquitto_set_username(client, bound->name);
  if (rc) {
    clients_forget(&host->clients, bound);
  } else {
    clients_named(bound);
  }
  return rc;
}

// A connected client has proven itself again.
static int renew(struct host *host, struct client *client, const standin_event *answer) {
  char name[2048];
  if (!principal(answer->session, name, sizeof name) || strcmp(name, client->name) != 0) {
    log_warn("%s proved to be somebody else than %s; disconnected", client->id, client->name);
    standin_session_release(answer->session);
    return MOSQ_ERR_AUTH;
  }
  return clients_renew(&host->clients, client, answer->session) ? MOSQ_ERR_SUCCESS : MOSQ_ERR_NOMEM;
}

// Hands the evidence to the engine; 0 or what kept it from starting.
static standin_status begin(struct instance *instance, const struct mosquitto *client, const struct evidence *evidence,
                            uint32_t wait_ms, uint64_t *tag) {
  standin_login login;
  struct evidence_place place;
  evidence_describe(instance, client, evidence, &place, &login);
  *tag = ++instance->host->last_tag;
  return standin_login_start(instance->host->engine, &login, wait_ms, *tag);
}

// The answer to a login, if it comes in time. After one that did not, or that was
// given up shortly before, nobody is waited for during a second: however many try
// to log in while the service does not answer, the broker stands still for a part
// of the time only.
static bool await(struct instance *instance, uint64_t tag, standin_event *answer) {
  struct host *host = instance->host;
  int64_t begun = host_now();
  bool patient = begun >= host->impatient_until;
  bool came = events_await(host, tag, patient ? instance->options.login_wait : 0, answer);
  int64_t now = host_now();
  bool given_up = came && is_undecided(answer->status) && now - begun >= instance->options.login_wait / 2;
  if (patient && (!came || given_up)) {
    host->impatient_until = now + IMPATIENT_MS;
  }
  return came;
}

// Promises the broker an answer for later.
static bool postpone(struct instance *instance, const struct mosquitto *client, uint64_t tag) {
  struct host *host = instance->host;
  const char *id = mosquitto_client_id(client);
  struct pending *pending = calloc(1, sizeof *pending);
  if (!pending || !id || !(pending->id = strdup(id)) || !map_put(&host->pending, tag, pending)) {
    if (pending) {
      free(pending->id);
    }
    free(pending);
    return false;
  }
  pending->tag = tag;
  pending->instance = instance;
  pending->address = client;
  pending->give_up = host_now() + instance->options.login_delay;
  return true;
}

static void forget_pending(struct host *host, struct pending *pending) {
  map_remove(&host->pending, pending->tag);
  free(pending->id);
  free(pending);
}

// A login that is still pending for this address or id belongs to a connection
// that is gone: the broker lets no second one come that far.
static void forget_pending_of(struct host *host, const struct mosquitto *address, const char *id) {
  for (size_t i = 0; i < host->pending.capacity;) {
    struct pending *pending = host->pending.slots[i].value;
    if (pending && (pending->address == address || (id && strcmp(pending->id, id) == 0))) {
      if (pending->done && pending->answer.session) {
        standin_session_release(pending->answer.session);
      }
      forget_pending(host, pending); // another one may have moved into the slot
    } else {
      i++;
    }
  }
}

// Whether a client may not have this id. Policies put ids into filters, where + and
// # would take in what is others'; the broker sees to that for plugins of older
// interfaces only. And each id stands in sessions and records, a minute longer than
// its connection: a few thousand of the longest would fill the memory.
static bool is_refused_id(const char *id) {
  if (!id) {
    return false;
  }
  if (strlen(id) > LONGEST_ID) {
    log_warn("a login refused: the client id has %zu bytes; at most %d are accepted", strlen(id), LONGEST_ID);
    return true;
  }
  if (strpbrk(id, "+#")) {
    log_warn("login of %s refused: a client id must not hold + or #", id);
    return true;
  }
  return false;
}

// The second look at a known client while the broker reloads. Its token may
// have expired long ago; its session has not, or is about to be ended by a tick.
static bool is_second_look(const struct host *host, const struct mosquitto_evt_basic_auth *event) {
  const struct client *client = clients_known(&host->clients, event->client);
  if (!client) {
    // A durable session from before the broker's restart has no address, as no
    // connection is without. Refused, the broker would disconnect it once more and
    // enter it twice among those that expire. It may do no more for being kept.
    return host->reloading && !mosquitto_client_address(event->client);
  }
  if (client->naming) {
    return false;
  }
  if (!client->offline) {
    return true; // a connection that is open logs in once
  }
  // One that is closed is asked about in a reload only; at any other time a new
  // connection has got its address, and says whatever it likes. Mosquitto 2.0
  // serves websockets once more before the next tick, so the broker's texts have to
  // be the ones it had, too. Without ticks it asks about no closed connection.
  return host->reloading && host->ticking && event->username == client->name_place &&
         mosquitto_client_id(event->client) == client->id_place;
}

int login_basic(struct instance *instance, struct mosquitto_evt_basic_auth *event) {
  struct host *host = instance->host;
  if (is_second_look(host, event)) {
    return MOSQ_ERR_SUCCESS;
  }
  if (!host->ticking) {
    tick_missing(host);
  }
  const char *id = mosquitto_client_id(event->client);
  forget_pending_of(host, event->client, id);
  if (is_refused_id(id)) {
    return MOSQ_ERR_AUTH;
  }
  struct evidence evidence;
  if (!evidence_take(&evidence, &instance->options, event->client, event->password)) {
    log_info("login of %s refused: neither token nor certificate", id ? id : "nobody");
    return MOSQ_ERR_AUTH;
  }
  uint32_t wait = broker_delays_logins() ? instance->options.login_delay : instance->options.login_wait;
  uint64_t tag = 0;
  standin_status status = begin(instance, event->client, &evidence, wait, &tag);
  evidence_drop(&evidence);
  if (status) {
    return unsuccessful(event->client, status);
  }
  standin_event answer;
  if (!await(instance, tag, &answer)) {
    return broker_delays_logins() && postpone(instance, event->client, tag) ? BROKER_AUTH_DELAYED
                                                                            : undecided(event->client);
  }
  return answer.status ? unsuccessful(event->client, answer.status) : bind(host, event->client, &answer);
}

int login_enhanced(struct instance *instance, struct mosquitto_evt_extended_auth *event) {
  struct host *host = instance->host;
  const char *method = instance->options.enhanced_auth;
  if (!method || !event->auth_method || strcmp(event->auth_method, method) != 0) {
    return MOSQ_ERR_PLUGIN_DEFER;
  }
  const char *id = mosquitto_client_id(event->client);
  forget_pending_of(host, event->client, id);
  if (is_refused_id(id)) {
    return MOSQ_ERR_AUTH;
  }
  struct client *known = clients_known(&host->clients, event->client);
  bool again = known && !known->offline;
  struct evidence evidence = {.kind = STANDIN_EVIDENCE_TOKEN,
                              .bytes = {.data = event->data_in, .len = event->data_in_len}};
  uint64_t tag = 0;
  standin_status status = begin(instance, event->client, &evidence, instance->options.login_wait, &tag);
  if (status) {
    return unsuccessful(event->client, status);
  }
  // The broker has no later answer for these.
  standin_event answer;
  if (!await(instance, tag, &answer)) {
    return undecided(event->client);
  }
  if (answer.status) {
    return unsuccessful(event->client, answer.status);
  }
  return again ? renew(host, known, &answer) : bind(host, event->client, &answer);
}

// Completes a login inside the broker. The address may have been freed since, or
// be another client's by now: it is followed only when the broker itself finds
// it under the id after the completion, and did not before.
static void complete(struct host *host, struct pending *pending) {
  const standin_event *answer = &pending->answer;
  char name[2048];
  bool good = !answer->status && principal(answer->session, name, sizeof name);
  if (!good) {
    if (answer->session) {
      standin_session_release(answer->session);
    }
    mosquitto_complete_basic_auth(pending->id, MOSQ_ERR_AUTH);
    return;
  }
  if (mosquitto_client(pending->id) == pending->address) {
    standin_session_release(answer->session);
    return;
  }
  // Bound first: queued messages of a durable session are decided while it is
  // completed, before the broker can be told the name.
  struct client *bound = clients_bind(&host->clients, pending->address, pending->id, name, answer->session);
  if (!bound) {
    mosquitto_complete_basic_auth(pending->id, MOSQ_ERR_AUTH);
    return;
  }
  bound->naming = true;
  mosquitto_complete_basic_auth(pending->id, MOSQ_ERR_SUCCESS);
  struct mosquitto *now = mosquitto_client(pending->id);
  bound = clients_at(&host->clients, pending->address);
  if (!bound) {
    return;
  }
  if (now != pending->address || mosquitto_set_username(now, bound->name) != MOSQ_ERR_SUCCESS) {
    if (now == pending->address) {
      mosquitto_kick_client_by_clientid(pending->id, false);
      bound = clients_at(&host->clients, pending->address);
    }
    if (bound) {
      clients_forget(&host->clients, bound);
    }
    return;
  }
  clients_named(bound);
}

void login_answer_later(struct host *host, int64_t now) {
  struct queue answered = host->answered;
  host->answered = (struct queue){0};
  for (size_t i = 0; i < answered.count; i++) {
    struct pending *pending = map_get(&host->pending, answered.items[i]);
    if (pending && pending->done) {
      map_remove(&host->pending, pending->tag);
      complete(host, pending);
      free(pending->id);
      free(pending);
    }
  }
  queue_free(&answered);
  for (size_t i = 0; i < host->pending.capacity;) {
    struct pending *pending = host->pending.slots[i].value;
    if (pending && !pending->done && now > pending->give_up) {
      mosquitto_complete_basic_auth(pending->id, MOSQ_ERR_AUTH);
      forget_pending(host, pending);
    } else {
      i++;
    }
  }
}
