# SPDX-License-Identifier: Apache-2.0
"""What the Python clients have in common: the job they are given, and how they answer."""

import json
import os
import sys
import time


class Job:
    """One job, from arguments and environment."""

    def __init__(self):
        self.mechanism, self.name = sys.argv[1:3]
        self.bootstrap = os.environ["BOOTSTRAP"]
        self.ca_file = os.environ["CA_FILE"]
        self.region = os.environ["AWS_REGION"]
        self.topic = os.environ["TOPIC"]
        self.group = os.environ["GROUP"]
        self.seconds = float(os.environ["SECONDS"])

    def records(self):
        return [f"{self.group}-{i}" for i in range(10)]

    def pace(self):
        """Numbers, five a second, until the time of the job is over."""
        end, number = time.monotonic() + self.seconds, 0
        while time.monotonic() < end:
            yield number
            number += 1
            time.sleep(0.2)


def answer(**fields):
    print(json.dumps(fields), flush=True)
