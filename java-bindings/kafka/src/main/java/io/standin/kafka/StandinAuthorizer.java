// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import io.standin.internal.Session;
import io.standin.internal.StandinException;
import io.standin.internal.Status;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.Endpoint;
import org.apache.kafka.common.Reconfigurable;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.metrics.Monitorable;
import org.apache.kafka.common.metrics.PluginMetrics;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.metadata.authorizer.AclMutator;
import org.apache.kafka.metadata.authorizer.ClusterMetadataAuthorizer;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.authorizer.AclCreateResult;
import org.apache.kafka.server.authorizer.AclDeleteResult;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.apache.kafka.server.authorizer.AuthorizerServerInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides for principals that Standin authenticated by their IAM policies, and for all others by
 * Kafka's own ACLs. A name that is reserved for Standin without one of its sessions is denied.
 */
public class StandinAuthorizer implements ClusterMetadataAuthorizer, Monitorable, Reconfigurable {
  private static final Logger LOG = LoggerFactory.getLogger(StandinAuthorizer.class);
  private static final String HANDLER_THREAD = "data-plane-kafka-request-handler-";
  private static final int WAIT_MS = 1000;
  private static final List<AuthorizationResult> ALLOWED = List.of(AuthorizationResult.ALLOWED);
  private static final List<AuthorizationResult> DENIED = List.of(AuthorizationResult.DENIED);

  private final StandardAuthorizer others = new StandardAuthorizer();
  private Engine engine;
  private KafkaActions actions;
  private Pause pause;
  private LogPump log;
  private Dynamic dynamic;
  private Object superUsers;
  private StandinMetrics metrics;

  /** Null unless ACLs decide for everybody. */
  private volatile Shadow shadow;

  private final AtomicBoolean closed = new AtomicBoolean();

  /** Made by Kafka, once per role of the process. */
  public StandinAuthorizer() {}

  @Override
  public void configure(Map<String, ?> configs) {
    Map<String, String> settings = Settings.of(configs);
    others.configure(configs);
    try {
      check(configs, Engine.resolve(settings));
      engine = Engine.open(settings);
    } catch (StandinException | IllegalStateException e) {
      throw new ConfigException(e.getMessage());
    }
    actions = new KafkaActions(engine::action);
    pause = Pause.of(configs);
    quieten();
    dynamic = new Dynamic(engine, configs);
    superUsers = configs.get("super.users");
    warn(configs);
    follow(false);
    // Others that share the engine may change its mode.
    log = new LogPump(engine, () -> follow(false));
  }

  private static void quieten() {
    try {
      QuietLog.install();
    } catch (NoClassDefFoundError e) {
      LOG.debug("No Log4j 2 here: each request that cannot be decided will be a line of the log");
    }
  }

  private static void check(Map<String, ?> configs, Map<String, String> settings) {
    boolean tokens =
        configs.get("delegation.token.secret.key") != null
            || configs.get("delegation.token.master.key") != null;
    if (tokens && !"ignore".equals(settings.get("standin.delegation.tokens"))) {
      throw new ConfigException(
          "Delegation tokens are configured (delegation.token.secret.key): a client of Standin"
              + " could make one for itself without being asked for permission. It would carry no"
              + " rights of Standin; set standin.delegation.tokens=ignore to accept that, or remove"
              + " the key");
    }
    Listeners.check(configs, settings);
  }

  /** Takes the mode from the engine. */
  private synchronized void follow(boolean anew) {
    boolean now = engine.isShadow();
    boolean before = shadow != null;
    if (now == before && !anew) {
      return;
    }
    shadow = now ? new Shadow(others, engine, actions, superUsers) : null;
    if (now != before) {
      LOG.warn(
          now
              ? "standin.mode=shadow: Kafka's ACLs decide for everybody, policies are only compared"
                  + " with them"
              : "standin.mode=enforce: policies decide for principals of Standin");
    }
  }

  @Override
  public Set<String> reconfigurableConfigs() {
    return Dynamic.SETTINGS;
  }

  @Override
  public void validateReconfiguration(Map<String, ?> configs) {
    dynamic.check(configs);
  }

  @Override
  public void reconfigure(Map<String, ?> configs) {
    dynamic.change(configs);
    // Rules may have changed, and with them who is whom.
    follow(true);
  }

  private static void warn(Map<String, ?> configs) {
    if ("true".equals(String.valueOf(configs.get("allow.everyone.if.no.acl.found")))) {
      LOG.warn(
          "allow.everyone.if.no.acl.found=true: principals of other listeners are allowed without"
              + " any ACL");
    }
    Object users = configs.get("super.users");
    if (users != null && users.toString().contains("arn:")) {
      LOG.warn("super.users names a principal of Standin; that has no effect, its policies decide");
    }
  }

