// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** An access key, and the login messages of {@code AWS_MSK_IAM} signed with it (SigV4). */
record AccessKey(String id, String secret) {
  private static final String REGION = "us-east-1";
  private static final String ALGORITHM = "AWS4-HMAC-SHA256";
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  /** The client's first message, signed now, which may be sent again while it is not too old. */
  byte[] login(String host) {
    String date = DATE.format(Instant.now());
    String day = date.substring(0, 8);
    String scope = day + "/" + REGION + "/kafka-cluster/aws4_request";
    String query =
        "Action=kafka-cluster%3AConnect"
            + "&X-Amz-Algorithm="
            + ALGORITHM
            + "&X-Amz-Credential="
            + URLEncoder.encode(id + "/" + scope, StandardCharsets.UTF_8)
            + "&X-Amz-Date="
            + date
            + "&X-Amz-Expires=900&X-Amz-SignedHeaders=host";
    String request = "GET\n/\n" + query + "\nhost:" + host + "\n\nhost\n" + hex(sha256(""));
    String text = ALGORITHM + "\n" + date + "\n" + scope + "\n" + hex(sha256(request));
    byte[] key = hmac(("AWS4" + secret).getBytes(StandardCharsets.UTF_8), day);
    for (String part : new String[] {REGION, "kafka-cluster", "aws4_request"}) {
      key = hmac(key, part);
    }
    String[] fields = {
      "version",
      "2020_10_22",
      "host",
      host,
      "user-agent",
      "standin-bench",
      "action",
      "kafka-cluster:Connect",
      "x-amz-algorithm",
      ALGORITHM,
      "x-amz-credential",
      id + "/" + scope,
      "x-amz-date",
      date,
      "x-amz-signedheaders",
      "host",
      "x-amz-expires",
      "900",
      "x-amz-signature",
      hex(hmac(key, text)),
    };
    StringBuilder json = new StringBuilder("{");
    for (int i = 0; i < fields.length; i += 2) {
      json.append(i == 0 ? "\"" : ",\"").append(fields[i]).append("\":\"");
      json.append(fields[i + 1]).append('"');
    }
    return json.append('}').toString().getBytes(StandardCharsets.UTF_8);
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
