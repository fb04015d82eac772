// SPDX-License-Identifier: Apache-2.0
// Logins: a token as password, a client certificate, MQTT 5 enhanced
// authentication.
#ifndef STANDIN_MOSQUITTO_LOGIN_H
#define STANDIN_MOSQUITTO_LOGIN_H

#include "events.h"
#include "host.h"

// MOSQ_EVT_BASIC_AUTH: also asked again for known clients when the broker
// reloads its configuration.
int login_basic(struct instance *instance, struct mosquitto_evt_basic_auth *event);

// MOSQ_EVT_EXT_AUTH_START: a login, or a connected client that proves itself again.
int login_enhanced(struct instance *instance, struct mosquitto_evt_extended_auth *event);

// From a tick: answers the logins whose answer has come, and gives up on those
// that took too long.
void login_answer_later(struct host *host, int64_t now);

#endif
