# SPDX-License-Identifier: Apache-2.0
"""The table of the plugin, by itself and under the sanitizers."""

import pathlib
import random
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent


class MapTest(unittest.TestCase):
    def test_it_holds_what_a_simple_table_holds(self):
        seed = str(random.randrange(1 << 31))
        with tempfile.TemporaryDirectory() as directory:
            program = f"{directory}/map"
            flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
            subprocess.run(["cc", *flags, "-o", program, str(HERE / "map_test.c"), str(HERE.parent / "src/map.c")], check=True)
            self.assertIn("__asan_init", subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout)
            for each in ("1", seed):
                done = subprocess.run([program, each], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, f"seed {each}: {done.stdout}{done.stderr}")