  @Override
  public void withPluginMetrics(PluginMetrics plugin) {
    others.withPluginMetrics(plugin);
    metrics = new StandinMetrics(engine, plugin);
  }

  @Override
  public Map<Endpoint, ? extends CompletionStage<Void>> start(AuthorizerServerInfo info) {
    return others.start(info);
  }

  @Override
  public List<AuthorizationResult> authorize(
      AuthorizableRequestContext context, List<Action> asked) {
    Shadow beside = shadow;
    if (beside != null) {
      return beside.authorize(context, asked);
    }
    KafkaPrincipal principal = context.principal();
    if (principal instanceof StandinPrincipal ours) {
      return decide(ours, context, asked);
    }
    if (StandinPrincipal.isReserved(principal.getName())) {
      return Collections.nCopies(asked.size(), AuthorizationResult.DENIED);
    }
    return others.authorize(context, asked);
  }

  private List<AuthorizationResult> decide(
      StandinPrincipal principal, AuthorizableRequestContext context, List<Action> asked) {
    Session session = principal.session();
    if (principal.hasEnded()) {
      return Collections.nCopies(asked.size(), AuthorizationResult.DENIED);
    }
    if (session == null) {
      throw Undecided.exception(context.requestType(), onCluster(asked));
    }
    if (asked.size() == 1) {
      int known = repeats(session, context, asked.get(0));
      if (known == 1) {
        session.allowed();
        return ALLOWED;
      }
      if (known == 0) {
        return DENIED;
      }
    }
    return ask(session, context, asked);
  }

  /**
   * Asks the library. Apart from what is known already, which is to stay small for the compiler.
   */
  private List<AuthorizationResult> ask(
      Session session, AuthorizableRequestContext context, List<Action> asked) {
    if (session.isUnseen()) {
      Connections.note(session, context);
    }
    Requests requests =
        Requests.ofThread().begin(context.clientAddress().getAddress(), context.clientId());
    boolean[] refused = null;
    int count = 0;
    for (int i = 0; i < asked.size(); i++) {
      Action action = asked.get(i);
      ResourceType type = action.resourcePattern().resourceType();
      int flags =
          (action.logIfAllowed() ? Requests.LOG_ALLOW : 0)
              | (action.logIfDenied() ? Requests.LOG_DENY : 0);
      int number = actions.number(action.operation(), type);
      // Nothing is asked about what is always denied, and nothing about a name that is no
      // text: no policy can speak of either.
      if (number != 0
          && requests.add(
              number, flags, action.resourceReferenceCount(), action.resourcePattern().name())) {
        count++;
      } else {
        refused = refused == null ? new boolean[asked.size()] : refused;
        refused[i] = true;
      }
    }
    int status = session.authorize(requests.buffer(), requests.bytes(), count, waitMs());
    if (status < 0) {
      return fallen(status, session, context, asked);
    }
    List<AuthorizationResult> results = results(requests, refused, context, asked);
    if (status > 0) {
      session.denied(status);
    } else if (session.isSlowed() && results.contains(AuthorizationResult.ALLOWED)) {
      session.allowed();
    }
    if (count == 1 && results.size() == 1) {
      Action only = asked.get(0);
      session.decided(
          number(only),
          only.resourcePattern().name(),
          results.get(0) == AuthorizationResult.ALLOWED,
          only.logIfDenied(),
          context.clientAddress());
    }
    return results;
  }

  /** What the library has answered, with denials for what it was not asked. */
  private List<AuthorizationResult> results(
      Requests requests,
      boolean[] refused,
      AuthorizableRequestContext context,
      List<Action> asked) {
    List<AuthorizationResult> results = new ArrayList<>(asked.size());
    int next = 0;
    for (int i = 0; i < asked.size(); i++) {
      if (refused != null && refused[i]) {
        results.add(AuthorizationResult.DENIED);
        continue;
      }
      switch (requests.buffer().get(next++)) {
        case 1 -> results.add(AuthorizationResult.ALLOWED);
        case 2 -> throw undecided(context, asked);
        default -> results.add(AuthorizationResult.DENIED);
      }
    }
    return results;
  }

  private int number(Action action) {
    return actions.number(action.operation(), action.resourcePattern().resourceType());
  }

  /** What the library has decided before and still holds: 1 allowed, 0 denied, -1 unknown. */
  private int repeats(Session session, AuthorizableRequestContext context, Action action) {
    return session.repeats(
        number(action),
        action.resourcePattern().name(),
        action.resourceReferenceCount(),
        action.logIfDenied(),
        context.clientAddress());
  }

