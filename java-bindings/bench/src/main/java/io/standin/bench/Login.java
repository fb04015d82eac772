// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;

/** What a login costs a broker: connection, encryption, authentication, good-bye. */
final class Login {
  /** Listener of Standin, PLAIN and SCRAM, and the one where nothing is done; without TLS. */
  private static final String[] PLAINTEXT = {"OPEN", "OPENNOTHING"};

  /** The same with TLS. */
  private static final String[] ENCRYPTED = {"CLIENT", "NOTHING"};

  private static final String USER = "bench";
  private static final String PASSWORD = "bench-password";

  /** Clients that log in at the same time. */
  private static final int CLIENTS = 4;

  private static final String BASE = "AWS_MSK_IAM, nothing done";
  private static final Results.Table WORK =
      new Results.Table("login", "processor time of the broker for one login", "µs", BASE);
  private static final Results.Table RATE =
      new Results.Table("login", "logins a second, client on the same machine", "/s", BASE);

  private final Effort effort;
  private final Results results;
  private final Broker broker;
  private final ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);

  private Login(Effort effort, Results results, Broker broker) {
    this.effort = effort;
    this.results = results;
    this.broker = broker;
  }

  /** One way of logging in: a message or more, made anew for each block of logins. */
  private record Way(
      String who, String mechanism, int door, Supplier<Supplier<Wire.Conversation>> make) {}

  static void run(Effort effort, Path program, Path folder, Results results) throws Exception {
    Broker broker = new Broker(folder);
    Login login = new Login(effort, results, broker);
    AccessKey key =
        new Administration(program, broker.standin().resolve("store.db"))
            .user(USER, Rules.own(broker.cluster(), 5).documents());
    try (Admin admin =
        Admin.create(Map.<String, Object>of("bootstrap.servers", broker.internal()))) {
      ScramCredentialInfo scram = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
      admin
          .alterUserScramCredentials(
              List.of(new UserScramCredentialUpsertion(USER, scram, PASSWORD)))
          .all()
          .get();
    }
    try {
      login.listener("without TLS", PLAINTEXT, null, key, effort.pick(300, 800, 1600));
      SSLSocketFactory tls = tls(broker.standin().resolve("ca.pem"));
      login.listener("with TLS", ENCRYPTED, tls, key, effort.pick(100, 250, 500));
    } finally {
      login.clients.shutdownNow();
    }
  }

  private static List<Way> ways(AccessKey key) {
    byte[] plain = ("\0" + USER + "\0" + PASSWORD).getBytes(StandardCharsets.UTF_8);
    Scram scram = new Scram(USER, PASSWORD);
    Supplier<Supplier<Wire.Conversation>> signed =
        () -> {
          // Signed once for a block, and used again while it is young.
          byte[] message = key.login("localhost");
          return () -> Wire.Conversation.of(message);
        };
    return List.of(
        new Way("PLAIN", "PLAIN", 0, () -> () -> Wire.Conversation.of(plain)),
        new Way("SCRAM-SHA-256", "SCRAM-SHA-256", 0, () -> scram::login),
        new Way(BASE, "AWS_MSK_IAM", 1, signed),
        new Way("AWS_MSK_IAM, Standin", "AWS_MSK_IAM", 0, signed));
  }

  private void listener(
      String row, String[] listeners, SSLSocketFactory tls, AccessKey key, int block)
      throws Exception {
    List<Wire.Door> doors = new ArrayList<>();
    for (String listener : listeners) {
      doors.add(new Wire.Door(broker.port(listener), tls));
    }
    List<Way> ways = ways(key);
    for (Way way : ways) {
      // The first comes alone: of many that wait for the same answer most are put off.
      Wire.patient(doors.get(way.door()), way.mechanism(), way.make().get()).close();
    }
    int warm = effort.pick(3, 5, 8);
    double[][] work = new double[ways.size()][effort.rounds];
    double[][] rate = new double[ways.size()][effort.rounds];
    for (int round = -warm; round < effort.rounds; round++) {
      for (int turn = 0; turn < ways.size(); turn++) {
        int i = Math.floorMod(round + turn, ways.size());
        Way way = ways.get(i);
        Map<String, Long> before = broker.work();
        long wall = System.nanoTime();
        block(way, doors.get(way.door()), block);
        wall = System.nanoTime() - wall;
        // What the broker does after the good-bye belongs to the login too.
        Thread.sleep(20);
        long spent = broker.since(before);
        if (round >= 0) {
          work[i][round] = spent / 1e3 / block;
          rate[i][round] = block * 1e9 / wall;
        }
      }
    }
    for (int i = 0; i < ways.size(); i++) {
      results.add(WORK, row, ways.get(i).who(), work[i]);
      results.add(RATE, row, ways.get(i).who(), rate[i]);
    }
    System.err.println("login: " + row + " done");
  }

  /** So many logins by all clients together. */
  private void block(Way way, Wire.Door door, int logins)
      throws InterruptedException, ExecutionException {
    Supplier<Wire.Conversation> conversations = way.make().get();
    Callable<Void> client =
        () -> {
          for (int i = 0; i < logins / CLIENTS; i++) {
            try (Wire wire = new Wire(door)) {
              wire.login(way.mechanism(), conversations.get());
            }
          }
          return null;
        };
    List<Future<Void>> running = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      running.add(clients.submit(client));
    }
    for (Future<Void> one : running) {
      one.get();
    }
  }

  private static SSLSocketFactory tls(Path authority) throws IOException, GeneralSecurityException {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null);
    try (InputStream in = Files.newInputStream(authority)) {
      for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        trusted.setCertificateEntry("ca-" + trusted.size(), one);
      }
    }
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context.getSocketFactory();
  }
}
