#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signs logins with botocore, one a line.

Arguments: FORM (msk or token), a credentials file, host, region, and how many.
They differ by their dates, which go back from now second by second."""

import base64
import configparser
import datetime
import json
import sys
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials


def main():
    form, file, host, region, count = sys.argv[1:6]
    profile = configparser.ConfigParser()
    profile.read(file)
    section = profile[profile.sections()[0]]
    credentials = botocore.credentials.Credentials(
        section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token")
    )
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)
    for n in range(int(count)):
        when = now - datetime.timedelta(seconds=n % 30)
        botocore.auth.get_current_datetime = lambda *_, **__: when
        params = {"Action": "kafka-cluster:Connect"}
        if form == "token":
            params["User-Agent"] = "sign.py"
        request = botocore.awsrequest.AWSRequest(method="GET", url=f"https://{host}/", params=params)
        botocore.auth.SigV4QueryAuth(credentials, "kafka-cluster", region, expires=900).add_auth(request)
        if form == "token":
            print(base64.urlsafe_b64encode(request.url.encode()).decode().rstrip("="))
            continue
        query = urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query, keep_blank_values=True)
        message = {"version": "2020_10_22", "host": host, "user-agent": "sign.py"}
        message.update({name.lower(): value for name, value in query})
        print(json.dumps(message))


if __name__ == "__main__":
    main()
