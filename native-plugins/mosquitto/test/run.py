# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of this directory; the last line is their sum.

    run.py [NAME...]    all, or those whose names hold one of these"""

import pathlib
import sys
import unittest


def chosen(suite, names):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, names)
        elif not names or any(name in test.id() for name in names):
            yield test


def main():
    here = pathlib.Path(__file__).parent
    sys.path.insert(0, str(here))
    found = unittest.defaultTestLoader.discover(str(here), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(chosen(found, sys.argv[1:])))
    # A skipped test has not passed, and neither has one that never began.
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses) + len(result.skipped)
    passed = result.testsRun - len(result.failures) - len(result.skipped) - sum(hasattr(test, "_testMethodName") for test, _ in result.errors)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
