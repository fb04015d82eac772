# SPDX-License-Identifier: Apache-2.0
"""What is around a broker: WebSockets, bridges, signals, and its own user."""

import os
import pathlib
import pwd
import shutil
import signal
import tempfile

from broker import Broker, free_port
from case import BrokerTest
from house import CONNECT, EVERYTHING, allow, wait_for
from tokens import token

DENIED = 0x87


class WebSocketTest(BrokerTest):
    @classmethod
    def prepare(cls):
        here = {"IpAddress": {"aws:SourceIp": "127.0.0.1"}, "StringEquals": {"standin:Protocol": "ws"}}
        cls.key = cls.store.user("web", allow("Connect", "client/*", Condition=here), allow("Publish", "topic/web/*"))

    @classmethod
    def start(cls, **how):
        cls.web = free_port()
        return super().start(listeners=[f"listener {cls.web} 127.0.0.1", "protocol websockets"], **how)

    def test_a_websocket_client_logs_in_from_its_address(self):
        """The broker writes it as an IPv6 address."""
        client = self.connected("web", self.key, port=self.web, transport="websockets", version=5)
        self.assertEqual(client.publish("web/a"), 0)
        self.assertEqual(client.publish("other/a"), DENIED)

    def test_the_protocol_is_told_apart(self):
        self.assert_answer(DENIED, lambda: self.client("tcp", self.key, version=5).connect())

    def test_a_websocket_that_is_taken_over_does_not_end_the_new_client(self):
        """The broker keeps the old one for a while, under the same id."""
        key = self.store.key("web")
        first = self.connected("again", key, port=self.web, transport="websockets", version=5)
        second = self.connected("again", self.key, port=self.web, transport="websockets", version=5)
        self.store.disable(key)
        first.wait_closed()
        wait_for(lambda: self.bare("probe").connect("x", token(key)) == DENIED, what="the refusal")
        self.assertEqual(second.publish("web/a"), 0)
        self.assertTrue(second.connected())


class BridgeTest(BrokerTest):
    """Another broker, without the plugin, on the other side."""

    @classmethod
    def prepare(cls):
        cls.all = cls.store.user("all", *EVERYTHING)
        cls.bridge = cls.store.user("bridge", CONNECT, allow("Publish", "topic/in/allowed"))

    @classmethod
    def start(cls, **how):
        directory = tempfile.TemporaryDirectory(prefix="mosquitto-")
        cls.addClassCleanup(directory.cleanup)
        # Its own port is known before ours is: it is the one that is dialled.
        cls.other = Broker(None, directory=directory.name, lines=["allow_anonymous true"], plugin=[])
        cls.addClassCleanup(cls.stopped, cls.other)
        lines = ["connection out", f"address 127.0.0.1:{cls.other.port}", "topic out/# both 1", "bridge_protocol_version mqttv311"]
        return super().start(listeners=lines, **how)

    def test_an_incoming_bridge_is_a_client(self):
        directory = tempfile.TemporaryDirectory(prefix="mosquitto-")
        self.addCleanup(directory.cleanup)
        lines = ["connection in", f"address 127.0.0.1:{self.broker.port}", "topic in/# out 1", "remote_username any",
                 f"remote_password {token(self.bridge)}", "remote_clientid the-bridge"]
        remote = Broker(None, directory=directory.name, lines=["allow_anonymous true"], plugin=[], listeners=lines)
        self.addCleanup(remote.stop)
        self.broker.wait_name("the-bridge", "bridge")
        watcher = self.connected("bridge-watch", self.all)
        watcher.subscribe("in/#")
        sender = self.client("sender", None, port=remote.port, password="none")
        self.assertEqual(sender.connect(), 0)
        sender.publish("in/denied")
        sender.publish("in/allowed")
        self.assertEqual(watcher.receive().topic, "in/allowed")

    def test_an_outgoing_bridge_is_asked_nothing_and_deliveries_of_it_are(self):
        self.broker.wait_log("Received CONNACK on connection local.")
        narrow = self.store.user("narrow", CONNECT, allow("Subscribe", "topicfilter/out/*"), allow("Receive", "topic/out/open"))
        watcher = self.connected("out-watch", narrow)
        watcher.subscribe("out/#")
        sender = self.client("out-sender", None, port=self.other.port, password="none")
        self.assertEqual(sender.connect(), 0)
        sender.publish("out/secret")
        sender.publish("out/open")
        self.assertEqual(watcher.receive().topic, "out/open")


class ProcessTest(BrokerTest):
    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def test_no_thread_but_the_brokers_own_takes_signals(self):
        """It would not wake the broker's loop."""
        tasks = pathlib.Path(f"/proc/{self.broker.process.pid}/task")
        others = [task for task in tasks.iterdir() if int(task.name) != self.broker.process.pid]
        self.assertTrue(others)
        for task in others:
            blocked = next(int(line.split()[1], 16) for line in (task / "status").read_text().splitlines() if line.startswith("SigBlk:"))
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
                self.assertTrue(blocked & 1 << (number - 1), (task / "comm").read_text())


    def test_broker_and_library_have_none_of_each_others_files(self):
        """So a connection ends when the broker closes it, and its system calls take
        the short way to its files."""
        client = self.connected("files", self.key, version=5)
        self.assertEqual(client.publish("a"), 0)
        broker = self.broker.process.pid

        def opened(task):
            for file in (task / "fd").iterdir():
                try:
                    yield os.readlink(file)
                except FileNotFoundError:
                    pass  # closed meanwhile

        tasks = list(pathlib.Path(f"/proc/{broker}/task").iterdir())
        own = list(opened(next(task for task in tasks if int(task.name) == broker)))
        self.assertFalse([file for file in own if "store.db" in file or file.endswith(".jsonl")], own)
        sockets = {file for file in own if file.startswith("socket:")}
        self.assertTrue(sockets)
        others = [task for task in tasks if int(task.name) != broker]
        self.assertTrue(others)
        for task in others:
            theirs = set(opened(task))
            self.assertTrue([file for file in theirs if "store.db" in file], (task / "comm").read_text())
            self.assertFalse(sockets & theirs, (task / "comm").read_text())


class UserTest(BrokerTest):
    """The broker gives up root before it loads plugins."""

    user = "mosquitto" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    lines = (f"user {user}",)

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    @classmethod
    def give(cls, user):
        for path in (cls.store.path, *cls.store.path.rglob("*")):
            shutil.chown(path, user)

    @classmethod
    def start(cls, **how):
        cls.give(cls.user)
        return super().start(**how)

    def test_it_decides_with_files_of_its_user(self):
        client = self.connected("own", self.key, version=5)
        self.assertEqual(client.publish("a"), 0)

    def test_it_does_not_start_with_files_it_cannot_read(self):
        directory = tempfile.TemporaryDirectory(prefix="mosquitto-")
        self.addCleanup(directory.cleanup)
        config = self.store.config(name="unreadable.toml", store=directory.name + "/none/store.db")
        broker = Broker(config, directory=directory.name, lines=self.lines, start=False)
        self.assertIn("/none/store.db", broker.refuses_to_start())
