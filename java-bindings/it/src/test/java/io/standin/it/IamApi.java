// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.net.ssl.HttpsURLConnection;

/** Administration by IAM's query protocol, as AWS's tools speak it, over one kept connection. */
final class IamApi {
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  private final URI url;
  private final Path ca;
  private final Keys keys;

  private IamApi(URI url, Path ca, Keys keys) {
    this.url = url;
    this.ca = ca;
    this.keys = keys;
  }

  /** As the first administrator of a store, whose keys are where {@code standin init} made them. */
  static IamApi of(String url, Path standin) throws IOException {
    Path copy = standin.resolve("admin.copy");
    Files.copy(standin.resolve("admin.credentials"), copy);
    Keys keys = Keys.of(Iam.fresh("admin"), "admin", copy);
    return new IamApi(URI.create(url + "/"), standin.resolve("ca.pem"), keys);
  }

  /** Calls an action; a refusal is an exception. */
  void call(String action, Map<String, String> parameters) throws IOException {
    Map<String, String> all = new TreeMap<>(parameters);
    all.put("Action", action);
    all.put("Version", "2010-05-08");
    String body =
        all.entrySet().stream()
            .map(each -> each.getKey() + "=" + Signed.encode(each.getValue()))
            .collect(Collectors.joining("&"));
    HttpsURLConnection connection = (HttpsURLConnection) url.toURL().openConnection();
    connection.setSSLSocketFactory(RawClient.trust(ca));
    connection.setRequestMethod("POST");
    connection.setDoOutput(true);
    connection.setRequestProperty("Content-Type", "application/x-www-form-urlencoded");
    sign(connection, body);
    try (OutputStream out = connection.getOutputStream()) {
      out.write(body.getBytes(StandardCharsets.UTF_8));
    }
    int code = connection.getResponseCode();
    try (InputStream in = code == 200 ? connection.getInputStream() : connection.getErrorStream()) {
      // Read whole, so that the connection is used again.
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      if (code != 200) {
        throw new IOException(action + ": " + code + " " + text);
      }
    }
  }

  private void sign(HttpsURLConnection connection, String body) {
    String at = DATE.format(Instant.now());
    String day = at.substring(0, 8);
    String scope = day + "/us-east-1/iam/aws4_request";
    String canonical =
        "POST\n/\n\nhost:"
            + url.getAuthority()
            + "\nx-amz-date:"
            + at
            + "\n\nhost;x-amz-date\n"
            + Signed.sha256(body);
    byte[] key = ("AWS4" + keys.secret()).getBytes(StandardCharsets.UTF_8);
    for (String step : new String[] {day, "us-east-1", "iam", "aws4_request"}) {
      key = Signed.hmac(key, step);
    }
    String text = "AWS4-HMAC-SHA256\n" + at + "\n" + scope + "\n" + Signed.sha256(canonical);
    String signature = HexFormat.of().formatHex(Signed.hmac(key, text));
    connection.setRequestProperty("X-Amz-Date", at);
    connection.setRequestProperty(
        "Authorization",
        "AWS4-HMAC-SHA256 Credential="
            + keys.id()
            + "/"
            + scope
            + ", SignedHeaders=host;x-amz-date, Signature="
            + signature);
  }
}
