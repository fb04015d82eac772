# SPDX-License-Identifier: Apache-2.0
"""What the documentation says is supported, against the service model of the
SDK: every operation and every error code has to be one of AWS's."""

import re
import unittest

import botocore.session

from service import ROOT

# "Common Errors" of the IAM and STS API references, and what AWS documents of
# requests that are not signed well.
COMMON = {
    "AccessDenied", "ExpiredToken", "IncompleteSignature", "InternalFailure", "InvalidAction", "InvalidClientTokenId",
    "MalformedQueryString", "MissingAction", "MissingAuthenticationToken", "ServiceUnavailable", "SignatureDoesNotMatch",
    "Throttling", "ValidationError",
}


def documented():
    """Operations of the table, with the service and the errors of each."""
    text = (ROOT / "docs/aws-tools.md").read_text()
    rows = re.findall(r"^\| `(iam|sts):(\w+)` \| ([^|]*) \|", text, re.MULTILINE)
    return [(service, name, re.findall(r"`(\w+)`", errors)) for service, name, errors in rows]


def codes(shape):
    """The code of an error: its own, or its name."""
    return shape.metadata.get("error", {}).get("code", shape.name)


class Model(unittest.TestCase):
    def test_operations_and_errors_are_those_of_aws(self):
        session = botocore.session.get_session()
        models = {name: session.get_service_model(name) for name in ("iam", "sts")}
        rows = documented()
        self.assertGreater(len(rows), 70)
        for service, name, errors in rows:
            with self.subTest(operation=f"{service}:{name}"):
                operation = models[service].operation_model(name)
                known = {codes(shape) for shape in operation.error_shapes}
                self.assertEqual(set(errors) - known, set())

    def test_common_errors_are_documented_once(self):
        text = (ROOT / "docs/aws-tools.md").read_text()
        listed = re.search(r"Every operation may also answer (.*?)\.\n", text, re.DOTALL).group(1)
        self.assertEqual(set(re.findall(r"`(\w+)`", listed)), COMMON)
