# SPDX-License-Identifier: Apache-2.0
"""Temporary credentials by boto3, and what the SDK makes of them by itself."""

import datetime
import json
import os
import unittest
import urllib.request
import ssl
from unittest import mock

import boto3

from service import ACCOUNT, ALLOW_ALL, READ, Service, allow, code_of, keys_of, trust


class Sts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service("--quota", "policy-size=off")
        cls.addClassCleanup(cls.service.close)
        cls.iam, cls.sts = cls.service.client("iam"), cls.service.client("sts")

    def role(self, name, document, *policies, **more):
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)["Role"]
        for number, policy in enumerate(policies):
            self.iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=policy)
        return role["Arn"]

    def test_who_asks_is_told_without_any_permission(self):
        keys = self.service.user("plain")
        self.assertEqual(self.service.client("sts", keys).get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/plain")

    def test_a_presigned_url_is_a_request_too(self):
        url = self.sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        context = ssl.create_default_context(cafile=str(self.service.ca))
        with urllib.request.urlopen(url, context=context, timeout=30) as answer:
            self.assertIn(f"arn:aws:iam::{ACCOUNT}:user/admin", answer.read().decode())
        with self.assertRaises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), context=context, timeout=30)
        self.assertEqual(raised.exception.code, 403)

    def test_roles_are_assumed_by_those_the_trust_policy_names(self):
        service = self.service
        keys = service.user("ann")
        arn = self.role("pod", trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}), allow("iam:ListUsers"), MaxSessionDuration=7200)
        answer = service.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="s-1", DurationSeconds=900)
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/s-1")
        left = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        self.assertTrue(datetime.timedelta(seconds=600) < left <= datetime.timedelta(seconds=901), left)
        session = keys_of(answer["Credentials"])
        who = service.client("sts", session).get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/s-1")
        self.assertEqual(who["UserId"], answer["AssumedRoleUser"]["AssumedRoleId"])
        service.client("iam", session).list_users()
        self.assertEqual(code_of(service.client("iam", session).list_roles), "AccessDenied")
        self.assertEqual(code_of(service.client("iam", session).get_user), "ValidationError")
        self.assertEqual(code_of(self.sts.assume_role, RoleArn=arn, RoleSessionName="s-1"), "AccessDenied")
        self.assertEqual(code_of(self.sts.assume_role, RoleArn=arn + "x", RoleSessionName="s-1"), "AccessDenied")
        self.assertEqual(
            code_of(service.client("sts", keys).assume_role, RoleArn=arn, RoleSessionName="s-1", DurationSeconds=7201), "ValidationError"
        )
        # A token is of one key, and only as it was issued.
        for wrong in (
            session | {"aws_session_token": session["aws_session_token"][:-4] + "AAAA"},
            session | {"aws_access_key_id": keys["aws_access_key_id"]},
            {k: v for k, v in session.items() if k != "aws_session_token"},
        ):
            self.assertEqual(code_of(service.client("sts", wrong).get_caller_identity), "InvalidClientTokenId")
        self.iam.delete_role_policy(RoleName="pod", PolicyName="p0")
        self.assertEqual(code_of(service.client("iam", session).list_users), "AccessDenied")
        self.iam.delete_role(RoleName="pod")
        self.assertEqual(code_of(service.client("sts", session).get_caller_identity), "InvalidClientTokenId")

    def test_external_id_source_identity_and_tags_are_conditions(self):
        service = self.service
        keys = service.user("bob")
        sts = service.client("sts", keys)
        condition = {"StringEquals": {"sts:ExternalId": "x-42", "aws:RequestTag/team": "red", "sts:SourceIdentity": "bob"}}
        statement = {
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "Condition": condition,
        }
        arn = self.role("ext", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        full = {
            "RoleArn": arn, "RoleSessionName": "bob", "ExternalId": "x-42", "SourceIdentity": "bob",
            "Tags": [{"Key": "team", "Value": "red"}], "TransitiveTagKeys": ["team"],
        }
        answer = sts.assume_role(**full)
        self.assertEqual(answer["SourceIdentity"], "bob")
        for missing in ("ExternalId", "SourceIdentity"):
            less = {k: v for k, v in full.items() if k != missing}
            self.assertEqual(code_of(sts.assume_role, **less), "AccessDenied", missing)
        self.assertEqual(code_of(sts.assume_role, **full | {"Tags": [{"Key": "team", "Value": "blue"}]}), "AccessDenied")
        self.assertEqual(code_of(sts.assume_role, **full | {"TransitiveTagKeys": ["other"]}), "ValidationError")

        # The next role sees the tag that goes on, and the source identity.
        follow = {
            "Effect": "Allow", "Principal": {"AWS": arn}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red", "sts:SourceIdentity": "bob"}},
        }
        third = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/second"}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
                 "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}}
        second_arn = self.role("second", json.dumps({"Version": "2012-10-17", "Statement": [follow]}), MaxSessionDuration=43200)
        third_arn = self.role("third", json.dumps({"Version": "2012-10-17", "Statement": [third]}))
        first = service.client("sts", keys_of(answer["Credentials"]))
        self.assertEqual(
            code_of(first.assume_role, RoleArn=second_arn, RoleSessionName="bob", SourceIdentity="eve"), "AccessDenied"
        )
        # Chained roles last an hour.
        self.assertEqual(
            code_of(first.assume_role, RoleArn=second_arn, RoleSessionName="bob", DurationSeconds=3601), "ValidationError"
        )
        second = first.assume_role(RoleArn=second_arn, RoleSessionName="bob")
        self.assertEqual(second["SourceIdentity"], "bob")
        again = service.client("sts", keys_of(second["Credentials"]))
        self.assertEqual(again.assume_role(RoleArn=third_arn, RoleSessionName="bob")["SourceIdentity"], "bob")

    def test_session_policies_only_narrow(self):
        service, iam = self.service, self.iam
        keys = service.user("carl")
        arn = self.role("wide", trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/carl"}), json.dumps(ALLOW_ALL))
        sts = service.client("sts", keys)
        managed = iam.create_policy(PolicyName="roles-only", PolicyDocument=allow("iam:ListRoles"))["Policy"]["Arn"]

        def may(**limits):
            session = keys_of(sts.assume_role(RoleArn=arn, RoleSessionName="carl", **limits)["Credentials"])
            client = service.client("iam", session)
            return [code_of(call) for call in (client.list_users, client.list_roles, client.list_groups)]

        self.assertEqual(may(), [None, None, None])
        self.assertEqual(may(Policy=allow("iam:ListUsers")), [None, "AccessDenied", "AccessDenied"])
        self.assertEqual(may(PolicyArns=[{"arn": managed}]), ["AccessDenied", None, "AccessDenied"])
        self.assertEqual(may(Policy=allow("iam:ListUsers"), PolicyArns=[{"arn": managed}]), [None, None, "AccessDenied"])
        self.assertEqual(code_of(sts.assume_role, RoleArn=arn, RoleSessionName="carl", Policy="{}"), "MalformedPolicyDocument")
        self.assertEqual(
            code_of(sts.assume_role, RoleArn=arn, RoleSessionName="carl", PolicyArns=[{"arn": managed + "x"}]), "MalformedPolicyDocument"
        )
        big = iam.create_policy(
            PolicyName="big", PolicyDocument=allow(*(f"x:Action{n}" for n in range(700)))
        )["Policy"]["Arn"]
        self.assertEqual(
            code_of(sts.assume_role, RoleArn=arn, RoleSessionName="carl", PolicyArns=[{"arn": big}]), "PackedPolicyTooLarge"
        )
        # What a session may not, it may not by another role either.
        limited = keys_of(sts.assume_role(RoleArn=arn, RoleSessionName="carl", Policy=allow("iam:ListUsers"))["Credentials"])
        target = self.role("target", trust({"AWS": arn}))
        self.assertEqual(
            code_of(service.client("sts", limited).assume_role, RoleArn=target, RoleSessionName="carl"), "AccessDenied"
        )
        whole = keys_of(sts.assume_role(RoleArn=arn, RoleSessionName="carl")["Credentials"])
        service.client("sts", whole).assume_role(RoleArn=target, RoleSessionName="carl")

    def test_a_users_own_session_assumes_roles_but_administers_nothing(self):
        service = self.service
        answer = self.sts.get_session_token(DurationSeconds=900)
        session = keys_of(answer["Credentials"])
        self.assertEqual(service.client("sts", session).get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/admin")
        self.assertEqual(code_of(service.client("iam", session).list_users), "AccessDenied")
        self.assertEqual(code_of(service.client("sts", session).get_session_token), "AccessDenied")
        arn = self.role("from-session", trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"}))
        service.client("sts", session).assume_role(RoleArn=arn, RoleSessionName="s1")

    def test_whose_account_a_key_is_of(self):
        key = self.service.admin["aws_access_key_id"]
        self.assertEqual(self.sts.get_access_key_info(AccessKeyId=key)["Account"], ACCOUNT)
        self.assertEqual(code_of(self.sts.get_access_key_info, AccessKeyId="AKIA" + "B" * 16), "ValidationError")
        nobody = self.service.client("sts", self.service.user("nosy"))
        self.assertEqual(code_of(nobody.get_access_key_info, AccessKeyId=key), "AccessDenied")

    def test_the_sdk_assumes_roles_of_its_profiles_by_itself(self):
        service = self.service
        keys = service.user("dora")
        arn = self.role("profile", trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/dora"}, condition={"StringEquals": {"sts:ExternalId": "e1"}}))
        config = service.path / "config"
        config.write_text(
            f"[profile pod]\nrole_arn = {arn}\nsource_profile = dora\nexternal_id = e1\nrole_session_name = from-sdk\n"
        )
        credentials = service.path / "credentials"
        credentials.write_text("[dora]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))
        environment = {k: v for k, v in service.environment().items() if "ACCESS_KEY" not in k}
        environment |= {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
        with mock.patch.dict(os.environ, environment, clear=True):
            who = boto3.Session(profile_name="pod").client("sts").get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/profile/from-sdk")
