# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of this directory; the last line is their sum.

    run.py [NAME...] [-NAME...]    all, or those whose names hold one of these,
                                   but none whose name holds one with a -"""

import pathlib
import sys
import unittest


def chosen(suite, names):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, names)
        elif wanted(test.id(), names):
            yield test


def wanted(test, names):
    without = [name[1:] for name in names if name.startswith("-")]
    named = [name for name in names if not name.startswith("-")]
    return not any(name in test for name in without) and (not named or any(name in test for name in named))


class Result(unittest.TextTestResult):
    """Counts whole tests: parts of one do not count by themselves, and what
    failed before the first test of a class or after its last counts too."""

    def __init__(self, *arguments, **how):
        super().__init__(*arguments, **how)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def failed(self):
        tests = [test for test, _ in self.failures + self.errors + self.skipped]
        return len({getattr(test, "test_case", test).id() for test in tests}) + len(self.unexpectedSuccesses)


def main():
    here = pathlib.Path(__file__).parent
    sys.path.insert(0, str(here))
    found = unittest.defaultTestLoader.discover(str(here), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(unittest.TestSuite(chosen(found, sys.argv[1:])))
    # A skipped test has not passed.
    print(f"{result.passed} passed, {result.failed()} failed")
    return 0 if result.passed > 0 and result.failed() == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
