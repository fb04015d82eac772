#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka (librdkafka): OAUTHBEARER with AWS's signer, or with another program's that
the environment names: librdkafka is what clients in other languages are made of."""

import os
import subprocess
import sys
import threading
import time
import uuid

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from job import Job, answer


def settings(job, errors=None):
    def token(_):
        signer = os.environ.get("SIGNER")
        if signer:
            value, expires_ms = subprocess.check_output([signer], text=True).split()
        else:
            value, expires_ms = MSKAuthTokenProvider.generate_auth_token(job.region)
        return value, int(expires_ms) / 1000

    return {
        "bootstrap.servers": job.bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": job.ca_file,
        "sasl.mechanisms": job.mechanism,
        "oauth_cb": token,
        "error_cb": (errors if errors is not None else []).append,
        "log_level": 0,
    }


def send(producer, topic, value):
    """The error of one record, None when it was written."""
    outcome = []
    producer.produce(topic, value, on_delivery=lambda error, _: outcome.append(error))
    end = time.monotonic() + 20
    while not outcome and time.monotonic() < end:
        producer.poll(0.1)
    return outcome[0] if outcome else KafkaError(KafkaError._TIMED_OUT)


def roundtrip(job):
    producer = Producer(settings(job))
    for record in job.records():
        error = send(producer, job.topic, record.encode())
        if error is not None:
            raise KafkaException(error)
    consumer = Consumer({**settings(job), "group.id": job.group, "auto.offset.reset": "earliest"})
    consumer.subscribe([job.topic])
    consumed, end = [], time.monotonic() + 20
    while len(consumed) < 10 and time.monotonic() < end:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            consumed.append(message.value().decode())
    consumer.close()
    answer(produced=job.records(), consumed=consumed)


def forbidden(job):
    error = send(Producer(settings(job)), job.topic, b"forbidden")
    answer(error=error and error.code(), message=str(error))


def login(job):
    errors = []
    producer = Producer(settings(job, errors))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        producer.poll(0.1)
        refused = [e for e in errors if e.code() == KafkaError._AUTHENTICATION]
        if refused:
            answer(error=refused[0].name(), message=refused[0].str())
            return
    answer(error=None, message=str(errors))


def session(job):
    producer = Producer(settings(job))
    sent, failed = 0, []
    for number in job.pace():
        error = send(producer, job.topic, str(number).encode())
        if error is None:
            sent += 1
        else:
            failed.append(str(error))
    answer(sent=sent, failed=failed)


class Loop(threading.Thread):
    """Does one thing over and over, counts how often it succeeded, and ends with what is final."""

    def __init__(self, name, step):
        super().__init__(name=name, daemon=True)
        self.step = step
        self.done = 0
        self.ended = None
        self.start()

    def run(self):
        try:
            while True:
                self.done += self.step()
        except Exception as error:  # whatever ends it is what is looked for
            self.ended = repr(error)


def outage(job):
    """Several clients at once that tell how far they are until their input ends."""

    def wrote(error, _):
        if error is not None:
            raise KafkaException(error)

    # An outage is shorter than that.
    patient = {"message.timeout.ms": 120000, "linger.ms": 0}
    producer = Producer({**settings(job), **patient, "enable.idempotence": True})
    transactional = Producer(
        {**settings(job), "transactional.id": f"{job.group}-{uuid.uuid4()}", "linger.ms": 0}
    )
    consumer = Consumer(
        {
            **settings(job),
            "group.id": job.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([job.topic])

    def write():
        outcome = []
        producer.produce(job.topic, b"1", on_delivery=lambda error, _: outcome.append(error))
        while not outcome:
            producer.poll(0.1)
        wrote(outcome[0], None)
        time.sleep(0.02)
        return 1

    def again(call, *arguments):
        """As the client's documents say: what can be repeated is."""
        while True:
            try:
                return call(*arguments)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                time.sleep(0.1)

    def transact():
        if not transact.ready:
            again(transactional.init_transactions, 10)
            transact.ready = True
        transactional.begin_transaction()
        transactional.produce(job.topic, b"1", on_delivery=wrote)
        again(transactional.commit_transaction, 10)
        time.sleep(0.02)
        return 1

    transact.ready = False

    def read():
        message = consumer.poll(0.5)
        if message is None:
            return 0
        if message.error() is not None:
            if message.error().fatal():
                raise KafkaException(message.error())
            return 0
        again(lambda: consumer.commit(message, asynchronous=False))
        return 1

    loops = [Loop("write", write), Loop("transact", transact), Loop("read", read)]
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    while not over.wait(0.2):
        answer(**{loop.name: loop.done for loop in loops}, ended=[l.ended for l in loops if l.ended])


JOBS = {"outage": outage, "roundtrip": roundtrip, "forbidden": forbidden, "login": login, "session": session}

if __name__ == "__main__":
    the_job = Job()
    JOBS[the_job.name](the_job)
