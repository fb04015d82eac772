# SPDX-License-Identifier: Apache-2.0
"""Tokens as the signers for Amazon MSK make them: a presigned URL in base64url.

Written out, so that a test can also make wrong ones."""

import base64
import datetime
import hashlib
import hmac
import urllib.parse

REGION = "us-east-1"


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def presign(key, *, at=None, expires=900, region=REGION, service="kafka-cluster", action="kafka-cluster:Connect", host=None):
    """A presigned URL. `at` is when it is signed, a datetime in UTC."""
    at = at or datetime.datetime.now(datetime.timezone.utc)
    host = host or f"kafka.{region}.amazonaws.com"
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    scope = f"{day}/{region}/{service}/aws4_request"
    query = {
        "Action": action,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key.id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": "host",
    }
    if key.token:
        query["X-Amz-Security-Token"] = key.token
    text = "&".join(f"{n}={urllib.parse.quote(v, safe='-_.~')}" for n, v in sorted(query.items()))
    canonical = f"GET\n/\n{text}\nhost:{host}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = f"AWS4{key.secret}".encode()
    for part in (day, region, service, "aws4_request"):
        secret = _hmac(secret, part)
    signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"https://{host}/?{text}&X-Amz-Signature={signature}&User-Agent=tests%2F1"


def token(key, **how):
    """The token clients send as password."""
    return base64.urlsafe_b64encode(presign(key, **how).encode()).rstrip(b"=").decode()
