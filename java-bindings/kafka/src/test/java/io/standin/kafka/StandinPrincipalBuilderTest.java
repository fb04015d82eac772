// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLSession;
import javax.security.auth.x500.X500Principal;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.AuthenticationContext;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.PlaintextAuthenticationContext;
import org.apache.kafka.common.security.auth.SaslAuthenticationContext;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.security.auth.SslAuthenticationContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** Principals, and how they travel from a broker to the controller. */
class StandinPrincipalBuilderTest {
  @TempDir Path dir;

  private Stage stage;

  @BeforeEach
  void build(TestInfo test) throws Exception {
    stage = new Stage(dir, test.getTestMethod().orElseThrow().getName());
  }

  @AfterEach
  void takeDown() throws Exception {
    stage.close();
  }

  private static AuthorizationResult read(
      StandinAuthorizer authorizer, KafkaPrincipal principal, String topic) {
    return authorizer
        .authorize(
            Stage.request(principal, ApiKeys.FETCH.id),
            List.of(Stage.action(AclOperation.READ, ResourceType.TOPIC, topic)))
        .get(0);
  }

  @Test
  void x_02_a_builder_keeps_the_principal_of_its_connection() throws Exception {
    StandinSaslServer server = stage.server(stage.user("user"));
    StandinPrincipalBuilder builder = stage.builder();
    KafkaPrincipal first = builder.build(Stage.channel(server, SecurityProtocol.SASL_SSL));
    assertEquals("User:arn:aws:iam::000000000000:user/user", first.toString());
    assertSame(first, builder.build(Stage.channel(server, SecurityProtocol.SASL_SSL)));
  }

  /** Bug: a login that could not be decided to its end was denied everything from then on. */
  @Test
  void a_channel_nobody_can_decide_about_closes_the_connection() throws Exception {
    StandinSaslServer server = stage.server(stage.user("user"));
    SaslAuthenticationContext channel = Stage.channel(server, SecurityProtocol.SASL_SSL);
    StandinPrincipalBuilder builder = stage.builder();
    // Stands for a service that does not answer.
    stage.close();
    TimeoutException told = assertThrows(TimeoutException.class, () -> builder.build(channel));
    assertInstanceOf(Undecided.Told.class, told);
  }

  /** A connection of a client with a certificate of this name. */
  private static AuthenticationContext certified(String name) {
    SSLSession session =
        (SSLSession)
            Proxy.newProxyInstance(
                SSLSession.class.getClassLoader(),
                new Class<?>[] {SSLSession.class},
                (proxy, method, arguments) ->
                    method.getName().equals("getPeerPrincipal") ? new X500Principal(name) : null);
    return new SslAuthenticationContext(session, InetAddress.getLoopbackAddress(), "CLIENT");
  }

  @Test
  void x_02_connections_of_a_listener_share_what_its_settings_say_and_no_other() throws Exception {
    Map<String, Object> rules = Map.of("ssl.principal.mapping.rules", "RULE:^CN=(.*)$/$1/");
    StandinPrincipalBuilder mapped = new StandinPrincipalBuilder();
    StandinPrincipalBuilder plain = new StandinPrincipalBuilder();
    StandinPrincipalBuilder again = new StandinPrincipalBuilder();
    mapped.configure(rules);
    plain.configure(Map.of());
    again.configure(rules);
    assertEquals("User:app", mapped.build(certified("CN=app")).toString());
    assertEquals("User:CN=app", plain.build(certified("CN=app")).toString());
    assertEquals("User:app", again.build(certified("CN=app")).toString());
    // A builder has its connection's principal for itself.
    StandinPrincipalBuilder one = stage.builder();
    StandinPrincipalBuilder other = stage.builder();
    SaslAuthenticationContext first =
        Stage.channel(stage.server(stage.user("user")), SecurityProtocol.SASL_SSL);
    SaslAuthenticationContext second =
        Stage.channel(stage.server(stage.user("other")), SecurityProtocol.SASL_SSL);
    assertEquals("User:arn:aws:iam::000000000000:user/user", one.build(first).toString());
    assertEquals("User:arn:aws:iam::000000000000:user/other", other.build(second).toString());
  }

  @Test
  void x_04_principals_of_one_identity_are_equal_whatever_their_sessions() throws Exception {
    String user = stage.user("user");
    StandinPrincipal first = stage.logIn(user);
    StandinPrincipal second = stage.logIn(user);
    assertNotEquals(first.session(), second.session());
    assertEquals(first, second);
    assertEquals(first.hashCode(), second.hashCode());
    assertNotEquals(first, stage.logIn(stage.user("other")));
    // Equal in name only: an ACL user of that name is somebody else.
    assertNotEquals(first, new KafkaPrincipal("User", first.getName()));
    assertNotEquals(new KafkaPrincipal("User", first.getName()), first);
  }

