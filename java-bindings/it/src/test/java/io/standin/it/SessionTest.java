// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.SaslAuthenticateRequest;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** How long a login lasts, and what of it is shared between connections. */
@Execution(ExecutionMode.CONCURRENT)
class SessionTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  /** The lifetime that a login is answered with, milliseconds. */
  private long lifetime(String listener, Keys keys) throws Exception {
    try (RawClient client = RawClient.connect(broker, listener)) {
      return client.logIn(keys).sessionLifetimeMs();
    }
  }

  private Keys role(int seconds, Policy policy) {
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    iam.role(role, iam.user(user, Policy.none(broker).cluster("Connect")).arn(), 3600, policy);
    return iam.assume(role, user, "session", seconds);
  }

  private static void assertWithin(long least, long most, long found) {
    assertTrue(found > least && found <= most, found + " is not in " + least + " to " + most);
  }

  @Test
  void p1_14_a_session_ends_with_the_earliest_of_its_ends_and_p1_18_its_client_is_told()
      throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    // The impersonation credential lives an hour, the listener would allow twelve.
    assertWithin(3_500_000, 3_600_000, lifetime("CLIENT", user));
    // Temporary keys of ten minutes and of one.
    assertWithin(480_000, 600_000, lifetime("CLIENT", role(600, Policy.connect(broker))));
    assertWithin(10_000, 60_000, lifetime("CLIENT", role(60, Policy.connect(broker))));
  }

  @Test
  void p1_19_the_longest_session_of_a_listener_is_one_more_end() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    Keys minute = role(60, Policy.connect(broker));
    // 6 s there; without the setting the credentials' own ends count.
    assertWithin(1000, 6000, lifetime("SHORT", user));
    assertWithin(1000, 6000, lifetime("SHORT", minute));
    assertWithin(6000, 60_000, lifetime("CLIENT", minute));
    assertWithin(3_000_000, 3_600_000, lifetime("CLIENT", user));
  }

  @Test
  void x_03_kafkas_own_limit_counts_where_it_is_the_shorter_one() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    assertEquals(2000, lifetime("LIMITED", user));
    assertEquals(2000, lifetime("LIMITED", role(600, Policy.connect(broker))));
    // There it is an hour, and ours 6 s.
    assertWithin(1000, 6000, lifetime("SHORT", user));
  }

  @Test
  void p1_15_a_client_that_never_logs_in_again_is_cut_and_counted() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      double before = gauges.killed("LIMITED");
      try (RawClient client = RawClient.loggedIn(broker, "LIMITED", user)) {
        assertEquals(Errors.NONE, Wire.produce(client, topic));
        Thread.sleep(2500);
        assertThrows(RawClient.Closed.class, () -> Wire.produce(client, topic));
      }
      // A client from before there were lifetimes; it is told none.
      try (RawClient client = RawClient.connect(broker, "LIMITED")) {
        client.handshake(RawClient.MECHANISM);
        SaslAuthenticateRequestData data =
            new SaslAuthenticateRequestData().setAuthBytes(Signed.by(user).message());
        SaslAuthenticateResponse answer =
            client.call(
                new SaslAuthenticateRequest(data, (short) 0), SaslAuthenticateResponse.class);
        assertEquals(Errors.NONE, answer.error());
        assertEquals(0, answer.sessionLifetimeMs());
        assertEquals(Errors.NONE, Wire.produce(client, topic));
        Thread.sleep(2500);
        assertThrows(RawClient.Closed.class, () -> Wire.produce(client, topic));
      }
      Wait.until("two connections counted", () -> gauges.killed("LIMITED") == before + 2);
    }
    assertEquals(2, Topics.end(broker, topic));
  }

  @Test
  void p1_13_each_credential_has_its_own_end() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Policy policy = Policy.connect(broker).produce(topic);
    Keys shortLived = role(15, policy);
    Keys longLived = role(900, policy);
    try (RawClient first = RawClient.connect(broker, "CLIENT");
        RawClient second = RawClient.loggedIn(broker, longLived)) {
      long left = first.logIn(shortLived).sessionLifetimeMs();
      assertWithin(0, 15_000, left);
      assertEquals(Errors.NONE, Wire.produce(first, topic));
      assertEquals(Errors.NONE, Wire.produce(second, topic));
      Thread.sleep(left + 500);
      // P1-21: it was allowed and cached a moment ago.
      assertThrows(RawClient.Closed.class, () -> Wire.produce(first, topic));
      assertEquals(Errors.NONE, Wire.produce(second, topic));
      // Nor does the expired credential open another connection.
      try (RawClient again = RawClient.connect(broker, "CLIENT")) {
        assertEquals(
            Errors.SASL_AUTHENTICATION_FAILED,
            again.tryLogIn(Signed.by(shortLived).message()).error());
      }
    }
  }

  @Test
  void p1_21_a_login_with_narrower_rights_ends_what_was_allowed_before() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    Keys owner = iam.user(user, Policy.connect(broker));
    iam.role(role, owner.arn(), 3600, Policy.all(broker));
    Keys wide = iam.assume(role, user, "wide", 900);
    Keys narrow =
        iam.assume(role, user, "narrow", 900, Policy.connect(broker).topic("DescribeTopic", topic));
    try (RawClient client = RawClient.loggedIn(broker, wide)) {
      assertEquals(Errors.NONE, Wire.produce(client, topic));
      assertEquals(Errors.NONE, Wire.describe(client, topic));
      // The same role, hence the same principal, under a session policy.
      Thread.sleep(1100);
      client.logIn(narrow);
      assertEquals(DENIED, Wire.produce(client, topic));
      assertEquals(Errors.NONE, Wire.describe(client, topic));
      Thread.sleep(1100);
      client.logIn(wide);
      assertEquals(Errors.NONE, Wire.produce(client, topic));
    }
  }

  @Test
  void x_02_connections_of_one_identity_are_told_apart_by_their_sessions() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    iam.role(role, iam.user(user, Policy.connect(broker)).arn(), 3600, Policy.all(broker));
    Keys writes =
        iam.assume(role, user, "one", 900, Policy.connect(broker).topic("WriteData", topic));
    Keys reads =
        iam.assume(role, user, "two", 900, Policy.connect(broker).topic("ReadData", topic));
    try (RawClient writer = RawClient.loggedIn(broker, writes);
        RawClient reader = RawClient.loggedIn(broker, reads)) {
      for (int i = 0; i < 10; i++) {
        assertEquals(Errors.NONE, Wire.produce(writer, topic));
        assertEquals(DENIED, Wire.produce(reader, topic));
        assertEquals(DENIED, Wire.fetch(writer, topic));
        assertEquals(Errors.NONE, Wire.fetch(reader, topic));
      }
    }
  }

  @Test
  void x_02_a_client_id_makes_nobody_somebody_else() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String admin = Iam.fresh("admin");
    Keys strong = iam.user(admin, Policy.all(broker));
    Keys weak = iam.user(Iam.fresh("weak"), Policy.connect(broker));
    for (String id : List.of(admin, strong.arn(), "User:" + strong.arn(), strong.id(), "")) {
      try (RawClient client = RawClient.connect(broker, "CLIENT").clientId(id)) {
        client.logIn(weak);
        assertEquals(DENIED, Wire.produce(client, topic), id);
        assertEquals(DENIED, Wire.describe(client, topic), id);
      }
    }
  }

  @Test
  void p1_06_what_stands_in_for_a_client_comes_with_its_login_and_before_any_operation()
      throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      Wait.until("an issued credential", () -> records(user, "Create").size() == 1);
      for (int i = 0; i < 20; i++) {
        assertEquals(DENIED, Wire.describe(client, "any"));
      }
      // No operation has needed another.
      Wait.until("the login", () -> records(user, "Logon").size() == 1);
      assertEquals(1, records(user, "Create").size());
    }
  }

  @Test
  void p1_44_connections_of_one_client_share_what_stands_in_for_it() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (RawClient stays = RawClient.loggedIn(broker, user)) {
      for (int i = 0; i < 5; i++) {
        RawClient goes = RawClient.loggedIn(broker, user);
        assertEquals(Errors.NONE, Wire.produce(goes, topic));
        goes.close();
        assertEquals(Errors.NONE, Wire.produce(stays, topic));
      }
    }
    Wait.until("six logins", () -> records(user, "Logon").size() == 6);
    // Issued with the first login, and once.
    assertEquals(1, records(user, "Create").size());
  }

  private List<JsonNode> records(Keys keys, String activity) {
    return iam.audit("--identity", keys.arn()).stream()
        .filter(record -> record.at("/activity_name").asText().equals(activity))
        .toList();
  }

  @Test
  void x_09_the_address_of_a_connection_counts_also_where_others_filled_the_cache()
      throws Exception {
    InetAddress other = InetAddress.getByAddress(new byte[] {127, 0, 0, 2});
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user =
        iam.user(
            Iam.fresh("user"),
            Policy.connect(broker)
                .topic("WriteData", topic)
                .when("IpAddress", "aws:SourceIp", "127.0.0.1/32")
                .topic("ReadData", topic)
                .when("NotIpAddress", "aws:SourceIp", "127.0.0.1/32"));
    try (RawClient here = RawClient.loggedIn(broker, user);
        RawClient there = RawClient.connect(broker, "CLIENT", other)) {
      there.logIn(user);
      for (int i = 0; i < 5; i++) {
        assertEquals(Errors.NONE, Wire.produce(here, topic));
        assertEquals(DENIED, Wire.produce(there, topic));
        assertEquals(DENIED, Wire.fetch(here, topic));
        assertEquals(Errors.NONE, Wire.fetch(there, topic));
      }
    }
  }

  @Test
  void sessions_end_by_identity_key_and_address() throws Exception {
    InetAddress other = InetAddress.getByAddress(new byte[] {127, 0, 0, 3});
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    Keys further = iam.key(name, user.arn());
    Keys bystander = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (RawClient stays = RawClient.loggedIn(broker, bystander);
        RawClient first = RawClient.loggedIn(broker, user);
        RawClient second = RawClient.loggedIn(broker, further);
        RawClient third = RawClient.connect(broker, "CLIENT", other)) {
      third.logIn(user);
      for (RawClient client : List.of(stays, first, second, third)) {
        assertEquals(Errors.NONE, Wire.produce(client, topic));
      }
      Wait.until("three sessions", () -> listed("--identity", name) == 3);
      assertEquals(1, listed("--identity", user.arn(), "--address", "127.0.0.3"));
      assertEquals(1, ended("--address", "127.0.0.3"));
      Wait.until("the end of the third", () -> Wire.produce(third, topic) == DENIED);
      assertEquals(Errors.NONE, Wire.produce(first, topic));
      assertEquals(1, ended("--key", further.id()));
      Wait.until("the end of the second", () -> Wire.produce(second, topic) == DENIED);
      Wait.until("one session", () -> listed("--identity", name) == 1);
      assertEquals(1, ended("--identity", name));
      Wait.until("the end of the first", () -> Wire.produce(first, topic) == DENIED);
      assertEquals(Errors.NONE, Wire.produce(stays, topic));
      // It may log in again: nothing but the session has ended.
      Thread.sleep(1100);
      assertEquals(Errors.NONE, first.logIn(user).error());
      assertEquals(Errors.NONE, Wire.produce(first, topic));
    }
    assertEquals(2, broker.tryStandin("session", "end").code());
  }

  @Test
  void sessions_end_with_their_connections_or_without() throws Exception {
    Connected.endsWithTheirConnectionsOrWithout(broker, iam);
  }

  private int listed(String... which) {
    return sessions("list", which);
  }

  private int ended(String... which) {
    return sessions("end", which);
  }

  private int sessions(String verb, String... which) {
    List<String> command = new ArrayList<>(List.of("session", verb));
    command.addAll(List.of(which));
    return broker.standin(command.toArray(String[]::new)).get(0).size();
  }

  @Test
  void p1_03_who_may_connect_from_elsewhere_only_may_do_nothing_here() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user =
        iam.user(
            Iam.fresh("user"),
            Policy.none(broker)
                .cluster("Connect")
                .when("IpAddress", "aws:SourceIp", "127.0.0.2/32")
                .produce(topic));
    InetAddress other = InetAddress.getByAddress(new byte[] {127, 0, 0, 2});
    try (RawClient allowed = RawClient.connect(broker, "CLIENT", other);
        RawClient barred = RawClient.connect(broker, "CLIENT")) {
      allowed.logIn(user);
      assertEquals(Errors.NONE, Wire.produce(allowed, topic));
      // Kafka tells the address only behind the login, which is therefore answered.
      barred.logIn(user);
      assertEquals(DENIED, Wire.produce(barred, topic));
      assertEquals(DENIED, Wire.describe(barred, topic));
    }
    assertEquals(1, Topics.end(broker, topic));
    Wait.until(
        "a refusal that names Connect",
        () ->
            records(user, "Logon").stream()
                .anyMatch(
                    record ->
                        record.at("/status_code").asInt() == -209
                            && record.at("/src_endpoint/ip").asText().equals("127.0.0.1")));
  }
}
