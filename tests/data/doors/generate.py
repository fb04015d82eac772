#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes cases.txt: users with their policies, and what they are answered. The
answers come from the second opinion in tests/oracle, not from the library."""

import ipaddress
import json
import pathlib
import sys

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent.parent / "oracle"))
import iam_oracle  # noqa: E402

CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/c/u-1"
TOPICS = CLUSTER.replace(":cluster/", ":topic/")
GROUPS = CLUSTER.replace(":cluster/", ":group/")
CONNECT = {"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": "*"}


def allow(action, resource, condition=None, effect="Allow"):
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return statement


USERS = {
    "plain": [
        allow(["kafka-cluster:WriteData", "kafka-cluster:Describe*"], f"{TOPICS}/orders-*"),
        allow("kafka-cluster:*", f"{TOPICS}/orders-secret*", effect="Deny"),
        allow("kafka-cluster:AlterGroup", f"{GROUPS}/g?"),
    ],
    "near": [
        allow("kafka-cluster:ReadData", f"{TOPICS}/*", {"IpAddress": {"aws:SourceIp": ["192.0.2.0/28", "2001:db8::/32"]}}),
        allow("kafka-cluster:WriteData", "*", {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/28"}}),
    ],
    "sealed": [
        allow("kafka-cluster:*Data", f"{TOPICS}/*", {"Bool": {"aws:SecureTransport": "true"}}),
        allow("*", "*", {"StringNotEquals": {"standin:Listener": "CLIENT"}}, "Deny"),
    ],
    "named": [
        allow("kafka-cluster:*Data", f"{TOPICS}/*", {"StringLike": {"standin:ClientId": "app-*"}}),
        allow("kafka-cluster:ReadData", f"{TOPICS}/*", {"StringEquals": {"standin:ClientId": "app-7"}}, "Deny"),
    ],
    "own": [
        allow("kafka-cluster:*", [f"{TOPICS}/home-${{aws:username}}-*", f"{TOPICS}/größe", f"{TOPICS}/a:b"]),
    ],
    "but": [
        {"Effect": "Allow", "NotAction": ["kafka-cluster:Delete*", "kafka-cluster:AlterGroup"], "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "NotResource": [f"{TOPICS}/*", CLUSTER]},
    ],
    "all": [allow("*", "*")],
    "nothing": [],
}
NAMES = {
    "topic": ["orders-1", "orders-secret-1", "ORDERS-1", "orders", "home-own-1", "home-plain-1", "größe", "a:b", "or ders"],
    "group": ["g1", "g12"],
    "cluster": [""],
}
ACTIONS = {
    "topic": ["kafka-cluster:WriteData", "kafka-cluster:ReadData", "kafka-cluster:DescribeTopic", "kafka-cluster:DeleteTopic"],
    "group": ["kafka-cluster:AlterGroup"],
    "cluster": ["kafka-cluster:DescribeCluster"],
}
# Session's address, listener, TLS; the request's own address and client id.
PLACES = [
    ("192.0.2.7", "CLIENT", "1", "", "app-1"),
    ("192.0.2.7", "CLIENT", "0", "", "app-7"),
    ("198.51.100.1", "OTHER", "1", "", "web"),
    ("198.51.100.1", "CLIENT", "1", "192.0.2.9", ""),
    ("2001:db8::5", "CLIENT", "1", "", "app-1"),
]


def resource(kind, name):
    return CLUSTER if kind == "cluster" else f"{TOPICS if kind == 'topic' else GROUPS}/{name}"


def answer(user, place, action, kind, name):
    address, listener, tls, own, client = place
    source = own or address
    case = {
        "policies": [{"Version": "2012-10-17", "Statement": [CONNECT, *USERS[user]]}],
        "principal": {"arn": f"arn:aws:iam::000000000000:user/{user}", "tags": {}},
        "action": action,
        "resource": resource(kind, name),
        "context": {
            "aws:SourceIp": str(ipaddress.ip_address(source)),
            "aws:SecureTransport": "true" if tls == "1" else "false",
            "standin:Listener": listener,
            **({"standin:ClientId": client} if client else {}),
        },
    }
    decided = iam_oracle.decide(case)
    assert decided is not None, f"the documentation does not say: {case}"
    return "allow" if decided == "allowed" else "deny"


def may_connect(user, place):
    return answer(user, place, "kafka-cluster:Connect", "cluster", "") == "allow"


def cases():
    for user in USERS:
        for place in PLACES:
            if not may_connect(user, place):
                continue
            for kind, actions in ACTIONS.items():
                for action in actions:
                    for name in NAMES[kind]:
                        outcome = answer(user, place, action, kind, name)
                        yield outcome, f"{user} | {' | '.join(place)} | {action} | {kind} | {name} => {outcome}"


def some(lines, count):
    """So many of them, evenly."""
    return {lines[n * len(lines) // count] for n in range(count)}


def main():
    lines = [
        "# Written by generate.py; the answers are those of tests/oracle. Every door",
        "# reads this file and has to give the same ones.",
        "# user NAME: POLICY",
        "# user | address | listener | TLS | request's address | client id | action | type | resource => answer",
    ]
    for user, statements in USERS.items():
        policy = {"Version": "2012-10-17", "Statement": [CONNECT, *statements]}
        lines.append(f"user {user}: {json.dumps(policy, ensure_ascii=False)}")
    asked = list(cases())
    chosen = some([line for outcome, line in asked if outcome == "allow"], 110)
    chosen |= some([line for outcome, line in asked if outcome == "deny"], 90)
    lines += [line for _, line in asked if line in chosen]
    (here / "cases.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
