// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collection;
import java.util.Map;
import java.util.Properties;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * What a client signs with. Every one has a profile in the one credentials file that all AWS
 * clients of this JVM read. Prints only its id.
 */
final class Keys {
  private static final Path FILE = Broker.WORK.resolve("credentials");
  private static final Map<String, Keys> PROFILES = new ConcurrentHashMap<>();
  private static final Queue<Keys> ALL = new ConcurrentLinkedQueue<>();

  static {
    System.setProperty("aws.sharedCredentialsFile", FILE.toString());
    System.setProperty("aws.region", "us-east-1");
    try {
      Files.createDirectories(Broker.WORK);
      Files.deleteIfExists(FILE);
      Files.createFile(
          FILE, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private final String profile;
  private final String arn;
  private final String id;
  private final String secret;
  private final String token;
  private volatile boolean sent;

  private Keys(String profile, String arn, String id, String secret, String token) {
    this.profile = profile;
    this.arn = arn;
    this.id = id;
    this.secret = secret;
    this.token = token;
  }

  /**
   * Takes over the AWS credentials file the program wrote, and removes it.
   *
   * @param arn the identity they belong to
   */
  static Keys of(String profile, String arn, Path file) {
    try {
      Properties lines = new Properties();
      for (String line : Files.readAllLines(file)) {
        int at = line.indexOf(" = ");
        if (at > 0) {
          lines.put(line.substring(0, at), line.substring(at + 3));
        }
      }
      Keys keys =
          new Keys(
              profile,
              arn,
              lines.getProperty("aws_access_key_id"),
              lines.getProperty("aws_secret_access_key"),
              lines.getProperty("aws_session_token"));
      Files.delete(file);
      ALL.add(keys);
      PROFILES.put(profile, keys);
      write();
      return keys;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static synchronized void write() throws IOException {
    StringBuilder text = new StringBuilder();
    for (Keys keys : PROFILES.values()) {
      text.append('[').append(keys.profile).append("]\n");
      text.append("aws_access_key_id = ").append(keys.id).append('\n');
      text.append("aws_secret_access_key = ").append(keys.secret).append('\n');
      if (keys.token != null) {
        text.append("aws_session_token = ").append(keys.token).append('\n');
      }
    }
    // Other threads read the file at any moment: they see the old or the new one.
    Path next = FILE.resolveSibling("credentials.next");
    Files.deleteIfExists(next);
    Files.createFile(
        next, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(next, text);
    Files.move(next, FILE, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
  }

  /** Every one made so far, whose secrets must not turn up anywhere. */
  static Collection<Keys> all() {
    return ALL;
  }

  /** Takes the profile out of the credentials file. */
  void forget() {
    PROFILES.remove(profile);
    try {
      write();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Name of its profile. */
  String profile() {
    return profile;
  }

  /** The identity, as principal name. */
  String arn() {
    return arn;
  }

  /** Access key id. */
  String id() {
    return id;
  }

  String secret() {
    return secret;
  }

  /** The secret, for a client that wrongly sends it: from then on it is in the broker's buffers. */
  String sentSecret() {
    sent = true;
    return secret;
  }

  /** Whether a client has sent the secret itself. */
  boolean isSent() {
    return sent;
  }

  /** Session token; null for long-lived keys. */
  String token() {
    return token;
  }

  @Override
  public String toString() {
    return id;
  }
}
