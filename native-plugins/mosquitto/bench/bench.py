# SPDX-License-Identifier: Apache-2.0
"""Processor time of a stock Mosquitto per message, per delivery and per login:
with nothing, a plugin that does nothing, the broker's own files and plugin, and
Standin with as many rules. All run at once and are measured in turns, and all are
started anew several times: two processes of one broker differ by some percent for as
long as they live, by where their memory lies.

    bench.py [--effort quick|normal|full] [--json FILE] NOTHING_PLUGIN"""

import argparse
import base64
import hashlib
import json
import math
import os
import pathlib
import random
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
# How often brokers are started, and those with many rules; rounds each time;
# messages to one, messages to many and logins in each round.
EFFORTS = {
    "quick": (2, 2, 1, 4000, 400, 200),
    "normal": (8, 2, 2, 20000, 2000, 500),
    "full": (24, 3, 2, 20000, 2000, 500),
}


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


def prepare(root, store, nothing):
    """What is compared: names, how many rules, lines of the configuration, the
    password when it is no common one."""
    passwords = root / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "bench", PASSWORD], check=True)
    found = [
        ("no plugin", 0, ["allow_anonymous true"]),
        ("plugin doing nothing", 0, [f"plugin {nothing}"]),
        ("nothing, and a thread", 0, [f"plugin {nothing}", "plugin_opt_thread sleeps"]),
        ("nothing, thread apart", 0, [f"plugin {nothing}", "plugin_opt_thread apart"]),
        ("password_file", 0, [f"password_file {passwords}"]),
    ]
    for rules in SIZES:
        found.append((f"acl_file {rules}", rules, _acl_file(root / f"acl-{rules}", rules)))
        found.append((f"dynamic-security {rules}", rules, _dynsec(root / f"dynsec-{rules}.json", rules)))
        found.append((f"Standin {rules}", rules, *_standin(store, rules)))
    return found


def live(root, chosen, measures, rounds):
    """Nanoseconds of each subject and measure, of brokers that are started for it."""
    spent = {(name, m): [] for name, *_ in chosen for m in measures}
    started = []
    try:
        for n, (name, _, lines, *password) in enumerate(chosen):
            place = root / f"broker-{n}"
            place.mkdir(exist_ok=True)
            started.append(Subject(name, place, lines, *password))
        for _ in range(rounds):
            for m, measure in measures.items():
                for subject in started:
                    spent[subject.name, m].append(measure(subject))
    finally:
        for subject in started:
            subject.broker.stop()
    return spent


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--effort", choices=EFFORTS, default="normal")
    options.add_argument("--json")
    options.add_argument("nothing")
    chosen = options.parse_args()
    lives, many, rounds, count, fanned, connects = EFFORTS[chosen.effort]
    measures = {
        "1 to 1": lambda s: messages(s, 1, count),
        f"1 to {SUBSCRIBERS}": lambda s: messages(s, SUBSCRIBERS, fanned),
        "login": lambda s: logins(s, connects),
    }
    store = Store()
    with tempfile.TemporaryDirectory(prefix="bench-") as root:
        root = pathlib.Path(root)
        found = prepare(root, store, chosen.nothing)
        spent = {}
        for life in range(lives):
            present = [one for one in found if one[1] <= SIZES[0] or life < many]
            random.shuffle(present)
            for key, times in live(root, present, measures, rounds).items():
                spent.setdefault(key, []).append(min(times))
    store.close()
    names = [name for name, *_ in found]
    report(names, measures, spent)
    if chosen.json:
        rows = [{"subject": s, "measure": m, "ns": times} for (s, m), times in spent.items()]
        pathlib.Path(chosen.json).write_text(json.dumps(rows, indent=1))


def _ratio(times, base):
    """Of the means, and the standard error of that."""
    mean, below = statistics.mean(times), statistics.mean(base)
    if len(times) < 2 or len(base) < 2:
        return mean / below, math.nan
    part = [statistics.stdev(t) / statistics.mean(t) / math.sqrt(len(t)) for t in (times, base)]
    return mean / below, math.hypot(*part) * mean / below


def report(names, measures, spent):
    print("Processor time of the broker in microseconds, the lowest of each broker's rounds: lowest and mean of all")
    print("brokers, and what the mean is of the plugin's that does nothing, with its standard error. \"1 to N\" is one")
    print("message of QoS 0 to N subscribers.")
    print(f"{'':24}" + "".join(f"{m:>36}" for m in measures))
    for name in names:
        cells = []
        for m in measures:
            times = spent[name, m]
            ratio, error = _ratio(times, spent["plugin doing nothing", m])
            cells.append(f"{min(times) / 1000:9.2f} {statistics.mean(times) / 1000:9.2f}  {ratio:6.3f} ±{error:6.3f}")
        print(f"{name:24}" + "".join(f"{cell:>36}" for cell in cells))
    many = f"1 to {SUBSCRIBERS}"
    base = spent["plugin doing nothing", many]
    print(f"\nNanoseconds per check, above the plugin that does nothing, from {many}, by the lowest (by the means):")
    for name in names[1:]:
        times = spent[name, many]
        checks = SUBSCRIBERS + 1
        mean = (statistics.mean(times) - statistics.mean(base)) / checks
        print(f"{name:24}{(min(times) - min(base)) / checks:8.0f} ({mean:.0f})")


if __name__ == "__main__":
    main()
