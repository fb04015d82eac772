# SPDX-License-Identifier: Apache-2.0
"""MQTT 5 enhanced authentication, and renewal on the open connection."""

import time

from case import BrokerTest
from house import EVERYTHING, Key
from tokens import presign, token

METHOD = "STANDIN-SIGV4"
REFUSED = 0x87
BAD_METHOD = 0x8C
ADMINISTRATIVE = 0x98


class EnhancedTest(BrokerTest):
    settings = {"session_max_ms": "2000"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)
        cls.other = cls.store.user("other", *EVERYTHING)

    def test_a_token_as_authentication_data_logs_in(self):
        for shape in (token, presign):
            client = self.enhanced(f"enhanced-{shape.__name__}", self.key, shape=shape)
            self.assertTrue(client.ping())
        self.broker.wait_name("enhanced-token", "all")

    def test_a_wrong_token_is_refused(self):
        for data in (token(Key(self.key.id, "x" * 40)), "nonsense", "", None):
            with self.subTest(data=data):
                self.assert_answer(REFUSED, lambda: self.bare("wrong").connect(method=METHOD, data=data))

    def test_a_password_beside_an_unknown_method_does_not_log_in(self):
        self.assert_answer(BAD_METHOD, lambda: self.bare("method").connect("x", token(self.key), method="SCRAM-SHA-1", data="x"))

    def test_renewal_moves_the_deadline_of_the_open_connection(self):
        client = self.enhanced("renewed", self.key)
        begun = time.monotonic()
        while time.monotonic() - begun < 5:
            self.assertEqual(client.reauthenticate(METHOD, token(self.key)), 0)
            time.sleep(0.3)
        self.assertTrue(client.ping())
        # Without renewal it ends.
        self.assertEqual(client.code(), ADMINISTRATIVE)
        client.wait_closed()

    def test_a_refused_renewal_ends_the_connection(self):
        client = self.enhanced("refused-renewal", self.key)
        self.assertNotEqual(client.reauthenticate(METHOD, token(Key(self.key.id, "x" * 40))), 0)
        client.wait_closed()

    def test_renewal_as_somebody_else_ends_the_connection(self):
        client = self.enhanced("other-renewal", self.key)
        self.assertNotEqual(client.reauthenticate(METHOD, token(self.other)), 0)
        client.wait_closed()
        self.broker.wait_log("other-renewal proved to be somebody else than arn:aws:iam::123456789012:user/all")

    def test_a_renewed_session_is_ended_when_its_new_key_is_disabled(self):
        first, second = self.store.key("all"), self.store.key("all")
        client = self.enhanced("renewed-ended", first)
        self.assertEqual(client.reauthenticate(METHOD, token(second)), 0)
        self.store.disable(second)
        self.assertEqual(client.code(), ADMINISTRATIVE)


class OwnMethodTest(BrokerTest):
    options = {"enhanced_auth": "OUR-METHOD"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def test_the_method_has_the_configured_name(self):
        self.enhanced("own", self.key, "OUR-METHOD")
        self.assert_answer(BAD_METHOD, lambda: self.bare("own").connect(method=METHOD, data=token(self.key)))


class NoMethodTest(BrokerTest):
    options = {"enhanced_auth": "off"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("all", *EVERYTHING)

    def test_enhanced_authentication_can_be_switched_off(self):
        self.assert_answer(BAD_METHOD, lambda: self.bare("off").connect(method=METHOD, data=token(self.key)))
