// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** The SASL mechanisms through which clients of MSK log in. */
enum Mechanism {
  /** Fields of a signed request, in one JSON message. */
  AWS_MSK_IAM(1),
  /** A presigned URL as bearer token: what the MSK signers make. */
  OAUTHBEARER(2);

  private final int number;

  Mechanism(int number) {
    this.number = number;
  }

  /** Its number in the natives. */
  int number() {
    return number;
  }

  /** The mechanism of this name in Kafka's words. */
  static Optional<Mechanism> named(String name) {
    return Arrays.stream(values()).filter(m -> m.name().equals(name)).findFirst();
  }

  /** Where, below a listener's prefix, its JAAS line stands. */
  String jaas() {
    return "." + name().toLowerCase(Locale.ROOT) + ".sasl.jaas.config";
  }
}
