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
  private final Session session;
  private final boolean ended;

  StandinPrincipal(String name, Session session) {
    this(name, session, false);
  }

  private StandinPrincipal(String name, Session session, boolean ended) {
    super(USER_TYPE, name);
    this.session = session;
    this.ended = ended;
  }

  /** A forwarded principal whose session could not be taken in: nothing can be decided for it. */
  static StandinPrincipal undecided(String name) {
    return new StandinPrincipal(name, null, false);
  }

  /** A forwarded principal whose session is over: everything is denied. */
  static StandinPrincipal ended(String name) {
    return new StandinPrincipal(name, null, true);
  }

  /** Null when nothing can be decided, or the session has ended. */
  Session session() {
    return session;
  }

  boolean hasEnded() {
    return ended;
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
