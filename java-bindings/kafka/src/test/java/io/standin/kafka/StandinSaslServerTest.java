// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslException;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** The server side of a login by the client library of AWS. */
class StandinSaslServerTest {
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

  @Test
  void p1_29_the_reply_has_exactly_the_fields_clients_know() throws Exception {
    String user = stage.user("user");
    StandinSaslServer server = new StandinSaslServer(stage.handler());
    assertFalse(server.isComplete());
    String reply = new String(server.evaluateResponse(stage.message(user)), StandardCharsets.UTF_8);
    assertTrue(reply.matches("\\{\"version\":\"2020_10_22\",\"request-id\":\"[^\"]+\"}"), reply);
    assertTrue(server.isComplete());
    assertEquals("AWS_MSK_IAM", server.getMechanismName());
    assertEquals("arn:aws:iam::000000000000:user/user", server.getAuthorizationID());
  }

  @Test
  void x_03_the_deadline_is_the_negotiated_lifetime() throws Exception {
    StandinSaslServer server = stage.server(stage.user("user"));
    Long deadline =
        assertInstanceOf(Long.class, server.getNegotiatedProperty("CREDENTIAL.LIFETIME.MS"));
    assertTrue(deadline > System.currentTimeMillis() + 1000);
    assertTrue(deadline < System.currentTimeMillis() + 24 * 3_600_000L);
    assertNull(server.getNegotiatedProperty(Sasl.QOP));
    assertNull(server.getNegotiatedProperty("anything"));
  }

  @Test
  void p1_34_a_refusal_is_one_fixed_text_with_an_id() throws Exception {
    String user = stage.user("user");
    byte[] message = stage.message(user);
    String text = new String(message, StandardCharsets.UTF_8);
    int at = text.indexOf("x-amz-signature\":\"") + "x-amz-signature\":\"".length();
    char first = text.charAt(at);
    String signature = text.substring(0, at) + (first == '0' ? '1' : '0') + text.substring(at + 1);
    String unknown = text.replaceFirst("AKIA....", "AKIAZZZZ");
    for (String sent : List.of(signature, unknown, "", "{}", "no json", text.substring(9))) {
      StandinSaslServer server = new StandinSaslServer(stage.handler());
      String told =
          assertThrows(
                  SaslAuthenticationException.class,
                  () -> server.evaluateResponse(sent.getBytes(StandardCharsets.UTF_8)))
              .getMessage();
      assertTrue(told.matches("\\[[0-9a-z-]+]: Access denied"), told);
      assertFalse(server.isComplete());
      assertThrows(IllegalStateException.class, server::getAuthorizationID);
      assertThrows(IllegalStateException.class, () -> server.getNegotiatedProperty("x"));
      server.dispose();
    }
  }

  @Test
  void p1_04_a_login_that_cannot_be_decided_is_neither_refused_nor_a_long_story() throws Exception {
    StandinSaslServer server = new StandinSaslServer(stage.handler());
    byte[] message = stage.message(stage.user("user"));
    stage.close();
    // Not declared, so that Kafka closes the connection without an answer.
    Exception undecided =
        assertThrows(Exception.class, () -> server.evaluateResponse(message.clone()));
    assertInstanceOf(IOException.class, undecided);
    assertFalse(undecided instanceof SaslException, "that would be fatal to the client");
    assertEquals(0, undecided.getStackTrace().length);
    assertFalse(server.isComplete());
  }

  @Test
  void x_04_after_dispose_requests_in_flight_are_still_decided() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    StandinSaslServer server = stage.server(stage.user("user", Stage.statement("Allow", "*", "*")));
    StandinPrincipal principal =
        (StandinPrincipal) stage.builder().build(Stage.channel(server, SecurityProtocol.SASL_SSL));
    server.dispose();
    server.dispose();
    assertEquals(
        List.of(AuthorizationResult.ALLOWED),
        authorizer.authorize(
            Stage.request(principal, ApiKeys.PRODUCE.id),
            List.of(Stage.action(AclOperation.WRITE, ResourceType.TOPIC, "t"))));
  }

  @Test
  void x_04_a_session_is_gone_once_its_grace_is_over() throws Exception {
    stage.close();
    try (Stage short1 = new Stage(dir, "grace")) {
      StandinServerCallbackHandler handler = new StandinServerCallbackHandler();
      handler.configure(short1.configs("standin.retire.grace.ms", "100"), "AWS_MSK_IAM", List.of());
      StandinAuthorizer authorizer = short1.authorizer();
      StandinSaslServer server = new StandinSaslServer(handler);
      server.evaluateResponse(
          short1.message(short1.user("user", Stage.statement("Allow", "*", "*"))));
      StandinPrincipal principal =
          (StandinPrincipal)
              short1.builder().build(Stage.channel(server, SecurityProtocol.SASL_SSL));
      server.dispose();
      for (int i = 0; allowed(authorizer, principal); i++) {
        assertTrue(i < 1500, "the session serves on");
        Thread.sleep(10);
      }
      handler.close();
    }
  }

  private static boolean allowed(StandinAuthorizer authorizer, StandinPrincipal principal) {
    try {
      return authorizer
              .authorize(
                  Stage.request(principal, ApiKeys.CREATE_TOPICS.id),
                  List.of(Stage.action(AclOperation.WRITE, ResourceType.TOPIC, "t")))
              .get(0)
          == AuthorizationResult.ALLOWED;
    } catch (org.apache.kafka.common.errors.TimeoutException e) {
      return false;
    }
  }

  @Test
  void p1_29_the_handler_serves_this_mechanism_only() {
    StandinServerCallbackHandler handler = new StandinServerCallbackHandler();
    String text =
        assertThrows(
                ConfigException.class,
                () -> handler.configure(stage.configs(), "SCRAM-SHA-256", List.of()))
            .getMessage();
    assertTrue(text.contains("AWS_MSK_IAM") && text.contains("SCRAM-SHA-256"), text);
    handler.close();
    assertThrows(
        UnsupportedCallbackException.class,
        () ->
            stage
                .handler()
                .handle(new javax.security.auth.callback.Callback[] {new NameCallback("name")}));
  }

  @Test
  void p1_28_a_listener_without_the_handler_is_told_which_to_set() {
    StandinSaslServerProvider.register();
    StandinSaslServerProvider.Factory factory = new StandinSaslServerProvider.Factory();
    String text =
        assertThrows(
                SaslException.class,
                () -> factory.createSaslServer("AWS_MSK_IAM", "kafka", "h", Map.of(), c -> {}))
            .getMessage();
    assertTrue(text.contains(StandinServerCallbackHandler.class.getName()), text);
  }

  @Test
  void a_wrong_setting_of_a_listener_is_named() {
    StandinServerCallbackHandler handler = new StandinServerCallbackHandler();
    for (var wrong :
        Map.of("standin.session.max.ms", "soon", "standin.hosts", "h:9092", "standin.x", "1")
            .entrySet()) {
      String text =
          assertThrows(
                  ConfigException.class,
                  () ->
                      handler.configure(
                          stage.configs(wrong.getKey(), wrong.getValue()),
                          "AWS_MSK_IAM",
                          List.of()))
              .getMessage();
      assertTrue(text.contains(wrong.getKey()), text);
    }
    handler.close();
  }
}
