// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.concurrent.ThreadLocalRandom;
import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/** The client of SCRAM-SHA-256 (RFC 7677), which stretches its password once for all logins. */
final class Scram {
  private final String user;
  private final String password;
  private byte[] clientKey;
  private byte[] storedKey;

  Scram(String user, String password) {
    this.user = user;
    this.password = password;
  }

  /** One login. */
  Wire.Conversation login() {
    String nonce = Long.toHexString(ThreadLocalRandom.current().nextLong());
    String first = "n=" + user + ",r=" + nonce;
    return new Wire.Conversation() {
      private boolean proved;

      @Override
      public byte[] begin() {
        return ("n,," + first).getBytes(StandardCharsets.UTF_8);
      }

      @Override
      public byte[] next(byte[] answer) {
        if (proved) {
          return null;
        }
        proved = true;
        return proof(first, new String(answer, StandardCharsets.UTF_8));
      }
    };
  }

  private byte[] proof(String first, String answer) {
    String[] fields = answer.split(",");
    try {
      stretch(
          Base64.getDecoder().decode(fields[1].substring(2)),
          Integer.parseInt(fields[2].substring(2)));
      String last = "c=biws," + fields[0];
      byte[] signature = hmac(storedKey, first + "," + answer + "," + last);
      byte[] proof = clientKey.clone();
      for (int i = 0; i < proof.length; i++) {
        proof[i] ^= signature[i];
      }
      return (last + ",p=" + Base64.getEncoder().encodeToString(proof))
          .getBytes(StandardCharsets.UTF_8);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private synchronized void stretch(byte[] salt, int iterations) throws GeneralSecurityException {
    if (clientKey == null) {
      byte[] salted =
          SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
              .generateSecret(new PBEKeySpec(password.toCharArray(), salt, iterations, 256))
              .getEncoded();
      clientKey = hmac(salted, "Client Key");
      storedKey = MessageDigest.getInstance("SHA-256").digest(clientKey);
    }
  }

  private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }
}
