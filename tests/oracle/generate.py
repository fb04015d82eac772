# SPDX-License-Identifier: Apache-2.0
"""Makes up questions for `standin policy simulate`: valid ones, of which many match.

Alphabets are small, patterns are made out of the resources and actions that are asked for, and
values of conditions out of the values of the request. A question whose
decision the documentation leaves open (see iam_oracle) is thrown away.
"""

import ipaddress
import random
import re

import iam_oracle

ACCOUNT = "111122223333"
ACTIONS = [
    "kafka-cluster:ReadData",
    "kafka-cluster:WriteData",
    "kafka-cluster:DescribeTopic",
    "kafka-cluster:DescribeTopicDynamicConfiguration",
    "kafka:ReadData",
    "s3:GetObject",
    "s3:GetBucket",
]
ACTION_PATTERNS = [
    "*",
    "kafka-cluster:*",
    "kafka-cluster:*Data",
    "kafka-cluster:*Topic",
    "kafka-cluster:*Topic*",
    "kafka-cluster:?eadData",
    "kafka-cluster:Read?ata*",
    "s3:Get*",
    "s3:*t*",
    "s3:Get??????",
]
RESOURCES = [
    f"arn:aws:kafka:us-east-1:{ACCOUNT}:topic/prod/u-1/orders",
    f"arn:aws:kafka:us-east-1:{ACCOUNT}:topic/prod/u-1/orders.ann",
    f"arn:aws:kafka:us-east-1:{ACCOUNT}:topic/prod/u-1/a:b/c",
    f"arn:aws:kafka:us-east-1:{ACCOUNT}:group/prod/u-1/ann",
    f"arn:aws:kafka:us-west-2:444455556666:topic/Prod/u-2/orders",
    "arn:aws:s3:::box/ann/a",
    "arn:aws:s3:::box/Ann/b",
    "arn:aws:s3:::box/a*n/a",
    "arn:aws:s3:::box/a?n/$",
    "arn:aws:s3:::box/${aws:username}/a",
    "arn:aws:s3:::box/gr\u00fcn/\U0001f642",
    "*",
]
PRINCIPALS = [
    f"arn:aws:iam::{ACCOUNT}:user/ann",
    f"arn:aws:iam::{ACCOUNT}:user/dev/Ann",
    f"arn:aws:iam::{ACCOUNT}:user/a.n",
    f"arn:aws:iam::{ACCOUNT}:role/orders",
]
ARNS = PRINCIPALS + RESOURCES[:6] + ["ann"]
ARNS += ["arn:aws:sns:r:1:q", "arn:aws:sns:r:1:a:1:q", "arn:aws:sns:r:2:x:1:q", "arn:aws:sns::1:x:q"]
STRINGS = ["ann", "Ann", "ANN", "an", "a", "prod", "orders", "a/b", ""]
STRINGS += [ACCOUNT, "a*n", "a?n", "*", "$", "${aws:username}", "gr\u00fcn", "a\U0001f642n", "a\nn"]
NUMBERS = [0, 1, 10, -1, -10, 1.5, 0.1, 9007199254740992, 9007199254740993]
NUMBERS += ["0", "-0", "10", "-1", "1.5", "1.50", "0.10", "0.1000000000000000000001"]
NUMBERS += ["9007199254740993", 123456789012345678901234567890, "123456789012345678901234567891"]
DATES = [
    "2020-01-01T00:00:00Z",
    "2020-01-01",
    "2020-01",
    "2020-02-29",
    "2020-01-01T00:00Z",
    "2020-01-01T01:00:00+01:00",
    "2019-12-31T18:30:00-05:30",
    "2020-01-01T00:00:00.5Z",
    "2020-01-01T00:00:00.500Z",
    "2020-01-01T00:00:01Z",
    "2020-01-01T00:00:00.123456789Z",
    "2020-01-01T00:00:00.123456788Z",
    "0001-01-01",
    "9999-12-31T23:59:59Z",
    "253402300800",
    "1999-12-31T23:59:59Z",
    "1577836800",
    "1577836801",
    1577836800,
    "0",
]
BOOLS = ["true", "false", True, False]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.1.2.3", "192.168.1.7"]
ADDRESSES += ["2001:db8::1", "2001:DB8:0:0:1::2", "::1", "fe80::1"]
NETWORKS = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/31", "10.0.0.1/32", "10.0.0.1", "0.0.0.0/0"]
NETWORKS += ["192.168.1.0/29", "2001:db8::/32", "2001:DB8:0:0:1::/80", "2001:db8::1/128", "2001:0db8::1"]
NETWORKS += ["::/0", "fe80::/10", "::/127"]
BINARIES = ["QmluYXJ5VmFsdWVJbkJhc2U2NA==", "AAEC", "AAEC/w==", "/+8=", "YQ=="]

