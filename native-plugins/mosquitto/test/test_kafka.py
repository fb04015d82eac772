# SPDX-License-Identifier: Apache-2.0
"""One store serves Kafka and Mosquitto."""

import json
import os
import pathlib
import subprocess
import tempfile

from case import BrokerTest
from house import EVERYTHING, ROOT, Store


class Kafka:
    """A stock broker, and a stock client that does what it is told."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._script("up", "--no-build")
        self.bootstrap = (self.directory / "bootstrap").read_text().strip()

    def _script(self, *arguments):
        subprocess.run([ROOT / "scripts/broker", *arguments[:1], "--dir", self.directory, *arguments[1:]], check=True, stdout=subprocess.DEVNULL)

    def close(self):
        self._script("down")

    def ask(self, key, *commands):
        """The answers of a client with this key."""
        credentials = self.directory / f"{key.id}.credentials"
        credentials.write_text(f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")
        class_path = subprocess.run(["bash", "-c", ". scripts/lib.sh; client_class_path"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        environment = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
        environment |= {"AWS_REGION": "us-east-1", "AWS_SHARED_CREDENTIALS_FILE": str(credentials), "STANDIN_LOG": str(self.directory / "client.log")}
        client = ["java", "-Xmx128m", f"-Dlog4j2.configurationFile={self.directory}/log4j2.properties", "-cp", class_path, "io.standin.it.Driver"]
        said = subprocess.run([*client, self.bootstrap, self.directory / "client.properties"], input="\n".join([*commands, "quit"]) + "\n",
                              env=environment, check=True, capture_output=True, text=True, timeout=120).stdout
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


class OneStoreTest(BrokerTest):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="kafka-")
        cls.addClassCleanup(directory.cleanup)
        cls.kafka = Kafka(directory.name)
        cls.addClassCleanup(cls.kafka.close)
        cls.store = Store(cls.kafka.directory / "standin/store.db")
        cls.addClassCleanup(cls.store.close)
        cls.broker = cls.start()

    def test_P1_41_one_key_logs_in_to_kafka_and_mosquitto_and_disabling_it_stops_both(self):
        kafka = {"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": "*"}
        key = self.store.user("both", *EVERYTHING, kafka)
        produced = self.kafka.ask(key, "create orders", "produce orders 10")
        self.assertEqual([answer.get("ok") for answer in produced], [True, True], produced)
        client = self.connected("both", key, version=5)
        self.assertEqual(client.publish("orders"), 0)

        self.store.disable(key)
        client.wait_closed()
        self.assert_answer(0x87, lambda: self.client("both", key, version=5).connect())
        refused = self.kafka.ask(key, "produce orders 1")
        self.assertEqual(refused[0]["error"], "SaslAuthenticationException")
