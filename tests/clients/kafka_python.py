#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kafka-python: AWS_MSK_IAM by itself (with botocore), OAUTHBEARER with AWS's signer."""

import logging

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from job import Job, answer


class Tokens(AbstractTokenProvider):
    def __init__(self, region):
        super().__init__()
        self.region = region

    def token(self):
        return MSKAuthTokenProvider.generate_auth_token(self.region)[0]


class Lines(logging.Handler):
    """What the client logs: a refused login appears only there."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def settings(job):
    common = {
        "bootstrap_servers": job.bootstrap,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": job.ca_file,
        "sasl_mechanism": job.mechanism,
        "bootstrap_timeout_ms": 5000,
    }
    if job.mechanism == "OAUTHBEARER":
        common["sasl_oauth_token_provider"] = Tokens(job.region)
    return common


def roundtrip(job):
    producer = KafkaProducer(**settings(job))
    for record in job.records():
        producer.send(job.topic, record.encode()).get(timeout=20)
    producer.close()
    consumer = KafkaConsumer(
        job.topic,
        group_id=job.group,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20000,
        **settings(job),
    )
    consumed = []
    for message in consumer:
        consumed.append(message.value.decode())
        if len(consumed) == 10:
            break
    consumer.close()
    answer(produced=job.records(), consumed=consumed)


def forbidden(job):
    producer = KafkaProducer(**settings(job))
    try:
        producer.send(job.topic, b"forbidden").get(timeout=20)
        answer(error=None)
    except KafkaError as error:
        answer(error=getattr(error, "errno", None), message=repr(error))


def login(job):
    lines = Lines()
    logging.getLogger("kafka").addHandler(lines)
    try:
        KafkaProducer(**settings(job))
        answer(error=None)
    except KafkaError as error:
        answer(error=type(error).__name__, message="\n".join([repr(error), *lines.lines]))


def session(job):
    producer = KafkaProducer(**settings(job))
    sent, failed = 0, []
    for number in job.pace():
        try:
            producer.send(job.topic, str(number).encode()).get(timeout=20)
            sent += 1
        except KafkaError as error:
            failed.append(repr(error))
    answer(sent=sent, failed=failed)


JOBS = {"roundtrip": roundtrip, "forbidden": forbidden, "login": login, "session": session}

if __name__ == "__main__":
    the_job = Job()
    JOBS[the_job.name](the_job)
