// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.network.ClientInformation;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.RequestContext;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.Authorizer;

/** Through Kafka's own interface, in one process, without network or broker. */
final class Micro {
  /** Name of the threads that handle requests in a broker; only those may wait. */
  static final String HANDLER = "data-plane-kafka-request-handler-";

  private static final String PART = "micro";
  private static final String STANDIN = "Standin";
  private static final Results.Table TIME =
      new Results.Table(PART, "processor time of one call of authorize", "ns", STANDIN);
  private static final Results.Table BYTES =
      new Results.Table(PART, "bytes one call of authorize allocates", "B", "nothing");
  private static final Results.Table FLAT =
      new Results.Table(
          PART, "processor time of a known decision of Standin by its rules", "ns", "10 rules");
  private static final Results.Table SCALING =
      new Results.Table(PART, "calls a second by two threads, times those by one", "x", "");

  /** Different names asked about when decisions are known already. */
  private static final int WARM_NAMES = 8;

  /** How often each name is there: a broker reads every request's names anew. */
  private static final int COPIES = 8;

  /** Names never asked about before, in one turn. */
  private static final int COLD_NAMES = 4000;

  /** Turns before the first that counts, where each needs a user of its own. */
  private static final int COLD_WARM = 5;

  private static final int TOPICS = 500;

  private final Effort effort;
  private final Results results;
  private final Rounds rounds;
  private final House house;
  private final InetAddress address = InetAddress.getByName("127.0.0.1");
  private final Loop[] loops = {Loop.fresh(), Loop.fresh(), Loop.fresh()};
  private final List<Rounds.Contestant> sizes = new ArrayList<>();
  private int cold;

  private Micro(Effort effort, Results results, House house) throws IOException {
    this.effort = effort;
    this.results = results;
    this.house = house;
    rounds = new Rounds(effort, results);
  }

  /** Somebody who decides, and the context of the requests it is asked with. */
  private record Judge(String who, Authorizer authorizer, AuthorizableRequestContext context) {}

  static void run(Effort effort, Path program, Path folder, Results results) throws Exception {
    try (House house = new House(program, folder)) {
      Micro micro = new Micro(effort, results, house);
      for (int count : new int[] {10, 1000, 10_000}) {
        micro.own(count);
      }
      if (effort == Effort.FULL) {
        micro.own(1_000_000);
      }
      micro.rounds.measure(FLAT, null, "allowed", micro.sizes);
      micro.benchmark(10_000);
      micro.everywhere(7000, 504);
      System.err.println(
          "micro: turns that others disturbed by a tenth or more: " + micro.rounds.disturbed());
    }
  }

  /** A principal with {@code count} rules on as many topics. */
  private void own(int count) throws IOException, InterruptedException {
    say(count + " rules");
    Rules rules = Rules.own(house.cluster(), count);
    String group = "own-" + count;
    house.administration().group(group, rules.documents());
    AccessKey key = house.administration().user(group + "-user", List.of(), group);
    try (StandardAuthorizer standard = standard(rules.acls())) {
      List<Judge> judges = judges(standard, key);
      String rule = String.format(Locale.ROOT, ", %,d rules", count);
      List<List<Action>> known =
          copies(() -> singles(AclOperation.WRITE, spread(count, WARM_NAMES), true));
      List<List<Action>> unknown =
          copies(() -> singles(AclOperation.WRITE, names("other-topic-", WARM_NAMES), true));
      warm("allowed" + rule, judges, known, true);
      warm("denied" + rule, judges, unknown, false);
      warm(TOPICS + " topics" + rule, judges, copies(() -> metadata(count)), true);
      any("any topic" + rule, judges);
      size(count, judges.get(judges.size() - 1), known);
      cold(count, rule, judges, group);
      if (count == 1000) {
        AccessKey other = house.administration().user(group + "-other", List.of(), group);
        scaling("allowed" + rule, judges, known, standin(other));
      }
    }
  }

  /** Kafka's own benchmark of its authorizer. */
  private void benchmark(int count) throws IOException {
    say("the shape of Kafka's AuthorizerBenchmark");
    Rules rules = Rules.benchmark(house.cluster(), count);
    AccessKey key = house.administration().user("benchmark", rules.documents());
    try (StandardAuthorizer standard = standard(rules.acls())) {
      List<String> name = List.of("foo-bar35_resource-95");
      warm(
          String.format(Locale.ROOT, "denied, AuthorizerBenchmark of %,d x 10", count),
          judges(standard, key),
          singles(AclOperation.WRITE, name, true),
          false);
    }
  }

