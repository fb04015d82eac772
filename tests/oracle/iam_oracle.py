# SPDX-License-Identifier: Apache-2.0
"""Decides requests by IAM policy documents, from AWS's documentation alone.

This is the second opinion that the engine is compared with. It shares nothing with the engine:
it was written from the pages named below, it is slow, and it interprets the JSON as it stands.
Input is one question of `standin policy simulate`, see `decide`.

Pages of the IAM User Guide, named in comments by the short name in front:

  logic      reference_policies_evaluation-logic
  boundary   access_policies_boundaries
  policies   access_policies ("Overview of JSON policies", "Session policies")
  action     reference_policies_elements_action, ..._notaction
  resource   reference_policies_elements_resource, ..._notresource
  version    reference_policies_elements_version
  condition  reference_policies_elements_condition
  operators  reference_policies_elements_condition_operators
  multiple   reference_policies_condition-logic-multiple-context-keys-or-values
  sets       reference_policies_condition-single-vs-multi-valued-context-keys
  variables  reference_policies_variables
  grammar    reference_policies_grammar

Where a page does not say what happens, the answer here is `None`, "not specified": it is carried
through and, or and not as the third truth value, and a case whose decision is `None` is not asked
of the engine. Not specified are:

  1. ForAnyValue with IfExists on a key that is missing or empty (operators: true; sets: false).
  2. A key with several values under an operator without ForAllValues or ForAnyValue, where its
     values differ in the result (sets: a set operator is required).
  3. A key whose list is empty, under an operator without a set operator that is negated or has
     IfExists.
  4. The empty string among the values of a set operator or of Null, and as the value of a variable
     (condition and operators call it a null value, operators also match it as a string).
  5. A variable naming a key with several values (sets: cannot be used), a default holding `*` or
     `?`, a variable in front of the fifth colon of a resource (variables: cannot be used).
  6. A list of condition values of which one holds a variable without value and another one matches
     (variables: the value never matches; or: the statement does not take effect).
  7. `*` inside a segment of a resource, or `?`, that would have to match a colon; a `*` that ends
     a segment may (resource).
  8. A negated operator whose key holds something that is not of the operator's type.
  9. ARN operators whose pattern has fewer than six components.
 10. An IPv6 address without prefix in a policy, for addresses in its /32 other than itself
     (operators: the default is /32), and IPv4-mapped addresses.
 11. A year alone as date (also seconds since 1970), seconds with sign or fraction or of more
     than 12 digits, numbers with sign + or exponent, `True`.
 12. `${*}` and `${?}` in a document of version 2008-10-17, where `*` and `?` are wildcards.
 13. Variables under Bool (operators: supported; variables: not supported).
 14. Case of letters other than those of ASCII.

Readings taken where a page is short or two pages differ:

  a. Values of variables and defaults are text: a `*` that comes out of a variable is no wildcard.
     Variables are replaced first, ARNs are split into components afterwards.
  b. A resource with a variable without value matches nothing (variables), so a NotResource holding
     only such resources covers every resource.
  c. Several session policies add up like several identity policies (policies: a logical OR).
  d. A date without time, or without day, is the start of that period in UTC.
  e. Numbers and fractions of seconds are compared exactly, however long.
  f. ForAnyValue on a missing key is false for negated operators too, ForAllValues true (sets, and
     the tables of reference_policies_condition_examples-multi-valued-context-keys). The table on
     page operators under "Wildcard matching" says the opposite of both and is not followed; nor is
     its row for `ForAllValues:ArnLike` that has `distribution/*` fail on `distribution/admin`.
  g. A document without Version is one of 2008-10-17.
"""

import base64
import binascii
import ipaddress
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"

# A text whose variable has no value.
NO_VALUE = object()
# A value in the request that is not of the operator's type.
OTHER_TYPE = object()
# Wildcards in an expanded text, which is otherwise a list of characters.
ANY, ONE = "ANY", "ONE"


class NotSpecified(Exception):
    """The documentation does not say what a text stands for."""


# Three truth values: True, False, None (not specified).


def any_of(results):
    results = list(results)
    return True if True in results else None if None in results else False


