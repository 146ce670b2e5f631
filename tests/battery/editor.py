# SPDX-License-Identifier: BSD-3-Clause
"""Spoils files of a store, and takes it back."""
import os


class Editor:
    """Edits of existing files; undo() puts back what was there."""

    def __init__(self):
        self.undone = []

    def read(self, path, position, count):
        with open(path, "rb") as file:
            file.seek(position)
            return file.read(count)

    def put(self, path, position, data):
        with open(path, "r+b") as file:
            file.seek(position)
            old = file.read(len(data))
            file.seek(position)
            file.write(data)
        self.undone.append(lambda: self._restore(path, position, old))

    def _restore(self, path, position, old):
        with open(path, "r+b") as file:
            file.seek(position)
            file.write(old)

    def flip(self, path, position, mask):
        self.put(path, position, bytes((self.read(path, position, 1)[0] ^ mask,)))

    def exchange(self, path, other):
        """The files change their names."""
        aside = f"{path}.aside"

        def change():
            os.rename(path, aside)
            os.rename(other, path)
            os.rename(aside, other)

        change()
        self.undone.append(change)

    def undo(self):
        while self.undone:
            self.undone.pop()()
