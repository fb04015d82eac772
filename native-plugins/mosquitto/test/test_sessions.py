# SPDX-License-Identifier: Apache-2.0
"""How sessions live and end, and what the broker asks in between."""

import pathlib
import queue
import subprocess
import time

from broker import free_port, plugin_lines
from case import BrokerTest
from house import CONNECT, EVERYTHING, allow, wait_for
from tokens import token

DENIED = 0x87
ADMINISTRATIVE = 0x98
TAKEN_OVER = 0x8E
GRANTED = 1


class EndTest(BrokerTest):
    """Revocation, takeover and wills."""

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)
        cls.other = cls.store.user("other", *EVERYTHING)

    def test_a_disabled_key_ends_its_sessions_and_no_others(self):
        key = self.store.key("all")
        old, new = self.connected("ended-4", key), self.connected("ended-5", key, version=5)
        stays = self.connected("stays", self.key)
        self.store.disable(key)
        old.wait_closed()
        self.assertEqual(new.wait_closed(), ADMINISTRATIVE)
        self.assert_answer(DENIED, lambda: self.client("ended-5", key, version=5).connect())
        stays.subscribe("still/here")
        stays.publish("still/here")
        self.assertEqual(stays.receive().topic, "still/here")

    def test_a_takeover_by_the_same_id_leaves_the_new_session(self):
        """The old client of an id is told gone after the new one has logged in."""
        for before, after in ((self.key, self.key), (self.key, self.other)):
            first = self.connected("twice", before, version=5)
            second = self.connected("twice", after, version=5)
            first.wait_closed()
            second.subscribe("twice/a")
            self.assertEqual(second.publish("twice/a"), 0)
            self.assertEqual(second.receive().topic, "twice/a")
            second.close()

    def test_a_taken_over_session_does_not_end_the_new_one(self):
        """Its key is disabled when its client has long been replaced."""
        key = self.store.key("all")
        first = self.connected("replaced", key)
        second = self.connected("replaced", self.other)
        first.wait_closed()
        self.store.disable(key)
        gone = self.connected("replaced-witness", self.store.key("all"))
        gone.close()
        for _ in range(20):
            self.assertEqual(second.publish("replaced/a"), 0)
            time.sleep(0.02)
        self.assertTrue(second.connected())

    def test_an_address_that_is_used_again_gives_no_rights(self):
        """The broker gives the next client the address of the last one."""
        narrow = self.store.user("narrow", CONNECT, allow("Publish", "topic/narrow"))
        for n in range(20):
            wide = self.connected(f"reuse-{n}", self.key, version=5)
            self.assertEqual(wide.publish("wide"), 0)
            wide.close()
            client = self.connected(f"reuse-{n}", narrow, version=5)
            self.assertEqual(client.publish("wide"), DENIED)
            self.assertEqual(client.publish("narrow"), 0)
            client.close()

    def test_a_name_and_an_id_are_no_login(self):
        """What the broker repeats in a reload is not taken from a new connection."""
        name = "arn:aws:iam::123456789012:user/all"
        for clean in (True, False):
            for n in range(10):
                self.connected(f"bypass-{clean}-{n}", self.key, clean=clean).close()
                self.assert_answer(DENIED, lambda: self.bare(f"bypass-{clean}-{n}").connect(name, "x"))

    def test_a_will_is_decided_like_a_publish(self):
        watcher = self.connected("wills", self.key)
        watcher.subscribe("#")
        bounded = self.store.user("bounded", CONNECT, allow("Publish", "topic/wills/*"))
        self.connected("will-1", bounded, will=("hidden/a", b"x", 1, False)).drop()
        self.connected("will-2", bounded, will=("wills/kept", b"x", 1, True)).drop()
        self.connected("will-3", bounded, will=("wills/shown", b"x", 1, False)).drop()
        seen = []
        while "wills/shown" not in seen:
            seen.append(watcher.receive().topic)
        watcher.publish("wills/end")
        while "wills/end" not in seen:
            seen.append(watcher.receive().topic)
        self.assertNotIn("hidden/a", seen)
        self.assertNotIn("wills/kept", seen)  # it is retained, which needs more

    def test_a_revoked_session_leaves_no_will(self):
        watcher = self.connected("no-wills", self.key)
        watcher.subscribe("last/#")
        key = self.store.key("all")
        client = self.connected("no-will", key, will=("last/words", b"x", 1, False))
        self.store.disable(key)
        client.wait_closed()
        watcher.publish("last/end")
        self.assertEqual(watcher.receive().topic, "last/end")


