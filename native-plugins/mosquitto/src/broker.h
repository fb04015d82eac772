// SPDX-License-Identifier: Apache-2.0
// The broker's interface: Debian's headers are those of Mosquitto 2.0; what 2.1
// adds is declared here, weak, so that one binary serves both.
#ifndef STANDIN_MOSQUITTO_BROKER_H
#define STANDIN_MOSQUITTO_BROKER_H

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

// Names of 2.1. Registering an event that a broker does not know answers
// MOSQ_ERR_NOT_SUPPORTED, and is no failure.
#define BROKER_EVENT_CLIENT_OFFLINE 28
#define BROKER_AUTH_DELAYED (-5)
#define BROKER_SERVER_UNAVAILABLE 136

// Exported by 2.1 only; NULL in 2.0.
extern void mosquitto_complete_basic_auth(const char *client_id, int result) __attribute__((weak));
extern struct mosquitto *mosquitto_client(const char *client_id) __attribute__((weak));

// Whether a login may be answered later.
static inline bool broker_delays_logins(void) { return mosquitto_complete_basic_auth && mosquitto_client; }

#endif
