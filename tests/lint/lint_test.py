# SPDX-License-Identifier: BSD-3-Clause
"""scripts/lint says what it found where, and what it missed, on any machine and from any folder."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNFORMATTED = "/* SPDX-License-Identifier: BSD-3-Clause */\nint a;\nint  b;\nint  c;\n"


class Lint(unittest.TestCase):
    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="sluice-lint-"))
        self.addCleanup(shutil.rmtree, self.top)
        for name in ("scripts", ".clang-format", ".shellcheckrc"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.top / name)
        (self.top / "common").mkdir()
        (self.top / "scripts/lint.rules").write_text("")

    def lint(self, filter_word, path=None, **environment):
        result = subprocess.run(
            [str(self.top / "scripts/lint"), filter_word], cwd="/", capture_output=True, text=True, check=False,
            env={**os.environ, **environment, **({"PATH": str(path)} if path else {})})
        self.assertEqual(result.returncode == 0, " 0 failed" in result.stdout, result.stdout + result.stderr)
        return result.stdout

    def tools_without(self, missing):
        """A folder with every program of PATH but one."""
        folder = self.top / "build-tools"
        folder.mkdir()
        for place in os.environ["PATH"].split(":"):
            for tool in Path(place).glob("*"):
                if tool.name != missing and not (folder / tool.name).is_symlink():
                    (folder / tool.name).symlink_to(tool)
        return folder

    def test_a_finding_names_file_and_line(self):
        (self.top / "common/a.c").write_text(UNFORMATTED)
        self.assertIn("FAIL lint/format\n     common/a.c:3: not formatted, run scripts/format\n0 passed, 1 failed",
                      self.lint("format"))

    def test_a_missing_tool_is_named(self):
        self.assertIn("FAIL lint/format\n     clang-format-14 is not in PATH",
                      self.lint("format", path=self.tools_without("clang-format-14")))

    def test_a_clean_tree_passes_in_any_surroundings(self):
        (self.top / "common/a.c").write_text("/* SPDX-License-Identifier: BSD-3-Clause */\nint a;\n// caf\u00e9\n",
                                             encoding="utf-8")
        for environment in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
                            {"PYTHONSAFEPATH": "1"}, {"HOME": "/nonexistent"}, {"CDPATH": "/"}):
            with self.subTest(**environment):
                for check in ("format", "spdx", "layering"):
                    self.assertEqual(self.lint(check, **environment), f"ok   lint/{check}\n1 passed, 0 failed\n")


if __name__ == "__main__":
    unittest.main()
