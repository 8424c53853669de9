"""Damage to AAFs: to the bytes of the compound file, and to what a sound one says."""

from __future__ import annotations

import random
import struct
import tempfile
from pathlib import Path
from typing import Any

_ABSURD = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\xff\xff", b"\xff\xff\xff\x7f")
_NUMBERS = (0, 1, -1, 2, 7, -(2**31), 2**31 - 1, 10**13, -(2**63), 2**63 - 1)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One to sixty-four pieces of damage: bytes, absurd counts, parts swapped or copied, an end."""
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        place, other = (chance.randrange(len(broken)) // 4 * 4 for _ in range(2))
        kind = chance.random()
        if kind < 0.5:
            broken[place] = chance.randrange(256)
        elif kind < 0.7:
            broken[place : place + 4] = chance.choice(_ABSURD)
        elif kind < 0.98:
            size = chance.choice((4, 8, 16, 128))
            broken[place : place + size] = broken[other : other + size]
        else:
            del broken[max(place, 64) :]
    return bytes(broken)


def retold(data: bytes, chance: random.Random) -> bytes:
    """A whole AAF whose mobs say one to eight other things: absurd, near by, another's."""
    import aaf2

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "retold.aaf"
        path.write_bytes(data)
        with aaf2.open(str(path), "rw") as file:
            holders = list(_below(file.content))
            for _ in range(chance.choice((1, 1, 2, 4, 8))):
                _retell(chance.choice(holders), holders, chance)
        return path.read_bytes()


def _below(holder: Any) -> list[Any]:
    """The objects below one: mobs, slots, segments, descriptors."""
    found, waiting = [], [holder]
    while waiting:
        for entry in list(waiting.pop().properties()):
            kind = type(entry).__name__
            if kind == "StrongRefProperty":
                inner = [entry.value]
            elif kind == "StrongRefVectorProperty":
                inner = list(entry.value)
            elif kind == "StrongRefSetProperty":
                inner = [thing for _, thing in entry.items()]
            else:
                continue
            found += inner
            waiting += inner
    return found


def _plain(holder: Any) -> list[Any]:
    """The properties that hold a value; who is who (mob ids) stays, or nothing would be found."""
    return [
        entry
        for entry in holder.properties()
        if type(entry).__name__ == "Property" and entry.name != "MobID"
    ]


def _retell(holder: Any, holders: list[Any], chance: random.Random) -> None:
    entries = _plain(holder)
    if not entries:
        return
    entry = chance.choice(entries)
    kind = chance.random()
    same = [e for other in holders for e in _plain(other) if e.name == entry.name]
    if kind < 0.4:
        entry.data = bytes(chance.choice(same).data)
    elif kind < 0.5:
        entry.data = chance.randbytes(len(entry.data))
    else:
        entry.data = _other_number(bytes(entry.data), chance)
    entry.mark_modified()


def _other_number(data: bytes, chance: random.Random) -> bytes:
    """The same number of bytes, as whole numbers one of which is another."""
    form = {1: "b", 2: "h", 4: "i"}.get(len(data), "q" if len(data) % 8 == 0 else "b")
    if len(data) == 8 and chance.random() < 0.3:
        form = "i"  # a rational
    size = struct.calcsize(form)
    if len(data) < size:
        return data
    place = chance.randrange(len(data) // size) * size
    (old,) = struct.unpack_from(f"<{form}", data, place)
    near = old + chance.choice((-1, 1, 25, -1000))
    fresh: int = chance.choice((*_NUMBERS, near, near, near, near)) & (2 ** (8 * size) - 1)
    return data[:place] + fresh.to_bytes(size, "little") + data[place + size :]
