# SPDX-License-Identifier: Apache-2.0
"""Processor time of a stock Mosquitto per message, per delivery and per login:
with nothing, a plugin that does nothing, the broker's own files and plugin, and
Standin with as many rules. All run at once and are measured in turns.

    bench.py [--effort quick|normal|full] [--json FILE] NOTHING_PLUGIN"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "test"))

from broker import Broker, plugin_lines  # noqa: E402
from clients import Bare, _length, _string  # noqa: E402
from house import CONNECT, Store, allow  # noqa: E402
from tokens import token  # noqa: E402

SIZES = (10, 1000, 10000)
DYNSEC = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"
PASSWORD = "bench-password"
WINDOW = 200  # messages under way at once
SUBSCRIBERS = 50
# Rounds; messages to one, messages to many and logins in each.
EFFORTS = {"quick": (3, 4000, 400, 200), "normal": (7, 20000, 2000, 500), "full": (15, 40000, 4000, 1000)}


class Subject:
    """A broker, and how to log in to it."""

    def __init__(self, name, directory, lines, password=PASSWORD, username="bench"):
        self.name, self.username, self.password = name, username, password
        lines = ["max_queued_messages 0", "log_type information", "sys_interval 0", *lines]
        self.broker = Broker(None, directory=directory, lines=lines, plugin=[])
        task = self.broker.process.pid
        self._schedstat = pathlib.Path(f"/proc/{task}/task/{task}/schedstat")

    def cpu(self):
        """Nanoseconds that the broker's thread has run."""
        return int(self._schedstat.read_text().split()[0])

    def client(self, client_id):
        client = Bare(self.broker.port, client_id, version=4)
        for _ in range(50):
            if client.connect(self.username, self.password() if callable(self.password) else self.password) == 0:
                return client
            client = Bare(self.broker.port, client_id, version=4)
        raise AssertionError(f"{self.name}: no login")

    def subscribe(self, client):
        client.send(0x82, b"\0\1" + _string("bench/#") + b"\0")
        assert client.read()[1][-1] == 0, f"{self.name}: subscription refused"


def _publish(topic, payload=b"x" * 32):
    body = _string(topic) + payload
    return bytes([0x30]) + _length(len(body)) + body


def _take(client, size):
    while size:
        size -= len(client.socket.recv(min(size, 1 << 16)))


