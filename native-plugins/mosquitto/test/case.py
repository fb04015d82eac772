# SPDX-License-Identifier: Apache-2.0
"""What tests with a running broker have in common."""

import tempfile
import unittest

from broker import Broker
from clients import Bare, Client
from house import Store, wait_for
from tokens import token

UNDECIDED = (None, 0x88)


class BrokerTest(unittest.TestCase):
    """A store and a broker for each class; `options` are plugin_opt_ lines."""

    options = {}
    settings = {}
    lines = ()

    @classmethod
    def setUpClass(cls):
        cls.store = Store()
        cls.addClassCleanup(cls.store.close)
        cls.prepare()
        cls.broker = cls.start()

    @classmethod
    def prepare(cls):
        """Users and policies."""

    @classmethod
    def start(cls, **how):
        directory = tempfile.TemporaryDirectory(prefix="mosquitto-")
        cls.addClassCleanup(directory.cleanup)
        config = cls.store.config(**cls.settings)
        how = {"lines": cls.lines, "login_wait_ms": "1000", "login_delay_ms": "10000", **cls.options, **how}
        broker = Broker(config, directory=directory.name, **how)
        cls.addClassCleanup(cls.stopped, broker)
        return broker

    @classmethod
    def stopped(cls, broker):
        code = broker.stop()
        if code != 0:
            raise AssertionError(f"the broker ended with {code}:\n{broker.log()[-4000:]}")

    def client(self, client_id, key, *, port=None, password=None, **how):
        """A client that is not connected yet."""
        client = Client(port or self.broker.port, client_id, password or token(key), **how)
        self.addCleanup(client.close)
        return client

    def connected(self, client_id, key, **how):
        """A client that is connected. On a busy machine a login may take longer
        than the broker waits; clients try again then."""

        def attempt():
            client = self.client(client_id, key, **how)
            return client.connect(), client

        return self._decided(attempt)

    def enhanced(self, client_id, key, method="STANDIN-SIGV4", shape=token):
        """The same by MQTT 5 enhanced authentication."""

        def attempt():
            client = self.bare(client_id)
            return client.connect(method=method, data=shape(key)), client

        return self._decided(attempt)

    def assert_answer(self, expected, connect):
        """What a login is answered with, once it is decided."""

        def answered():
            reason = connect()
            return None if reason in UNDECIDED else (reason,)

        self.assertEqual(wait_for(answered, what="an answer"), (expected,))

    def _decided(self, attempt):
        def decided():
            reason, client = attempt()
            return None if reason in UNDECIDED else (reason, client)

        reason, client = wait_for(decided, what="a decision")
        self.assertEqual(reason, 0, self.broker.log()[-2000:])
        return client

    def bare(self, client_id, *, port=None, **how):
        client = Bare(port or self.broker.port, client_id, **how)
        self.addCleanup(client.close)
        return client
