# SPDX-License-Identifier: Apache-2.0
"""What goes on, and what does not, while the store does not answer."""

import time

from broker import version
from case import BrokerTest
from house import EVERYTHING, allow, wait_for
from tokens import token

DENIED = 0x87
UNAVAILABLE = 0x88
# What a 3.1.1 client gets for a login that was not decided in time. 2.1 answers
# later, and then knows only yes and no.
LATE = (None,) if version() < (2, 1) else (None, 5)


class OutageTest(BrokerTest):
    options = {"login_wait_ms": "20", "login_delay_ms": "500"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def log_in(self, client_id, key, **how):
        """As clients do: tries again when the connection was closed."""
        return wait_for(lambda: self._try(client_id, key, **how), what=f"a login of {client_id}")

    def _try(self, client_id, key, **how):
        client = self.client(client_id, key, **how)
        reason = client.connect()
        self.assertIn(reason, (0, None, UNAVAILABLE, DENIED if version() >= (2, 1) else None))
        return client if reason == 0 else None

    def test_a_login_that_cannot_be_decided_is_no_refusal_and_holds_nobody_up(self):
        live = self.log_in("live", self.key, version=5)
        key = self.store.user("late", *EVERYTHING)
        with self.store.held():
            waiting = [self.bare(f"late-{n}", version=4) for n in range(10)]
            for client in waiting:
                client.send_connect("x", token(key))
            live.subscribe("during/a")
            self.assertEqual(live.publish("during/a"), 0)
            self.assertEqual(live.receive().topic, "during/a")
            for client in waiting:
                self.assertIn(client.code(), LATE)
        self.log_in("late", key)

    def test_a_key_that_is_held_logs_in(self):
        self.log_in("before", self.key)
        with self.store.held():
            self.connected("meanwhile", self.key)

    def test_unknown_keys_do_not_hold_up_others(self):
        from house import Key

        live = self.log_in("others", self.key, version=5)
        with self.store.held():
            clients = [self.bare(f"unknown-{n}") for n in range(30)]
            for n, client in enumerate(clients):
                client.send_connect("x", token(Key(f"AKIASTRANGER{n:08}", "x" * 40)))
            self.assertEqual(live.publish("others/a"), 0)


class ManyTest(BrokerTest):
    options = {"login_wait_ms": "1000", "login_delay_ms": "1000"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def test_not_each_login_that_takes_long_stops_the_broker(self):
        live = self.connected("live", self.key, version=5)
        key = self.store.user("late", *EVERYTHING)
        clients = [self.bare(f"late-{n}") for n in range(60)]
        password = token(key)
        with self.store.held():
            begun = time.monotonic()
            for client in clients:
                client.send_connect("x", password)
            self.assertEqual(live.publish("a"), 0)
            # Each of them would be a second.
            self.assertLess(time.monotonic() - begun, 30)


class RidingOutTest(BrokerTest):
    """For a time what clients do every second goes on; administering does not."""

    settings = {"stale_after_ms": "1000", "stale_grace_ms": "60000"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING, allow("mosquitto:Control", "topic/*"))

    def test_messages_go_on_and_administration_does_not(self):
        client = self.connected("goes-on", self.key, version=5)
        admin = self.connected("admin", self.key, version=5)
        client.subscribe("goes/on")
        with self.store.held():
            while admin.connected():
                admin.send("$CONTROL/other/v1")
                time.sleep(0.05)
            self.assertEqual(client.subscribe("goes/too"), 1)
            for retain in (False, True):
                self.assertEqual(client.publish("goes/on", retain=retain), 0)
                self.assertEqual(client.receive().topic, "goes/on")


class LongOutageTest(BrokerTest):
    settings = {"stale_after_ms": "1000", "stale_grace_ms": "2000"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def test_what_cannot_be_decided_is_not_denied(self):
        publisher = self.connected("undecided-pub", self.key, version=5)
        subscriber = self.connected("undecided-sub", self.key, version=5)
        with self.store.held():
            while publisher.connected():
                publisher.send("a")
                time.sleep(0.05)
                self.assertLessEqual(publisher.acknowledged(), {0})
            subscriber.paho.subscribe("a")
            subscriber.wait_closed()
            self.assertIn(self.bare("undecided-new", version=4).connect("x", token(self.key)), LATE)

        def back():
            client = self.client("undecided-back", self.key, version=5)
            return client.connect() == 0 and client.publish("a") == 0

        wait_for(back, what="the end of the outage")
