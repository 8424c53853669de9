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

_NUMBERS = (b"0", b"-1", b"1", b"999999999", b"9007199254740993", b"123456789012345678901")
_NUMBER = re.compile(rb"\d+")
_TEXT = re.compile(rb"[\">]([^<>\"\n]{1,80})[\"<]")


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The document with one to four pieces of damage; half of all stay well-formed."""
    gentle = (_number, _number, _swap)
    rough = (_flip, _cut, _drop_line, _double_line, _absurd, _number)
    kinds = chance.choice((gentle, rough))
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(kinds)(data, chance)
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


def _number(data: bytes, chance: random.Random) -> bytes:
    """Another number in the place of one: the document stays well-formed."""
    place = chance.randrange(len(data) + 1)
    number = _NUMBER.search(data, place) or _NUMBER.search(data)
    if number is None:
        return data
    near = str(int(number[0][:18]) + chance.choice((-1, 1, 100))).encode()
    fresh = chance.choice((*_NUMBERS, near, near))
    return data[: number.start()] + fresh + data[number.end() :]


def _swap(data: bytes, chance: random.Random) -> bytes:
    """A quoted text or an element's text in the place of another one."""
    texts = [
        found
        for found in (_TEXT.search(data, chance.randrange(len(data) + 1)) for _ in range(2))
        if found is not None
    ]
    if len(texts) < 2:
        return data
    into, of = texts
    return data[: into.start(1)] + of[1] + data[into.end(1) :]


def _absurd(data: bytes, chance: random.Random) -> bytes:
    words = list(re.finditer(rb"[^\s]+", data))
    if not words:
        return data
    word = chance.choice(words)
    return data[: word.start()] + chance.choice(_ABSURD) + data[word.end() :]
