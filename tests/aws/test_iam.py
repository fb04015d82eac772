# SPDX-License-Identifier: Apache-2.0
"""Administration by boto3."""

import json
import unittest

from service import ACCOUNT, ALLOW_ALL, READ, Service, allow, code_of, trust

ODD = "+=,.@_-"
R1, R2 = "arn:aws:x:::r1", "arn:aws:x:::r2"


class Iam(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.close)
        cls.iam = cls.service.client("iam")

    def test_users_are_made_listed_in_pages_tagged_and_deleted(self):
        iam = self.iam
        for n in range(7):
            made = iam.create_user(UserName=f"page-{n}{ODD}", Path="/team/", Tags=[{"Key": "n", "Value": f"{n} é _.:/=+-@"}])
            self.assertEqual(made["User"]["Arn"], f"arn:aws:iam::{ACCOUNT}:user/team/page-{n}{ODD}")
        self.assertEqual(code_of(iam.create_user, UserName=f"page-0{ODD}"), "EntityAlreadyExists")
        pages = list(iam.get_paginator("list_users").paginate(PathPrefix="/team/", PaginationConfig={"PageSize": 3}))
        self.assertEqual([len(p["Users"]) for p in pages], [3, 3, 1])
        self.assertEqual([u["UserName"] for p in pages for u in p["Users"]], [f"page-{n}{ODD}" for n in range(7)])
        name = f"page-3{ODD}"
        self.assertEqual(iam.get_user(UserName=name)["User"]["Tags"], [{"Key": "n", "Value": "3 é _.:/=+-@"}])
        iam.tag_user(UserName=name, Tags=[{"Key": "N", "Value": ""}, {"Key": "more", "Value": "x"}])
        self.assertEqual(
            sorted((t["Key"], t["Value"]) for t in iam.list_user_tags(UserName=name)["Tags"]), [("N", ""), ("more", "x")]
        )
        iam.untag_user(UserName=name, TagKeys=["MORE", "absent"])
        self.assertEqual([t["Key"] for t in iam.list_user_tags(UserName=name)["Tags"]], ["N"])
        self.assertEqual(
            code_of(iam.tag_user, UserName=name, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)]), "LimitExceeded"
        )
        for bad in ("aws:x", "a&b", "a<b", "\x01"):
            self.assertEqual(code_of(iam.tag_user, UserName=name, Tags=[{"Key": bad, "Value": ""}]), "ValidationError", bad)
        for n in range(7):
            iam.delete_user(UserName=f"page-{n}{ODD}")
        self.assertEqual(iam.list_users(PathPrefix="/team/")["Users"], [])
        self.assertEqual(code_of(iam.get_user, UserName=name), "NoSuchEntity")
        self.assertEqual(code_of(iam.delete_user, UserName=name), "NoSuchEntity")

    def test_without_a_name_the_caller_is_meant(self):
        keys = self.service.user("self", allow("iam:*", resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
        own = self.service.client("iam", keys)
        self.assertEqual(own.get_user()["User"]["UserName"], "self")
        self.assertEqual(own.list_access_keys()["AccessKeyMetadata"][0]["AccessKeyId"], keys["aws_access_key_id"])
        self.assertEqual(code_of(own.get_user, UserName="admin"), "AccessDenied")
        second = own.create_access_key()["AccessKey"]
        self.assertEqual(second["UserName"], "self")
        own.delete_access_key(AccessKeyId=second["AccessKeyId"])

    def test_access_keys_live_and_die(self):
        iam, service = self.iam, self.service
        keys = service.user("keys")
        key = keys["aws_access_key_id"]
        sts = service.client("sts", keys)
        self.assertEqual(sts.get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/keys")
        used = iam.get_access_key_last_used(AccessKeyId=key)
        self.assertEqual(used["UserName"], "keys")
        self.assertIn("LastUsedDate", used["AccessKeyLastUsed"])
        iam.update_access_key(UserName="keys", AccessKeyId=key, Status="Inactive")
        self.assertEqual(iam.list_access_keys(UserName="keys")["AccessKeyMetadata"][0]["Status"], "Inactive")
        self.assertEqual(code_of(sts.get_caller_identity), "InvalidClientTokenId")
        iam.update_access_key(UserName="keys", AccessKeyId=key, Status="Active")
        self.assertEqual(sts.get_caller_identity()["Account"], ACCOUNT)
        # Another user's key is none of this user's.
        self.assertEqual(code_of(iam.delete_access_key, UserName="admin", AccessKeyId=key), "NoSuchEntity")
        iam.create_access_key(UserName="keys")
        self.assertEqual(code_of(iam.create_access_key, UserName="keys"), "LimitExceeded")
        self.assertEqual(code_of(iam.create_access_key, UserName="nobody"), "NoSuchEntity")
        self.assertEqual(code_of(iam.delete_user, UserName="keys"), "DeleteConflict")
        iam.delete_access_key(UserName="keys", AccessKeyId=key)
        self.assertEqual(code_of(sts.get_caller_identity), "InvalidClientTokenId")
        self.assertEqual(code_of(iam.get_access_key_last_used, AccessKeyId=key), "AccessDenied")

    def test_groups_hold_users_and_policies(self):
        iam = self.iam
        group = iam.create_group(GroupName="readers", Path="/x/")["Group"]
        self.assertEqual(group["Arn"], f"arn:aws:iam::{ACCOUNT}:group/x/readers")
        self.assertEqual(code_of(iam.create_group, GroupName="readers"), "EntityAlreadyExists")
        keys = self.service.user("member")
        iam.add_user_to_group(GroupName="readers", UserName="member")
        self.assertEqual([u["UserName"] for u in iam.get_group(GroupName="readers")["Users"]], ["member"])
        self.assertEqual([g["GroupName"] for g in iam.list_groups_for_user(UserName="member")["Groups"]], ["readers"])
        self.assertIn("readers", [g["GroupName"] for g in iam.list_groups(PathPrefix="/x/")["Groups"]])
        own = self.service.client("iam", keys)
        self.assertEqual(code_of(own.list_groups), "AccessDenied")
        iam.put_group_policy(GroupName="readers", PolicyName="see", PolicyDocument=allow("iam:ListGroups"))
        self.assertEqual(len(own.list_groups(PathPrefix="/x/")["Groups"]), 1)
        self.assertEqual(iam.list_group_policies(GroupName="readers")["PolicyNames"], ["see"])
        self.assertEqual(code_of(iam.delete_group, GroupName="readers"), "DeleteConflict")
        iam.delete_group_policy(GroupName="readers", PolicyName="see")
        self.assertEqual(code_of(iam.remove_user_from_group, GroupName="readers", UserName="admin"), "NoSuchEntity")
        iam.remove_user_from_group(GroupName="readers", UserName="member")
        iam.delete_group(GroupName="readers")
        self.assertEqual(code_of(iam.get_group, GroupName="readers"), "NoSuchEntity")

    def test_roles_with_trust_policies(self):
        iam = self.iam
        document = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
        role = iam.create_role(
            RoleName="app", Path="/svc/", AssumeRolePolicyDocument=document, Description="for the app & <more>",
            MaxSessionDuration=7200, Tags=[{"Key": "team", "Value": "red"}],
        )["Role"]
        self.assertEqual(role["AssumeRolePolicyDocument"], json.loads(document))
        got = iam.get_role(RoleName="app")["Role"]
        self.assertEqual((got["Description"], got["MaxSessionDuration"]), ("for the app & <more>", 7200))
        self.assertEqual(got["Tags"], [{"Key": "team", "Value": "red"}])
        iam.update_role(RoleName="app", MaxSessionDuration=3600, Description="other")
        iam.update_role_description(RoleName="app", Description="third")
        other = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"})
        iam.update_assume_role_policy(RoleName="app", PolicyDocument=other)
        got = iam.get_role(RoleName="app")["Role"]
        self.assertEqual(
            (got["AssumeRolePolicyDocument"], got["Description"], got["MaxSessionDuration"]), (json.loads(other), "third", 3600)
        )
        self.assertEqual(code_of(iam.update_assume_role_policy, RoleName="app", PolicyDocument="{}"), "MalformedPolicyDocument")
        self.assertEqual(
            code_of(iam.create_role, RoleName="app", AssumeRolePolicyDocument=document), "EntityAlreadyExists"
        )
        self.assertEqual(code_of(iam.create_role, RoleName="x", AssumeRolePolicyDocument="{"), "MalformedPolicyDocument")
        self.assertEqual([r["RoleName"] for r in iam.list_roles(PathPrefix="/svc/")["Roles"]], ["app"])
        iam.tag_role(RoleName="app", Tags=[{"Key": "a", "Value": "b"}])
        iam.untag_role(RoleName="app", TagKeys=["team"])
        self.assertEqual(iam.list_role_tags(RoleName="app")["Tags"], [{"Key": "a", "Value": "b"}])
        iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=json.dumps(READ))
        self.assertEqual(iam.get_role_policy(RoleName="app", PolicyName="p")["PolicyDocument"], READ)
        self.assertEqual(code_of(iam.delete_role, RoleName="app"), "DeleteConflict")
        iam.delete_role_policy(RoleName="app", PolicyName="p")
        self.assertEqual(code_of(iam.get_role_policy, RoleName="app", PolicyName="p"), "NoSuchEntity")
        iam.delete_role(RoleName="app")
        self.assertEqual(code_of(iam.get_role, RoleName="app"), "NoSuchEntity")

    def test_policies_have_versions_and_attachments(self):
        iam = self.iam
        made = iam.create_policy(
            PolicyName="reading", Path="/k/", PolicyDocument=json.dumps(READ), Description="reads", Tags=[{"Key": "a", "Value": "1"}]
        )["Policy"]
        arn = made["Arn"]
        self.assertEqual((arn, made["DefaultVersionId"]), (f"arn:aws:iam::{ACCOUNT}:policy/k/reading", "v1"))
        self.assertEqual(code_of(iam.create_policy, PolicyName="reading", PolicyDocument=json.dumps(READ)), "EntityAlreadyExists")
        self.assertEqual(code_of(iam.create_policy, PolicyName="bad", PolicyDocument='{"Statement":[]}'), "MalformedPolicyDocument")
        for n in range(2, 6):
            version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW_ALL), SetAsDefault=n == 3)
            self.assertEqual(version["PolicyVersion"]["VersionId"], f"v{n}")
        self.assertEqual(
            code_of(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(READ)), "LimitExceeded"
        )
        self.assertEqual(iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"], "v3")
        self.assertEqual(iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"], READ)
        pages = list(iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2}))
        self.assertEqual([v["VersionId"] for p in pages for v in p["Versions"]], ["v5", "v4", "v3", "v2", "v1"])
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        self.assertEqual(code_of(iam.delete_policy_version, PolicyArn=arn, VersionId="v1"), "DeleteConflict")
        self.assertEqual(code_of(iam.set_default_policy_version, PolicyArn=arn, VersionId="v9"), "NoSuchEntity")
        iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
        # A number is never given twice.
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(READ))["PolicyVersion"]
        self.assertEqual(made["VersionId"], "v6")

        self.service.user("attached")
        iam.create_group(GroupName="attached")
        iam.create_role(RoleName="attached", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        iam.attach_user_policy(UserName="attached", PolicyArn=arn)
        iam.attach_group_policy(GroupName="attached", PolicyArn=arn)
        iam.attach_role_policy(RoleName="attached", PolicyArn=arn)
        iam.put_user_permissions_boundary(UserName="attached", PermissionsBoundary=arn)
        expected = [{"PolicyName": "reading", "PolicyArn": arn}]
        self.assertEqual(iam.list_attached_user_policies(UserName="attached")["AttachedPolicies"], expected)
        self.assertEqual(iam.list_attached_group_policies(GroupName="attached")["AttachedPolicies"], expected)
        self.assertEqual(iam.list_attached_role_policies(RoleName="attached")["AttachedPolicies"], expected)
        entities = iam.list_entities_for_policy(PolicyArn=arn)
        self.assertEqual([e["UserName"] for e in entities["PolicyUsers"]], ["attached"])
        self.assertEqual([e["RoleName"] for e in entities["PolicyRoles"]], ["attached"])
        self.assertEqual([e["GroupName"] for e in entities["PolicyGroups"]], ["attached"])
        listed = [p for p in iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"] if p["Arn"] == arn]
        self.assertEqual((listed[0]["AttachmentCount"], listed[0]["PermissionsBoundaryUsageCount"]), (3, 1))
        self.assertEqual(iam.get_user(UserName="attached")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"], arn)
        self.assertEqual(code_of(iam.delete_policy, PolicyArn=arn), "DeleteConflict")
        iam.delete_user_permissions_boundary(UserName="attached")
        for version in ("v2", "v3", "v4", "v6"):
            iam.delete_policy_version(PolicyArn=arn, VersionId=version)
        self.assertEqual(code_of(iam.delete_policy, PolicyArn=arn), "DeleteConflict")
        iam.detach_user_policy(UserName="attached", PolicyArn=arn)
        iam.detach_group_policy(GroupName="attached", PolicyArn=arn)
        iam.detach_role_policy(RoleName="attached", PolicyArn=arn)
        self.assertEqual(code_of(iam.detach_role_policy, RoleName="attached", PolicyArn=arn), "NoSuchEntity")
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
        iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
        self.assertEqual(iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "b", "Value": "2"}])
        iam.delete_policy(PolicyArn=arn)
        self.assertEqual(code_of(iam.get_policy, PolicyArn=arn), "NoSuchEntity")
        self.assertEqual(
            code_of(iam.attach_user_policy, UserName="attached", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"), "NoSuchEntity"
        )

    def test_inline_policies_come_back_as_they_were_put(self):
        iam = self.iam
        iam.create_user(UserName="inline")
        document = {"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Deny", "Action": "x:*", "Resource": "arn:aws:x:::é/%&+ ${aws:username}"}]}
        iam.put_user_policy(UserName="inline", PolicyName="odd", PolicyDocument=json.dumps(document))
        self.assertEqual(iam.get_user_policy(UserName="inline", PolicyName="odd")["PolicyDocument"], document)
        iam.put_user_policy(UserName="inline", PolicyName="odd", PolicyDocument=json.dumps(READ))
        self.assertEqual(iam.get_user_policy(UserName="inline", PolicyName="odd")["PolicyDocument"], READ)
        self.assertEqual(iam.list_user_policies(UserName="inline")["PolicyNames"], ["odd"])
        bad = '{"Version":"2012-10-17","Statement":{"Effect":"Perhaps"}}'
        self.assertEqual(
            code_of(iam.put_user_policy, UserName="inline", PolicyName="bad", PolicyDocument=bad), "MalformedPolicyDocument"
        )
        self.assertEqual(code_of(iam.delete_user_policy, UserName="inline", PolicyName="none"), "NoSuchEntity")
        self.assertEqual(code_of(iam.list_user_policies, UserName="nobody"), "NoSuchEntity")
        iam.delete_user_policy(UserName="inline", PolicyName="odd")

    def test_administration_needs_an_explicit_allow(self):
        service, iam = self.service, self.iam
        keys = service.user("limited", allow("iam:*", resource=f"arn:aws:iam::{ACCOUNT}:user/own/*"))
        limited = service.client("iam", keys)
        self.assertEqual(code_of(limited.create_user, UserName="x"), "AccessDenied")
        limited.create_user(UserName="mine", Path="/own/")
        limited.put_user_policy(UserName="mine", PolicyName="p", PolicyDocument=json.dumps(READ))
        self.assertEqual(code_of(limited.put_user_policy, UserName="limited", PolicyName="p", PolicyDocument=json.dumps(ALLOW_ALL)), "AccessDenied")
        # Whether something is there is told to those who may know.
        self.assertEqual(code_of(limited.get_user, UserName="nobody"), "AccessDenied")
        self.assertEqual(code_of(limited.list_policies), "AccessDenied")
        deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:Delete*", "Resource": "*"}]}
        iam.put_user_policy(UserName="limited", PolicyName="deny", PolicyDocument=json.dumps(deny))
        self.assertEqual(code_of(limited.delete_user_policy, UserName="mine", PolicyName="p"), "AccessDenied")

    def test_delegates_are_kept_within_boundary_tags_and_attachable_policies(self):
        service, iam = self.service, self.iam
        boundary = iam.create_policy(PolicyName="boundary-of-delegates", PolicyDocument=json.dumps(READ))["Policy"]["Arn"]
        other = iam.create_policy(PolicyName="other", PolicyDocument=json.dumps(READ))["Policy"]["Arn"]
        conditions = {
            "iam:CreateUser": {"StringEquals": {"iam:PermissionsBoundary": boundary, "aws:RequestTag/team": "red"}},
            "iam:AttachUserPolicy": {"ArnEquals": {"iam:PolicyARN": other}, "StringEquals": {"iam:PermissionsBoundary": boundary}},
            "iam:DeleteUser": {"StringEquals": {"aws:ResourceTag/team": "red"}},
        }
        statements = [{"Effect": "Allow", "Action": a, "Resource": "*", "Condition": c} for a, c in conditions.items()]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        delegate = service.client("iam", service.user("delegate", document))
        red, blue = [{"Key": "team", "Value": "red"}], [{"Key": "team", "Value": "blue"}]
        self.assertEqual(code_of(delegate.create_user, UserName="d1", Tags=red), "AccessDenied")
        self.assertEqual(code_of(delegate.create_user, UserName="d1", PermissionsBoundary=boundary, Tags=blue), "AccessDenied")
        self.assertEqual(code_of(delegate.create_user, UserName="d1", PermissionsBoundary=other, Tags=red), "AccessDenied")
        self.assertEqual(code_of(iam.create_user, UserName="d1", PermissionsBoundary="boundary-of-delegates"), "NoSuchEntity")
        delegate.create_user(UserName="d1", PermissionsBoundary=boundary, Tags=red)
        self.assertEqual(code_of(delegate.attach_user_policy, UserName="d1", PolicyArn=boundary), "AccessDenied")
        self.assertEqual(code_of(delegate.attach_user_policy, UserName="delegate", PolicyArn=other), "AccessDenied")
        delegate.attach_user_policy(UserName="d1", PolicyArn=other)
        self.assertEqual(code_of(delegate.delete_user, UserName="delegate"), "AccessDenied")
        iam.detach_user_policy(UserName="d1", PolicyArn=other)
        delegate.delete_user(UserName="d1")

    def test_simulation_says_what_would_be(self):
        iam = self.iam
        deny = {"Version": "2012-10-17", "Statement": [{"Sid": "No", "Effect": "Deny", "Action": "x:C", "Resource": "*"}]}
        tagged = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x:B", "Resource": R1, "Condition": {"StringEquals": {"aws:username": "ann", "xx:kk": "v"}}}]}
        answer = iam.simulate_custom_policy(
            PolicyInputList=[json.dumps(ALLOW_ALL), json.dumps(deny)], ActionNames=["x:A", "x:C"], ResourceArns=[R1, R2]
        )["EvaluationResults"]
        self.assertEqual(
            [(r["EvalActionName"], r["EvalResourceName"], r["EvalDecision"]) for r in answer],
            [("x:A", R1, "allowed"), ("x:A", R2, "allowed"), ("x:C", R1, "explicitDeny"), ("x:C", R2, "explicitDeny")],
        )
        self.assertIn("No", answer[2]["MatchedStatements"][0]["SourcePolicyId"])
        answer = iam.simulate_custom_policy(PolicyInputList=[json.dumps(tagged)], ActionNames=["x:B"], ResourceArns=[R1])
        self.assertEqual(answer["EvaluationResults"][0]["EvalDecision"], "implicitDeny")
        self.assertEqual(answer["EvaluationResults"][0]["MissingContextValues"], ["aws:username", "xx:kk"])
        self.assertEqual(
            iam.get_context_keys_for_custom_policy(PolicyInputList=[json.dumps(tagged)])["ContextKeyNames"], ["aws:username", "xx:kk"]
        )
        self.service.user("simulated", json.dumps(ALLOW_ALL))
        arn = f"arn:aws:iam::{ACCOUNT}:user/simulated"
        context = [{"ContextKeyName": "xx:kk", "ContextKeyValues": ["v"], "ContextKeyType": "string"}]
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=["x:B"], PermissionsBoundaryPolicyInputList=[json.dumps(READ)], ContextEntries=context
        )["EvaluationResults"][0]
        self.assertEqual(answer["EvalDecision"], "implicitDeny")
        self.assertFalse(answer["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"])
        answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["x:B"])["EvaluationResults"][0]
        self.assertEqual(answer["EvalDecision"], "allowed")
        self.assertEqual(code_of(iam.simulate_principal_policy, PolicySourceArn=arn + "2", ActionNames=["x:B"]), "NoSuchEntity")
        self.assertEqual(code_of(iam.simulate_custom_policy, PolicyInputList=["{}"], ActionNames=["x:B"]), "InvalidInput")

    def test_identity_providers_are_kept(self):
        iam = self.iam
        made = iam.create_open_id_connect_provider(Url="https://id.example.com/realm", ClientIDList=["a"], ThumbprintList=["0" * 40])
        arn = made["OpenIDConnectProviderArn"]
        self.assertEqual(arn, f"arn:aws:iam::{ACCOUNT}:oidc-provider/id.example.com/realm")
        self.assertEqual(code_of(iam.create_open_id_connect_provider, Url="https://id.example.com/realm"), "EntityAlreadyExists")
        self.assertEqual(code_of(iam.create_open_id_connect_provider, Url="http://id.example.com"), "ValidationError")
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="b")
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="a")
        iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["1" * 40])
        got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        self.assertEqual((got["Url"], got["ClientIDList"], got["ThumbprintList"]), ("id.example.com/realm", ["b"], ["1" * 40]))
        self.assertIn({"Arn": arn}, iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        self.assertEqual(code_of(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn), "NoSuchEntity")

    def test_what_is_not_there_says_so_by_name(self):
        with self.assertRaises(self.iam.exceptions.ClientError) as raised:
            self.iam.create_account_alias(AccountAlias="standin")
        self.assertEqual(raised.exception.response["Error"]["Code"], "InvalidAction")
        self.assertIn("CreateAccountAlias", raised.exception.response["Error"]["Message"])
        self.assertEqual(code_of(self.service.client("sts").decode_authorization_message, EncodedMessage="x"), "InvalidAction")

    def test_administration_is_recorded_with_who_did_it(self):
        service = self.service
        service.user("recorded")
        changes = [r for r in service.standin("audit") if "entity" in r]
        records = [r for r in changes if r["entity"]["uid"].endswith(":user/recorded")]
        self.assertEqual([r["activity_name"] for r in records], ["CreateUser", "CreateAccessKey"])
        self.assertEqual({r["actor"]["user"]["uid"] for r in records}, {f"arn:aws:iam::{ACCOUNT}:user/admin"})

    def test_the_summary_says_what_there_is_and_may_be(self):
        iam = self.iam
        before = iam.get_account_summary()["SummaryMap"]
        defaults = {
            "UsersQuota": 5000, "GroupsQuota": 300, "RolesQuota": 1000, "PoliciesQuota": 1500, "AccessKeysPerUserQuota": 2,
            "GroupsPerUserQuota": 10, "VersionsPerPolicyQuota": 5, "AttachedPoliciesPerUserQuota": 10,
            "AttachedPoliciesPerGroupQuota": 10, "AttachedPoliciesPerRoleQuota": 10, "UserPolicySizeQuota": 2048,
            "GroupPolicySizeQuota": 5120, "RolePolicySizeQuota": 10240, "PolicySizeQuota": 6144, "AssumeRolePolicySizeQuota": 2048,
        }
        self.assertEqual({key: value for key, value in before.items() if key.endswith("Quota")}, defaults)
        iam.create_user(UserName="counted")
        arn = iam.create_policy(PolicyName="counted", PolicyDocument=json.dumps(READ))["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(READ))
        after = iam.get_account_summary()["SummaryMap"]
        grown = {key: after[key] - before[key] for key in after if after[key] != before[key]}
        self.assertEqual(grown, {"Users": 1, "Policies": 1, "PolicyVersionsInUse": 2})
        keys = self.service.user("curious", allow("iam:List*"))
        self.assertEqual(code_of(self.service.client("iam", keys).get_account_summary), "AccessDenied")

    def test_bad_signatures_change_nothing(self):
        service = self.service
        wrong = service.admin | {"aws_secret_access_key": "x" * 40}
        self.assertEqual(code_of(service.client("iam", wrong).create_user, UserName="evil"), "SignatureDoesNotMatch")
        unknown = service.admin | {"aws_access_key_id": "AKIA" + "A" * 16}
        self.assertEqual(code_of(service.client("iam", unknown).create_user, UserName="evil"), "InvalidClientTokenId")
        token = service.admin | {"aws_session_token": "bm90IGEgdG9rZW4="}
        self.assertEqual(code_of(service.client("iam", token).create_user, UserName="evil"), "InvalidClientTokenId")
        self.assertEqual(code_of(self.iam.get_user, UserName="evil"), "NoSuchEntity")


class Quotas(unittest.TestCase):
    """As many as there may be, and one more."""

    @classmethod
    def setUpClass(cls):
        given = ("users=4", "groups=1", "roles=1", "policies=3", "providers=1", "attached-per-user=1", "groups-per-user=0",
                 "keys-per-user=off", "policy-size=300")
        cls.service = Service(*(part for quota in given for part in ("--quota", quota)))
        cls.addClassCleanup(cls.service.close)
        cls.iam = cls.service.client("iam")

    def test_one_too_many_is_limit_exceeded_and_changes_nothing(self):
        iam = self.iam
        document = json.dumps(READ)
        for n in range(3):
            iam.create_user(UserName=f"u{n}")
        with self.assertRaises(iam.exceptions.LimitExceededException) as raised:
            iam.create_user(UserName="u3")
        self.assertEqual(raised.exception.response["ResponseMetadata"]["HTTPStatusCode"], 409)
        self.assertIn("Cannot exceed quota for UsersPerAccount: 4", raised.exception.response["Error"]["Message"])
        self.assertEqual(code_of(iam.create_user, UserName="u0"), "EntityAlreadyExists")
        self.assertEqual(len(iam.list_users()["Users"]), 4)
        # A command on the store is not held.
        self.service.standin("user", "create", "u4")
        iam.create_group(GroupName="g")
        self.assertEqual(code_of(iam.create_group, GroupName="h"), "LimitExceeded")
        self.assertEqual(code_of(iam.add_user_to_group, GroupName="g", UserName="u0"), "LimitExceeded")
        trusted = trust({"AWS": "*"})
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusted)
        self.assertEqual(code_of(iam.create_role, RoleName="s", AssumeRolePolicyDocument=trusted), "LimitExceeded")
        long = trust({"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{'n' * 60}{n:04}" for n in range(30)]})
        self.assertEqual(code_of(iam.update_assume_role_policy, RoleName="r", PolicyDocument=long), "LimitExceeded")
        arns = [iam.create_policy(PolicyName=f"p{n}", PolicyDocument=document)["Policy"]["Arn"] for n in range(2)]
        self.assertEqual(code_of(iam.create_policy, PolicyName="p2", PolicyDocument=document), "LimitExceeded")
        iam.attach_user_policy(UserName="u0", PolicyArn=arns[0])
        iam.attach_user_policy(UserName="u0", PolicyArn=arns[0])
        self.assertEqual(code_of(iam.attach_user_policy, UserName="u0", PolicyArn=arns[1]), "LimitExceeded")
        many = allow("kafka-cluster:ReadData", resource=[f"arn:aws:kafka:*:*:topic/c/u/topic-{n}" for n in range(20)])
        self.assertEqual(code_of(iam.create_policy_version, PolicyArn=arns[0], PolicyDocument=many), "LimitExceeded")
        iam.put_user_policy(UserName="u0", PolicyName="i", PolicyDocument=many)
        huge = allow("kafka-cluster:ReadData", resource=[f"arn:aws:kafka:*:*:topic/c/u/topic-{n}" for n in range(60)])
        self.assertEqual(code_of(iam.put_user_policy, UserName="u0", PolicyName="j", PolicyDocument=huge), "LimitExceeded")
        self.assertEqual(iam.list_user_policies(UserName="u0")["PolicyNames"], ["i"])
        iam.create_open_id_connect_provider(Url="https://one.example", ClientIDList=["c"])
        self.assertEqual(code_of(iam.create_open_id_connect_provider, Url="https://two.example"), "LimitExceeded")
        for _ in range(12):
            iam.create_access_key(UserName="u1")
        summary = iam.get_account_summary()["SummaryMap"]
        self.assertEqual((summary["Users"], summary["UsersQuota"]), (5, 4))
        self.assertNotIn("AccessKeysPerUserQuota", summary)
