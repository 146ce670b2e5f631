# SPDX-License-Identifier: BSD-3-Clause
"""Lint and format look at our sources, whatever lies beside them and whether or not there is git."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "lib" / "source_files.py"
OURS = ("README.md", ".ci/run", "common/base.h", "tests/unit/base_test.c")
# What other tools, killed tests and people leave in a tree.
STRAY = (
    "notes.md", "out/meson-private/coredata.dat", "out/config.h", "review/patch.py", "store-test-q1w2e3/lane.c",
    "common/base.h~", "common/.base.h.swp", "common/base.h.orig", "common/.#base.h", "build-old/x.c",
    "tests/__pycache__/a.pyc",
)


class SourceFiles(unittest.TestCase):
    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="sluice-lint-"))
        self.addCleanup(shutil.rmtree, self.top)
        self.root = self.top / "tree"
        self.make(*OURS, ".gitignore")
        (self.root / ".gitignore").write_text("/build*/\n__pycache__/\n")

    def make(self, *paths):
        for path in paths:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text("int a;\n")

    def git(self, *arguments, folder=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments],
            cwd=folder or self.root, env=environment, check=True, capture_output=True)

    def listed(self, *patterns, **environment):
        result = subprocess.run(
            [sys.executable, str(SCRIPT), *patterns], cwd=self.root, capture_output=True, text=True, check=True,
            env={**os.environ, **environment})
        self.assertEqual(result.stderr, "")
        return set(result.stdout.split("\0")) - {"", ".gitignore"}

    def test_git_names_what_is_tracked_and_what_is_new_in_its_folders(self):
        self.git("init", "-q")
        self.git("add", ".")
        self.make(*STRAY, "tests/unit/new_test.c", "common/base.c")
        (self.root / "common/base.h").unlink()
        self.assertEqual(self.listed(), set(OURS) - {"common/base.h"} | {"tests/unit/new_test.c", "common/base.c"})
        self.assertEqual(self.listed("*.c"), {"tests/unit/base_test.c", "tests/unit/new_test.c", "common/base.c"})

    def test_what_a_hook_hands_down_does_not_lead_elsewhere(self):
        self.git("init", "-q")
        self.git("add", ".")
        other = self.top / "other"
        other.mkdir()
        self.git("init", "-q", folder=other)
        self.make("notes.md")  # a walk would name it
        self.assertEqual(self.listed(GIT_DIR=str(other / ".git"), GIT_INDEX_FILE="/nonexistent"), set(OURS))

    def test_a_shallow_clone_and_a_work_tree_are_like_the_repository(self):
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "a")
        repository = self.root
        for name, arguments in (
            ("shallow", ("clone", "-q", "--depth", "1", f"file://{repository}")),
            ("beside", ("worktree", "add", "-q")),
        ):
            with self.subTest(name):
                self.git(*arguments, str(self.top / name), folder=repository)
                self.root = self.top / name
                self.make(*STRAY)
                self.assertEqual(self.listed(), set(OURS))

    def test_without_git_the_tree_is_walked(self):
        self.make(*(path for path in STRAY if not path.startswith(("notes", "review", "store-test"))))
        self.assertEqual(self.listed(), set(OURS))

    def test_without_the_program_git_the_tree_is_walked(self):
        self.git("init", "-q")
        self.git("add", ".")
        self.assertEqual(self.listed(PATH="/nonexistent"), set(OURS))

    def test_a_broken_repository_is_walked(self):
        (self.root / ".git").write_text("gitdir: /nonexistent\n")
        self.assertEqual(self.listed() - {".git"}, set(OURS))

    def test_a_copy_inside_of_another_repository_is_walked(self):
        self.git("init", "-q", folder=self.top)
        self.assertEqual(self.listed(), set(OURS))

    def test_a_repository_of_another_owner_is_believed(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        self.git("init", "-q")
        self.git("add", ".")
        self.make("notes.md")
        for path in (self.root, self.root / ".git"):
            os.chown(path, 65534, 65534)
        self.assertEqual(self.listed(), set(OURS))


if __name__ == "__main__":
    unittest.main()
