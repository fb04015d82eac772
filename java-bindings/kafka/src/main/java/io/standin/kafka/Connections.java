// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Session;
import org.apache.kafka.common.requests.RequestContext;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which connection a request came by. Kafka's interface does not tell; the class behind it does, in
 * every version that is supported. It is Kafka's own and may change: then no connection is known,
 * and ended sessions are denied without being disconnected.
 */
final class Connections {
  private static final Logger LOG = LoggerFactory.getLogger(Connections.class);

  private static volatile boolean missing;

  private Connections() {}

  /** Tells the session its connection, where that can be known. */
  static void note(Session session, AuthorizableRequestContext context) {
    if (missing) {
      return;
    }
    try {
      String id = id(context);
      if (id != null) {
        session.cameBy(id);
      }
    } catch (LinkageError e) {
      missing = true;
      LOG.warn(
          "This version of Kafka does not tell by which connection a request came: sessions can be"
              + " ended but not disconnected, and clients that loop are not slowed");
    }
  }

  private static String id(AuthorizableRequestContext context) {
    return context instanceof RequestContext request ? request.connectionId : null;
  }
}
