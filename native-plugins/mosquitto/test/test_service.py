# SPDX-License-Identifier: Apache-2.0
"""A broker that has no store and asks the security service."""

import json
import os
import subprocess

from broker import free_port
from case import UNDECIDED, BrokerTest
from house import CONNECT, PROGRAM, allow, wait_for
from tokens import token

ADMINISTRATIVE = 0x98
DENIED = 0x87


class Service:
    """`standin serve` on a store, with the certificate that came with it."""

    def __init__(self, store):
        self.port, self.log_path = free_port(), store.path / "serve.log"
        self.place = store.path / "standin"
        self.start()

    def start(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--store", f"sqlite:{self.place}/store.db", "--listen", f"127.0.0.1:{self.port}",
                 "--tls-cert", self.place / "broker.pem", "--tls-key", self.place / "broker.pem"],
                stdout=log, stderr=log)
        wait_for(lambda: "listening" in self.log_path.read_text() or self.process.poll() is not None, what="the service")
        assert self.process.poll() is None, self.log_path.read_text()

    def stop(self):
        self.process.kill()
        self.process.wait()


class ServiceTest(BrokerTest):
    options = {"login_wait_ms": "1000", "login_delay_ms": "2000"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("sensor", CONNECT, allow("Publish", "topic/a"))
        cls.service = Service(cls.store)
        cls.addClassCleanup(lambda: cls.service.stop())
        code = json.loads(cls.store.standin("--output", "json", "host", "create", "mqtt/1"))["code"]
        credential, ca = cls.store.path / "host.credential", cls.store.path / "standin/ca.pem"
        url = f"https://localhost:{cls.service.port}"
        subprocess.run([PROGRAM, "host", "enroll", "mqtt/1", "--service", url, "--ca", ca, "--out", credential],
                       env={**os.environ, "STANDIN_ENROLMENT_CODE": code}, check=True, capture_output=True)
        cls.settings = {"store": None, "service_url": url, "service_ca": ca, "host_credential": credential}

    def test_P1_41_the_service_logs_in_decides_and_ends_sessions(self):
        key = self.store.key("sensor")
        client = self.connected("served", key, version=5)
        self.assertEqual(client.publish("a"), 0)
        self.assertEqual(client.publish("b"), DENIED)
        self.store.disable(key)
        self.assertEqual(client.wait_closed(), ADMINISTRATIVE)
        self.assert_answer(DENIED, lambda: self.client("served", key, version=5).connect())

    def test_without_the_service_what_is_known_goes_on(self):
        live = self.connected("live", self.key, version=5)
        unknown = self.store.key("sensor")
        self.service.stop()
        try:
            self.assertEqual(live.publish("a"), 0)
            self.connected("known", self.key)
            # Not decided is not refused: the client is to try again.
            late = self.bare("unknown", version=5).connect("x", token(unknown))
            self.assertIn(late, UNDECIDED)
            self.assertEqual(live.publish("a"), 0)
        finally:
            self.service.start()
        self.connected("unknown", unknown)
