# SPDX-License-Identifier: Apache-2.0
"""Client certificates, on listeners with TLS."""

from broker import free_port
from case import BrokerTest
from clients import Client
from house import EVERYTHING, allow, CONNECT, Key
from tls import Authority, listener
from tokens import token

REFUSED = 0x87


class TlsTest(BrokerTest):
    """One listener that requires a certificate, one that offers TLS alone, one
    that takes the name from the certificate and asks no plugin."""

    @classmethod
    def prepare(cls):
        cls.key = cls.store.user("device-1", *EVERYTHING)
        cls.other = cls.store.user("device-2", CONNECT, allow("Publish", "topic/two"))
        cls.authority = Authority(cls.store.path)
        cls.certificates = {
            name: cls.authority.issue(name, f"/CN={name}", "extendedKeyUsage=clientAuth") for name in ("device-1", "unknown")
        }

    @classmethod
    def start(cls, **how):
        cls.required, cls.offered, cls.mapped = free_port(), free_port(), free_port()
        require = "require_certificate true"
        listeners = [
            *listener(cls.required, cls.authority, require),
            *listener(cls.offered, cls.authority),
            *listener(cls.mapped, cls.authority, require, "use_identity_as_username true"),
        ]
        return super().start(listeners=listeners, **how)

    def tls(self, name=None):
        certificate, key = self.certificates[name] if name else (None, None)
        return {"ca_certs": self.authority.ca, "certfile": certificate, "keyfile": key}

    def entered(self, *arguments, **how):
        """A client that is connected."""

        def attempt():
            client = self.with_certificate(*arguments, **how)
            return client.connect(), client

        return self._decided(attempt)

    def with_certificate(self, client_id, name="device-1", *, port=None, password=None, username=None, **how):
        client = Client(port or self.required, client_id, password, username, tls=self.tls(name), **how)
        self.addCleanup(client.close)
        return client


class CertificateTest(TlsTest):
    options = {"certificate": "on", "channel": "secure"}
    settings = {"certificate_identity": "user/${cn}", "allow_plaintext": "false"}

    def test_P1_28_a_certificate_is_a_login(self):
        for version in (4, 5):
            client = self.entered(f"certificate-{version}", version=version)
            client.subscribe("certificate/a")
            self.assertEqual(client.publish("certificate/a"), 0)
            self.assertEqual(client.receive().topic, "certificate/a")
            self.broker.wait_name(f"certificate-{version}", "device-1")

    def test_a_certificate_for_nobody_is_refused(self):
        self.assert_answer(REFUSED, lambda: self.with_certificate("unknown", "unknown", version=5).connect())

    def test_a_token_beside_a_certificate_says_who_it_is(self):
        client = self.entered("both", password=token(self.other), username="x", version=5)
        self.assertEqual(client.publish("two"), 0)
        self.assertEqual(client.publish("one"), REFUSED)

    def test_a_wrong_token_is_not_made_good_by_a_certificate(self):
        wrong = token(Key(self.other.id, "x" * 40))
        self.assert_answer(REFUSED, lambda: self.with_certificate("wrong", password=wrong, username="x", version=5).connect())

    def test_a_certificate_counts_where_it_is_required_only(self):
        """The broker does not ask for one elsewhere."""
        self.assert_answer(REFUSED, lambda: self.with_certificate("offered", port=self.offered, version=5).connect())

    def test_a_token_logs_in_over_tls(self):
        self.connected("tls-token", self.key, port=self.offered, tls=self.tls())

    def test_a_listener_that_asks_no_plugin_gives_no_rights(self):
        """use_identity_as_username lets in whoever has a certificate; nothing
        was proven here then, and nothing is allowed."""
        for n in range(5):
            # At an address that has just been somebody's.
            before = self.entered(f"mapped-{n}", version=5)
            before.close()
            client = self.entered(f"mapped-{n}", port=self.mapped, version=5)
            self.assertEqual(client.publish("one"), REFUSED)
            self.assertEqual(client.subscribe("one"), REFUSED)

    def test_a_reload_keeps_clients_without_a_user_name(self):
        """With allow_anonymous false the broker throws out who has none."""
        client = self.entered("reloaded")
        self.broker.reload()
        client.subscribe("reloaded/a")
        client.publish("reloaded/a")
        self.assertEqual(client.receive().topic, "reloaded/a")


class ChannelOfCertificatesTest(TlsTest):
    """Nothing is said of the channel: a certificate has come through TLS, of a
    token nothing is known."""

    options = {"certificate": "on"}
    settings = {"certificate_identity": "user/${cn}", "allow_plaintext": "false"}

    def test_a_certificate_shows_that_its_channel_is_secure(self):
        self.entered("shown")
        self.assert_answer(REFUSED, lambda: self.with_certificate("token", password=token(self.key), username="x", version=5).connect())


class CertificateOffTest(TlsTest):
    """Certificates count only when switched on."""

    options = {"channel": "secure"}
    settings = {"allow_plaintext": "false"}

    def test_a_certificate_is_refused_when_switched_off(self):
        self.assert_answer(REFUSED, lambda: self.with_certificate("off", version=5).connect())
