// SPDX-License-Identifier: Apache-2.0
// What a client proves itself with, and where it comes from.
#ifndef STANDIN_MOSQUITTO_EVIDENCE_H
#define STANDIN_MOSQUITTO_EVIDENCE_H

#include "host.h"

struct evidence {
  uint32_t kind; // STANDIN_EVIDENCE_*
  standin_bytes bytes;
  unsigned char *owned; // the certificate's encoding
};

// Texts that a standin_login points to.
struct evidence_place {
  uint8_t address[16];
  standin_pair facts[1];
};

// The password, or else the certificate; false when there is neither.
bool evidence_take(struct evidence *out, const struct options *options, const struct mosquitto *client,
                   const char *password);
void evidence_drop(struct evidence *evidence);

// Fills in the login; it points into the place, the evidence and the client.
void evidence_describe(const struct instance *instance, const struct mosquitto *client, const struct evidence *evidence,
                       struct evidence_place *place, standin_login *login);

#endif
