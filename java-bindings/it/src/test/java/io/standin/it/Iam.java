// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** Identities and policies of one broker's store, managed by the program. */
final class Iam {
  private static final AtomicInteger NUMBER = new AtomicInteger();

  private final Broker broker;

  private Iam(Broker broker) {
    this.broker = broker;
  }

  static Iam of(Broker broker) {
    return new Iam(broker);
  }

  /** A name nobody else uses: tests share brokers and run side by side. */
  static String fresh(String prefix) {
    return prefix + "-" + NUMBER.incrementAndGet();
  }

  /** Makes a user with an access key and, unless null, one policy of its own. */
  Keys user(String name, Policy policy) {
    JsonNode made = broker.standin("user", "create", name).get(0);
    if (policy != null) {
      put(name, "own", policy);
    }
    return key(name, made.get("arn").asText());
  }

  /** ARN of a user. */
  String arn(String user) {
    return broker.standin("user", "show", user).get(0).get("arn").asText();
  }

  /** Makes a further access key for a user. */
  Keys key(String user, String arn) {
    Path file = temporary("keys");
    broker.standin("key", "create", user, "--profile-file", file.toString());
    return Keys.of(fresh(broker.name() + "-" + user), arn, file);
  }

  /** Puts an inline policy of a user. */
  void put(String user, String name, Policy policy) {
    withFile(policy.json(), file -> broker.standin("policy", "put", name, file, "--user", user));
  }

  /** Deletes an inline policy of a user. */
  void delete(String user, String name) {
    broker.standin("policy", "delete", name, "--user", user);
  }

  /** Makes or replaces a managed policy. */
  void managed(String name, Policy policy) {
    withFile(policy.json(), file -> broker.standin("policy", "put", name, file));
  }

  void attach(String policy, String user) {
    broker.standin("policy", "attach", policy, "--user", user);
  }

  void detach(String policy, String user) {
    broker.standin("policy", "detach", policy, "--user", user);
  }

  /** Makes a role that a user may assume, with one policy of its own. */
  void role(String name, String userArn, int longestSeconds, Policy policy) {
    String trust =
        """
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
          "Principal": {"AWS": "%s"}}]}
        """
            .formatted(userArn);
    withFile(
        trust,
        file ->
            broker.standin(
                "role", "create", name, "--trust", file, "--max-session", "" + longestSeconds));
    withFile(policy.json(), file -> broker.standin("policy", "put", "own", file, "--role", name));
  }

  /** Temporary credentials of a role. */
  Keys assume(String role, String user, String session, int seconds, Policy... policies) {
    return assume(fresh(broker.name() + "-" + role), role, user, session, seconds, policies);
  }

  /** Puts other temporary credentials into the profile of these. */
  void renew(Keys keys, String role, String user, String session, int seconds) {
    assume(keys.profile(), role, user, session, seconds);
  }

  private Keys assume(
      String profile, String role, String user, String session, int seconds, Policy... policies) {
    Path file = temporary("keys");
    List<String> command =
        new ArrayList<>(List.of("role", "assume", role, "--user", user, "--session-name", session));
    command.addAll(List.of("--duration", "" + seconds, "--profile-file", file.toString()));
    List<Path> documents = new ArrayList<>();
    for (Policy policy : policies) {
      Path document = temporary("policy");
      documents.add(document);
      write(document, policy.json());
      command.addAll(List.of("--session-policy", document.toString()));
    }
    JsonNode issued = broker.standin(command.toArray(String[]::new)).get(0);
    documents.forEach(Iam::remove);
    return Keys.of(profile, issued.get("Role").asText(), file);
  }

  void disable(Keys keys) {
    broker.standin("key", "disable", keys.id());
  }

  void enable(Keys keys) {
    broker.standin("key", "enable", keys.id());
  }

  /** What the audit holds, filtered by the program's own options. */
  List<JsonNode> audit(String... filters) {
    List<String> command = new ArrayList<>(List.of("audit"));
    command.addAll(Arrays.asList(filters));
    return broker.standin(command.toArray(String[]::new));
  }

  /** The records of logins of these ids, once all of them are written. */
  Map<String, JsonNode> logins(Collection<String> ids) throws Exception {
    Map<String, JsonNode> found = new HashMap<>();
    Wait.until(
        "the records of all logins",
        () -> {
          for (JsonNode record : audit("--action", "login")) {
            found.put(record.at("/metadata/correlation_uid").asText(), record);
          }
          return found.keySet().containsAll(ids);
        });
    return found;
  }

  private interface OnFile {
    void run(String file);
  }

  private void withFile(String text, OnFile then) {
    Path file = temporary("policy");
    write(file, text);
    then.run(file.toString());
    remove(file);
  }

  private Path temporary(String kind) {
    return broker.dir().resolve(fresh(kind));
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void remove(Path file) {
    try {
      Files.delete(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