class DurableTest(BrokerTest):
    """Sessions that outlive their connections."""

    lines = ("persistence true",)

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    @classmethod
    def start(cls, **how):
        lines = (*cls.lines, f"persistence_location {cls.store.path}/")
        return super().start(lines=lines, **how)

    def test_what_is_queued_is_decided_when_the_client_is_back(self):
        key = self.store.user("queued", *EVERYTHING)
        client = self.connected("queued", key, clean=False)
        client.subscribe("queued/#")
        client.close()
        publisher = self.connected("queued-pub", self.key)
        publisher.publish("queued/secret")
        publisher.publish("queued/open")
        self.store.policy("queued", CONNECT, allow("Receive", "topic/queued/open"))

        def refused():
            probe = self.connected("queued-probe", key, version=5)
            try:
                return probe.publish("x") == DENIED
            finally:
                probe.close()

        wait_for(refused, what="the new policy")
        back = self.connected("queued", key, clean=False)
        self.assertTrue(back.session_present)
        self.assertEqual(back.receive().topic, "queued/open")
        with self.assertRaises(queue.Empty):
            back.messages.get(timeout=0.3)

    def test_a_session_from_before_a_restart_keeps_what_it_is_sent(self):
        client = self.connected("restored", self.key, clean=False)
        client.subscribe("restored/#")
        client.close()
        self.broker.restart()
        publisher = self.connected("restored-pub", self.key)
        publisher.publish("restored/a")
        back = self.connected("restored", self.key, clean=False)
        self.assertTrue(back.session_present)
        self.assertEqual(back.receive().topic, "restored/a")

    def test_a_reload_does_not_harm_a_session_from_before_a_restart(self):
        """The broker asks for its login, too, and would enter it twice among those
        that expire."""
        client = self.connected("restored-reload", self.key, clean=False)
        client.subscribe("restored-reload/#")
        client.close()
        self.broker.restart()
        for _ in range(2):
            self.broker.reload()
        self.connected("restored-reload-pub", self.key).publish("restored-reload/a")
        self.assertNotIn("Client restored-reload disconnected, not authorised", self.broker.log())
        self.assertNotIn("login of restored-reload refused", self.broker.log())
        self.assert_answer(DENIED, lambda: self.bare("restored-reload").connect(clean=False))
        back = self.connected("restored-reload", self.key, clean=False)
        self.assertTrue(back.session_present)
        self.assertEqual(back.receive().topic, "restored-reload/a")

    def test_another_identity_gets_from_a_taken_session_what_it_may_receive(self):
        client = self.connected("inherited", self.key, clean=False)
        client.subscribe("inherited/#")
        client.close()
        publisher = self.connected("inherited-pub", self.key)
        publisher.publish("inherited/secret")
        publisher.publish("inherited/open")
        heir = self.store.user("heir", CONNECT, allow("Receive", "topic/inherited/open"))
        back = self.connected("inherited", heir, clean=False)
        self.assertEqual(back.receive().topic, "inherited/open")
        with self.assertRaises(queue.Empty):
            back.messages.get(timeout=0.3)

    def test_a_session_that_is_offline_is_not_disconnected_again(self):
        """The broker would enter it twice among those that expire."""
        key = self.store.key("all")
        for n in range(3):
            client = self.connected(f"gone-{n}", key, clean=False)
            client.subscribe("gone/#")
            client.close()
        live = self.connected("gone-live", key)
        self.store.disable(key)
        live.wait_closed()
        self.broker.wait_log("gone-live (arn:aws:iam::123456789012:user/all) disconnected")
        for n in range(3):
            self.assertNotIn(f"gone-{n} (arn", self.broker.log())
            self.assertNotIn(f"Client gone-{n} been disconnected by administrative action", self.broker.log())
            back = self.connected(f"gone-{n}", self.key, clean=False)
            self.assertTrue(back.session_present)

    def test_a_reload_does_not_harm_sessions_that_are_offline(self):
        """Nor does it look at their logins again: this one would be refused."""
        key = self.store.key("all")
        client = self.connected("offline", key, clean=False)
        client.subscribe("offline/#")
        client.close()
        self.store.disable(key)
        wait_for(lambda: self.client("offline-new", key, version=5).connect() == DENIED, what="the refusal")
        self.broker.wait_log(" refused (-2")
        refused = self.broker.log().count(" refused (-2")
        for _ in range(3):
            self.broker.reload()
        self.connected("offline-pub", self.key).publish("offline/a")
        self.assertEqual(self.broker.log().count(" refused (-2"), refused)
        self.assertNotIn("Client offline disconnected, not authorised", self.broker.log())
        back = self.connected("offline", self.key, clean=False)
        self.assertEqual(back.receive().topic, "offline/a")


