# SPDX-License-Identifier: Apache-2.0
"""Parts of the plugin by themselves, under the sanitizers."""

import pathlib
import random
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class PartTest(unittest.TestCase):
    def built(self, test, parts, *flags):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        program = f"{directory.name}/{test}"
        sources = [HERE / f"{test}.c", *(HERE.parent / f"src/{part}.c" for part in parts)]
        subprocess.run(["cc", *FLAGS, f"-I{HERE.parents[2]}/include", "-o", program, *map(str, sources), *flags], check=True)
        self.assertIn("__asan_init", subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout)
        return program

    def run_through(self, program, *arguments):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout


class MapTest(PartTest):
    def test_it_holds_what_a_simple_table_holds(self):
        program = self.built("map_test", ["map"])
        for seed in ("1", str(random.randrange(1 << 31))):
            self.run_through(program, seed)


class GuardsTest(PartTest):
    """With a broker and a library that do as the tests say, which name themselves."""

    PARTS = ["clients", "map", "tick", "events", "login", "evidence", "log", "host", "options", "acl"]

    def guard(self, test, *flags):
        program = self.built(test, self.PARTS, "-lcrypto", *flags)
        names = self.run_through(program).split()
        self.assertTrue(names)
        for name in names:
            with self.subTest(name):
                self.run_through(program, name)

    def test_guards_of_clients(self):
        self.guard("guards_test")

    def test_guards_of_logins(self):
        self.guard("logins_test")

    def test_guards_of_logins_that_are_answered_later(self):
        self.guard("logins_test", "-DNEWER")