# IAM does not take other characters in names of users and in tags.
TAG_VALUES = ["ann", "Ann", "a", "prod", "orders", "a/b"]
TAGS = ["Team", "team", "env", "Cost-Center"]
# Kind: (keys, operators, values of the request, values of a policy; None: made by policy_value)
STRING_KEYS = ["aws:TagKeys", "s3:prefix", "aws:RequestTag/env", "aws:PrincipalTag/team", "aws:username"]
STRING_KEYS += ["standin:ClientId", "aws:PrincipalAccount"]
STRING_OPERATORS = ["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]
STRING_OPERATORS += ["StringLike", "StringNotLike"]
ARN_OPERATORS = ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]
COMPARISONS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
NUMERIC_OPERATORS = ["Numeric" + c for c in COMPARISONS]
DATE_OPERATORS = ["Date" + c for c in COMPARISONS]
KINDS = {
    "string": (STRING_KEYS, STRING_OPERATORS, STRINGS, None),
    "arn": (["aws:PrincipalArn", "aws:SourceArn"], ARN_OPERATORS, ARNS, None),
    "number": (["s3:max-keys", "aws:MultiFactorAuthAge"], NUMERIC_OPERATORS, NUMBERS, NUMBERS),
    "date": (["aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime"], DATE_OPERATORS, DATES, DATES),
    "bool": (["aws:SecureTransport", "aws:MultiFactorAuthPresent"], ["Bool"], BOOLS, BOOLS),
    "address": (["aws:SourceIp", "aws:VpcSourceIp"], ["IpAddress", "NotIpAddress"], ADDRESSES, NETWORKS),
    "binary": (["app:digest"], ["BinaryEquals"], BINARIES, BINARIES),
}
KIND_WEIGHTS = {"string": 8, "arn": 3, "number": 2, "date": 2, "bool": 1, "address": 2, "binary": 1}
VARIABLES = [
    "aws:username",
    "AWS:UserName",
    "aws:PrincipalTag/team",
    "aws:PrincipalTag/TEAM",
    "aws:PrincipalTag/env",
    "aws:PrincipalAccount",
    "s3:prefix",
    "aws:TagKeys",
    "standin:ClientId",
    "aws:PrincipalTag/none",
]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.version = None  # of the policy that is being made
        self.request = {}  # lower-case key to value, of the case that is being made

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, items):
        return self.random.choice(items)

    def some(self, make, most=3):
        """One value or a list of them, as the grammar allows for lists of one."""
        values = []
        for _ in range(self.random.choice([1, 1, 1, 2, most])):
            value = make()
            if value not in values:
                values.append(value)
        return values[0] if len(values) == 1 and self.chance(0.6) else values

    def recase(self, text):
        change = self.pick([str.lower, str.upper, str.swapcase, str.title])
        return change(text) if self.chance(0.25) else text

    def variable(self):
        if self.chance(0.25):
            return self.pick(["${*}", "${?}", "${$}"])
        name = self.pick(VARIABLES)
        default = self.pick(["ann", "a", "prod", "a b,c", ""]) if self.chance(0.35) else None
        return "${%s}" % name if default is None else "${%s, '%s'}" % (name, default)

    def pattern(self, text):
        """A text with some of its parts replaced by wildcards and variables."""
        signs = re.findall(r"\$\{[^}]*\}|.", text, re.DOTALL)
        for i, sign in enumerate(signs):
            if sign in "*?$" and self.chance(0.5):
                signs[i] = "${%s}" % sign
        for _ in range(self.pick([0, 0, 1, 1, 2, 3])):
            at = self.random.randint(0, len(signs))
            to = at + self.pick([0, 1, 1, 2, 4, 40])
            signs[at:to] = [self.pick(["*", "*", "?", self.variable(), "x"])]
        text = "".join(signs)
        return text.replace("ann", self.variable()) if self.chance(0.2) else text

    def resource_pattern(self, wanted):
        text = wanted if self.chance(0.6) else self.pick(RESOURCES)
        if text == "*" or self.chance(0.15):
            return self.pick(["*", "arn:aws:s3:::*", "arn:aws:kafka:*", f"arn:aws:kafka:*:{ACCOUNT}:*", text])
        head, tail = text.split(":", 5)[:5], text.split(":", 5)[5]
        for i in (3, 4):  # region and account
            if self.chance(0.2):
                head[i] = self.pick(["*", "", "?" * len(head[i]), head[i][:3] + "*"])
        if self.chance(0.1):  # a `*` that ends a segment matches the colons behind it
            head, tail = head[: self.pick([3, 4])] + ["*"], tail.rpartition(":")[2]
        if self.chance(0.5):
            tail = self.pattern(tail)
        return ":".join(head + [tail]) or "*"

    def action_pattern(self, wanted):
        return self.recase(self.pick([wanted, wanted, self.pick(ACTION_PATTERNS), self.pick(ACTIONS)]))

    def kind(self):
        return self.random.choices(list(KIND_WEIGHTS), list(KIND_WEIGHTS.values()))[0]

    def policy_value(self, kind, key):
        values, base = KINDS[kind][2:], None
        if self.chance(0.5):  # from the request, so that it matches or nearly does
            known = iam_oracle.as_list(self.request.get(key.lower(), []))
            known = [v for v in known if any(type(v) is type(w) and v == w for w in values[0])]
            base = self.pick(known) if known else None
        if kind == "string":
            text = self.recase(self.pick(values[0]) if base is None else base)
            return self.pattern(text) if self.chance(0.5) else text
        if kind == "arn":
            return self.arn_pattern(base)
        if kind == "address" and base is not None:
            prefix = self.random.randint(0, ipaddress.ip_address(base).max_prefixlen)
            return str(ipaddress.ip_network(f"{base}/{prefix}", strict=False))
        return self.pick(values[1]) if base is None else base

    def arn_pattern(self, arn):
        if self.version == "2012-10-17" and self.chance(0.004):
            return self.pick(["${aws:PrincipalArn}", "${aws:SourceArn}"])
        if arn is None or arn.count(":") < 5:
            arn = self.pick([a for a in ARNS if a.count(":") >= 5])
        head, tail = arn.split(":", 5)[:5], arn.split(":", 5)[5]
        for i in range(1, 5):
            if self.chance(0.2):
                head[i] = self.pick(["*", "?" * len(head[i]), head[i][:2] + "*"])
        if self.chance(0.1):
            head[4] = "${aws:PrincipalAccount}"
        if ":" in tail and self.chance(0.5):  # would match if `*` could leave its component
            head[self.pick([3, 4])], tail = "*", tail.rpartition(":")[2]
        return ":".join(head + [self.pattern(tail) if self.chance(0.5) else tail])

    def conditions(self):
        result = {}
        for _ in range(self.pick([0, 1, 1, 2, 3])):
            kind = self.kind()
            keys, operators = KINDS[kind][:2]
            if self.chance(0.1):
                operator = "Null"
            else:
                operator = self.pick(operators)
                if self.chance(0.2):
                    operator += "IfExists"
                if self.chance(0.35):
                    operator = self.pick(["ForAllValues:", "ForAnyValue:"]) + operator
                if self.chance(0.04):
                    keys = self.pick([k[0] for k in KINDS.values()])
            key = self.recase(self.pick(keys))
            block = result.setdefault(operator, {})
            if key.lower() in [k.lower() for k in block]:
                continue
            if operator == "Null":
                block[key] = self.pick(BOOLS)
            else:
                block[key] = self.some(lambda: self.policy_value(kind, key))
        return {operator: keys for operator, keys in result.items() if keys}

    def statement(self, wanted_action, wanted_resource, allow):
        result = {"Effect": "Allow" if self.chance(allow) else "Deny"}
        action = self.some(lambda: self.action_pattern(wanted_action))
        result["NotAction" if self.chance(0.15) else "Action"] = action
        resource = self.some(lambda: self.resource_pattern(wanted_resource))
        result["NotResource" if self.chance(0.15) else "Resource"] = resource
        if conditions := self.conditions():
            result["Condition"] = conditions
        return result

    def policy(self, wanted_action, wanted_resource, allow=0.7):
        self.version = self.pick(["2012-10-17"] * 8 + ["2008-10-17", None])
        count = self.pick([1, 1, 2, 3])
        body = [self.statement(wanted_action, wanted_resource, allow) for _ in range(count)]
        for i, statement in enumerate(body):
            if self.chance(0.3):
                statement["Sid"] = f"S{i}"
        result = {"Version": self.version} if self.version else {}
        result["Statement"] = body[0] if count == 1 and self.chance(0.4) else body
        return result

    def context(self):
        result = {}
        for kind, (keys, _, values, _) in KINDS.items():
            for key in keys:
                if key in ("aws:PrincipalArn", "aws:PrincipalAccount") and self.chance(0.9):
                    continue
                if self.chance(0.45):
                    continue
                if self.chance(0.04):
                    values = KINDS[self.kind()][2]
                value = self.pick(values)
                if self.chance(0.3 if kind in ("string", "arn") else 0.1) or key == "aws:TagKeys":
                    value = [self.pick(values) for _ in range(self.pick([0, 1, 2, 2, 3]))]
                result[self.recase(key)] = value
        return result

    def case(self):
        action, resource = self.pick(ACTIONS), self.pick(RESOURCES)
        principal = {"arn": self.pick(PRINCIPALS), "tags": {}}
        for tag in self.random.sample(TAGS, self.pick([0, 1, 2])):
            if tag.lower() not in [t.lower() for t in principal["tags"]]:
                principal["tags"][tag] = self.pick(TAG_VALUES)
        context = self.context()
        self.request = iam_oracle.request_context({"principal": principal})
        self.request.update((key.lower(), value) for key, value in context.items())

        result = {"policies": [self.policy(action, resource) for _ in range(self.pick([1, 1, 2, 3]))]}
        if self.chance(0.4):  # otherwise denials and boundaries would seldom be what decides
            everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
            result["policies"].append({"Version": "2012-10-17", "Statement": [everything]})
        if self.chance(0.2):
            result["permissionsBoundary"] = self.policy(action, resource, 0.85)
        if self.chance(0.2):
            count = self.pick([1, 1, 2])
            result["sessionPolicies"] = [self.policy(action, resource, 0.85) for _ in range(count)]
        result.update(principal=principal, action=self.recase(action), resource=resource, context=context)
        return result

    def cases(self, count):
        """That many questions with the oracle's decision, and how many were left open."""
        result, left_open = [], 0
        while len(result) < count:
            case = self.case()
            decision = iam_oracle.decide(case)
            if decision is None:
                left_open += 1
            else:
                result.append((case, decision))
        return result, left_open
