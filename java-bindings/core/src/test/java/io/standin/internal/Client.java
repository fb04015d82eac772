// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** A user of a store, and what its clients send. */
final class Client {
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);
  private static final String ALL =
      "{\"Version\":\"2012-10-17\",\"Statement\":"
          + "[{\"Effect\":\"Allow\",\"Action\":\"kafka-cluster:*\",\"Resource\":\"*\"}]}";

  private final String id;
  private final String secret;

  private Client(String id, String secret) {
    this.id = id;
    this.secret = secret;
  }

  /** Makes the user in the store that the settings name. */
  static Client make(Map<String, String> settings, String name)
      throws IOException, InterruptedException {
    return make(settings, name, ALL);
  }

  /** Makes the user, who may do what a policy says. */
  static Client make(Map<String, String> settings, String name, String document)
      throws IOException, InterruptedException {
    Path store = Path.of(settings.get("standin.store"));
    Path policy = store.resolveSibling("policy.json");
    Path keys = store.resolveSibling(name + ".keys");
    Files.writeString(policy, document);
    program(store, "user", "create", name);
    program(store, "policy", "put", "own", policy.toString(), "--user", name);
    program(store, "key", "create", name, "--profile-file", keys.toString());
    Properties lines = new Properties();
    try (var in = Files.newBufferedReader(keys)) {
      lines.load(in);
    }
    return new Client(
        lines.getProperty("aws_access_key_id"), lines.getProperty("aws_secret_access_key"));
  }

  private static void program(Path store, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(System.getProperty("standin.program")));
    command.addAll(List.of(arguments));
    command.addAll(List.of("--store", store.toString()));
    Path out = store.resolveSibling("program.out");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile()).start();
    if (process.waitFor() != 0) {
      throw new IOException(Files.readString(out));
    }
  }

  /** The first message of {@code AWS_MSK_IAM} for localhost. */
  byte[] message() throws GeneralSecurityException {
    String at = DATE.format(Instant.now());
    String scope = at.substring(0, 8) + "/us-east-1/kafka-cluster/aws4_request";
    String query =
        "Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
            + URLEncoder.encode(id + "/" + scope, StandardCharsets.UTF_8)
            + "&X-Amz-Date="
            + at
            + "&X-Amz-Expires=900&X-Amz-SignedHeaders=host";
    String canonical = "GET\n/\n" + query + "\nhost:localhost\n\nhost\n" + sha256("");
    byte[] key = ("AWS4" + secret).getBytes(StandardCharsets.UTF_8);
    for (String step : scope.split("/")) {
      key = hmac(key, step);
    }
    String toSign = "AWS4-HMAC-SHA256\n" + at + "\n" + scope + "\n" + sha256(canonical);
    String text =
        """
        {"version":"2020_10_22","host":"localhost","user-agent":"t","action":"kafka-cluster:Connect",
        "x-amz-algorithm":"AWS4-HMAC-SHA256","x-amz-credential":"%s/%s","x-amz-date":"%s",
        "x-amz-expires":"900","x-amz-signedheaders":"host","x-amz-signature":"%s"}\
        """
            .formatted(id, scope, at, HexFormat.of().formatHex(hmac(key, toSign)));
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String sha256(String text) throws GeneralSecurityException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }
}
