# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of this directory with the AWS tools as clients; the last
line is their sum.

    run.py [NAME...]    all, or those whose names hold one of these"""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "native-plugins/mosquitto/test"))

from run import Result, chosen  # noqa: E402


def main():
    sys.path.insert(0, str(HERE))
    found = unittest.defaultTestLoader.discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(unittest.TestSuite(chosen(found, sys.argv[1:])))
    # A skipped test has not passed.
    print(f"{result.passed} passed, {result.failed()} failed")
    return 0 if result.passed > 0 and result.failed() == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
