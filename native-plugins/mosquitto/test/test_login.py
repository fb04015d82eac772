# SPDX-License-Identifier: Apache-2.0
"""Logins with a token as password, by clients as they are."""

import datetime
import re
import subprocess

from case import BrokerTest
from house import EVERYTHING, Key, allow, wait_for
from tokens import presign, token

NOT_AUTHORIZED = {4: 5, 5: 0x87}  # of a CONNACK, by version; paho tells 3.1.1's 5 as 0x87


class LoginTest(BrokerTest):
    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("sensor", *EVERYTHING)
        cls.bound = cls.store.user("bound", allow("Connect", "client/${iot:ClientId}", Condition={"StringLike": {"iot:ClientId": "bound-*"}}))
        cls.nobody = cls.store.user("nobody")
        cls.plus = cls.store.user("a+b", *EVERYTHING)

    def test_P1_28_a_token_is_the_password_of_an_unmodified_client(self):
        for version_ in (4, 5):
            for shape in (token, presign):
                with self.subTest(version=version_, shape=shape.__name__):
                    self.connected(f"shape-{version_}-{shape.__name__}", self.key, password=shape(self.key), version=version_)

    def test_P1_28_CC_26_stock_tools_log_in_to_a_stock_broker(self):
        tool = ["-h", "localhost", "-p", str(self.broker.port)]
        for more in (["-u", "x"], ["-u", "", "-V", "mqttv311"], ["-V", "5"]):
            with self.subTest(more=more):
                subprocess.run(["mosquitto_pub", *tool, *more, "-P", token(self.key), "-t", "tools/a", "-m", "hello", "-q", "1"], check=True)

    def test_P1_28_the_token_of_the_stock_signer_logs_in(self):
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
        from botocore.credentials import CredentialProvider, Credentials

        key = self.key

        class Provider(CredentialProvider):
            METHOD = "test"

            def load(self):
                return Credentials(key.id, key.secret)

        signed, _ = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider("us-east-1", Provider())
        self.connected("stock-signer", self.key, password=signed)

    def test_the_user_name_is_a_hint_and_the_principal_becomes_the_name(self):
        self.connected("hint", self.key, username="arn:aws:iam::123456789012:user/root")
        self.broker.wait_name("hint", "sensor")

    def test_refusals(self):
        before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)
        wrong = Key(self.key.id, "x" * 40)
        cases = {
            "signed with another secret": token(wrong),
            "of an unknown key": token(Key("AKIAUNKNOWN00000000A", "x" * 40)),
            "that has expired": token(self.key, at=before),
            "that is no token": "secret",
            "in base64 that is no token": "c2VjcmV0",
            "for another region": token(self.key, region="eu-north-1"),
            "for another service": token(self.key, service="s3"),
            "cut": token(self.key)[:-7],
            "very long": "A" * 60000,
            "with a key's rights withdrawn": token(self.nobody),
        }
        for version_ in (4, 5):
            for what, password in cases.items():
                with self.subTest(password=what, version=version_):
                    self.assert_answer(NOT_AUTHORIZED[version_], lambda: self.bare(f"refused-{version_}", version=version_).connect("x", password))

    def test_the_operator_learns_why_and_the_client_does_not(self):
        self.assert_answer(0x87, lambda: self.bare("why").connect("x", token(Key(self.key.id, "y" * 40))))
        line = wait_for(lambda: re.search(r"login ([0-9a-f-]+) refused \(-202\)", self.broker.log()), what="the reason")
        wait_for(lambda: self.key.id in self.store.audit("--request", line.group(1)), what="the record")

    def test_a_password_with_a_nul_is_refused(self):
        """The broker hands on what stands before it."""
        self.assertIn(self.bare("nul").connect("x", token(self.key)[:100].encode() + b"\0" + token(self.key)[100:].encode()), (None, 0x87))

    def test_nobody_logs_in_without_evidence(self):
        self.assert_answer(0x87, lambda: self.bare("none").connect())
        self.assert_answer(0x87, lambda: self.bare("none").connect("sensor"))
        self.assert_answer(0x87, lambda: self.bare("none").connect("sensor", ""))

    def test_the_client_id_is_decided_by_policy(self):
        self.connected("bound-1", self.bound)
        self.assert_answer(0x87, lambda: self.client("other-1", self.bound, version=5).connect())

    def test_a_client_id_that_would_fill_the_memory_is_refused(self):
        """Unauthenticated, it would fill the audit too."""
        for evidence in (token(self.key), "junk"):
            self.assert_answer(0x87, lambda: self.bare("i" * 1025).connect("x", evidence))
        self.assertNotIn("i" * 1025, self.store.audit())
        self.broker.wait_log("the client id has 1025 bytes; at most 1024 are accepted")
        self.connected("i" * 1024, self.key)

    def test_a_principal_that_would_be_a_topic_pattern_is_refused(self):
        self.assert_answer(0x87, lambda: self.client("plus", self.plus, version=5).connect())
        self.broker.wait_log("must not hold + or #")

    def test_the_token_is_in_no_log(self):
        secret = token(self.key)
        self.connected("quiet", self.key, password=secret)
        self.bare("quiet-2").connect("x", token(Key(self.key.id, "wrong")))
        log = self.broker.log()
        self.assertNotIn(secret[:60], log)
        self.assertNotIn("X-Amz-Signature", log)
        self.assertNotIn(self.key.secret, log)


class AnonymousTest(BrokerTest):
    """allow_anonymous true lets in whom all plugins leave undecided; this one decides."""

    lines = ("allow_anonymous true",)

    def test_nobody_is_let_in_anonymously(self):
        self.assert_answer(0x87, lambda: self.bare("anonymous").connect())
        self.assert_answer(0x8C, lambda: self.bare("anonymous").connect(None, None, method="OTHER", data="x"))


class ChannelTest(BrokerTest):
    """Plaintext needs to be accepted by a setting."""

    settings = {"allow_plaintext": "false"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("sensor", *EVERYTHING)

    def test_a_token_in_plain_text_is_refused(self):
        self.assert_answer(0x87, lambda: self.client("plain", self.key, version=5).connect())


class SecureChannelTest(ChannelTest):
    """The channel is what plugin_opt_channel says: the broker does not tell."""

    options = {"channel": "secure"}

    def test_a_token_in_plain_text_is_refused(self):
        self.connected("declared", self.key)


class SwitchedOffTest(BrokerTest):
    options = {"token": "off"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("sensor", *EVERYTHING)

    def test_a_password_is_refused_when_tokens_are_off(self):
        self.assert_answer(0x87, lambda: self.client("off", self.key, version=5).connect())


class ConnectActionTest(BrokerTest):
    options = {"connect_action": "off"}

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("sensor", allow("Publish", "topic/a"))

    def test_connecting_is_not_decided_when_switched_off(self):
        client = self.connected("any", self.key, version=5)
        self.assertEqual(client.publish("a"), 0)
        self.assertEqual(client.publish("b"), 0x87)
