// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import io.standin.internal.Fields;
import io.standin.internal.Session;
import io.standin.internal.Status;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.apache.kafka.server.authorizer.Authorizer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shadow mode: Kafka's ACLs decide for everybody, and the library compares that with what policies
 * say. A client of Standin is decided by the ACLs of the principal it stands for. Comparing neither
 * waits nor throws; only a session that is over is denied, since nobody is logged in any more.
 */
final class Shadow {
  private static final Logger LOG = LoggerFactory.getLogger(Shadow.class);
  private static final long QUIET_NS = 60_000_000_000L;

  /** Principals remembered; they come from clients. */
  private static final int REMEMBERED = 10_000;

  private static final byte[] NO_FACTS = {};

  private final Authorizer acls;
  private final Engine engine;
  private final KafkaActions actions;
  private final Set<String> superUsers;
  private final Map<String, Listed> listed = new ConcurrentHashMap<>();
  private final Map<String, byte[]> whos = new ConcurrentHashMap<>();
  private final Map<String, byte[]> facts = new ConcurrentHashMap<>();
  private final AtomicLong complained = new AtomicLong(System.nanoTime() - QUIET_NS);

  /** Whom ACLs take a client of Standin for, and both names for the library. */
  private record Listed(KafkaPrincipal principal, byte[] who) {}

  Shadow(Authorizer acls, Engine engine, KafkaActions actions, Object superUsers) {
    this.acls = acls;
    this.engine = engine;
    this.actions = actions;
    this.superUsers =
        superUsers == null
            ? Set.of()
            : Arrays.stream(superUsers.toString().split(";"))
                .map(String::trim)
                .collect(Collectors.toUnmodifiableSet());
  }

  List<AuthorizationResult> authorize(AuthorizableRequestContext context, List<Action> asked) {
    KafkaPrincipal principal = context.principal();
    StandinPrincipal ours = principal instanceof StandinPrincipal p ? p : null;
    if (isBarred(principal, ours)) {
      return Collections.nCopies(asked.size(), AuthorizationResult.DENIED);
    }
    List<AuthorizationResult> results = acls.authorize(renamed(context, ours), asked);
    if (ours == null && superUsers.contains(principal.toString())) {
      return results;
    }
    Requests requests = begin(context);
    int count = 0;
    for (int i = 0; i < asked.size() && i < results.size(); i++) {
      boolean allowed = results.get(i) == AuthorizationResult.ALLOWED;
      if (add(requests, asked.get(i), allowed)) {
        count++;
      }
    }
    return compare(ours, context, requests, count)
        ? results
        : Collections.nCopies(asked.size(), AuthorizationResult.DENIED);
  }

  AuthorizationResult authorizeByResourceType(
      AuthorizableRequestContext context, AclOperation operation, ResourceType type) {
    KafkaPrincipal principal = context.principal();
    StandinPrincipal ours = principal instanceof StandinPrincipal p ? p : null;
    if (isBarred(principal, ours)) {
      return AuthorizationResult.DENIED;
    }
    AuthorizationResult result =
        acls.authorizeByResourceType(renamed(context, ours), operation, type);
    if (ours == null && superUsers.contains(principal.toString())) {
      return result;
    }
    Requests requests = begin(context);
    int flags = Requests.ANY | (result == AuthorizationResult.ALLOWED ? Requests.ACLS_ALLOW : 0);
    requests.add(actions.number(operation, type), flags, 1, "");
    return compare(ours, context, requests, 1) ? result : AuthorizationResult.DENIED;
  }

  /** In no mode may a reserved name do anything without a session, nor one whose session ended. */
  private static boolean isBarred(KafkaPrincipal principal, StandinPrincipal ours) {
    return ours == null ? StandinPrincipal.isReserved(principal.getName()) : ours.hasEnded();
  }

  private static Requests begin(AuthorizableRequestContext context) {
    return Requests.ofThread().begin(context.clientAddress().getAddress(), context.clientId());
  }

  /** False for what policies cannot be asked. */
  private boolean add(Requests requests, Action action, boolean allowed) {
    AclOperation operation = action.operation();
    ResourceType type = action.resourcePattern().resourceType();
    String name = action.resourcePattern().name();
    if (type == ResourceType.CLUSTER
        && (operation == AclOperation.CREATE || operation == AclOperation.DELETE)) {
      if (!allowed) {
        // Kafka asks for each topic next.
        return false;
      }
      // It will not ask for topics, of which every one is allowed by that.
      type = ResourceType.TOPIC;
      name = "*";
    }
    int number = actions.number(operation, type);
    int flags = allowed ? Requests.ACLS_ALLOW : 0;
    return number != 0 && requests.add(number, flags, action.resourceReferenceCount(), name);
  }

