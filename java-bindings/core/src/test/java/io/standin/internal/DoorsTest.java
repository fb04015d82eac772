// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One library, several doors, the same answers. Here the table is asked in Java; {@code
 * tests/doors.rs} and {@code tests/c/doors.c} ask the same one.
 */
class DoorsTest {
  private static final Path TABLE = Path.of("../../tests/data/doors/cases.txt");

  @TempDir Path dir;

  private final Map<String, Client> clients = new HashMap<>();
  private final Map<String, Long> sessions = new HashMap<>();

  @Test
  void x_01_java_gets_the_answers_that_all_doors_give() throws Exception {
    Map<String, String> settings = Stores.make(dir, "doors");
    settings.put("standin.allow.plaintext", "true");
    List<String> wrong = new ArrayList<>();
    int asked = 0;
    try (Engine engine = Engine.open(settings)) {
      int profile = engine.profile(settings);
      for (String line : Files.readAllLines(TABLE)) {
        if (line.startsWith("user ")) {
          String[] parts = line.substring(5).split(": ", 2);
          clients.put(parts[0], Client.make(settings, parts[0], parts[1]));
        } else if (!line.startsWith("#")) {
          String[] halves = line.split(" => ");
          String[] field = halves[0].split(" \\| ", -1);
          asked++;
          if (!halves[1].equals(ask(engine, profile, field))) {
            wrong.add(line);
          }
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertEquals(200, asked);
  }

  private String ask(Engine engine, int profile, String[] field) throws Exception {
    String key = String.join("|", List.of(field).subList(0, 4));
    Long session = sessions.get(key);
    if (session == null) {
      session = logIn(profile, field);
      sessions.put(key, session);
    }
    int action = engine.action(field[6], field[7]);
    byte[] batch = batch(field[4], field[5]);
    int outcome = Native.authorizeOne(session, action, 0, 1, Fields.text(field[8]), batch, 0);
    return outcome == 1 ? "allow" : outcome == 0 ? "deny" : "status " + outcome;
  }

  private long logIn(int profile, String[] field) throws Exception {
    byte[] facts =
        Fields.join(
            List.of(
                InetAddress.getByName(field[1]).getAddress(),
                Fields.text("0"),
                Fields.text(field[2]),
                new byte[0],
                Fields.text(field[3]),
                new byte[0]));
    byte[] out = new byte[1024];
    byte[] message = clients.get(field[0]).message();
    int status = Native.login(Engine.idOf("doors"), profile, 1, message, facts, 5000, out);
    assertEquals(0, status, String.join(" ", field));
    byte[] id = Fields.split(Fields.content(out)).get(0);
    long session = ByteBuffer.wrap(id).order(ByteOrder.LITTLE_ENDIAN).getLong();
    assertTrue(session > 0);
    return session;
  }

  /** Address and client id of one request. */
  private static byte[] batch(String address, String clientId) throws Exception {
    byte[] from = address.isEmpty() ? new byte[0] : InetAddress.getByName(address).getAddress();
    byte[] name = clientId.getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(from.length);
    out.writeBytes(from);
    out.write(name.length & 0xff);
    out.write(name.length >> 8);
    out.writeBytes(name);
    return out.toByteArray();
  }
}