def messages(subject, subscribers, count):
    """Nanoseconds of the broker per message to this many subscribers."""
    readers = [subject.client(f"reader-{n}") for n in range(subscribers)]
    for reader in readers:
        subject.subscribe(reader)
    writer = subject.client("writer")
    packet = _publish("bench/room/temperature")
    window = max(1, WINDOW // subscribers)

    def run(total):
        for _ in range(total // window):
            writer.socket.sendall(packet * window)
            for reader in readers:
                _take(reader, len(packet) * window)

    run(window * 10)
    before = subject.cpu()
    run(count)
    spent = subject.cpu() - before
    for client in (*readers, writer):
        client.close()
    return spent / (count // window * window)


def logins(subject, count):
    """Nanoseconds of the broker per connection with a login."""
    subject.client("warm").close()
    before = subject.cpu()
    for n in range(count):
        subject.client(f"login-{n % 16}").close()
    return (subject.cpu() - before) / count


def _acl_file(path, rules):
    lines = ["user bench", *(f"topic readwrite other/{n}/#" for n in range(rules - 1)), "topic readwrite bench/#"]
    path.write_text("\n".join(lines) + "\n")
    return ["allow_anonymous true", f"acl_file {path}"]


def _dynsec(path, rules):
    def kind(name):
        return [{"acltype": name, "topic": topic, "priority": 0, "allow": True} for topic in [*(f"other/{n}/#" for n in range(rules - 1)), "bench/#"]]

    salt = os.urandom(12)
    hashed = hashlib.pbkdf2_hmac("sha512", PASSWORD.encode(), salt, 101)
    client = {"username": "bench", "password": base64.b64encode(hashed).decode(), "salt": base64.b64encode(salt).decode(), "iterations": 101,
              "roles": [{"rolename": "bench"}]}
    acls = [*kind("publishClientSend"), *kind("publishClientReceive"), {"acltype": "subscribePattern", "topic": "#", "priority": 0, "allow": True}]
    access = {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True}
    path.write_text(json.dumps({"clients": [client], "roles": [{"rolename": "bench", "acls": acls}], "defaultACLAccess": access}))
    return [f"plugin {DYNSEC}", f"plugin_opt_config_file {path}"]


def _standin(store, rules):
    name = f"bench-{rules}"
    topics = [*(f"topic/other/{n}/*" for n in range(rules - 1)), "topic/bench/*"]
    statements = [allow(["Publish", "Receive"], topics[n : n + 50]) for n in range(0, rules, 50)]
    key = store.user(name, CONNECT, allow("Subscribe", "topicfilter/bench/*"))
    for n in range(0, len(statements), 20):
        store.policy(f"{name}-{n}", *statements[n : n + 20])
        store.standin("policy", "attach", f"{name}-{n}", "--user", name)
    signed = token(key)
    return plugin_lines(store.config(), login_wait_ms="1000"), signed


def subjects(root, store, nothing, made):
    """Starts them; those that run are in `made`, also when the next does not."""

    def place(name):
        path = root / name
        path.mkdir()
        return path

    passwords = root / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "bench", PASSWORD], check=True)
    made.append(Subject("no plugin", place("none"), ["allow_anonymous true"]))
    made.append(Subject("plugin doing nothing", place("nothing"), [f"plugin {nothing}"]))
    threaded = [f"plugin {nothing}", "plugin_opt_thread sleeps"]
    made.append(Subject("nothing, and a thread", place("thread"), threaded))
    apart = [f"plugin {nothing}", "plugin_opt_thread apart"]
    made.append(Subject("nothing, thread apart", place("apart"), apart))
    made.append(Subject("password_file", place("password"), [f"password_file {passwords}"]))
    for rules in SIZES:
        path = place(f"acl-{rules}")
        made.append(Subject(f"acl_file {rules}", path, _acl_file(path / "acl", rules)))
        path = place(f"dynsec-{rules}")
        made.append(Subject(f"dynamic-security {rules}", path, _dynsec(path / "dynsec.json", rules)))
        lines, signed = _standin(store, rules)
        made.append(Subject(f"Standin {rules}", place(f"standin-{rules}"), lines, signed))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--effort", choices=EFFORTS, default="normal")
    options.add_argument("--json")
    options.add_argument("nothing")
    chosen = options.parse_args()
    rounds, count, fanned, connects = EFFORTS[chosen.effort]
    measures = {
        "1 to 1": lambda s: messages(s, 1, count),
        f"1 to {SUBSCRIBERS}": lambda s: messages(s, SUBSCRIBERS, fanned),
        "login": lambda s: logins(s, connects),
    }
    store = Store()
    with tempfile.TemporaryDirectory(prefix="bench-") as root:
        made = []
        try:
            subjects(pathlib.Path(root), store, chosen.nothing, made)
            spent = {(s.name, m): [] for s in made for m in measures}
            for _ in range(rounds):
                for name, measure in measures.items():
                    for subject in made:
                        spent[subject.name, name].append(measure(subject))
        finally:
            for subject in made:
                subject.broker.stop()
    store.close()
    report(made, measures, spent)
    if chosen.json:
        rows = [{"subject": s, "measure": m, "ns": sorted(times)} for (s, m), times in spent.items()]
        pathlib.Path(chosen.json).write_text(json.dumps(rows, indent=1))


def report(made, measures, spent):
    print("Processor time of the broker in microseconds, lowest (median) of the rounds, and what it is of the plugin")
    print("that does nothing; \"1 to N\" is one message of QoS 0 to N subscribers.")
    print(f"{'':24}" + "".join(f"{name:>30}" for name in measures))
    least = {m: min(spent["plugin doing nothing", m]) for m in measures}
    for subject in made:
        cells = []
        for measure in measures:
            times = spent[subject.name, measure]
            cells.append(f"{min(times) / 1000:10.2f} ({statistics.median(times) / 1000:8.2f}) {min(times) / least[measure]:7.3f}")
        print(f"{subject.name:24}" + "".join(f"{cell:>30}" for cell in cells))
    extra = (SUBSCRIBERS + 1) * 1.0
    many = f"1 to {SUBSCRIBERS}"
    print(f"\nNanoseconds per check, above the plugin that does nothing, from {many}:")
    for subject in made[1:]:
        print(f"{subject.name:24}{(min(spent[subject.name, many]) - least[many]) / extra:10.0f}")


if __name__ == "__main__":
    main()
