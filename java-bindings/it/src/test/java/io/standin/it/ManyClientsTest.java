// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** Many clients at once, each with rights of its own. */
@Order(2)
class ManyClientsTest {
  private static final int CLIENTS = 200;
  private static final int OPERATIONS = 100;
  private static final int NAMES = 10;
  private static final int THREADS = 8;

  /** What clients do, and the action each needs. */
  private enum Kind {
    WRITE("WriteData", "topic"),
    READ("ReadData", "topic"),
    DESCRIBE("DescribeTopic", "topic"),
    GROUP("DescribeGroup", "group");

    private final String action;
    private final String type;

    Kind(String action, String type) {
      this.action = action;
      this.type = type;
    }

    Errors run(RawClient client, String name) throws Exception {
      return switch (this) {
        case WRITE -> Wire.produce(client, name);
        case READ -> Wire.fetch(client, name);
        case DESCRIBE -> Wire.offsets(client, name);
        case GROUP -> Wire.group(client, name);
      };
    }

    Errors denied() {
      return this == GROUP ? Errors.GROUP_AUTHORIZATION_FAILED : Errors.TOPIC_AUTHORIZATION_FAILED;
    }
  }

  private record Question(Kind kind, int name) {}

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);
  private final String prefix = Iam.fresh("many");
  private final Random random = new Random(20_260_101);

  /** One client: the table it was given, and what it is going to ask. */
  private final class Client {
    private final boolean[][] allowed = new boolean[Kind.values().length][NAMES];
    private final List<Question> questions = new ArrayList<>();
    private final Map<Question, Integer> asked = new HashMap<>();
    private final Policy policy = Policy.connect(broker);
    private Keys keys;
    private RawClient connection;

    Client(int number) {
      for (Kind kind : Kind.values()) {
        List<String> yes = new ArrayList<>();
        List<String> no = new ArrayList<>();
        for (int name = 0; name < NAMES; name++) {
          allowed[kind.ordinal()][name] = random.nextInt(100) < 50;
          (allowed[kind.ordinal()][name] ? yes : no).add(arn(kind, name));
        }
        // The same table in two ways: what is listed, or everything but what is denied.
        if (number % 2 == 0 && !yes.isEmpty()) {
          policy.add("Allow", List.of(kind.action), yes);
        } else if (number % 2 == 1) {
          policy.allow(kind.action, broker.arn(kind.type, prefix + "-*"));
          if (!no.isEmpty()) {
            policy.add("Deny", List.of(kind.action), no);
          }
        }
      }
      for (int i = 0; i < OPERATIONS; i++) {
        Question question =
            new Question(
                Kind.values()[random.nextInt(Kind.values().length)], random.nextInt(NAMES));
        questions.add(question);
        asked.merge(question, 1, Integer::sum);
      }
    }

    private String arn(Kind kind, int name) {
      return broker.arn(kind.type, prefix + "-" + name);
    }

    boolean may(Question question) {
      return allowed[question.kind().ordinal()][question.name()];
    }

    void ask(int index, List<String> wrong) throws Exception {
      Question question = questions.get(index);
      Errors expected = may(question) ? Errors.NONE : question.kind().denied();
      Errors found = question.kind().run(connection, prefix + "-" + question.name());
      if (found != expected) {
        wrong.add(keys.arn() + " " + question + ": " + found + " and not " + expected);
      }
    }
  }

  @Test
  void p1_12_two_hundred_clients_side_by_side_each_get_what_their_own_policies_say()
      throws Exception {
    List<String> topics = new ArrayList<>();
    for (int name = 0; name < NAMES; name++) {
      topics.add(prefix + "-" + name);
    }
    Topics.create(broker, topics.toArray(String[]::new));
    Topics.coordinators(broker);
    List<Client> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      clients.add(new Client(i));
    }
    side(
        clients,
        part -> {
          for (Client client : part) {
            client.keys = iam.user(Iam.fresh(prefix), client.policy);
            client.connection = RawClient.loggedIn(broker, client.keys);
          }
          return List.of();
        });
    // All are connected now; the threads go from one to the next with every operation.
    List<String> wrong =
        side(
            clients,
            part -> {
              List<String> differing = new ArrayList<>();
              for (int index = 0; index < OPERATIONS; index++) {
                for (Client client : part) {
                  client.ask(index, differing);
                }
              }
              return differing;
            });
    for (Client client : clients) {
      client.connection.close();
    }
    assertEquals(List.of(), wrong);
    long[] written = new long[NAMES];
    for (Client client : clients) {
      for (Question question : client.questions) {
        if (question.kind() == Kind.WRITE && client.may(question)) {
          written[question.name()]++;
        }
      }
    }
    for (int name = 0; name < NAMES; name++) {
      assertEquals(written[name], Topics.end(broker, prefix + "-" + name), "records in " + name);
    }
    // P1-10: and each of the 20,000 is on the account of the client it was done for.
    Map<String, Long> expected = new TreeMap<>();
    for (Client client : clients) {
      client.asked.forEach(
          (question, times) ->
              expected.put(
                  String.join(
                      " ",
                      client.keys.arn(),
                      question.kind().action,
                      prefix + "-" + question.name(),
                      client.may(question) ? "allowed" : "denied"),
                  (long) times));
    }
    Wait.until("the counts of all clients in the audit", () -> counted().equals(expected));
  }

  /** What the audit says was done by whom, and how often. */
  private Map<String, Long> counted() {
    Map<String, Long> counts = new TreeMap<>();
    for (JsonNode record : iam.audit("--action", "kafka-cluster:", "--identity", prefix)) {
      String action = record.at("/api/operation").asText().replace("kafka-cluster:", "");
      if (!action.equals("Connect")) {
        counts.merge(
            String.join(
                " ",
                record.at("/actor/user/uid").asText(),
                action,
                record.at("/resources/0/name").asText(),
                record.at("/unmapped/outcome").asText()),
            record.get("count").asLong(),
            Long::sum);
      }
    }
    return counts;
  }

  private interface OnPart {
    List<String> run(List<Client> part) throws Exception;
  }

  /** Does something with all clients, in some threads. */
  private static List<String> side(List<Client> clients, OnPart what) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    List<Callable<List<String>>> parts = new ArrayList<>();
    for (int thread = 0; thread < THREADS; thread++) {
      List<Client> part = new ArrayList<>();
      for (int i = thread; i < clients.size(); i += THREADS) {
        part.add(clients.get(i));
      }
      parts.add(() -> what.run(part));
    }
    List<String> all = new ArrayList<>();
    for (Future<List<String>> done : threads.invokeAll(parts)) {
      all.addAll(done.get());
    }
    threads.shutdown();
    return all;
  }
}
