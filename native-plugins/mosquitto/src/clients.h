// SPDX-License-Identifier: Apache-2.0
// Who is connected: the broker's clients and the sessions behind them.
//
// The broker identifies a client by an address that it uses again at once, and
// its events come in an order that is not the one of lives: the old client of an
// id is told gone after the new one has logged in. So clients are kept by
// address, and an address counts only together with the id and the name that
// were bound to it.
#ifndef STANDIN_MOSQUITTO_CLIENTS_H
#define STANDIN_MOSQUITTO_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker.h"
#include "map.h"
#include "standin.h"

struct client {
  // What a check reads stands in one line of the cache, as all of it does.
  _Alignas(64) const struct mosquitto *address; // compared, never followed
  // Where the broker keeps id and name of the open connection. The broker tells
  // of its end before it frees them, so until then the same places hold the same
  // texts, and these need not be read at each check.
  const char *id_place, *name_place;
  standin_session session;
  bool offline; // its connection is gone; a will or queued messages may follow
  bool naming;  // the broker has not been told the name yet
  char *id;
  char *name; // of the principal; the broker's user name
  uint64_t id_hash;
};

// All zero is empty.
struct clients {
  struct map by_address;
  struct map by_session;
  struct map by_id; // the latest of an id, by hash
};

static inline uint64_t clients_key(const struct mosquitto *address) { return (uint64_t)(uintptr_t)address; }

// The client at this address, whoever it was.
static inline struct client *clients_at(const struct clients *clients, const struct mosquitto *address) {
  return map_get(&clients->by_address, clients_key(address));
}

// Whether this id and name are those of the client, read letter by letter.
bool clients_is(const struct client *client, const char *id, const char *name);

// The client at this address if it is still the one that was bound. Here with
// what it calls, for the check of each message.
static inline struct client *clients_known(const struct clients *clients, const struct mosquitto *address) {
  struct client *client = clients_at(clients, address);
  if (!client) {
    return NULL;
  }
  const char *id = mosquitto_client_id(address);
  const char *name = mosquitto_client_username(address);
  if (!client->offline && id && name && id == client->id_place && name == client->name_place) {
    return client;
  }
  return clients_is(client, id, name) ? client : NULL;
}

struct client *clients_of_session(const struct clients *clients, standin_session session);

// Whether this client is the latest of its id, the one the broker finds by id.
bool clients_is_latest(const struct clients *clients, const struct client *client);

// Binds a session to an address, which forgets who was there. Takes the session
// over: it is released when the client is forgotten, or now when there is no
// memory (NULL).
struct client *clients_bind(struct clients *clients, const struct mosquitto *address, const char *id, const char *name,
                            standin_session session);

// The broker has been told the name.
void clients_named(struct client *client);

// Replaces the session of a client that has proven itself again.
bool clients_renew(struct clients *clients, struct client *client, standin_session session);

// Lets go of the session, not of the client.
void clients_release(struct clients *clients, struct client *client);

void clients_forget(struct clients *clients, struct client *client);

void clients_forget_all(struct clients *clients);

#endif