def all_of(results):
    results = list(results)
    return False if False in results else None if None in results else True


def negate(result):
    return None if result is None else not result


# The request.


def as_list(value):
    return value if isinstance(value, list) else [value]


def as_text(value):
    """How a value of the request context or of a condition reads as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def request_context(case):
    """Lower-case key to list of texts. Key names are not case-sensitive (condition)."""
    arn, tags = case["principal"]["arn"], case["principal"].get("tags", {})
    context = {"aws:principalarn": [arn], "aws:principalaccount": [arn.split(":")[4]]}
    for name, value in tags.items():
        context["aws:principaltag/" + name.lower()] = [value]
    if ":user/" in arn:
        context["aws:username"] = [arn.rsplit("/", 1)[1]]
    for key, value in case.get("context", {}).items():
        context[key.lower()] = [as_text(v) for v in as_list(value)]
    return context


# Texts with variables and wildcards.

VARIABLE = re.compile(r"\$\{([^}]*)\}")
DEFAULTED = re.compile(r"([^,]*), '(.*)'")


def expand(text, version, context, wildcards):
    """The characters of a policy text, with ANY and ONE for wildcards; or NO_VALUE.

    Variables exist since 2012-10-17 (version); before, they are plain text.
    """
    if version != "2012-10-17":
        if wildcards and re.search(r"\$\{[*?]\}", text):
            raise NotSpecified
        return literal(text, wildcards)
    result, end = [], 0
    for found in VARIABLE.finditer(text):
        result += literal(text[end : found.start()], wildcards)
        value = variable(found.group(1), context)
        if value is NO_VALUE:
            return NO_VALUE
        result += list(value)
        end = found.end()
    return result + literal(text[end:], wildcards)


def literal(text, wildcards):
    signs = {"*": ANY, "?": ONE} if wildcards else {}
    return [signs.get(c, c) for c in text]


def variable(name, context):
    if name in ("*", "?", "$"):  # variables, "Special characters"
        return name
    default = NO_VALUE
    if defaulted := DEFAULTED.fullmatch(name):  # variables, "Specifying default values"
        name, default = defaulted.groups()
        if "*" in default or "?" in default:
            raise NotSpecified
    values = context.get(name.lower())
    if values is None:
        return default
    if values == [] and default is NO_VALUE:
        return NO_VALUE
    if len(values) != 1 or values[0] == "":
        raise NotSpecified
    return values[0]


def matches(pattern, text, any_sign=lambda i: ".*", one_sign="."):
    """Whether the whole text matches an expanded pattern; any_sign gives the regex of ANY at i."""
    parts = []
    for i, sign in enumerate(pattern):
        parts.append(any_sign(i) if sign == ANY else one_sign if sign == ONE else re.escape(sign))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


# Statements.


def action_matches(pattern, action):
    """Prefix and name are case-insensitive; `*` and `?` may stand in the name (action)."""
    return matches(literal(pattern.lower(), True), action.lower())


def resource_matches(text, version, context, resource):
    variables = VARIABLE.finditer(text) if version == "2012-10-17" else []
    if any(text.count(":", 0, v.start()) < 5 for v in variables):
        return None
    try:
        pattern = expand(text, version, context, True)
    except NotSpecified:
        return None
    if pattern is NO_VALUE:
        return False

    def in_segment(i):  # "*" crosses colons where it ends a segment (resource)
        return ".*" if i + 1 == len(pattern) or pattern[i + 1] == ":" else "[^:]*"

    if matches(pattern, resource, in_segment, "[^:]"):
        return True
    return None if matches(pattern, resource) else False


def statement_matches(statement, version, context, case):
    """Whether a statement applies to the request: action, resource and every condition."""
    if "Action" in statement:
        action = any_of(action_matches(a, case["action"]) for a in as_list(statement["Action"]))
    else:
        action = negate(any_of(action_matches(a, case["action"]) for a in as_list(statement["NotAction"])))
    element = "Resource" if "Resource" in statement else "NotResource"
    resource = any_of(
        resource_matches(r, version, context, case["resource"]) for r in as_list(statement[element])
    )
    if element == "NotResource":
        resource = negate(resource)
    results = [action, resource]
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():  # operators and keys: AND (multiple)
            results.append(condition(operator, key, as_list(values), version, context))
    return all_of(results)


def statements(policy, effect):
    version = policy.get("Version", "2008-10-17")
    return [(s, version) for s in as_list(policy["Statement"]) if s["Effect"] == effect]


def applies(policies, effect, context, case):
    """Whether a statement of that effect applies: OR over statements and policies (policies)."""
    return any_of(
        statement_matches(statement, version, context, case)
        for policy in policies
        for statement, version in statements(policy, effect)
    )


def decide(case):
    """The decision of one question, or None where the documentation does not say.

    Explicit deny anywhere; else allowed by identity policies, and by the boundary and the session
    policies where there are any (logic, boundary).
    """
    context = request_context(case)
    layers = [case["policies"]]
    if case.get("permissionsBoundary") is not None:
        layers.append([case["permissionsBoundary"]])
    if case.get("sessionPolicies"):
        layers.append(case["sessionPolicies"])
    denied = any_of(applies(layer, "Deny", context, case) for layer in layers)
    if denied is not False:
        return EXPLICIT_DENY if denied else None
    allowed = all_of(applies(layer, "Allow", context, case) for layer in layers)
    return None if allowed is None else ALLOWED if allowed else IMPLICIT_DENY


# Conditions.


def condition(name, key, policy_values, version, context):
    set_operator, _, operator = name.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    values = context.get(key.lower())
    if operator == "Null":
        return null_check(values, as_text(policy_values[0]))
    compare, negated = OPERATORS[operator]
    if not values:
        return without_value(values, set_operator, if_exists, negated)

    def value_result(value):
        if set_operator and value == "":
            return None
        return one_value(compare, negated, value, policy_values, version, context)

    results = [value_result(v) for v in values]
    if set_operator == "ForAllValues":
        return all_of(results)
    if set_operator == "ForAnyValue":
        return any_of(results)
    return results[0] if len(set(results)) == 1 else None


def null_check(values, wanted):
    """ "true": the key does not exist; "false": it exists and its value is not null (operators)."""
    if values is not None and "" in values:
        return None
    return (not values) == (wanted == "true")


def without_value(values, set_operator, if_exists, negated):
    """A key that is missing (None) or has an empty list of values."""
    if set_operator == "ForAllValues":  # sets
        return True
    if set_operator == "ForAnyValue":  # sets
        return None if if_exists else False
    if values is None:  # operators, "Important" and "...IfExists"
        return if_exists or negated
    return None if if_exists or negated else False


def one_value(compare, negated, value, policy_values, version, context):
    """One value of the request against the values of the policy: OR, or NOR if negated (multiple)."""
    results, no_value = [], False
    for policy_value in policy_values:
        try:
            result = compare(value, as_text(policy_value), version, context)
        except NotSpecified:
            result = None
        no_value = no_value or result is NO_VALUE
        if result is OTHER_TYPE:
            result = None if negated else False
        results.append(False if result is NO_VALUE else result)
    result = any_of(results)
    if negated:  # inverted operators match a null value (variables)
        return negate(result)
    return None if no_value and result else result


def string_equals(value, policy_value, version, context):
    text = expand(policy_value, version, context, False)
    return NO_VALUE if text is NO_VALUE else value == "".join(text)


def string_equals_ignore_case(value, policy_value, version, context):
    text = expand(policy_value, version, context, False)
    if text is NO_VALUE:
        return NO_VALUE
    text, same = "".join(text), value.lower() == "".join(text).lower()
    if not (value + text).isascii() and same and value != text:
        raise NotSpecified
    return same


def string_like(value, policy_value, version, context):
    pattern = expand(policy_value, version, context, True)
    return NO_VALUE if pattern is NO_VALUE else matches(pattern, value)


def arn_like(value, policy_value, version, context):
    """Each of the six components is checked separately (operators)."""
    pattern = expand(policy_value, version, context, True)
    if pattern is NO_VALUE:
        return NO_VALUE
    pattern_parts = [[]]
    for sign in pattern:
        if sign == ":" and len(pattern_parts) < 6:
            pattern_parts.append([])
        else:
            pattern_parts[-1].append(sign)
    if len(pattern_parts) < 6:
        raise NotSpecified
    value_parts = value.split(":", 5)
    if len(value_parts) < 6 or value_parts[0] != "arn":
        return OTHER_TYPE
    return all(matches(p, v) for p, v in zip(pattern_parts, value_parts))


NUMBER = re.compile(r"-?\d+(\.\d+)?")


def numeric(relation):
    def compare(value, policy_value, _version, _context):
        if not NUMBER.fullmatch(value):
            if re.fullmatch(r"[-+.0-9eE]+", value):
                raise NotSpecified
            return OTHER_TYPE
        return relation(Decimal(value), Decimal(policy_value))

    return compare


DATE = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?")


def seconds(text):
    """A date of the W3C profile of ISO 8601, or seconds since 1970 (operators); None: neither."""
    if re.fullmatch(r"\d{4}|\d{13,}|[-+]\d+|[-+]?\d+\.\d+", text):
        raise NotSpecified
    if re.fullmatch(r"\d+", text):
        return Decimal(text)
    found = DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    parts = (year, month, day or 1, hour or 0, minute or 0, second or 0)
    try:
        moment = datetime(*map(int, parts))
    except ValueError:
        return None
    if zone not in (None, "Z"):
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
        moment += -offset if zone[0] == "+" else offset
    since = moment.replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return since.days * 86400 + since.seconds + Decimal("0" + (fraction or ""))


def date(relation):
    def compare(value, policy_value, _version, _context):
        moment = seconds(value)
        return OTHER_TYPE if moment is None else relation(moment, seconds(policy_value))

    return compare


def boolean(value, policy_value, _version, _context):
    if VARIABLE.search(policy_value) or (value.lower() in ("true", "false") and value != value.lower()):
        raise NotSpecified
    return value == policy_value


def binary_equals(value, policy_value, _version, _context):
    try:
        return base64.b64decode(value, validate=True) == base64.b64decode(policy_value, validate=True)
    except (binascii.Error, ValueError):
        return OTHER_TYPE


def ip_address(value, policy_value, _version, _context):
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return OTHER_TYPE
    network = ipaddress.ip_network(policy_value)
    if getattr(address, "ipv4_mapped", None) or getattr(network.network_address, "ipv4_mapped", None):
        raise NotSpecified
    if address.version != network.version:
        return False
    if network.version == 6 and "/" not in policy_value and address not in network:
        if address in network.supernet(new_prefix=32):
            raise NotSpecified
    return address in network


def equal(a, b):
    return a == b


# Operator: comparison of one value with one value of the policy, and whether it is negated.
OPERATORS = {
    "StringEquals": (string_equals, False),
    "StringNotEquals": (string_equals, True),
    "StringEqualsIgnoreCase": (string_equals_ignore_case, False),
    "StringNotEqualsIgnoreCase": (string_equals_ignore_case, True),
    "StringLike": (string_like, False),
    "StringNotLike": (string_like, True),
    "ArnEquals": (arn_like, False),
    "ArnLike": (arn_like, False),
    "ArnNotEquals": (arn_like, True),
    "ArnNotLike": (arn_like, True),
    "Bool": (boolean, False),
    "BinaryEquals": (binary_equals, False),
    "IpAddress": (ip_address, False),
    "NotIpAddress": (ip_address, True),
}
for _family, _make in (("Numeric", numeric), ("Date", date)):
    OPERATORS[_family + "Equals"] = (_make(equal), False)
    OPERATORS[_family + "NotEquals"] = (_make(equal), True)
    OPERATORS[_family + "LessThan"] = (_make(lambda a, b: a < b), False)
    OPERATORS[_family + "LessThanEquals"] = (_make(lambda a, b: a <= b), False)
    OPERATORS[_family + "GreaterThan"] = (_make(lambda a, b: a > b), False)
    OPERATORS[_family + "GreaterThanEquals"] = (_make(lambda a, b: a >= b), False)
