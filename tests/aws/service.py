# SPDX-License-Identifier: Apache-2.0
"""A real service over TLS, and the clients people have for it."""

import configparser
import json
import os
import pathlib
import re
import selectors
import subprocess
import tempfile

import boto3
import botocore.config
import botocore.exceptions

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("STANDIN_PROGRAM", ROOT / "build/bin/standin"))
ACCOUNT = "123456789012"
REGION = "us-east-1"

ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
READ = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "kafka-cluster:ReadData", "Resource": "arn:aws:kafka:*:*:topic/*"},
}


def trust(principal, action="sts:AssumeRole", condition=None):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]})


def allow(*actions, resource="*"):
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}
    )


class Service:
    """`standin serve` on a store of its own."""

    def __init__(self, *options):
        self.dir = tempfile.TemporaryDirectory(prefix="standin-aws-")
        self.path = pathlib.Path(self.dir.name) / "s"
        subprocess.run(
            [PROGRAM, "init", "--dir", self.path, "--account", ACCOUNT, "--host", "localhost"], check=True, capture_output=True
        )
        self.ca = self.path / "ca.pem"
        keys = configparser.ConfigParser()
        keys.read(self.path / "admin.credentials")
        self.admin = {name: keys["default"][name] for name in ("aws_access_key_id", "aws_secret_access_key")}
        options = [option.replace("DIR", str(self.path)) for option in options]
        self.process = subprocess.Popen(
            [PROGRAM, "--store", self.path / "store.db", "serve", "--listen", "127.0.0.1:0",
             "--tls-cert", self.path / "broker.pem", "--tls-key", self.path / "broker.pem", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.url = self._address()

    def _address(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout=60):
                raise RuntimeError("the service says nothing")
        line = self.process.stdout.readline()
        found = re.search(r"https://127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"the service did not start: {line}{self.process.stderr.read()}")
        return f"https://localhost:{found.group(1)}"

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=60)
        self.dir.cleanup()

    def standin(self, *arguments):
        """Runs the program on the store, beside the service."""
        done = subprocess.run(
            [PROGRAM, "--store", self.path / "store.db", "--output", "json", *arguments], check=True, capture_output=True, text=True
        )
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def client(self, name, keys=None, **config):
        return boto3.client(
            name, region_name=REGION, endpoint_url=self.url, verify=str(self.ca),
            config=botocore.config.Config(retries={"total_max_attempts": 1}, **config), **(self.admin if keys is None else keys)
        )

    def environment(self, keys=None):
        """What the AWS tools read of their environment."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return clean | {
            "AWS_ENDPOINT_URL_IAM": self.url, "AWS_ENDPOINT_URL_STS": self.url, "AWS_CA_BUNDLE": str(self.ca),
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_MAX_ATTEMPTS": "1",
        } | {k.upper(): v for k, v in (self.admin if keys is None else keys).items()}

    def user(self, name, *documents, **more):
        """A user with these inline policies, and its keys."""
        iam = self.client("iam")
        iam.create_user(UserName=name, **more)
        for number, document in enumerate(documents):
            iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=document)
        return keys_of(iam.create_access_key(UserName=name)["AccessKey"])


def keys_of(answer):
    """Keys as clients take them, of an answer of IAM or STS."""
    keys = {"aws_access_key_id": answer["AccessKeyId"], "aws_secret_access_key": answer["SecretAccessKey"]}
    return keys | ({"aws_session_token": answer["SessionToken"]} if "SessionToken" in answer else {})


def code_of(call, **arguments):
    """The code of the error a call ends with."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None
