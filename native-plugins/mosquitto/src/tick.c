// SPDX-License-Identifier: Apache-2.0
#include "tick.h"

#include "events.h"
#include "login.h"

enum { WORK_EVERY_MS = 10, DRAIN_EVERY_MS = 100, IDLE_MS = 100, BUSY_MS = 5, MQTT_5 = 5 };

static void disconnect(struct host *host, const struct client *client) {
  // By id the broker finds the latest client of it, and an old one that a
  // websocket still holds is not that. One that is gone must not be told again.
  if (client->offline || !clients_is_latest(&host->clients, client)) {
    return;
  }
  log_info("%s (%s) disconnected: its session has ended", client->id, client->name);
  host->kicked = client;
  // Without its will: the right to publish has ended too.
  mosquitto_kick_client_by_clientid(client->id, false);
  host->kicked = NULL;
}

static void disconnect_ended(struct host *host) {
  struct queue ended = host->ended;
  host->ended = (struct queue){0};
  for (size_t i = 0; i < ended.count; i++) {
    const struct client *client = clients_of_session(&host->clients, ended.items[i]);
    if (client) {
      disconnect(host, client);
    }
  }
  queue_free(&ended);
}

static void forget_gone(struct host *host) {
  for (size_t i = 0; i < host->gone.count; i++) {
    struct client *client = clients_at(&host->clients, (const struct mosquitto *)(uintptr_t)host->gone.items[i]);
    if (client && client->offline) {
      clients_forget(&host->clients, client);
    }
  }
  host->gone.count = 0;
}

int tick(struct host *host, struct mosquitto_evt_tick *event) {
  host->ticking = true;
  host->reloading = false;
  // For 2.1; 2.0 ignores it. The field counts milliseconds there. A tick that is
  // not due yet when the loop turns leaves the loop to sleep for up to a day, so
  // this one is made to be due always: the next time is counted from "now".
  event->now_s = 0;
  event->now_ns = 0;
  event->next_s = 0;
  event->next_ns = host->pending.count ? BUSY_MS : IDLE_MS;
  int64_t now = host_now();
  if (now - host->worked < WORK_EVERY_MS) {
    return MOSQ_ERR_SUCCESS;
  }
  host->worked = now;
  events_take(host, 0, NULL);
  forget_gone(host);
  if (host->pending.count) {
    login_answer_later(host, now);
  }
  if (host->ended.count) {
    disconnect_ended(host);
  }
  if (now - host->drained >= DRAIN_EVERY_MS) {
    host->drained = now;
    log_drain(host->engine);
    log_limit_flush(&host->undelivered, now);
  }
  return MOSQ_ERR_SUCCESS;
}

void tick_missing(struct host *host) {
  events_take(host, 0, NULL);
  forget_gone(host);
  host->ended.count = 0;
  log_drain(host->engine);
  log_limit_flush(&host->undelivered, host_now());
}

void tick_disconnected(struct instance *instance, const struct mosquitto *address) {
  struct host *host = instance->host;
  // Also told for connections that never logged in, with no id.
  struct client *client = clients_known(&host->clients, address);
  if (!client || client->offline) {
    return;
  }
  client->offline = true;
  // A will may follow, at once or after its delay.
  standin_session_retire(client->session, instance->options.offline_grace);
  bool durable = !mosquitto_client_clean_session(address) || mosquitto_client_protocol_version(address) == MQTT_5;
  if (!durable) {
    queue_add(&host->gone, (uint64_t)(uintptr_t)address);
  }
}
