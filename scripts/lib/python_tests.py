#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the unittest cases of one file as tests/unit/runner.c runs suites: python_tests.py FILE [FILTER].

One line a test, `ok   suite/test` or `FAIL suite/test`, then `N passed, N failed`.
"""
import importlib.util
import sys
import unittest
from pathlib import Path


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def load(path):
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


class LineResult(unittest.TestResult):
    """Prints each test's outcome when it has ended; subtests count as their test."""

    def __init__(self, suite_name):
        super().__init__()
        self.suite_name = suite_name
        self.passed = self.failed = 0

    def name(self, test):
        return f"{self.suite_name}/{test.id().rstrip(')').rsplit('.', 1)[-1].removeprefix('test_')}"

    def startTest(self, test):
        super().startTest(test)
        self.before = len(self.failures), len(self.errors)

    def stopTest(self, test):
        super().stopTest(test)
        failures_before, errors_before = self.before
        self.report(test, self.failures[failures_before:] + self.errors[errors_before:])

    def addError(self, test, error):
        super().addError(test, error)
        if not isinstance(test, unittest.TestCase):  # setUpClass and the like, outside any test
            self.report(test, self.errors[-1:])

    def report(self, test, problems):
        print("FAIL" if problems else "ok  ", self.name(test), flush=True)
        for _, trace in problems:
            print("".join(f"     {line}\n" for line in trace.splitlines()), end="", flush=True)
        self.passed += not problems
        self.failed += bool(problems)


def main():
    path = Path(sys.argv[1])
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    result = LineResult(path.stem.removesuffix("_test"))
    tests = [test for test in flatten(load(path)) if wanted in result.name(test)]
    unittest.TestSuite(tests).run(result)
    print(f"{result.passed} passed, {result.failed} failed")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
