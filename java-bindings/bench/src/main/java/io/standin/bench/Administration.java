// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A store, administered by the program {@code standin} as users do it. */
final class Administration {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path program;
  private final Path store;
  private final Path documents;

  /** Administers an existing store. */
  Administration(Path program, Path store) throws IOException {
    this.program = program;
    this.store = store;
    documents = Files.createDirectories(store.resolveSibling("documents"));
  }

  /** Makes a store for a host {@code localhost}; its settings as the program printed them. */
  static JsonNode init(Path program, Path folder) throws IOException {
    return run(
        List.of(
            program.toString(),
            "--output",
            "json",
            "init",
            "--dir",
            folder.toString(),
            "--host",
            "localhost"));
  }

  private static JsonNode run(List<String> command) throws IOException {
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    byte[] out = process.getInputStream().readAllBytes();
    try {
      if (process.waitFor() != 0) {
        throw new IOException("failed: " + String.join(" ", command));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
    return JSON.readTree(new String(out, StandardCharsets.UTF_8));
  }

  private JsonNode standin(String... words) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(program.toString(), "--store", store.toString(), "--output", "json"));
    command.addAll(List.of(words));
    return run(command);
  }

  /** Makes a group with these policies. */
  void group(String name, List<String> policies) throws IOException {
    standin("group", "create", name);
    put("--group", name, "p", policies);
  }

  /** Makes a user with these policies, in these groups; its access key. */
  AccessKey user(String name, List<String> policies, String... groups) throws IOException {
    standin("user", "create", name);
    put("--user", name, "p", policies);
    for (String group : groups) {
      standin("group", "add", group, name);
    }
    JsonNode key = standin("key", "create", name);
    return new AccessKey(key.get("id").asText(), key.get("secret").asText());
  }

  /** ARN of a user. */
  String arn(String user) throws IOException {
    return standin("user", "show", user).get("arn").asText();
  }

  /** Puts inline policies, named by a prefix and a number, on a user or group. */
  void put(String owner, String name, String prefix, List<String> policies) throws IOException {
    for (int i = 0; i < policies.size(); i++) {
      Path file = documents.resolve(name + "-" + prefix + i + ".json");
      Files.writeString(file, policies.get(i));
      standin("policy", "put", prefix + i, file.toString(), owner, name);
    }
  }
}
