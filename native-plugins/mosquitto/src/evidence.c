// SPDX-License-Identifier: Apache-2.0
#include "evidence.h"

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <string.h>

static standin_bytes text(const char *value) {
  return (standin_bytes){.data = (const uint8_t *)value, .len = strlen(value)};
}

static bool take_certificate(struct evidence *out, const struct mosquitto *client) {
  X509 *certificate = mosquitto_client_certificate(client); // ours to free
  if (!certificate) {
    return false;
  }
  unsigned char *encoded = NULL;
  int length = i2d_X509(certificate, &encoded);
  X509_free(certificate);
  if (length <= 0) {
    return false;
  }
  *out = (struct evidence){.kind = STANDIN_EVIDENCE_CERTIFICATE,
                           .bytes = {.data = encoded, .len = (size_t)length},
                           .owned = encoded};
  return true;
}

bool evidence_take(struct evidence *out, const struct options *options, const struct mosquitto *client,
                   const char *password) {
  *out = (struct evidence){0};
  if (password && *password) {
    *out = (struct evidence){.kind = STANDIN_EVIDENCE_TOKEN, .bytes = text(password)};
    return options->token;
  }
  return options->certificate && take_certificate(out, client);
}

void evidence_drop(struct evidence *evidence) {
  OPENSSL_free(evidence->owned);
  *evidence = (struct evidence){0};
}

// IPv4 as four bytes, also where a websocket listener writes it as IPv6.
static standin_bytes address_of(const char *shown, uint8_t bytes[16]) {
  static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  standin_bytes none = {0};
  if (!shown) {
    return none;
  }
  if (inet_pton(AF_INET, shown, bytes) == 1) {
    return (standin_bytes){.data = bytes, .len = 4};
  }
  if (inet_pton(AF_INET6, shown, bytes) != 1) {
    return none; // a Unix socket
  }
  return memcmp(bytes, mapped, sizeof mapped) == 0 ? (standin_bytes){.data = bytes + 12, .len = 4}
                                                   : (standin_bytes){.data = bytes, .len = 16};
}

static const char *protocol_of(const struct mosquitto *client, bool secure) {
  if (mosquitto_client_protocol(client) == mp_websockets) {
    return secure ? "wss" : "ws";
  }
  return secure ? "mqtts" : "mqtt";
}

void evidence_describe(const struct instance *instance, const struct mosquitto *client, const struct evidence *evidence,
                       struct evidence_place *place, standin_login *login) {
  const char *id = mosquitto_client_id(client);
  // A certificate has come through TLS, whatever was configured.
  bool secure = instance->options.secure || evidence->kind == STANDIN_EVIDENCE_CERTIFICATE;
  place->facts[0] = (standin_pair){.key = text("iot:ClientId"), .value = text(id ? id : "")};
  *login = (standin_login){.size = sizeof *login,
                           .profile = instance->profile,
                           .evidence = evidence->kind,
                           .flags = secure ? STANDIN_CHANNEL_SECURE : 0,
                           .payload = evidence->bytes,
                           .peer_address = address_of(mosquitto_client_address(client), place->address),
                           .action = instance->connect,
                           .resource = text(id ? id : ""),
                           .listener = text(instance->options.listener),
                           .protocol = text(protocol_of(client, secure)),
                           .connection = text(id ? id : ""),
                           .facts = place->facts,
                           .fact_count = 1};
}
