// SPDX-License-Identifier: Apache-2.0
// What is done between two turns of the broker's loop, the only safe place to
// disconnect somebody.
#ifndef STANDIN_MOSQUITTO_TICK_H
#define STANDIN_MOSQUITTO_TICK_H

#include "host.h"

// MOSQ_EVT_TICK: ten times a second, and under load with every packet.
int tick(struct host *host, struct mosquitto_evt_tick *event);

// What can be done at a login instead, by a broker that does not tick: nobody is
// disconnected.
void tick_missing(struct host *host);

// MOSQ_EVT_DISCONNECT and the event of 2.1 for durable sessions.
void tick_disconnected(struct instance *instance, const struct mosquitto *client);

#endif