  /** KAFKA-20667. */
  private void everywhere(int count, int topics) throws IOException {
    say("the shape of KAFKA-20667");
    Rules rules = Rules.everywhere(house.cluster(), count);
    String group = "everywhere";
    house.administration().group(group, rules.documents());
    AccessKey key = house.administration().user("everywhere-user", List.of(), group);
    try (StandardAuthorizer standard = standard(rules.acls())) {
      List<List<Action>> asked =
          copies(() -> List.of(batch(AclOperation.DESCRIBE, names("some-topic-", topics), topics)));
      warm(
          String.format(Locale.ROOT, "%d topics, KAFKA-20667 (%,d rules on *)", topics, count),
          judges(standard, key),
          asked,
          true);
    }
  }

  private StandardAuthorizer standard(Map<Uuid, StandardAcl> acls) {
    StandardAuthorizer standard = new StandardAuthorizer();
    standard.configure(Map.of("node.id", "1"));
    standard.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
    standard.loadSnapshot(acls);
    standard.completeInitialLoad();
    return standard;
  }

  private List<Judge> judges(StandardAuthorizer standard, AccessKey key) throws IOException {
    KafkaPrincipal plain = new KafkaPrincipal(KafkaPrincipal.USER_TYPE, "test-user");
    return List.of(
        new Judge("nothing", new NothingAuthorizer(), context(plain)),
        new Judge("StandardAuthorizer", standard, context(plain)),
        standin(key));
  }

  private Judge standin(AccessKey key) throws IOException {
    return new Judge(STANDIN, house.authorizer(), context(house.login(key, address)));
  }

  /** The context a broker passes with a request. */
  private AuthorizableRequestContext context(KafkaPrincipal principal) {
    return new RequestContext(
        new RequestHeader(ApiKeys.PRODUCE, (short) 9, "producer-1", 7),
        "127.0.0.1:9092-127.0.0.1:51324-0",
        address,
        principal,
        new ListenerName("CLIENT"),
        SecurityProtocol.SASL_SSL,
        ClientInformation.EMPTY,
        false);
  }

