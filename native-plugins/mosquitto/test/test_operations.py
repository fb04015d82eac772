# SPDX-License-Identifier: Apache-2.0
"""Publishing, subscribing and receiving, by policies of AWS IoT Core."""

from case import BrokerTest
from house import CONNECT, EVERYTHING, allow, deny, wait_for
from tokens import token

DENIED = 0x87
GRANTED = 1


class OperationsTest(BrokerTest):
    @classmethod
    def prepare(cls):
        cls.all = cls.store.user("all", *EVERYTHING)
        cls.sensor = cls.store.user(
            "sensor",
            CONNECT,
            allow("Publish", "topic/sensors/${iot:ClientId}/*"),
            allow("Subscribe", "topicfilter/commands/${iot:ClientId}"),
            allow("Receive", "topic/commands/${iot:ClientId}"),
        )
        cls.reader = cls.store.user(
            "reader",
            CONNECT,
            allow("Subscribe", ["topicfilter/rooms/*", "topicfilter/house/+/door", "topicfilter/floor/*/light"]),
            allow("Receive", "topic/*"),
            deny("Receive", "topic/rooms/secret"),
        )
        cls.retainer = cls.store.user("retainer", CONNECT, allow("Publish", "topic/*"), allow("RetainPublish", "topic/kept/*"))

    def test_P1_28_a_publish_is_decided_by_topic_and_client_id(self):
        for version in (4, 5):
            client = self.connected(f"s{version}", self.sensor, version=version)
            watcher = self.connected(f"watch{version}", self.all)
            watcher.subscribe("sensors/#")
            self.assertEqual(client.publish(f"sensors/s{version}/t", b"mine"), 0)
            refused = client.publish("sensors/other/t", b"not mine")
            # 3.1.1 has no way to say so: the publisher believes it was sent.
            self.assertEqual(refused, DENIED if version == 5 else 0)
            client.publish(f"sensors/s{version}/u", b"mine")
            self.assertEqual([watcher.receive().topic for _ in range(2)], [f"sensors/s{version}/t", f"sensors/s{version}/u"])
            self.assertTrue(client.connected())

    def test_a_client_id_is_no_pattern(self):
        for client_id in ("*", "s?"):
            client = self.connected(client_id, self.sensor, version=5)
            self.assertEqual(client.subscribe(f"commands/{client_id}"), GRANTED)
            self.assertEqual(client.publish("sensors/s4/t"), DENIED)
            self.assertEqual(client.subscribe("commands/s4"), DENIED)

    def test_a_client_id_that_would_be_a_filter_is_refused(self):
        """With such an id, what a policy says of one client's topics is said of all."""
        for client_id in ("+", "#", "s+", "#4"):
            self.assert_answer(DENIED, lambda: self.client(client_id, self.sensor, version=5).connect())
            self.assert_answer(DENIED, lambda: self.bare(client_id).connect(method="STANDIN-SIGV4", data=token(self.sensor)))
        self.broker.wait_log("login of + refused: a client id must not hold + or #")

    def test_a_subscription_is_decided_by_the_text_of_its_filter(self):
        client = self.connected("filters", self.reader, version=5)
        for text, granted in (
            ("rooms/1", True),
            ("rooms/#", True),
            ("rooms/+/light", True),
            ("house/+/door", True),
            # Not covered as a whole, though some topics of it would be.
            ("house/#", False),
            ("#", False),
            ("+/1", False),
            # A + in a policy is a character, no pattern.
            ("house/1/door", False),
            # A * in a filter is a character too.
            ("floor/1/light", True),
            ("floor/*/light", True),
            ("*", False),
        ):
            with self.subTest(filter=text):
                self.assertEqual(client.subscribe(text), GRANTED if granted else DENIED)

    def test_a_shared_subscription_is_decided_by_the_filter_behind_the_group(self):
        client = self.connected("shared", self.reader, version=5)
        self.assertEqual(client.subscribe("$share/group/rooms/#"), GRANTED)
        self.assertEqual(client.subscribe("$share/rooms/house/#"), DENIED)
        self.assertEqual(client.subscribe("$share/rooms/#"), DENIED)

    def test_each_delivery_is_decided_and_a_refused_one_is_logged(self):
        reader = self.connected("delivery", self.reader)
        reader.subscribe("rooms/#")
        publisher = self.connected("delivery-pub", self.all)
        publisher.publish("rooms/secret", b"hidden")
        publisher.publish("rooms/1", b"shown")
        self.assertEqual(reader.receive().topic, "rooms/1")
        self.broker.wait_log("a message on rooms/secret is not delivered to delivery (arn:aws:iam::123456789012:user/reader)")

    def test_refused_deliveries_do_not_flood_the_log(self):
        reader = self.connected("flood", self.reader)
        reader.subscribe("rooms/#")
        publisher = self.connected("flood-pub", self.all)
        for _ in range(100):
            publisher.publish("rooms/secret", qos=0)
        publisher.publish("rooms/end")
        self.assertEqual(reader.receive().topic, "rooms/end")
        self.assertLessEqual(self.broker.log().count("is not delivered to flood "), 5)

    def test_retaining_needs_its_own_permission(self):
        client = self.connected("retain", self.retainer, version=5)
        self.assertEqual(client.publish("kept/a", retain=True), 0)
        self.assertEqual(client.publish("other/a"), 0)
        self.assertEqual(client.publish("other/a", retain=True), DENIED)
        # Taking a retained message away is retaining nothing.
        self.assertEqual(client.publish("other/a", b"", retain=True), DENIED)
        self.assertEqual(client.publish("kept/a", b"", retain=True), 0)

    def test_a_retained_message_is_a_delivery(self):
        publisher = self.connected("retained-pub", self.all)
        publisher.publish("rooms/secret", b"hidden", retain=True)
        publisher.publish("rooms/open", b"shown", retain=True)
        self.addCleanup(publisher.publish, "rooms/secret", b"", 1, True)
        self.addCleanup(publisher.publish, "rooms/open", b"", 1, True)
        reader = self.connected("retained", self.reader)
        self.assertEqual(reader.subscribe("rooms/#"), GRANTED)
        self.assertEqual(reader.receive().topic, "rooms/open")
        publisher.publish("rooms/after")
        self.assertEqual(reader.receive().topic, "rooms/after")

    def test_giving_up_a_subscription_needs_no_permission(self):
        for version in (4, 5):
            client = self.connected(f"unsubscribe{version}", self.all, version=version)
            client.subscribe("a/b")
            self.assertEqual(client.unsubscribe("a/b"), 0)
            client.publish("a/b")
            client.subscribe("a/c")
            client.publish("a/c")
            self.assertEqual(client.receive().topic, "a/c")

    def test_the_brokers_own_topics_are_decided_as_others(self):
        self.assertEqual(self.connected("sys", self.reader, version=5).subscribe("$SYS/#"), DENIED)
        client = self.connected("sys-all", self.all, version=5)
        self.assertEqual(client.subscribe("$SYS/broker/version"), GRANTED)
        self.assertEqual(client.receive().topic, "$SYS/broker/version")
        # The broker refuses to write there, whoever asks.
        self.assertEqual(client.publish("$SYS/broker/version"), DENIED)

    def test_administering_the_broker_needs_more_than_all_topics(self):
        client = self.connected("control", self.all, version=5)
        self.assertEqual(client.publish("$CONTROL/dynamic-security/v1", b"{}"), DENIED)
        admin = self.store.user("operator", *EVERYTHING, allow("mosquitto:Control", "topic/$CONTROL/dynamic-security/*"))
        client = self.connected("control-admin", admin, version=5)
        # Allowed by policy; what the broker then says of it is its own business.
        self.assertNotEqual(client.publish("$CONTROL/dynamic-security/v1", b"{}"), DENIED)
        self.assertEqual(client.publish("$CONTROL/other/v1", b"{}"), DENIED)

    def test_a_changed_policy_reaches_an_open_connection(self):
        key = self.store.user("changing", CONNECT, allow("Publish", "topic/a"))
        client = self.connected("changing", key, version=5)
        self.assertEqual(client.publish("a"), 0)
        self.store.policy("changing", CONNECT, allow("Publish", "topic/a"), deny("Publish", "topic/*"))
        wait_for(lambda: client.publish("a") == DENIED, what="the refusal")
        self.store.policy("changing", CONNECT, allow("Publish", "topic/b"))
        wait_for(lambda: client.publish("b") == 0, what="the permission")
        self.assertEqual(client.publish("a"), DENIED)
        self.assertTrue(client.connected())

    def test_P1_12_many_connections_are_not_mixed(self):
        clients = [self.connected(f"many-{n}", self.sensor, version=5) for n in range(40)]
        for n, client in enumerate(clients):
            self.assertEqual(client.subscribe(f"commands/many-{n}"), GRANTED)
            self.assertEqual(client.subscribe(f"commands/many-{n + 1}"), DENIED)
        for n, client in enumerate(clients):
            self.assertEqual(client.publish(f"sensors/many-{n}/t"), 0)
            self.assertEqual(client.publish(f"sensors/many-{(n + 1) % 40}/t"), DENIED)
