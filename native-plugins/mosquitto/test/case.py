# SPDX-License-Identifier: Apache-2.0
"""What tests with a running broker have in common."""

import tempfile
import unittest

from broker import Broker
from clients import Bare, Client
from house import Store
from tokens import token


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
        # On a busy machine the first login of a key may take longer than brokers wait.
        how = {"lines": cls.lines, "login_wait_ms": "1000", **cls.options, **how}
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
        client = self.client(client_id, key, **how)
        self.assertEqual(client.connect(), 0, self.broker.log()[-2000:])
        return client

    def bare(self, client_id, *, port=None, **how):
        client = Bare(port or self.broker.port, client_id, **how)
        self.addCleanup(client.close)
        return client
