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


def main():
    path = Path(sys.argv[1])
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    passed = failed = 0
    for test in flatten(load(path)):
        name = test.id().rsplit(".", 1)[-1].removeprefix("test_")
        name = f"{path.stem.removesuffix('_test')}/{name}"
        if wanted not in name:
            continue
        result = unittest.TestResult()
        test.run(result)
        problems = result.failures + result.errors
        print("FAIL" if problems else "ok  ", name, flush=True)
        for _, trace in problems:
            print("".join(f"     {line}\n" for line in trace.splitlines()), end="", flush=True)
        passed += not problems
        failed += bool(problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
