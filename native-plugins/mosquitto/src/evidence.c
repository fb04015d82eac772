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
  *out = (struct evidence){
      .kind = STANDIN_EVIDENCE_CERTIFICATE, .bytes = {.data = encoded, .len = (size_t)length}, .owned = encoded};
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

// In the bytes of the network; a websocket listener writes IPv4 as IPv6, which
// is the library's to see through.
static standin_bytes address_of(const char *shown, uint8_t bytes[16]) {
  size_t length = 0;
  if (shown && inet_pton(AF_INET, shown, bytes) == 1) {
    length = 4;
  } else if (shown && inet_pton(AF_INET6, shown, bytes) == 1) {
    length = 16;
  }
  return (standin_bytes){.data = bytes, .len = length}; // none of a Unix socket
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
