// SPDX-License-Identifier: Apache-2.0
#include "clients.h"

#include <stdlib.h>
#include <string.h>

bool clients_is(const struct client *client, const char *id, const char *name) {
  if (!id || strcmp(client->id, id) != 0) {
    return false;
  }
  return client->naming || (name && strcmp(client->name, name) == 0);
}

struct client *clients_of_session(const struct clients *clients, standin_session session) {
  return map_get(&clients->by_session, session);
}

bool clients_is_latest(const struct clients *clients, const struct client *client) {
  return map_get(&clients->by_id, client->id_hash) == client;
}

struct client *clients_bind(struct clients *clients, const struct mosquitto *address, const char *id, const char *name,
                            standin_session session) {
  struct client *before = clients_at(clients, address);
  if (before) {
    clients_forget(clients, before);
  }
  struct client *client = aligned_alloc(_Alignof(struct client), sizeof *client);
  if (!client) {
    standin_session_release(session);
    return NULL;
  }
  *client = (struct client){
      .address = address, .id = strdup(id), .name = strdup(name), .session = session, .id_hash = map_hash(id)};
  if (client->id && client->name && map_put(&clients->by_address, clients_key(address), client) &&
      map_put(&clients->by_session, session, client) && map_put(&clients->by_id, client->id_hash, client)) {
    return client;
  }
  clients_forget(clients, client);
  return NULL;
}

void clients_named(struct client *client) {
  client->naming = false;
  client->id_place = mosquitto_client_id(client->address);
  client->name_place = mosquitto_client_username(client->address);
}

bool clients_renew(struct clients *clients, struct client *client, standin_session session) {
  if (!map_put(&clients->by_session, session, client)) {
    standin_session_release(session);
    return false;
  }
  standin_session before = client->session;
  client->session = session;
  map_remove(&clients->by_session, before);
  standin_session_release(before);
  return true;
}

void clients_release(struct clients *clients, struct client *client) {
  if (!client->session) {
    return;
  }
  map_remove(&clients->by_session, client->session);
  standin_session_release(client->session);
  client->session = 0;
}

void clients_forget(struct clients *clients, struct client *client) {
  clients_release(clients, client);
  if (clients_at(clients, client->address) == client) {
    map_remove(&clients->by_address, clients_key(client->address));
  }
  if (clients_is_latest(clients, client)) {
    map_remove(&clients->by_id, client->id_hash);
  }
  free(client->id);
  free(client->name);
  free(client);
}

void clients_forget_all(struct clients *clients) {
  for (size_t i = 0; i < clients->by_address.capacity;) {
    struct client *client = clients->by_address.slots[i].value;
    if (client) {
      clients_forget(clients, client); // another one may have moved into the slot
    } else {
      i++;
    }
  }
  map_free(&clients->by_address);
  map_free(&clients->by_session);
  map_free(&clients->by_id);
}
