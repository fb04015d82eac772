#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logins signed by botocore, one JSON object a line: an independent signer for
the verifier's tests. Arguments: how many, and a seed."""

import datetime
import json
import random
import string
import sys
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

EXPIRES = [1, 60, 300, 899, 900]


def case(chance):
    def text(alphabet, least, most):
        return "".join(chance.choice(alphabet) for _ in range(chance.randint(least, most)))

    letters = string.ascii_letters + string.digits
    key = text(string.ascii_uppercase + string.digits, 16, 24)
    secret = text(letters + "/+", 40, 40)
    token = text(letters + "/+=", 20, 1200) if chance.random() < 0.5 else None
    host = ".".join(text(string.ascii_lowercase + string.digits, 1, 12) for _ in range(chance.randint(1, 5)))
    region = chance.choice(["us-east-1", "eu-central-1", "ap-southeast-2", "my-cluster-3"])
    when = datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=chance.randrange(10 * 365 * 86400))
    expires = chance.choice(EXPIRES)

    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return when

        @classmethod
        def now(cls, tz=None):
            return when.replace(tzinfo=tz)

    # botocore reads its clock through one of these, depending on its version.
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda *_, **__: when
    if hasattr(botocore.auth, "datetime"):
        botocore.auth.datetime = type("fixed", (), {"datetime": Clock, "timezone": datetime.timezone})
    request = botocore.awsrequest.AWSRequest(
        method="GET", url=f"https://{host}/", params={"Action": "kafka-cluster:Connect"}
    )
    credentials = botocore.credentials.Credentials(key, secret, token)
    botocore.auth.SigV4QueryAuth(credentials, "kafka-cluster", region, expires=expires).add_auth(request)
    query = urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query, keep_blank_values=True)
    message = {"version": "2020_10_22", "host": host, "user-agent": "botocore"}
    message.update({name.lower(): value for name, value in query})
    assert message["x-amz-date"] == when.strftime("%Y%m%dT%H%M%SZ"), "the clock was not taken"
    return {"secret": secret, "region": region, "day": when.strftime("%Y%m%d"), "message": message, "url": request.url}


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)
    for _ in range(count):
        print(json.dumps(case(chance), sort_keys=True))


if __name__ == "__main__":
    main()
