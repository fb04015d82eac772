// SPDX-License-Identifier: Apache-2.0
// The lines plugin_opt_* of mosquitto.conf.
#ifndef STANDIN_MOSQUITTO_OPTIONS_H
#define STANDIN_MOSQUITTO_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker.h"

// Texts belong to the options.
struct options {
  char *config;           // file with Standin's settings
  char *listener;         // name of the profile, and of the listener in audit and policies
  char *connect_action;   // NULL: policies do not decide about connecting
  char *enhanced_auth;    // method of MQTT 5 enhanced authentication, NULL: not offered
  bool secure;            // every channel this plugin serves is encrypted
  bool token;             // a password is a token
  bool certificate;       // a client certificate is a login
  uint32_t login_wait;    // longest time the broker stands still for a login, ms
  uint32_t login_delay;   // longest time a login is answered later, ms
  uint32_t offline_grace; // how long a will may follow its connection, ms
};

// Says in the broker's log what is wrong and what is accepted.
bool options_read(struct options *out, const struct mosquitto_opt *given, int count);

void options_free(struct options *options);

#endif
