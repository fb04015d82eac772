# SPDX-License-Identifier: Apache-2.0
"""A store with users, keys and policies, administered as an operator does."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("STANDIN_PROGRAM", str(ROOT / "build/bin/standin"))
PLUGIN = os.environ.get("STANDIN_MOSQUITTO", str(ROOT / "build/mosquitto/standin_mosquitto.so"))
ACCOUNT = "123456789012"
ARN = f"arn:aws:iot:us-east-1:{ACCOUNT}"


@dataclasses.dataclass
class Key:
    id: str
    secret: str
    token: str = ""


def allow(action, resource, **more):
    """A statement; the resource is what follows the account."""
    actions = [action] if isinstance(action, str) else action
    resources = [resource] if isinstance(resource, str) else resource
    full = [r if r.startswith("arn:") or r == "*" else f"{ARN}:{r}" for r in resources]
    return {"Effect": "Allow", "Action": [f"iot:{a}" if ":" not in a and a != "*" else a for a in actions], "Resource": full, **more}


def deny(action, resource, **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


CONNECT = allow("Connect", "client/*")
EVERYTHING = [CONNECT, allow(["Publish", "RetainPublish", "Receive"], "topic/*"), allow("Subscribe", "topicfilter/*")]


def wait_for(condition, seconds=30, what="it"):
    """Waits until the condition holds, and returns what it returned."""
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.01)


class Store:
    """One directory with store, key file and audit; or one that is there."""

    def __init__(self, store=None):
        self.directory = tempfile.TemporaryDirectory(prefix="standin-mosquitto-")
        self.path = pathlib.Path(self.directory.name)
        if not store:
            self._run("init", "--dir", self.path / "standin", "--account", ACCOUNT, "--region", "us-east-1")
        self.store = store or self.path / "standin/store.db"

    def close(self):
        self.directory.cleanup()

    def _run(self, *arguments):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"standin {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def standin(self, *arguments):
        return self._run("--store", self.store, *arguments)

    def user(self, name, *statements):
        """A user with a key and one policy of its own name."""
        self.standin("user", "create", name)
        if statements:
            self.policy(name, *statements)
            self.standin("policy", "attach", self._policy_name(name), "--user", name)
        return self.key(name)

    def key(self, name):
        made = json.loads(self.standin("--output", "json", "key", "create", name))
        return Key(made["id"], made["secret"])

    @staticmethod
    def _policy_name(name):
        return name.replace("+", "-")

    def policy(self, name, *statements):
        """Replaces the policy of a user."""
        file = self.path / f"{self._policy_name(name)}.json"
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        self.standin("policy", "put", self._policy_name(name), file)

    def disable(self, key):
        self.standin("key", "disable", key.id)

    def config(self, name="standin.toml", **settings):
        """The file that plugin_opt_config names. Names are written with _ for a dot;
        what is None is left out."""
        values = {
            "standin.store": str(self.store),
            "standin.namespace": ARN,
            "standin.feed.interval.ms": "20",
            "standin.audit.window.ms": "1000",
            "standin.audit.flush.ms": "100",
            "standin.allow.plaintext": "true",
            "standin.login.wait.ms": "10000",
            **{f"standin.{n.replace('_', '.')}": v for n, v in settings.items()},
        }
        file = self.path / name
        file.write_text("".join(f"{n} = {json.dumps(str(v))}\n" for n, v in values.items() if v is not None))
        return file

    @contextlib.contextmanager
    def held(self):
        """While this lasts nobody can read the store, and whoever tries waits:
        the locks that readers of a store take are held."""
        with open(f"{self.store}-shm", "r+b") as shared:
            fcntl.lockf(shared, fcntl.LOCK_EX, 5, 123)
            try:
                yield
            finally:
                fcntl.lockf(shared, fcntl.LOCK_UN, 5, 123)

    def audit(self, *arguments):
        return self.standin("audit", *arguments)
