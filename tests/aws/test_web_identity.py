# SPDX-License-Identifier: Apache-2.0
"""Roles assumed by tokens of an OpenID Connect provider, which is a real HTTPS
server here."""

import base64
import http.server
import json
import os
import pathlib
import ssl
import tempfile
import threading
import time
import unittest
from unittest import mock

import boto3
import botocore
import rsa

from service import ACCOUNT, Service, allow, code_of, keys_of, trust


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider:
    """An identity provider on localhost, with the certificate of the service."""

    def __init__(self, service):
        self.public, self.key = rsa.newkeys(2048)
        self.asked, self.keys_id, self.broken = [], "k1", False
        handler = type("Handler", (http.server.BaseHTTPRequestHandler,), {"do_GET": lambda request: self._answer(request), "log_message": lambda *_: None})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(service.path / "broker.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.issuer = f"localhost:{self.server.server_port}/realm"

    def _answer(self, request):
        self.asked.append(request.path)
        width = (self.public.n.bit_length() + 7) // 8
        pages = {
            "/realm/.well-known/openid-configuration": {"issuer": f"https://{self.issuer}", "jwks_uri": f"https://{self.issuer}/keys"},
            "/realm/keys": {"keys": [{
                "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.keys_id,
                "n": b64(self.public.n.to_bytes(width, "big")), "e": b64(self.public.e.to_bytes(3, "big")),
            }]},
        }
        page = None if self.broken else pages.get(request.path)
        body = json.dumps(page).encode()
        request.send_response(200 if page else 500)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def token(self, algorithm="RS256", kid="k1", **claims):
        now = int(time.time())
        claims = {"iss": f"https://{self.issuer}", "sub": "system:pod:a", "aud": "kafka", "iat": now, "exp": now + 300} | claims
        claims = {k: v for k, v in claims.items() if v is not None}
        text = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": algorithm, "kid": kid, "typ": "JWT"}, claims))
        return f"{text}.{b64(rsa.sign(text.encode(), self.key, 'SHA-256'))}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class WebIdentity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service("--oidc-ca", "DIR/ca.pem")
        cls.addClassCleanup(cls.service.close)
        cls.provider = Provider(cls.service)
        cls.addClassCleanup(cls.provider.close)
        cls.iam = cls.service.client("iam")
        cls.arn = cls.iam.create_open_id_connect_provider(Url=f"https://{cls.provider.issuer}", ClientIDList=["kafka", "other"])[
            "OpenIDConnectProviderArn"
        ]
        issuer = cls.provider.issuer
        condition = {"StringEquals": {f"{issuer}:aud": "kafka"}, "StringLike": {f"{issuer}:sub": "system:pod:*"}}
        document = trust({"Federated": cls.arn}, "sts:AssumeRoleWithWebIdentity", condition)
        cls.role = cls.iam.create_role(RoleName="pod", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        cls.iam.put_role_policy(RoleName="pod", PolicyName="p", PolicyDocument=allow("iam:ListUsers"))
        # Nobody signs: the token alone says who asks.
        cls.sts = cls.service.client("sts", {}, signature_version=botocore.UNSIGNED)

    def assume(self, token, role=None):
        return self.sts.assume_role_with_web_identity(RoleArn=role or self.role, RoleSessionName="pod-a", WebIdentityToken=token)

    def refused(self, token, role=None):
        return code_of(self.assume, token=token, role=role)

    def test_a_token_assumes_the_role_that_trusts_its_provider(self):
        answer = self.assume(self.provider.token())
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/pod-a")
        self.assertEqual((answer["SubjectFromWebIdentityToken"], answer["Audience"], answer["Provider"]), ("system:pod:a", "kafka", self.arn))
        session = keys_of(answer["Credentials"])
        self.service.client("iam", session).list_users()
        self.assertEqual(code_of(self.service.client("iam", session).list_roles), "AccessDenied")
        # The keys are fetched once for all.
        before = len(self.provider.asked)
        for _ in range(3):
            self.assume(self.provider.token(aud=["x", "kafka"]))
        self.assertEqual(len(self.provider.asked), before)
        record = [r for r in self.service.standin("audit") if r["activity_name"] == "AssumeRoleWithWebIdentity"][0]
        self.assertIn("system:pod:a", record["actor"]["user"]["uid"])

    def test_what_a_token_has_to_say(self):
        token, now = self.provider.token, int(time.time())
        self.assertEqual(self.refused(token(exp=now - 120)), "ExpiredTokenException")
        self.assertEqual(self.refused(token(nbf=now + 600)), "InvalidIdentityToken")
        self.assertEqual(self.refused(token(exp=None)), "InvalidIdentityToken")
        self.assertEqual(self.refused(token(aud="strange")), "InvalidIdentityToken")
        self.assertEqual(self.refused(token(azp="strange")), "InvalidIdentityToken")
        self.assertEqual(self.refused(token(iss="https://elsewhere.example.com")), "InvalidIdentityToken")
        self.assertEqual(self.refused(token(iss=f"https://{self.provider.issuer}/")), "InvalidIdentityToken")
        self.assertEqual(self.refused("no.token"), "InvalidIdentityToken")
        # For a client that the provider has, but the trust policy does not name.
        self.assertEqual(self.refused(token(aud="other")), "AccessDenied")
        self.assertEqual(self.refused(token(sub="system:node:a")), "AccessDenied")
        self.assertEqual(self.refused(token(), self.role + "x"), "AccessDenied")

    def test_a_signature_is_what_counts(self):
        token = self.provider.token()
        head, claims, signature = token.split(".")
        forged = json.loads(base64.urlsafe_b64decode(claims + "=="))
        forged = b64(json.dumps(forged | {"sub": "system:pod:b"}).encode())
        self.assertEqual(self.refused(f"{head}.{forged}.{signature}"), "InvalidIdentityToken")
        self.assertEqual(self.refused(f"{head}.{claims}."), "InvalidIdentityToken")
        none = b64(json.dumps({"alg": "none"}).encode())
        self.assertEqual(self.refused(f"{none}.{claims}."), "InvalidIdentityToken")
        for algorithm in ("HS256", "ES256", "RS512"):
            self.assertEqual(self.refused(self.provider.token(algorithm)), "InvalidIdentityToken", algorithm)

    def test_a_trust_policy_has_to_name_the_provider(self):
        for name, document in {
            "other-provider": trust({"Federated": self.arn + "x"}, "sts:AssumeRoleWithWebIdentity"),
            "account": trust({"AWS": ACCOUNT}, "sts:AssumeRoleWithWebIdentity"),
            "everyone": trust("*", "sts:*"),
            "other-action": trust({"Federated": self.arn}, "sts:AssumeRole"),
        }.items():
            role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
            self.assertEqual(self.refused(self.provider.token(), role), "AccessDenied", name)

    def test_the_sdk_shows_its_token_by_itself(self):
        with tempfile.TemporaryDirectory() as place:
            file = pathlib.Path(place) / "token"
            file.write_text(self.provider.token())
            environment = {k: v for k, v in self.service.environment().items() if "ACCESS_KEY" not in k} | {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": self.role, "AWS_ROLE_SESSION_NAME": "by-itself",
            }
            with mock.patch.dict(os.environ, environment, clear=True):
                who = boto3.Session().client("sts").get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/by-itself")

    def test_zz_without_its_keys_nothing_is_believed(self):
        """Last, because the provider is asked again only after a while."""
        provider = Provider(self.service)
        self.addCleanup(provider.close)
        arn = self.iam.create_open_id_connect_provider(Url=f"https://{provider.issuer}", ClientIDList=["kafka"])["OpenIDConnectProviderArn"]
        document = trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity")
        role = self.iam.create_role(RoleName="broken", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        provider.broken = True
        self.assertEqual(self.refused(provider.token(), role), "IDPCommunicationError")
        asked = len(provider.asked)
        provider.broken = False
        self.assertEqual(self.refused(provider.token(), role), "IDPCommunicationError")
        self.assertEqual(len(provider.asked), asked)
