// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.HttpsURLConnection;

/** A security service of two replicas on a PostgreSQL server, run by {@code scripts/service}. */
final class Replicas {
  private static final List<Integer> ALL = List.of(1, 2);
  private static final Map<String, Replicas> STARTED = new ConcurrentHashMap<>();

  private final Path dir;

  private Replicas(Path dir) {
    this.dir = dir;
  }

  /** The one in a directory of this name; the first who asks for it starts it. */
  static Replicas own(String name) {
    return STARTED.computeIfAbsent(name, Replicas::start);
  }

  private static Replicas start(String name) {
    Replicas replicas = new Replicas(Broker.WORK.resolve(name));
    if (Files.exists(replicas.dir)) {
      replicas.script("remove");
      Broker.remove(replicas.dir);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(replicas::remove));
    replicas.script("up");
    return replicas;
  }

  private void script(String verb, String... more) {
    List<String> command =
        new ArrayList<>(List.of(Broker.ROOT.resolve("scripts/service").toString(), verb));
    command.add(dir.toString());
    command.addAll(List.of(more));
    Broker.Ended ended = Broker.run(Map.of(), command);
    if (ended.code() != 0) {
      throw new IllegalStateException("scripts/service " + verb + ": " + ended.errors());
    }
  }

  /** Where {@code scripts/broker --service-at} finds it. */
  Path dir() {
    return dir;
  }

  /** Kills all of them. */
  void kill() {
    ALL.forEach(this::kill);
  }

  void kill(int number) {
    script("kill", "" + number);
  }

  void start(int number) {
    script("start", "" + number);
  }

  /** Ends it with its database. */
  void remove() {
    script("remove");
  }

  /** Addresses of all. */
  private List<String> urls() throws IOException {
    return List.of(Files.readString(dir.resolve("urls")).trim().split(","));
  }

  /** Administration of it, at one of the replicas. */
  IamApi administration(int number) throws IOException {
    return IamApi.of(urls().get(number - 1), dir.resolve("standin"));
  }

  /** How many requests of a route all replicas have answered with this code. */
  long answered(String route, int code) throws IOException {
    String line = "standin_serve_requests_total{route=\"" + route + "\",status=\"" + code + "\"} ";
    long sum = 0;
    for (String url : urls()) {
      for (String each : page(url + "/metrics").split("\n")) {
        if (each.startsWith(line)) {
          sum += Long.parseLong(each.substring(line.length()));
        }
      }
    }
    return sum;
  }

  private String page(String url) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
    ((HttpsURLConnection) connection)
        .setSSLSocketFactory(RawClient.trust(dir.resolve("standin/ca.pem")));
    try (InputStream in = connection.getInputStream()) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
