"""Damage to text documents: bytes flipped, cut, doubled; numbers and words made absurd."""

from __future__ import annotations

import random
import re

_ABSURD = (
    b"-1",
    b"0",
    b"nan",
    b"inf",
    b"1e308",
    b"99999999999999999999",
    b"99:99:99:99",
    b"-0.5",
    b"",
    b"\xff\xfe",
    b"\xf0\x9f\x8e\xac",
    b"\n",
    b"<",
    b">",
    b'"',
    b"\0",
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The document with one to four pieces of damage."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice((_flip, _cut, _drop_line, _double_line, _absurd, _absurd))(
            data, chance
        )
    return data


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    place = chance.randrange(len(data))
    return data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.7:
        return data
    return data[: chance.randrange(len(data) + 1)]


def _drop_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _double_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        place = chance.randrange(len(lines))
        lines.insert(chance.randrange(len(lines)), lines[place])
    return b"".join(lines)


def _absurd(data: bytes, chance: random.Random) -> bytes:
    words = list(re.finditer(rb"[^\s]+", data))
    if not words:
        return data
    word = chance.choice(words)
    return data[: word.start()] + chance.choice(_ABSURD) + data[word.end() :]