class DeadlineTest(BrokerTest):
    """Sessions of two seconds."""

    settings = {"session_max_ms": "2000"}
    lines = ("persistence true",)

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    @classmethod
    def start(cls, **how):
        return super().start(lines=(*cls.lines, f"persistence_location {cls.store.path}/"), **how)

    def test_a_session_ends_at_its_deadline_without_anything_happening(self):
        begun = time.monotonic()
        old, new = self.connected("deadline-4", self.key), self.connected("deadline-5", self.key, version=5)
        old.wait_closed()
        self.assertEqual(new.wait_closed(), ADMINISTRATIVE)
        self.assertGreaterEqual(time.monotonic() - begun, 2)
        self.broker.wait_log("deadline-5 (arn:aws:iam::123456789012:user/all) disconnected: its session has ended")

    def test_it_ends_under_load_too(self):
        client = self.connected("loaded", self.key, version=5)
        client.subscribe("loaded/#", 0)
        while client.connected():
            client.send("loaded/a", 0)
            time.sleep(0.001)
        # What it had sent is unread when the broker closes; that may cost it the
        # broker's last word.
        self.broker.wait_log("loaded (arn:aws:iam::123456789012:user/all) disconnected: its session has ended")

    def test_the_subscriptions_of_a_durable_session_outlive_its_deadline(self):
        """The broker asks for each of them again while it disconnects."""
        client = self.connected("outlive", self.key, clean=False)
        for n in range(5):
            self.assertEqual(client.subscribe(f"outlive/{n}"), GRANTED)
        client.wait_closed()
        publisher = self.connected("outlive-pub", self.key)
        for n in range(5):
            publisher.publish(f"outlive/{n}")
        back = self.connected("outlive", self.key, clean=False)
        self.assertTrue(back.session_present)
        self.assertEqual(sorted(back.receive().topic for _ in range(5)), [f"outlive/{n}" for n in range(5)])


