// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Producers, consumers and Metadata requests on brokers that differ in nothing but the authorizer.
 * All of them authenticate with Standin, without TLS, which would hide differences.
 */
final class Traffic {
  private static final String BASE = "no authorizer";
  private static final Results.Table RATE =
      new Results.Table("broker", "records or requests a second", "/s", BASE);
  private static final Results.Table WORK =
      new Results.Table("broker", "processor time of the broker a record or request", "µs", BASE);

  /** Records in the topic that is read. */
  private static final int RECORDS = 400_000;

  /** Rules on every topic, with much effort. */
  private static final int EVERYWHERE = 10_000;

  private final Effort effort;
  private final Results results;
  private final List<Contestant> contestants = new ArrayList<>();

  private Traffic(Effort effort, Results results) {
    this.effort = effort;
    this.results = results;
  }

  private record Contestant(String who, Broker broker, Cluster cluster, Client client) {}

  /** Something done on a broker, so many times. */
  @FunctionalInterface
  private interface Deed {
    void run(Client client, long amount);
  }

  /**
   * Runs on three brokers.
   *
   * @param folders folders of the brokers without authorizer, with Kafka's, with Standin
   */
  static void run(Effort effort, Path program, List<Path> folders, Results results)
      throws Exception {
    Traffic traffic = new Traffic(effort, results);
    Path credentials = folders.get(0).resolveSibling("credentials");
    System.setProperty("aws.sharedCredentialsFile", credentials.toString());
    System.setProperty("aws.region", "us-east-1");
    List<String> names = List.of(BASE, "StandardAuthorizer", "Standin");
    try {
      for (int i = 0; i < names.size(); i++) {
        traffic.contestant(names.get(i), program, folders.get(i), credentials);
      }
      traffic.rows("");
      if (effort == Effort.FULL) {
        traffic.contestants.get(1).cluster().aclsEverywhere(EVERYWHERE);
        traffic.contestants.get(2).cluster().everywhere(EVERYWHERE);
        // The brokers take the rules in meanwhile.
        Thread.sleep(5000);
        traffic.rows(", 10,000 rules on *");
      }
    } finally {
      for (Contestant each : traffic.contestants) {
        each.client().close();
      }
    }
  }

  private void contestant(String who, Path program, Path folder, Path credentials)
      throws Exception {
    Broker broker = new Broker(folder);
    Cluster cluster =
        new Cluster(broker, new Administration(program, broker.standin().resolve("store.db")));
    AccessKey key = cluster.user();
    if (contestants.size() == 1) {
      cluster.acls();
    }
    // Last: a broker takes seconds to make so many, and what comes after waits for that.
    cluster.topics();
    String profile = "broker" + contestants.size();
    Files.writeString(
        credentials,
        (Files.exists(credentials) ? Files.readString(credentials) : "")
            + "[%s]\naws_access_key_id=%s\naws_secret_access_key=%s\n"
                .formatted(profile, key.id(), key.secret()));
    Client client = new Client(broker, profile, key);
    client.fill(RECORDS);
    contestants.add(new Contestant(who, broker, cluster, client));
    System.err.println("broker: " + who + " is ready");
  }

  private void rows(String rules) throws IOException {
    row("producing in batches" + rules, Client::produce);
    row("producing singly, 100 bytes, acks=1" + rules, Client::produceSingly);
    row("consuming" + rules, Client::consume);
    row("Metadata of " + Cluster.TOPICS + " topics" + rules, Client::metadata);
  }

  private void row(String row, Deed deed) throws IOException {
    int many = contestants.size();
    int rounds = effort.pick(5, 9, 15);
    long[] amounts = new long[many];
    for (int i = 0; i < many; i++) {
      amounts[i] = warm(contestants.get(i).client(), deed);
      // Turns of one length, but for those that would take much longer.
      amounts[i] = amounts[i] < amounts[0] / 4 ? amounts[i] : amounts[0];
    }
    double[][] rate = new double[many][rounds];
    double[][] work = new double[many][rounds];
    for (int round = 0; round < rounds; round++) {
      for (int turn = 0; turn < many; turn++) {
        int i = (round + turn) % many;
        Broker broker = contestants.get(i).broker();
        Map<String, Long> before = broker.work();
        long wall = System.nanoTime();
        deed.run(contestants.get(i).client(), amounts[i]);
        wall = System.nanoTime() - wall;
        work[i][round] = broker.since(before) / 1e3 / amounts[i];
        rate[i][round] = amounts[i] * 1e9 / wall;
      }
    }
    for (int i = 0; i < many; i++) {
      results.add(RATE, row, contestants.get(i).who(), rate[i]);
      results.add(WORK, row, contestants.get(i).who(), work[i]);
    }
    System.err.println("broker: " + row + " done");
  }

  /** Runs until the broker is warm; how much of it fills a turn. */
  private long warm(Client client, Deed deed) {
    long turn = effort.pick(500, 1500, 3000) * 1_000_000L;
    long until = effort.pick(1500, 4000, 8000) * 1_000_000L;
    long amount = 1;
    long spent = 0;
    while (true) {
      long before = System.nanoTime();
      deed.run(client, amount);
      long took = System.nanoTime() - before;
      spent += took;
      if (spent >= until) {
        return Math.max(1, (long) ((double) turn / took * amount));
      }
      if (took < turn / 2) {
        amount *= 2;
      }
    }
  }
}
