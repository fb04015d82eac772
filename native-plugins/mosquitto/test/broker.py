# SPDX-License-Identifier: Apache-2.0
"""A stock Mosquitto with the plugin."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from house import ACCOUNT, PLUGIN, wait_for

# The binary under test: MOSQUITTO names another version's.
MOSQUITTO = os.environ.get("MOSQUITTO", "/usr/sbin/mosquitto")
RUNNING = re.compile(r"mosquitto version [0-9.]+ running")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def version():
    said = subprocess.run([MOSQUITTO, "-h"], capture_output=True, text=True, check=False).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)", said).groups()))


def plugin_lines(config, **options):
    lines = [f"plugin {PLUGIN}"] + ([f"plugin_opt_config {config}"] if config else [])
    return lines + [f"plugin_opt_{name} {value}" for name, value in options.items()]


class Broker:
    """`lines` stand before the listener, `listeners` are further ones; what
    begins with plugin_opt_ comes from `options`."""

    def __init__(self, config, *, directory, lines=(), listeners=(), plugin=None, start=True, **options):
        self.port = free_port()
        self.directory = pathlib.Path(directory)
        self.log_path = self.directory / "mosquitto.log"
        self.file = self.directory / "mosquitto.conf"
        settings = ["log_type all", "log_dest stderr", "allow_anonymous false", "persistence false"]
        if os.geteuid() == 0:
            settings.append("user root")
        settings = [s for s in settings if not any(line.split()[0] == s.split()[0] for line in lines)]
        plugins = plugin if plugin is not None else plugin_lines(config, **options)
        per_listener = any(line.startswith("per_listener_settings true") for line in lines)
        listener = [f"listener {self.port} 127.0.0.1"]
        ordered = [*lines, *settings, *([] if per_listener else plugins), *listener, *(plugins if per_listener else []), *listeners]
        if per_listener:
            ordered = [s for s in ordered if s != "allow_anonymous false"] + ["allow_anonymous false"]
        self.file.write_text("\n".join(ordered) + "\n")
        self.process = None
        if start:
            self.start()

    def launch(self):
        self.mark = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.file)], stderr=log, stdout=log)

    def start(self):
        self.launch()
        try:
            wait_for(lambda: RUNNING.search(self.log()[self.mark:]) or self.process.poll() is not None, what="the broker")
        except AssertionError:
            self.stop()
            raise
        if self.process.poll() is not None:
            raise AssertionError(f"the broker stopped:\n{self.log()[self.mark:]}")

    def refuses_to_start(self):
        """Starts a broker that is not to start; its log."""
        self.launch()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"the broker runs:\n{self.log()}") from None
        assert self.process.returncode != 0, self.log()
        return self.log()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def reload(self):
        """The broker forgets a signal that comes while it deals with the last."""
        seen = self.log().count("Reloading config")
        sent = 0

        def reloaded():
            nonlocal sent
            if time.monotonic() - sent > 1:
                self.process.send_signal(signal.SIGHUP)
                sent = time.monotonic()
            return self.log().count("Reloading config") > seen

        wait_for(reloaded, what="the reload")

    def wait_log(self, text, count=1):
        return wait_for(lambda: self.log().count(text) >= count, what=f"{text!r} in the log")

    def wait_name(self, client_id, user):
        """Waits until the broker has written under which name it knows a client."""
        line = re.compile(rf" as {re.escape(client_id)} \(.*u'arn:aws:iam::{ACCOUNT}:user/{re.escape(user)}'\)")
        return wait_for(lambda: line.search(self.log()), what=f"the name of {client_id}")

    def stop(self):
        """Stops it; it must not have crashed."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        return self.process.returncode if self.process else 0

    def restart(self):
        self.stop()
        self.start()

    def launch_in_background(self, pid_file):
        """Starts it with -d; it writes its own log and its process id."""
        subprocess.run([MOSQUITTO, "-d", "-c", str(self.file)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = Background(wait_for(lambda: pid_file.exists() and pid_file.read_text().strip(), what="the broker"))
        wait_for(lambda: RUNNING.search(self.log()), what="the broker")


class Background:
    """As much of a process as there is to one that is no child."""

    returncode = 0

    def __init__(self, pid):
        self.pid = int(pid)

    def poll(self):
        return None if pathlib.Path(f"/proc/{self.pid}").exists() else 0

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds):
        wait_for(lambda: self.poll() is not None, seconds, "the end of the broker")
