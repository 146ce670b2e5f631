# SPDX-License-Identifier: BSD-3-Clause
"""One call of a program fails: who preloads fail_call.so shares the words of fail_call.h with it."""
import mmap
import re
import struct

from rig import run

WORD = struct.Struct("<Q")
KIND, NUMBER, FAILED_COUNT, CALLER, KILLS, COUNTS = range(6)


class FailCall:
    def __init__(self, rig, path):
        with open(f"{rig.top}/tests/battery/fail_call.h", encoding="ascii") as header:
            self.kinds = re.findall(r'^\s+ROW\(\w+, "(\w+)", \w+\)', header.read(), re.M)
        with open(path, "w+b") as file:
            file.truncate(WORD.size * (COUNTS + len(self.kinds)))
            self.words = mmap.mmap(file.fileno(), 0)
        self.environment = {"FAIL_CALL": path, "LD_PRELOAD": rig.program("tests/battery/fail_call.so")}

    def _get(self, index):
        return WORD.unpack_from(self.words, index * WORD.size)[0]

    def _set(self, index, value):
        WORD.pack_into(self.words, index * WORD.size, value)

    def counts(self):
        """Calls so far: {kind: count}."""
        return {kind: self._get(COUNTS + index) for index, kind in enumerate(self.kinds)}

    def arm(self, kind, number, kills=False):
        """The number-th call of the kind from now on fails, or is where the program dies."""
        index = self.kinds.index(kind)
        self._set(NUMBER, 0)
        self._set(KIND, index)
        self._set(KILLS, int(kills))
        self._set(NUMBER, self._get(COUNTS + index) + number)

    def reset(self):
        """Nothing fails, nothing was counted."""
        for index in range(COUNTS + len(self.kinds)):
            self._set(index, 0)

    @property
    def failed(self):
        return self._get(FAILED_COUNT) > 0

    def where(self, program):
        """The line of the source that the failed call stands in."""
        if not self.failed:
            return "nowhere"
        if self._get(CALLER) == 0:
            return "a library"
        # The address is the one behind the call.
        return run("addr2line", "-e", program, hex(self._get(CALLER) - 1), check=False).stdout.strip().split("/")[-1]
