# SPDX-License-Identifier: Apache-2.0
"""Administration by the stock AWS command line. Each start of it costs a
second, so the breadth is boto3's."""

import json
import pathlib
import subprocess
import sys
import unittest

from service import ACCOUNT, READ, Service, keys_of, trust

AWS = pathlib.Path(sys.executable).parent / "aws"


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.close)

    def run_aws(self, *arguments, keys=None):
        return subprocess.run(
            [AWS, "--output", "json", *arguments], env=self.service.environment(keys), capture_output=True, text=True, timeout=120
        )

    def aws(self, *arguments, keys=None):
        done = self.run_aws(*arguments, keys=keys)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def test_from_a_new_user_to_a_session_of_a_role(self):
        who = self.aws("sts", "get-caller-identity")
        self.assertEqual(who["Arn"], f"arn:aws:iam::{ACCOUNT}:user/admin")
        self.aws("iam", "create-user", "--user-name", "ann", "--tags", "Key=team,Value=red + blue")
        key = self.aws("iam", "create-access-key", "--user-name", "ann")["AccessKey"]
        policy = self.aws("iam", "create-policy", "--policy-name", "reading", "--policy-document", json.dumps(READ))["Policy"]
        self.aws("iam", "attach-user-policy", "--user-name", "ann", "--policy-arn", policy["Arn"])
        version = self.aws(
            "iam", "create-policy-version", "--policy-arn", policy["Arn"], "--policy-document", json.dumps(READ), "--set-as-default"
        )["PolicyVersion"]
        self.assertTrue(version["IsDefaultVersion"])
        document = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"})
        role = self.aws("iam", "create-role", "--role-name", "app", "--assume-role-policy-document", document)["Role"]
        self.assertEqual(role["AssumeRolePolicyDocument"], json.loads(document))
        result = self.aws(
            "iam", "simulate-principal-policy", "--policy-source-arn", f"arn:aws:iam::{ACCOUNT}:user/ann",
            "--action-names", "kafka-cluster:ReadData", "--resource-arns", f"arn:aws:kafka:us-east-1:{ACCOUNT}:topic/c/1/orders",
        )["EvaluationResults"]
        self.assertEqual(result[0]["EvalDecision"], "allowed")
        session = self.aws(
            "sts", "assume-role", "--role-arn", role["Arn"], "--role-session-name", "cli", "--duration-seconds", "900", keys=keys_of(key)
        )
        who = self.aws("sts", "get-caller-identity", keys=keys_of(session["Credentials"]))
        self.assertEqual(who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/app/cli")

    def test_errors_are_shown_as_those_of_aws(self):
        done = self.run_aws("iam", "get-user", "--user-name", "nobody")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("An error occurred (NoSuchEntity) when calling the GetUser operation", done.stderr)
        users = self.aws("iam", "list-users", "--page-size", "1")["Users"]
        self.assertIn("admin", [u["UserName"] for u in users])