  /** The library decided nothing: past its deadline a session is over, before it that is a race. */
  private List<AuthorizationResult> fallen(
      int status, Session session, AuthorizableRequestContext context, List<Action> asked) {
    if (status == Status.UNKNOWN_ID && System.currentTimeMillis() >= session.deadline()) {
      return Collections.nCopies(asked.size(), AuthorizationResult.DENIED);
    }
    throw undecided(context, asked);
  }

  private static boolean onCluster(List<Action> asked) {
    return !asked.isEmpty()
        && asked.get(0).resourcePattern().resourceType() == ResourceType.CLUSTER;
  }

  private RuntimeException undecided(AuthorizableRequestContext context, List<Action> asked) {
    if (Pause.isFor(context.requestType()) && waitMs() > 0) {
      pause.take();
    }
    return Undecided.exception(context.requestType(), onCluster(asked));
  }

  /** Only the broker's request handlers may wait; coordinators and controllers may not. */
  private static int waitMs() {
    return Thread.currentThread().getName().startsWith(HANDLER_THREAD) ? WAIT_MS : 0;
  }

  @Override
  public AuthorizationResult authorizeByResourceType(
      AuthorizableRequestContext context, AclOperation operation, ResourceType type) {
    Shadow beside = shadow;
    if (beside != null) {
      return beside.authorizeByResourceType(context, operation, type);
    }
    KafkaPrincipal principal = context.principal();
    if (principal instanceof StandinPrincipal ours) {
      Session session = ours.session();
      if (ours.hasEnded()) {
        return AuthorizationResult.DENIED;
      }
      if (session == null) {
        throw Undecided.exception(context.requestType(), true);
      }
      int number = actions.number(operation, type);
      if (session.repeatsAny(number, context.clientAddress())) {
        session.allowed();
        return AuthorizationResult.ALLOWED;
      }
      if (session.isUnseen()) {
        Connections.note(session, context);
      }
      Requests facts =
          Requests.ofThread().begin(context.clientAddress().getAddress(), context.clientId());
      byte[] bytes = new byte[facts.bytes()];
      facts.buffer().get(0, bytes);
      int answer = session.authorizeAny(number, bytes, waitMs());
      if (answer > 15) {
        session.denied(answer >> 4);
        return AuthorizationResult.DENIED;
      }
      return switch (answer) {
        case 1 -> {
          session.allowed();
          session.anyAllowed(number, context.clientAddress());
          yield AuthorizationResult.ALLOWED;
        }
        case 0 -> AuthorizationResult.DENIED;
        case Status.UNKNOWN_ID -> {
          if (System.currentTimeMillis() >= session.deadline()) {
            yield AuthorizationResult.DENIED;
          }
          throw Undecided.exception(context.requestType(), true);
        }
        default -> throw Undecided.exception(context.requestType(), true);
      };
    }
    if (StandinPrincipal.isReserved(principal.getName())) {
      return AuthorizationResult.DENIED;
    }
    return others.authorizeByResourceType(context, operation, type);
  }

  @Override
  public void setAclMutator(AclMutator mutator) {
    others.setAclMutator(mutator);
  }

  @Override
  public AclMutator aclMutatorOrException() {
    return others.aclMutatorOrException();
  }

  @Override
  public void completeInitialLoad() {
    others.completeInitialLoad();
  }

  @Override
  public void completeInitialLoad(Exception e) {
    others.completeInitialLoad(e);
  }

  @Override
  public void loadSnapshot(Map<Uuid, StandardAcl> acls) {
    others.loadSnapshot(acls);
  }

  @Override
  public void addAcl(Uuid id, StandardAcl acl) {
    others.addAcl(id, acl);
  }

  @Override
  public void removeAcl(Uuid id) {
    others.removeAcl(id);
  }

  @Override
  public List<? extends CompletionStage<AclCreateResult>> createAcls(
      AuthorizableRequestContext context, List<AclBinding> bindings) {
    return others.createAcls(context, bindings);
  }

  @Override
  public List<? extends CompletionStage<AclDeleteResult>> deleteAcls(
      AuthorizableRequestContext context, List<AclBindingFilter> filters) {
    return others.deleteAcls(context, filters);
  }

  @Override
  public Iterable<AclBinding> acls(AclBindingFilter filter) {
    return others.acls(filter);
  }

  @Override
  public int aclCount() {
    return others.aclCount();
  }

  /** Gives everything back, the engine last. Closing twice is harmless. */
  @Override
  public void close() throws IOException {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      others.close();
    } finally {
      if (metrics != null) {
        metrics.close();
      }
      if (log != null) {
        log.close();
      }
      if (engine != null) {
        engine.close();
      }
    }
  }
}
