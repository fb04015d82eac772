// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Session;
import java.util.Locale;
import org.apache.kafka.common.security.auth.KafkaPrincipal;

/**
 * A principal that Standin authenticated. Equal to any other of the same name, so that a client may
 * authenticate again under another session of the same identity. Made only by the principal
 * builder.
 */
public final class StandinPrincipal extends KafkaPrincipal {
  /** Null when a forwarded session could not be taken in: nothing can be decided then. */
  private final Session session;

  StandinPrincipal(String name, Session session) {
    super(USER_TYPE, name);
    this.session = session;
  }

  Session session() {
    return session;
  }

  /** True for names that only principals with a session of Standin may have: ARNs. */
  static boolean isReserved(String name) {
    return name.length() >= 4 && name.substring(0, 4).toLowerCase(Locale.ROOT).equals("arn:");
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }
}