  @Test
  void x_14_a_forwarded_principal_is_decided_as_its_client() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    String user = stage.user("user", Stage.statement("Allow", "ReadData", Stage.arn("topic", "t")));
    StandinPrincipal original = stage.logIn(user);
    byte[] bytes = stage.builder().serialize(original);
    // The builder of the controller's own listener, which has seen no login.
    KafkaPrincipal arrived = stage.builder().deserialize(bytes);
    assertInstanceOf(StandinPrincipal.class, arrived);
    assertEquals(original, arrived);
    assertEquals(AuthorizationResult.ALLOWED, read(authorizer, arrived, "t"));
    assertEquals(AuthorizationResult.DENIED, read(authorizer, arrived, "u"));
    // The secrets of the session do not travel in the clear.
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    assertTrue(text.contains(original.getName()));
    assertTrue(!text.contains("AKIA") && !text.contains("SIMP"), "sealed");
  }

  @Test
  void x_14_bytes_that_were_altered_are_refused() throws Exception {
    StandinPrincipal original = stage.logIn(stage.user("user"));
    StandinPrincipal admin = stage.logIn(stage.user("admin", Stage.statement("Allow", "*", "*")));
    byte[] bytes = stage.builder().serialize(original);
    byte[] admins = stage.builder().serialize(admin);
    StandinPrincipalBuilder builder = stage.builder();
    for (int at = 3; at < bytes.length; at += 1 + bytes.length / 97) {
      byte[] altered = bytes.clone();
      altered[at] ^= 0x10;
      assertThrows(SerializationException.class, () -> builder.deserialize(altered), "byte " + at);
    }
    for (int length :
        new int[] {5 + original.getName().length() + 1, 60, bytes.length / 2, bytes.length - 1}) {
      byte[] cut = Arrays.copyOf(bytes, length);
      assertThrows(SerializationException.class, () -> builder.deserialize(cut), "" + length);
    }
    // The one's name on the other's session.
    int head = 5 + original.getName().length();
    ByteBuffer mixed =
        ByteBuffer.allocate(head + admins.length - 5 - admin.getName().length())
            .put(bytes, 0, head)
            .put(
                admins, 5 + admin.getName().length(), admins.length - 5 - admin.getName().length());
    assertThrows(SerializationException.class, () -> builder.deserialize(mixed.array()));
  }

  @Test
  void x_14_a_newer_format_is_undecided_and_never_allowed() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    StandinPrincipal original = stage.logIn(stage.user("user", Stage.statement("Allow", "*", "*")));
    byte[] bytes = stage.builder().serialize(original);
    bytes[2] = 2;
    StandinPrincipal arrived = (StandinPrincipal) stage.builder().deserialize(bytes);
    assertNull(arrived.session());
    assertEquals(original, arrived);
    assertThrows(
        org.apache.kafka.common.errors.RetriableException.class,
        () -> read(authorizer, arrived, "t"));
    assertThrows(
        org.apache.kafka.common.errors.RetriableException.class,
        () -> stage.builder().serialize(arrived));
  }

  @Test
  void p1_17_a_forwarded_session_whose_user_was_disabled_is_denied() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    StandinPrincipal original = stage.logIn(stage.user("user", Stage.statement("Allow", "*", "*")));
    byte[] bytes = stage.builder().serialize(original);
    KafkaPrincipal arrived = stage.builder().deserialize(bytes);
    assertEquals(AuthorizationResult.ALLOWED, read(authorizer, arrived, "t"));
    stage.rule("user", "disable", "user");
    for (int i = 0; read(authorizer, arrived, "t") == AuthorizationResult.ALLOWED; i++) {
      assertTrue(i < 1000, "the session did not end");
      Thread.sleep(10);
    }
    assertEquals(AuthorizationResult.DENIED, read(authorizer, original, "t"));
    // What the broker forwards from now on, and what it had forwarded before, is denied.
    KafkaPrincipal late = stage.builder().deserialize(stage.builder().serialize(original));
    assertEquals(original, late);
    assertEquals(AuthorizationResult.DENIED, read(authorizer, late, "t"));
    assertEquals(
        AuthorizationResult.DENIED, read(authorizer, stage.builder().deserialize(bytes), "t"));
    assertEquals(
        AuthorizationResult.DENIED,
        authorizer.authorizeByResourceType(
            Stage.request(late, ApiKeys.INIT_PRODUCER_ID.id),
            AclOperation.WRITE,
            ResourceType.TOPIC));
    // And further on, should a controller forward it.
    KafkaPrincipal later = stage.builder().deserialize(stage.builder().serialize(late));
    assertEquals(AuthorizationResult.DENIED, read(authorizer, later, "t"));
  }

  @Test
  void p1_45_other_principals_are_kafkas_own_and_travel_as_such() throws Exception {
    StandinPrincipalBuilder builder = stage.builder();
    KafkaPrincipal anonymous =
        builder.build(
            new PlaintextAuthenticationContext(InetAddress.getLoopbackAddress(), "INTERNAL"));
    assertEquals(KafkaPrincipal.ANONYMOUS, anonymous);
    KafkaPrincipal alice = new KafkaPrincipal("User", "alice", true);
    KafkaPrincipal arrived = builder.deserialize(builder.serialize(alice));
    assertEquals(alice, arrived);
    assertTrue(arrived.tokenAuthenticated());
    // Who writes a reserved name into Kafka's own format gets no session with it.
    KafkaPrincipal forged =
        builder.deserialize(
            builder.serialize(new KafkaPrincipal("User", "arn:aws:iam::000000000000:user/admin")));
    assertEquals(KafkaPrincipal.class, forged.getClass());
  }
}
