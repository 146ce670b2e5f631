# SPDX-License-Identifier: BSD-3-Clause
"""The fields of every kind of header, as docs/format.md tells of them: what S8 spoils is what the page
says that there is."""
import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs" / "format.md"
TABLE = re.compile(r"^\| offset \| type \| field \|\n(?:\|.*\n)+", re.M)
ROW = re.compile(r"^\| (\d+) \| (?:u(\d+)|(\d+) bytes) \| (\w+)", re.M)
# lane.meta is told in prose.
PROSE = re.compile(r"\d+ bytes each: (.*?)\.\s", re.S)
WORD = re.compile(r"u(\d+) (\w+)|(\d+) (reserved)")
TABLES = {"batch": "Batch", "footer": "Footer", "index": "Segment index", "store.meta": "store.meta"}


class Field(NamedTuple):
    name: str
    offset: int
    bytes: int


def _section(page, title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1]


def _bytes(bits, count):
    return int(bits) // 8 if bits else int(count)


def _of_table(section):
    return [Field(name, int(offset), _bytes(bits, count))
            for offset, bits, count, name in ROW.findall(TABLE.search(section)[0])]


def _of_prose(section):
    fields, offset = [], 0
    told = re.sub(r"\([^)]*\)", "", PROSE.search(section)[1])
    for bits, name, count, reserved in WORD.findall(told):
        fields.append(Field(name or reserved, offset, _bytes(bits, count)))
        offset += fields[-1].bytes
    return fields


def headers():
    """{kind of header: [Field]}."""
    page = PAGE.read_text(encoding="utf-8")
    made = {name: _of_table(_section(page, title)) for name, title in TABLES.items()}
    return {**made, "lane.meta": _of_prose(_section(page, "lane.meta"))}
