// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.io.IOException;
import java.io.PrintStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;

/**
 * Prints a cluster's ACLs, one JSON object a line, for {@code standin acl convert}: also those
 * whose names hold line breaks, which the text of {@code kafka-acls.sh} cannot show.
 */
public final class AclExport {
  private static final String USAGE =
      "usage: AclExport --bootstrap-server ADDRESS [--command-config FILE]";

  private AclExport() {}

  /** Connects as an administrator and prints. */
  public static void main(String[] arguments) throws Exception {
    Properties config = new Properties();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      switch (arguments[i]) {
        case "--bootstrap-server" -> config.put("bootstrap.servers", arguments[i + 1]);
        case "--command-config" -> read(Path.of(arguments[i + 1]), config);
        default -> throw new IllegalArgumentException(USAGE);
      }
    }
    if (!config.containsKey("bootstrap.servers")) {
      throw new IllegalArgumentException(USAGE);
    }
    try (Admin admin = Admin.create(config)) {
      PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
      for (AclBinding acl : admin.describeAcls(AclBindingFilter.ANY).values().get()) {
        out.println(line(acl));
      }
      out.flush();
    } catch (ExecutionException e) {
      throw new IllegalStateException("The ACLs could not be read: " + e.getCause(), e);
    }
  }

  private static void read(Path file, Properties into) throws IOException {
    try (Reader in = Files.newBufferedReader(file)) {
      into.load(in);
    }
  }

  /** One entry as a JSON object. */
  static String line(AclBinding acl) {
    return "{\"resourceType\":%s,\"name\":%s,\"patternType\":%s,\"principal\":%s,\"host\":%s,\"operation\":%s,\"permissionType\":%s}"
        .formatted(
            quoted(acl.pattern().resourceType().name()),
            quoted(acl.pattern().name()),
            quoted(acl.pattern().patternType().name()),
            quoted(acl.entry().principal()),
            quoted(acl.entry().host()),
            quoted(acl.entry().operation().name()),
            quoted(acl.entry().permissionType().name()));
  }

  private static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20 || c == 0x7f || c == 0x2028 || c == 0x2029) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
