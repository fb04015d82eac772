// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The first message of {@code AWS_MSK_IAM}, made field by field, so that tests can send what no
 * client would. Written from AWS's description of Signature Version 4.
 */
final class Signed {
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Every signature made, none of which may turn up anywhere. */
  static final Queue<String> SIGNATURES = new ConcurrentLinkedQueue<>();

  private final Keys keys;
  private String host = "localhost";
  private String region = "us-east-1";
  private String service = "kafka-cluster";
  private String action = "kafka-cluster:Connect";
  private String expires = "900";
  private Instant date = Instant.now();
  private String scopeDay;

  private Signed(Keys keys) {
    this.keys = keys;
  }

  static Signed by(Keys keys) {
    return new Signed(keys);
  }

  Signed host(String host) {
    this.host = host;
    return this;
  }

  Signed region(String region) {
    this.region = region;
    return this;
  }

  Signed service(String service) {
    this.service = service;
    return this;
  }

  Signed action(String action) {
    this.action = action;
    return this;
  }

  Signed expires(String seconds) {
    expires = seconds;
    return this;
  }

  Signed date(Instant date) {
    this.date = date;
    return this;
  }

  /** Day of the scope where it is not that of the date. */
  Signed scopeDay(String day) {
    scopeDay = day;
    return this;
  }

  /** The fields as a client sends them. */
  Map<String, String> fields() {
    String at = DATE.format(date);
    String day = scopeDay == null ? at.substring(0, 8) : scopeDay;
    String scope = day + "/" + region + "/" + service + "/aws4_request";
    Map<String, String> query = new TreeMap<>();
    query.put("Action", action);
    query.put("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
    query.put("X-Amz-Credential", keys.id() + "/" + scope);
    query.put("X-Amz-Date", at);
    query.put("X-Amz-Expires", expires);
    query.put("X-Amz-SignedHeaders", "host");
    if (keys.token() != null) {
      query.put("X-Amz-Security-Token", keys.token());
    }
    StringBuilder canonical = new StringBuilder("GET\n/\n");
    query.forEach(
        (name, value) -> canonical.append(name).append('=').append(encode(value)).append('&'));
    canonical.setLength(canonical.length() - 1);
    canonical.append("\nhost:").append(host).append("\n\nhost\n").append(sha256(""));
    String toSign = "AWS4-HMAC-SHA256\n" + at + "\n" + scope + "\n" + sha256(canonical.toString());
    byte[] key = ("AWS4" + keys.secret()).getBytes(StandardCharsets.UTF_8);
    for (String step : new String[] {day, region, service, "aws4_request"}) {
      key = hmac(key, step);
    }
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("version", "2020_10_22");
    fields.put("host", host);
    fields.put("user-agent", "standin-it/1");
    query.forEach(
        (name, value) -> fields.put(name.equals("Action") ? "action" : lower(name), value));
    fields.put("x-amz-signature", HexFormat.of().formatHex(hmac(key, toSign)));
    SIGNATURES.add(fields.get("x-amz-signature"));
    return fields;
  }

  /** The message. */
  byte[] message() {
    return message(fields());
  }

  /** The bearer message of {@code OAUTHBEARER}: a presigned URL as token. */
  byte[] bearer() {
    Map<String, String> fields = fields();
    StringBuilder url = new StringBuilder("https://" + host + "/?");
    String[] names = {
      "Action",
      "X-Amz-Algorithm",
      "X-Amz-Credential",
      "X-Amz-Date",
      "X-Amz-Expires",
      "X-Amz-SignedHeaders",
      "X-Amz-Security-Token",
      "X-Amz-Signature"
    };
    for (String name : names) {
      String value = fields.get(name.equals("Action") ? "action" : lower(name));
      if (value != null) {
        url.append(name).append('=').append(encode(value)).append('&');
      }
    }
    url.append("User-Agent=standin-it%2F1");
    byte[] plain = url.toString().getBytes(StandardCharsets.UTF_8);
    return bearer(Base64.getUrlEncoder().withoutPadding().encodeToString(plain));
  }

  /** The bearer message with this token. */
  static byte[] bearer(String token) {
    return ("n,,\u0001auth=Bearer " + token + "\u0001\u0001").getBytes(StandardCharsets.UTF_8);
  }

  /** The message with these fields. */
  static byte[] message(Map<String, String> fields) {
    try {
      return JSON.writeValueAsBytes(fields);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String lower(String name) {
    return name.toLowerCase(java.util.Locale.ROOT);
  }

  static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8)
        .replace("+", "%20")
        .replace("*", "%2A")
        .replace("%7E", "~");
  }

  static String sha256(String text) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(hash);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