  /** False when the session is over. */
  private boolean compare(
      StandinPrincipal ours, AuthorizableRequestContext context, Requests requests, int count) {
    if (count == 0 && ours == null) {
      return true;
    }
    try {
      Session session = ours == null ? null : ours.session();
      byte[] who = ours == null ? who(context.principal()) : listed(ours).who();
      byte[] about = ours == null ? facts(context) : NO_FACTS;
      int status = engine.compare(session, who, about, requests.buffer(), requests.bytes(), count);
      if (session != null) {
        if (status == Engine.OVER) {
          // It may have been ended with its connection.
          Connections.note(session, context);
          session.denied();
        }
        boolean gone =
            status == Status.UNKNOWN_ID && System.currentTimeMillis() >= session.deadline();
        return status != Engine.OVER && !gone;
      }
      if (status < 0) {
        complain("status " + status);
      }
    } catch (RuntimeException e) {
      complain(e.toString());
    }
    return true;
  }

  private void complain(String why) {
    long now = System.nanoTime();
    long last = complained.get();
    if (now - last >= QUIET_NS && complained.compareAndSet(last, now)) {
      LOG.warn("Operations were not compared with policies: {}", why);
    }
  }

  private AuthorizableRequestContext renamed(
      AuthorizableRequestContext context, StandinPrincipal ours) {
    return ours == null ? context : new Renamed(context, listed(ours).principal());
  }

  private Listed listed(StandinPrincipal ours) {
    Listed known = listed.get(ours.getName());
    if (known != null) {
      return known;
    }
    String name = engine.aclPrincipal(ours.getName());
    // Super users are those of the listeners they always were on: no name of ours leads to one.
    if (name == null || superUsers.contains(name) || name.indexOf(':') < 0) {
      name = KafkaPrincipal.USER_TYPE + ":" + ours.getName();
    }
    int colon = name.indexOf(':');
    Listed made =
        new Listed(
            new KafkaPrincipal(name.substring(0, colon), name.substring(colon + 1)),
            Fields.join(List.of(Fields.text(name), Fields.text(ours.getName()))));
    return remember(listed, ours.getName(), made);
  }

  private byte[] who(KafkaPrincipal principal) {
    String name = principal.toString();
    byte[] known = whos.get(name);
    return known != null
        ? known
        : remember(whos, name, Fields.join(List.of(Fields.text(name), NO_FACTS)));
  }

  private byte[] facts(AuthorizableRequestContext context) {
    SecurityProtocol protocol = context.securityProtocol();
    String key = protocol.name + ' ' + context.listenerName();
    byte[] known = facts.get(key);
    if (known != null) {
      return known;
    }
    boolean secure = protocol == SecurityProtocol.SASL_SSL || protocol == SecurityProtocol.SSL;
    return remember(
        facts,
        key,
        Fields.join(
            List.of(
                // The address stands with the request.
                NO_FACTS,
                Fields.text("0"),
                Fields.text(context.listenerName()),
                Fields.text(protocol.name),
                Fields.text(secure ? "1" : "0"),
                NO_FACTS)));
  }

  private static <T> T remember(Map<String, T> map, String key, T value) {
    if (map.size() >= REMEMBERED) {
      map.clear();
    }
    map.put(key, value);
    return value;
  }

  /** A request in the name of another principal. */
  private record Renamed(AuthorizableRequestContext request, KafkaPrincipal principal)
      implements AuthorizableRequestContext {
    @Override
    public String listenerName() {
      return request.listenerName();
    }

    @Override
    public SecurityProtocol securityProtocol() {
      return request.securityProtocol();
    }

    @Override
    public java.net.InetAddress clientAddress() {
      return request.clientAddress();
    }

    @Override
    public int requestType() {
      return request.requestType();
    }

    @Override
    public int requestVersion() {
      return request.requestVersion();
    }

    @Override
    public String clientId() {
      return request.clientId();
    }

    @Override
    public int correlationId() {
      return request.correlationId();
    }
  }
}
