// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What passes from the authorizer to the agent for an operation. */
class CrossingTest {
  private static final int OPERATIONS = 1000;

  @TempDir Path dir;

  @Test
  void p1_09_an_operation_crosses_with_the_session_and_its_names_and_no_credential()
      throws Exception {
    try (Stage stage = new Stage(dir, "crossing")) {
      StandinAuthorizer authorizer = stage.authorizer();
      String user = stage.user("user", Stage.statement("Allow", "WriteData", "*"));
      byte[] login = stage.message(user);
      StandinSaslServer server = new StandinSaslServer(stage.handler());
      server.evaluateResponse(login.clone());
      StandinPrincipal principal =
          (StandinPrincipal)
              stage.builder().build(Stage.channel(server, SecurityProtocol.SASL_SSL));
      List<String> proofs = new ArrayList<>(stage.credential(user));
      String message = new String(login, StandardCharsets.UTF_8);
      proofs.add(field(message, "x-amz-signature"));
      proofs.add("AWS4-HMAC-SHA256");
      for (String proof : proofs) {
        assertTrue(proof.length() >= 16, "something to look for");
      }
      for (int i = 0; i < OPERATIONS; i++) {
        String topic = "topic-" + i;
        AclOperation operation = i % 2 == 0 ? AclOperation.WRITE : AclOperation.READ;
        List<Action> asked = List.of(Stage.action(operation, ResourceType.TOPIC, topic));
        assertEquals(
            List.of(i % 2 == 0 ? AuthorizationResult.ALLOWED : AuthorizationResult.DENIED),
            authorizer.authorize(Stage.request(principal, ApiKeys.PRODUCE.id), asked));
        // The buffer of this thread still holds what was passed, but for the answer in front.
        ByteBuffer buffer = Requests.ofThread().buffer();
        byte[] bytes = new byte[Requests.ofThread().bytes()];
        buffer.get(0, bytes);
        String passed = new String(bytes, StandardCharsets.ISO_8859_1);
        assertTrue(passed.contains(topic) && passed.contains("client"), passed);
        for (String proof : proofs) {
          assertFalse(passed.contains(proof), "a credential crossed");
        }
        // Address and client id of the request, the record of one operation, and nothing more.
        assertEquals(1 + 4 + 2 + "client".length() + 16 + topic.length(), bytes.length);
      }
    }
  }

  private static String field(String json, String name) {
    int begin = json.indexOf("\"" + name + "\":\"") + name.length() + 4;
    return json.substring(begin, json.indexOf('"', begin));
  }
}
