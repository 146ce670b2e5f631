#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sluice's own lint rules: lint_rules.py RULE, or `lint_rules.py --list`. Run in the source root.

Each rule yields (file, line, message); no finding is success. Exceptions stand in scripts/lint.rules.
"""
import ast
import fnmatch
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also under PYTHONSAFEPATH

from source_files import source_files

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
HOT_FUNCTION_LINES_MAX = 50
HOT_PATTERNS = ("dataplane/rx/*.c", "dataplane/worker/*.c")
# layer: the layers whose headers it may include; the same roots are its include directories.
LAYERS = {
    "common": ("common",),
    "ebpf": ("ebpf", "common"),
    "dataplane": ("dataplane", "ebpf", "common"),
    "control": ("control", "ebpf", "common"),
    "client": ("client", "common"),
    "tests": ("tests/unit", "tests/load", "tests", "dataplane", "control", "client", "ebpf", "common"),
}
EXCEPTION_KINDS = ("file-length", "function-length", "hot", "cold", "symbol")
C_SUFFIXES = (".c", ".h")


class Tree:
    """The source files, read once, and the exceptions."""

    def __init__(self):
        self.texts = {}
        for path in source_files():
            try:
                data = Path(path).read_bytes()
                if b"\0" not in data:
                    self.texts[path] = data.decode("utf-8")
            except UnicodeDecodeError:
                pass  # a fixture in binary
            except FileNotFoundError:
                pass  # gone since it was listed
            except OSError as error:
                sys.exit(f"{path}:1: cannot be read: {error.strerror}")
        self.used = set()
        self.exceptions = {}
        for number, line in enumerate(Path("scripts/lint.rules").read_text(encoding="utf-8").splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                self.exceptions[number] = line.split(None, 2)

    def files(self, *suffixes):
        return [(path, text) for path, text in self.texts.items() if path.endswith(suffixes)]

    def excepted(self, kind, what):
        for number, fields in self.exceptions.items():
            if fields[:2] == [kind, what]:
                self.used.add(number)
                return True
        return False

    def is_hot(self, path):
        if any(fnmatch.fnmatch(path, pattern) for pattern in HOT_PATTERNS):
            return not self.excepted("cold", path)
        return self.excepted("hot", path)


def functions(text):
    """Yields (name, is_static, line, line_count) of each definition: clang-format has put its
    opening and closing braces alone into the first column."""
    lines = text.splitlines()
    start = None
    for index, line in enumerate(lines):
        if line == "{":
            start = index
        elif line == "}" and start is not None:
            head = []
            above = start - 1
            while above >= 0 and lines[above].strip() and not re.match(r"[#}/]|.*;$", lines[above]):
                head.insert(0, lines[above].strip())
                above -= 1
            head = " ".join(head)
            name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)|SEC\(.*?\)", "", head))
            if name:
                is_static = re.search(r"\bstatic\b", head) is not None
                yield name.group(1), is_static, start + 1, index - start + 1
            start = None


def rule_file_length(tree):
    for path, text in tree.files(*C_SUFFIXES, ".py", ".sh"):
        count = text.count("\n")
        if count > FILE_LINES_MAX and not tree.excepted("file-length", path):
            yield path, count, f"{count} lines; split it, or give a reason in scripts/lint.rules"


def rule_function_length(tree):
    for path, text in tree.files(*C_SUFFIXES):
        limit = HOT_FUNCTION_LINES_MAX if tree.is_hot(path) else FUNCTION_LINES_MAX
        for name, _, line, count in functions(text):
            if count > limit and not tree.excepted("function-length", f"{path}:{name}"):
                yield path, line, f"{name} has {count} lines, {limit} are allowed"


def rule_hotpath(tree):
    for path, text in tree.files(".c"):
        if not tree.is_hot(path):
            continue
        includes = re.findall(r'^#include\s+["<]([^">]+)[">]', text, re.M)
        if not includes or includes[-1] != "hotpath.h":
            yield path, 1, 'a hot file includes "hotpath.h" last'


def rule_headers(tree):
    for path, text in tree.files(".h"):
        if "\n#pragma once\n" not in text:
            yield path, 1, "no #pragma once"


def rule_spdx(tree):
    for path, text in tree.texts.items():
        is_script = text.startswith("#!")
        if not is_script and not path.endswith((*C_SUFFIXES, ".def", ".py", ".sh")):
            continue
        if path.startswith("tests/unit/suites"):
            continue  # lists of names
        wanted = "SPDX-License-Identifier: BSD-3-Clause"
        if path.endswith(".bpf.c"):
            wanted = "SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only"
        if wanted not in "\n".join(text.splitlines()[:3]):
            yield path, 1, f"the first lines do not say {wanted}"


def resolve(tree, path, include, layer):
    """The file of the tree that `#include "include"` in `path` means, or None."""
    for root in (str(Path(path).parent), *LAYERS[layer], *(name for name in LAYERS if name != layer)):
        candidate = os.path.normpath(Path(root) / include)
        if candidate in tree.texts:
            return candidate
    return None


def rule_layering(tree):
    for path, text in tree.files(*C_SUFFIXES, ".def"):
        layer = path.split("/")[0]
        if layer not in LAYERS:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            kind, include = match.groups()
            if kind == "<":
                if layer == "common" and include.startswith(("rte_", "bpf/")):
                    yield path, number, f"common depends on neither DPDK nor libbpf: <{include}>"
                continue
            target = resolve(tree, path, include, layer)
            if target is None:
                continue  # generated; the compiler finds what is missing
            if layer != "tests" and target.split("/")[0] not in LAYERS[layer]:
                yield path, number, f"{layer} may not include {target}"
            if target.endswith("_internal.h") and layer != "tests":
                if Path(target).parent != Path(path).parent:
                    yield path, number, f"{target} is internal to its own folder"


def rule_symbols(tree):
    for path, text in tree.files(*C_SUFFIXES):
        if path.startswith("tests/") or path.endswith(".bpf.c"):
            continue
        for name, is_static, line, _ in functions(text):
            if not is_static and not re.match(r"(sl_|sluice_|main$)", name):
                if not tree.excepted("symbol", f"{path}:{name}"):
                    yield path, line, f"{name} is neither static nor called sl_<module>_<verb>"


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return re.sub(r"(^|\s)(//|#\s).*", " ", text)


def rule_drop_reasons_tested(tree):
    path = "common/drop_reasons.def"
    tests = "\n".join(
        without_comments(text)
        for name, text in tree.texts.items()
        if name.startswith("tests/")
        and not name.startswith("tests/lint/")
        and name.endswith((".c", ".h", ".sh", ".py", ".def"))
    )
    for number, line in enumerate(tree.texts[path].splitlines(), 1):
        match = re.match(r'SL_DROP\((\w+), "(\w+)"', line)
        if match and not re.search(rf'\bSL_DROP_{match[1]}\b|["\'. =]{match[2]}\b', tests):
            yield path, number, f"no test names the drop reason {match[2]}"


def rule_nothing_left_over(tree):
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    for path, text in tree.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if marks.search(line):
                yield path, number, "unfinished: " + line.strip()


def rule_python_parses(tree):
    for path, text in tree.texts.items():
        if path.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
            try:
                ast.parse(text)
            except SyntaxError as error:
                yield path, error.lineno, error.msg


def rule_exceptions(tree):
    """Every other rule runs first, so that each exception in use has been asked for."""
    for name, rule in RULES.items():
        if name != "exceptions":
            list(rule(tree))
    for number, fields in tree.exceptions.items():
        if fields[0] not in EXCEPTION_KINDS or len(fields) < 3:
            yield "scripts/lint.rules", number, "not KIND WHAT REASON"
        elif number not in tree.used:
            yield "scripts/lint.rules", number, f"{fields[0]} {fields[1]} is not needed"


RULES = {
    name[len("rule_"):].replace("_", "-"): rule
    for name, rule in list(globals().items())
    if name.startswith("rule_")
}


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(RULES))
        return 0
    findings = list(RULES[sys.argv[1]](Tree()))
    sys.stdout.reconfigure(errors="backslashreplace")  # whatever the locale, a finding is shown
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