  private static List<String> names(String prefix, int count) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      names.add(prefix + i);
    }
    return names;
  }

  /** So many of the topics that have a rule. */
  private static List<String> spread(int count, int wanted) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < wanted; i++) {
      names.add(Rules.topic((int) ((long) i * count / wanted)));
    }
    return names;
  }

  private static Action action(AclOperation operation, String name, boolean logDenied) {
    return new Action(
        operation,
        new ResourcePattern(ResourceType.TOPIC, name, PatternType.LITERAL),
        1,
        true,
        logDenied);
  }

  private static List<List<Action>> singles(
      AclOperation operation, List<String> names, boolean logDenied) {
    List<List<Action>> singles = new ArrayList<>();
    for (String name : names) {
      singles.add(List.of(action(operation, name, logDenied)));
    }
    return singles;
  }

  /** A Metadata request about topics that have a rule, as far as there are so many. */
  private static List<List<Action>> metadata(int count) {
    List<String> known = spread(count, Math.min(count, TOPICS));
    return List.of(batch(AclOperation.DESCRIBE, known, TOPICS));
  }

  /** The same requests several times over, each with names of its own that are only equal. */
  private static List<List<Action>> copies(Supplier<List<List<Action>>> requests) {
    List<List<Action>> copies = new ArrayList<>();
    for (int i = 0; i < COPIES; i++) {
      copies.addAll(requests.get());
    }
    return copies;
  }

  /** One request about so many topics; names that are missing have no rule. */
  private static List<Action> batch(AclOperation operation, List<String> names, int topics) {
    List<Action> batch = new ArrayList<>();
    for (int i = 0; i < topics; i++) {
      batch.add(action(operation, i < names.size() ? names.get(i) : "unknown-" + i, true));
    }
    return batch;
  }

  /** Fails when a judge decides wrongly: a wrong answer is not worth measuring. */
  private static void check(String row, Judge judge, long allowed, long expected) {
    if (!judge.who().equals("nothing") && allowed != expected) {
      throw new IllegalStateException(
          row + ": " + judge.who() + " allowed " + allowed + ", expected " + expected);
    }
  }

  private void warm(String row, List<Judge> judges, List<List<Action>> asked, boolean allowed) {
    List<Rounds.Contestant> contestants = new ArrayList<>();
    for (int i = 0; i < judges.size(); i++) {
      Judge judge = judges.get(i);
      Loop loop = loops[i];
      contestants.add(
          new Rounds.Contestant(
              judge.who(),
              calls ->
                  check(
                      row,
                      judge,
                      loop.ask(judge.authorizer(), judge.context(), asked, calls),
                      allowed ? calls : 0)));
    }
    rounds.measure(TIME, BYTES, row, contestants);
  }

  /** Without the one who does nothing: the compiler leaves it out altogether. */
  private void any(String row, List<Judge> judges) {
    List<Rounds.Contestant> contestants = new ArrayList<>();
    for (int i = 1; i < judges.size(); i++) {
      Judge judge = judges.get(i);
      Loop loop = loops[i];
      contestants.add(
          new Rounds.Contestant(
              judge.who(),
              calls ->
                  check(
                      row,
                      judge,
                      loop.askAny(
                          judge.authorizer(),
                          judge.context(),
                          AclOperation.WRITE,
                          ResourceType.TOPIC,
                          calls),
                      calls)));
    }
    rounds.measure(TIME, BYTES, row, contestants);
  }

  /** Keeps who decides by so many rules, to be compared with others when all are there. */
  private void size(int count, Judge standin, List<List<Action>> asked) {
    Loop loop = loops[loops.length - 1];
    String who = String.format(Locale.ROOT, "%,d rules", count);
    sizes.add(
        new Rounds.Contestant(
            who,
            calls ->
                check(
                    who,
                    standin,
                    loop.ask(standin.authorizer(), standin.context(), asked, calls),
                    calls)));
  }

  /** Questions that are new to a context, and how many of them are allowed. */
  private record Cold(String row, List<List<Action>> asked, int allowed) {}

  private List<Cold> cold(int count, String rule) {
    List<Cold> rows = new ArrayList<>();
    String first = ", first time" + rule;
    if (count >= COLD_NAMES) {
      List<String> known = spread(count, COLD_NAMES);
      rows.add(new Cold("allowed" + first, singles(AclOperation.WRITE, known, true), COLD_NAMES));
    }
    List<String> unknown = names("first-" + cold + "-", COLD_NAMES);
    rows.add(new Cold("denied" + first, singles(AclOperation.WRITE, unknown, false), 0));
    List<String> more = names("logged-" + cold + "-", COLD_NAMES);
    rows.add(new Cold("denied and logged" + first, singles(AclOperation.WRITE, more, true), 0));
    rows.add(new Cold(TOPICS + " topics" + first, metadata(count), 1));
    cold++;
    return rows;
  }

  /** Asks what is new; each round has a user of its own, whose cache is empty. */
  private void cold(int count, String rule, List<Judge> judges, String group) throws IOException {
    int many = judges.size();
    List<Cold> shape = cold(count, rule);
    double[][][] nanos = new double[shape.size()][many][effort.rounds];
    double[][][] bytes = new double[shape.size()][many][effort.rounds];
    for (int round = -COLD_WARM; round < effort.rounds; round++) {
      List<Cold> rows = cold(count, rule);
      Judge standin = standin(house.administration().user("cold-" + cold, List.of(), group));
      for (int row = 0; row < rows.size(); row++) {
        Cold now = rows.get(row);
        for (int turn = 0; turn < many; turn++) {
          int i = Math.floorMod(round + turn, many);
          Judge judge = judges.get(i).who().equals(STANDIN) ? standin : judges.get(i);
          Rounds.Turn one =
              rounds.turn(
                  calls ->
                      check(
                          now.row(),
                          judge,
                          loops[i].ask(judge.authorizer(), judge.context(), now.asked(), calls),
                          now.allowed()),
                  now.asked().size());
          if (round >= 0) {
            nanos[row][i][round] = one.nanos();
            bytes[row][i][round] = one.bytes();
          }
        }
      }
    }
    for (int row = 0; row < shape.size(); row++) {
      for (int i = 0; i < many; i++) {
        results.add(TIME, shape.get(row).row(), judges.get(i).who(), nanos[row][i]);
        results.add(BYTES, shape.get(row).row(), judges.get(i).who(), bytes[row][i]);
      }
    }
  }

  /** Two threads on one session, on whose decisions they meet, and on a session each. */
  private void scaling(String row, List<Judge> judges, List<List<Action>> asked, Judge another)
      throws InterruptedException {
    for (int i = 0; i < judges.size(); i++) {
      Judge judge = judges.get(i);
      scaling(row + ", one session", judge, judge, loops[i], asked);
    }
    Judge standin = judges.get(judges.size() - 1);
    scaling(row + ", a session each", standin, another, loops[judges.size() - 1], asked);
  }

  private void scaling(String row, Judge first, Judge second, Loop loop, List<List<Action>> asked)
      throws InterruptedException {
    List<Rounds.Body> bodies = new ArrayList<>();
    for (Judge judge : List.of(first, second)) {
      bodies.add(calls -> loop.ask(judge.authorizer(), judge.context(), asked, calls));
    }
    Rounds.Turn one = rounds.turn(bodies.get(0), 1000);
    long calls = Math.max(1, (long) (effort.turnMs * 3e6 / one.nanos()));
    double[][] times = Scaling.measure(bodies, calls, effort.rounds);
    results.add(SCALING, row + ", by the clock", first.who(), times[0]);
    results.add(SCALING, row + ", by processor time", first.who(), times[1]);
  }

  private static void say(String what) {
    System.err.println("micro: " + what);
  }
}