class ReloadTest(BrokerTest):
    """Logrotate of Debian sends SIGHUP, and the broker asks for every login again."""

    # Signed at whole seconds, so a token is good for one second at least.
    settings = {"login_max_age_ms": "2000", "login_clock_skew_ms": "0"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def entered(self, client_id, version_):
        """A client and its token, if that was still good when it came."""
        password = token(self.key)
        client = self.client(client_id, self.key, password=password, version=version_)
        return (client, password) if client.connect() == 0 else None

    def entered_enhanced(self):
        client = self.bare("kept-enhanced")
        return client if client.connect(method="STANDIN-SIGV4", data=token(self.key)) == 0 else None

    def test_a_reload_keeps_sessions_whose_tokens_have_expired(self):
        clients = {}
        for version_ in (4, 5):
            clients[version_] = wait_for(lambda: self.entered(f"kept-{version_}", version_), what="a login in time")
        enhanced = wait_for(self.entered_enhanced, what="a login in time")

        def expired(version_):
            refused = self.client(f"late-{version_}", self.key, password=clients[version_][1], version=5)
            return refused.connect() == DENIED

        wait_for(lambda: expired(4) and expired(5), what="the end of the tokens")
        self.broker.reload()
        self.assertTrue(enhanced.ping())
        for version_, (client, _) in clients.items():
            client.subscribe(f"kept/{version_}")
            self.assertEqual(client.publish(f"kept/{version_}"), 0)
            self.assertEqual(client.receive().topic, f"kept/{version_}")


class SettingsTest(BrokerTest):
    """Another plugin stands behind this one."""

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)
        cls.after = cls.store.path / "after.so"
        source = pathlib.Path(__file__).with_name("after.c")
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", cls.after, source], check=True)

    @classmethod
    def start(cls, **how):
        return super().start(listeners=[f"plugin {cls.after}"], **how)

    def test_a_reload_is_told_to_the_next_plugin_too(self):
        self.broker.reload()
        self.broker.wait_log("after: told to reload")

    def test_a_reload_reads_the_settings_again(self):
        before = self.connected("before", self.key, version=5)
        self.store.config(session_max_ms="2000")
        self.broker.reload()
        self.broker.wait_log("standin: settings read again")
        after = self.connected("after", self.key, version=5)
        self.assertEqual(after.wait_closed(), ADMINISTRATIVE)
        self.assertTrue(before.connected())

        self.store.config(session_maximum_ms="2000")
        self.broker.reload()
        self.broker.wait_log("standin: settings stay as they were")
        self.assertIn("standin.session.maximum.ms is not a setting", self.broker.log())
        self.assertEqual(before.publish("a"), 0)


class NoTickTest(BrokerTest):
    """Mosquitto 2.0 does not tick with per_listener_settings."""

    settings = {"session_max_ms": "2000"}
    lines = ("per_listener_settings true",)

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def test_an_ended_session_is_closed_at_its_next_publish(self):
        for version_ in (4, 5):
            client = self.connected(f"no-tick-{version_}", self.key, version=version_)
            self.assertEqual(client.publish("a"), 0)
            until = time.monotonic() + 30
            while client.connected() and time.monotonic() < until:
                client.send("a")
                time.sleep(0.05)
            client.wait_closed()


class ListenersTest(BrokerTest):
    """Two listeners with their own settings share one engine."""

    lines = ("per_listener_settings true",)

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    @classmethod
    def start(cls, **how):
        cls.second = free_port()
        config = cls.store.config(**cls.settings)
        listeners = [f"listener {cls.second} 127.0.0.1", *plugin_lines(config, listener="second"), "allow_anonymous false"]
        return super().start(listeners=listeners, listener="first")

    def test_a_listener_has_a_name_in_policies(self):
        here = {"StringEquals": {"standin:Listener": "second"}}
        key = self.store.user("second", allow("Connect", "client/*", Condition=here), allow("Publish", "topic/*"))
        self.connected("named", key, port=self.second)
        self.assert_answer(DENIED, lambda: self.client("named", key, version=5).connect())

    def test_a_reload_reads_the_settings_once(self):
        self.broker.reload()
        self.connected("reloaded", self.key)  # it is over
        self.assertEqual(self.broker.log().count("standin: settings read again"), self.broker.log().count("Reloading config"))

    def test_P1_12_both_listeners_log_in_and_decide(self):
        clients = []
        for n in range(10):
            for port in (self.broker.port, self.second):
                clients.append(self.connected(f"both-{n}-{port}", self.key, port=port, version=5))
        for client in clients:
            self.assertEqual(client.publish("a"), 0)
