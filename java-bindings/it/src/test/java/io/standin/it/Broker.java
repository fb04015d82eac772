// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A stock broker with Standin, run by {@code scripts/broker}, and the program that rules it. */
final class Broker {
  /** Root of the checkout. */
  static final Path ROOT = Path.of(System.getProperty("standin.root")).toAbsolutePath().normalize();

  /** Where brokers of the tests live. */
  static final Path WORK = ROOT.resolve("build/it");

  /** Of one command; to start two processes takes a busy machine its time. */
  private static final int LONGEST_S = 300;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path dir;
  private final Map<String, String> listeners = new HashMap<>();
  private final Properties properties = new Properties();

  private Broker(Path dir) {
    this.dir = dir;
  }

  /** What a command line printed and how it ended. */
  record Ended(int code, String out, String errors) {}

  /** Starts a new broker in a directory of this name, with options of {@code scripts/broker up}. */
  static Broker start(String name, String... options) {
    return start(name, Map.of(), options);
  }

  /** As above, with environment variables. */
  static Broker start(String name, Map<String, String> environment, String... options) {
    Ended ended = tryStart(name, environment, options);
    if (ended.code() != 0) {
      throw new IllegalStateException("the broker " + name + " did not start: " + ended.errors());
    }
    return of(name);
  }

  /** As {@link #start}, with environment variables, and for starts that are to fail. */
  static Ended tryStart(String name, Map<String, String> environment, String... options) {
    Path dir = WORK.resolve(name);
    remove(dir);
    List<String> command = new ArrayList<>(List.of("up", "--no-build", "--dir", dir.toString()));
    command.addAll(Arrays.asList(options));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> script("down", dir, "--kill")));
    return run(environment, script(command));
  }

  private static Broker of(String name) {
    Broker broker = new Broker(WORK.resolve(name));
    broker.read();
    return broker;
  }

  private void read() {
    try (Reader in = Files.newBufferedReader(dir.resolve("broker.properties"))) {
      properties.load(in);
      for (String line : Files.readAllLines(dir.resolve("listeners"))) {
        String[] words = line.split(" ");
        listeners.put(words[0], words[1]);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> script(List<String> arguments) {
    List<String> command = new ArrayList<>(List.of(ROOT.resolve("scripts/broker").toString()));
    command.addAll(arguments);
    return command;
  }

  private static Ended script(String verb, Path dir, String... options) {
    List<String> arguments = new ArrayList<>(List.of(verb, "--dir", dir.toString()));
    arguments.addAll(Arrays.asList(options));
    return run(Map.of(), script(arguments));
  }

  /** Runs a command line to its end. */
  static Ended run(Map<String, String> environment, List<String> command) {
    try {
      // Files and not pipes: a broker that was started would keep a pipe open.
      Path out = Files.createTempFile("standin-it", ".out");
      Path errors = Files.createTempFile("standin-it", ".err");
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.environment().putAll(environment);
      builder.redirectOutput(out.toFile()).redirectError(errors.toFile());
      Process process = builder.start();
      process.getOutputStream().close();
      if (!process.waitFor(LONGEST_S, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IllegalStateException(command + " did not end within " + LONGEST_S + " s");
      }
      Ended ended = new Ended(process.exitValue(), Files.readString(out), Files.readString(errors));
      Files.delete(out);
      Files.delete(errors);
      return ended;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  static void remove(Path dir) {
    if (!Files.exists(dir)) {
      return;
    }
    try (Stream<Path> all = Files.walk(dir)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs the program on this broker's store; what it printed, one JSON value a line. */
  List<JsonNode> standin(String... arguments) {
    Ended ended = tryStandin(arguments);
    if (ended.code() != 0) {
      throw new IllegalStateException(
          "standin " + String.join(" ", arguments) + ": " + ended.errors());
    }
    return ended.out().lines().map(Broker::json).toList();
  }

  /** As {@link #standin}, for commands that may fail. */
  Ended tryStandin(String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(ROOT.resolve("build/bin/standin").toString());
    command.addAll(List.of("--store", place(), "--output", "json"));
    command.addAll(Arrays.asList(arguments));
    Path keys = dir.resolve("standin/store.key");
    Ended ended =
        run(Files.exists(keys) ? Map.of("STANDIN_KEY_FILE", keys.toString()) : Map.of(), command);
    note(ended.out() + ended.errors());
    return ended;
  }

  /** Keeps what the program printed, to be searched for secrets. */
  private synchronized void note(String text) {
    try {
      Files.writeString(
          dir.resolve("program.log"), text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static JsonNode json(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException("not JSON: " + text, e);
    }
  }

  /** Kills broker and controller as a power cut would. */
  void kill() {
    script("down", dir, "--kill");
  }

  /** Stops them in order. */
  void stop() {
    script("down", dir);
  }

  /** Stops what runs and starts it again; options of {@code scripts/broker restart}. */
  void restart(String... options) {
    Ended ended = script("restart", dir, options);
    if (ended.code() != 0) {
      throw new IllegalStateException("the broker did not start again: " + ended.errors());
    }
  }

  /** Starts the agent's process again, where it is one of its own. */
  void startAgent() {
    Ended ended = script("agent", dir);
    if (ended.code() != 0) {
      throw new IllegalStateException("the agent did not start again: " + ended.errors());
    }
  }

  /**
   * Kills one of its processes: {@code broker}, {@code controller}, {@code agent}, {@code service}.
   */
  void kill(String role) {
    script("down", dir, "--role", role, "--kill");
  }

  /** Starts the security service again, where the store is served by one. */
  void startService() {
    Ended ended = script("service", dir);
    if (ended.code() != 0) {
      throw new IllegalStateException("the service did not start again: " + ended.errors());
    }
  }

  /** Its name: that of its directory. */
  String name() {
    return dir.getFileName().toString();
  }

  Path dir() {
    return dir;
  }

  Path store() {
    return dir.resolve("standin/store.db");
  }

  /** Where the store is: a file, or the database of a service. */
  private String place() {
    Path service = dir.resolve("standin/service");
    try {
      return Files.exists(service) ? Files.readAllLines(service).get(1) : store().toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Path ca() {
    return dir.resolve("standin/ca.pem");
  }

  /** Address of the listener for ordinary clients. */
  String bootstrap() {
    return address("CLIENT");
  }

  /** Address of a listener. */
  String address(String listener) {
    return listeners.get(listener);
  }

  /** Address of the listener on which Kafka's own rules hold and nobody needs to log in. */
  String internal() {
    try {
      return Files.readString(dir.resolve("internal")).trim();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Address of the controller, which only brokers are to use. */
  String controller() {
    return property("controller.quorum.bootstrap.servers");
  }

  /** A line of the broker's settings. */
  String property(String name) {
    return properties.getProperty(name);
  }

  /** ARN of the cluster. */
  String cluster() {
    return property("standin.cluster.arn");
  }

  /** ARN of a resource of the cluster. */
  String arn(String type, String name) {
    return cluster().replace(":cluster/", ":" + type + "/") + "/" + name;
  }

  /** Id of the process of this role, as in {@link #kill(String)}. */
  long pid(String role) {
    try {
      return Long.parseLong(Files.readString(dir.resolve(role + ".pid")).trim());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What the broker has logged so far. */
  String log() {
    try {
      return Files.readString(dir.resolve("broker.log"), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
