# SPDX-License-Identifier: Apache-2.0
"""A broker whose plugin is not configured right does not start, and says why."""

import tempfile
import unittest

from broker import Broker, free_port, plugin_lines
from house import CONNECT, Store, wait_for
from tokens import token
from clients import Client


class StartTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.store = Store()
        cls.addClassCleanup(cls.store.close)

    def broker(self, config=None, **how):
        directory = tempfile.TemporaryDirectory(prefix="mosquitto-")
        self.addCleanup(directory.cleanup)
        broker = Broker(config, directory=directory.name, start=False, **how)
        self.addCleanup(broker.stop)
        return broker

    def refused(self, *texts, **how):
        log = self.broker(**how).refuses_to_start()
        for text in texts:
            self.assertIn(text, log)

    def test_starts_with_the_documented_lines(self):
        broker = self.broker(self.store.config())
        broker.start()
        self.assertIn("decides about listener mqtt", broker.log())
        self.assertEqual(broker.stop(), 0)

    def test_refuses_without_a_configuration(self):
        self.refused("plugin_opt_config is missing")

    def test_refuses_a_configuration_that_is_not_there(self):
        self.refused("/nowhere/standin.toml", config="/nowhere/standin.toml")

    def test_refuses_an_unknown_setting_and_names_the_nearest(self):
        self.refused("standin.feed.intervall.ms", "standin.feed.interval.ms", config=self.store.config(feed_intervall_ms="20", name="wrong.toml"))

    def test_refuses_an_unknown_option_and_lists_the_known_ones(self):
        self.refused("plugin_opt_chanel is not an option", "channel", config=self.store.config(), chanel="secure")

    def test_refuses_values_outside_what_is_accepted(self):
        for name, value, accepted in (
            ("channel", "tls", "secure or plaintext is accepted"),
            ("token", "yes", "on or off is accepted"),
            ("certificate", "1", "on or off is accepted"),
            ("login_wait_ms", "-1", "a whole number from 0 to 1000 is accepted"),
            ("login_wait_ms", "25ms", "a whole number from 0 to 1000 is accepted"),
            ("login_wait_ms", "99999999999999999999", "a whole number from 0 to 1000 is accepted"),
            ("login_delay_ms", "10001", "a whole number from 0 to 10000 is accepted"),
        ):
            with self.subTest(name=name, value=value):
                self.refused(f"plugin_opt_{name} {value}: {accepted}", config=self.store.config(), **{name: value})

    def test_refuses_when_nobody_could_log_in(self):
        self.refused("nobody could log in", config=self.store.config(), token="off", enhanced_auth="off")

    def test_refuses_an_option_that_stands_twice(self):
        config = self.store.config()
        self.refused("plugin_opt_listener stands twice", plugin=plugin_lines(config, listener="a") + ["plugin_opt_listener b"])

    def test_refuses_to_be_loaded_twice(self):
        config = self.store.config()
        self.refused("stands twice in the broker's configuration", plugin=plugin_lines(config) * 2)

    def test_refuses_two_listeners_of_one_name(self):
        lines = plugin_lines(self.store.config(), listener="a")
        other = [f"listener {free_port()} 127.0.0.1", *lines, "allow_anonymous false"]
        self.refused("plugin_opt_listener a: another plugin line has that name", lines=["per_listener_settings true"], plugin=lines, listeners=other)

    def test_refuses_two_configurations_in_one_broker(self):
        lines = plugin_lines(self.store.config(name="a.toml"))
        other = [f"listener {free_port()} 127.0.0.1", *plugin_lines(self.store.config(name="b.toml")), "allow_anonymous false"]
        self.refused("one broker has one", lines=["per_listener_settings true"], plugin=lines, listeners=other)

    def test_decides_for_a_broker_in_the_background_too(self):
        """Threads made before the broker forks into the background would be gone."""
        key = self.store.user("daemon", CONNECT)
        broker = self.broker(self.store.config())
        pid = broker.directory / "pid"
        broker.file.write_text(f"pid_file {pid}\nlog_dest file {broker.log_path}\n" + broker.file.read_text().replace("log_dest stderr\n", ""))
        broker.launch_in_background(pid)

        def connected():
            client = Client(broker.port, "daemon-1", token(key))
            self.addCleanup(client.close)
            return client.connect() == 0

        wait_for(connected, what="a login")
