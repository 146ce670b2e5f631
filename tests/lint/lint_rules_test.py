# SPDX-License-Identifier: BSD-3-Clause
"""Each rule of scripts/lint finds what it is there for, and is silent about a clean tree."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RULES = Path(__file__).resolve().parents[2] / "scripts" / "lib" / "lint_rules.py"
SPDX = "/* SPDX-License-Identifier: BSD-3-Clause */\n"
CLEAN = {
    "scripts/lint.rules": "# kind what reason\n",
    "common/drop_reasons.def": SPDX + 'SL_DROP(RUNT, "runt", PARSE, FRAME, "short")\n',
    "common/base.h": SPDX + "#pragma once\n",
    "common/clock_internal.h": SPDX + "#pragma once\n",
    "dataplane/hotpath.h": SPDX + "#pragma once\n",
    "dataplane/rx/parse.c": SPDX + '#include "base.h"\n\n#include "hotpath.h"\n\nint sl_parse(void)\n{\n}\n',
    "control/ctl/read.c": SPDX + '#include "base.h"\n\nstatic int read_it(void)\n{\n}\n',
    "tests/unit/parse_test.c": SPDX + "int reason = SL_DROP_RUNT;\n",
}
LONG_BODY = "\tx();\n" * 80


class LintRules(unittest.TestCase):
    def findings(self, rule, changes=None):
        with tempfile.TemporaryDirectory() as directory:
            for path, text in {**CLEAN, **(changes or {})}.items():
                target = Path(directory) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
            result = subprocess.run(
                [sys.executable, str(RULES), rule], cwd=directory, capture_output=True, text=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=False)
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.returncode, 1 if result.stdout else 0)
        return result.stdout

    def assert_finds(self, rule, message, changes):
        self.assertIn(message, self.findings(rule, changes))

    def test_a_clean_tree_has_no_findings(self):
        names = subprocess.run([sys.executable, str(RULES), "--list"], capture_output=True, text=True, check=True)
        for rule in names.stdout.split():
            self.assertEqual(self.findings(rule), "", rule)

    def test_a_long_file_is_found_and_can_be_excepted(self):
        long_file = {"common/log.c": SPDX + "\n" * 500}
        self.assert_finds("file-length", "common/log.c:501", long_file)
        long_file["scripts/lint.rules"] = "file-length common/log.c one table\n"
        self.assertEqual(self.findings("file-length", long_file), "")

    def test_a_long_function_is_found_and_can_be_excepted(self):
        long_function = {"common/log.c": SPDX + "void sl_log(int a,\n\tint b)\n{\n" + LONG_BODY + "}\n"}
        self.assert_finds("function-length", "sl_log has 82 lines, 70", long_function)
        long_function["scripts/lint.rules"] = "function-length common/log.c:sl_log one table\n"
        self.assertEqual(self.findings("function-length", long_function), "")

    def test_hot_functions_have_a_lower_limit(self):
        text = SPDX + "void sl_steer(void)\n{\n" + "\tx();\n" * 55 + '}\n#include "hotpath.h"\n'
        self.assert_finds("function-length", "has 57 lines, 50", {"dataplane/rx/steer.c": text})
        self.assertEqual(self.findings("function-length", {"control/ctl/steer.c": text}), "")

    def test_a_hot_file_without_the_poison_is_found(self):
        text = SPDX + '#include "hotpath.h"\n#include <stdlib.h>\n'
        self.assert_finds("hotpath", "dataplane/rx/steer.c", {"dataplane/rx/steer.c": text})
        self.assert_finds("hotpath", "dataplane/store/lane.c", {
            "dataplane/store/lane.c": text, "scripts/lint.rules": "hot dataplane/store/lane.c seals batches\n"})
        self.assertEqual(self.findings("hotpath", {
            "dataplane/rx/start.c": text, "scripts/lint.rules": "cold dataplane/rx/start.c start\n"}), "")

    def test_a_header_without_pragma_once_is_found(self):
        self.assert_finds("headers", "common/log.h", {"common/log.h": SPDX})

    def test_a_missing_licence_is_found(self):
        self.assert_finds("spdx", "common/log.c", {"common/log.c": "int a;\n"})
        self.assert_finds("spdx", "scripts/x", {"scripts/x": "#!/usr/bin/env bash\n"})
        self.assert_finds("spdx", "OR GPL-2.0-only", {"ebpf/a.bpf.c": SPDX})

    def test_layers_that_must_not_meet_are_found(self):
        for path, include, message in (
            ("common/log.c", '"hotpath.h"', "common may not include dataplane/hotpath.h"),
            ("common/log.c", "<rte_ring.h>", "neither DPDK nor libbpf"),
            ("control/main.c", '"hotpath.h"', "control may not include dataplane/hotpath.h"),
            ("dataplane/main.c", '"../control/ctl/read.c"', "dataplane may not include control/"),
            ("ebpf/loader.c", '"hotpath.h"', "ebpf may not include dataplane/hotpath.h"),
            ("control/main.c", '"clock_internal.h"', "internal to its own folder"),
        ):
            with self.subTest(path=path, include=include):
                self.assert_finds("layering", message, {path: SPDX + f"#include {include}\n"})

    def test_a_symbol_outside_the_name_space_is_found(self):
        self.assert_finds("symbols", "parse is neither", {"common/a.c": SPDX + "int parse(void)\n{\n}\n"})
        self.assertEqual(self.findings("symbols", {"common/a.c": SPDX + "static int parse(void)\n{\n}\n"}), "")

    def test_a_drop_reason_without_a_test_is_found(self):
        for text in ("int a;\n", "// SL_DROP_RUNT is a drop reason\n", "int SL_DROP_RUNTS;\n"):
            self.assert_finds("drop-reasons-tested", "drop reason runt", {"tests/unit/parse_test.c": SPDX + text})
        self.assertEqual(self.findings("drop-reasons-tested", {
            "tests/unit/parse_test.c": SPDX, "tests/e2e/runt.sh": "assert_drop runt 3\n"}), "")

    def test_unfinished_work_is_found(self):
        self.assert_finds("nothing-left-over", "common/a.c:2", {"common/a.c": SPDX + "// TO" + "DO: more\n"})

    def test_python_that_does_not_parse_is_found(self):
        self.assert_finds("python-parses", "tests/a.py:1", {"tests/a.py": "def\n"})

    def test_an_exception_that_nobody_needs_is_found(self):
        self.assert_finds("exceptions", "is not needed", {"scripts/lint.rules": "file-length common/base.h long\n"})
        self.assert_finds("exceptions", "not KIND", {"scripts/lint.rules": "file-length common/base.h\n"})


if __name__ == "__main__":
    unittest.main()
