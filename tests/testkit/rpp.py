"""REAPER projects for tests, and eyes of our own for those that come back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from nlecompanion.model import ConformPlan

_HEAD = """<REAPER_PROJECT 0.1 "7.19/linux-x86_64" 1720000000
  <NOTES 0 2
  >
  RIPPLE 0
  PROJOFFS 3600 0 0
  TIMEMODE 1 5 -1 {base} {mode} 0 -1
  SAMPLERATE 48000 1 0
  TEMPO 120 4 4
  MARKER 1 2 "Own marker" 0 0 1 R {{0A0B0C0D-0000-4000-8000-000000000001}} 0
  <PROJBAY
  >
"""


def guid(number: int) -> str:
    """A GUID of its own for each number."""
    return f"{{10000000-0000-4000-8000-{number:012X}}}"


def source(kind: str, file: str) -> str:
    """A plain source block."""
    return f'<SOURCE {kind}\n  FILE "{file}"\n>'


def section(inner: str, start: str, length: str, mode: str = "") -> str:
    """A section of a source."""
    mode_line = f"  MODE {mode}\n" if mode else ""
    return (
        f"<SOURCE SECTION\n  LENGTH {length}\n{mode_line}  STARTPOS {start}\n"
        f"  OVERLAP 0.01\n{_indented(inner, 2)}\n>"
    )


def take(name: str, body: str, offset: str = "0", **more: str) -> str:
    """The lines of one take; `more` sets PLAYRATE, CHANMODE or any other line."""
    values = {
        "VOLPAN": "1 0 0.5 -1",
        "SOFFS": offset,
        "PLAYRATE": "1 1 0 -1 0 0.0025",
        "CHANMODE": "0",
    } | more
    lines = [f'NAME "{name}"', *(f"{key} {value}" for key, value in values.items() if value)]
    return "\n".join([*lines, f"GUID {guid(hash_of(name + body))}", body])


def hash_of(text: str) -> int:
    """A number of a text, the same in every run."""
    return zlib.crc32(text.encode())


def item(number: int, position: str, length: str, *takes: str, **more: str) -> str:
    """An item; a second take begins with `TAKE` or `TAKE SEL`, which its text must hold."""
    values = {
        "POSITION": position,
        "SNAPOFFS": "0",
        "LENGTH": length,
        "LOOP": "0",
        "ALLTAKES": "0",
        "FADEIN": "1 0.01 0 1 0 0 0",
        "FADEOUT": "1 0.02 0 1 0 0 0",
        "MUTE": "0 0",
        "SEL": "1",
        "IGUID": guid(number),
        "IID": str(number),
    } | more
    lines = [f"{key} {value}" for key, value in values.items() if value]
    return "<ITEM\n" + _indented("\n".join([*lines, *takes]), 2) + "\n>"


def track(number: int, name: str, *items: str, **more: str) -> str:
    """A track with an effect."""
    values = {
        "PEAKCOL": "16576",
        "VOLPAN": "0.8 0 -1 -1 1",
        "MUTESOLO": "0 0 0",
        "ISBUS": "0 0",
        "FREEMODE": "0",
        "SEL": "0",
        "REC": "0 0 1 0 0 0 0 0",
        "NCHAN": "2",
        "TRACKID": guid(number),
        "MAINSEND": "1 0",
    } | more
    lines = [f'NAME "{name}"', *(f"{key} {value}" for key, value in values.items() if value)]
    effect = (
        '<FXCHAIN\n  <VST "VST: ReaEQ" reaeq.dll 0 "" 1\n    ZXE=\n  >\n'
        f"  FXID {guid(number + 50_000)}\n>"
    )
    body = "\n".join([*lines, effect, *items])
    return f"<TRACK {guid(number)}\n" + _indented(body, 2) + "\n>"


def project(*tracks: str, base: int = 25, mode: int = 0, newline: str = "\r\n") -> bytes:
    """A whole project."""
    body = "".join(_indented(text, 2) + "\n" for text in tracks)
    text = _HEAD.format(base=base, mode=mode) + body + "  <EXTENSIONS\n  >\n>\n"
    return text.replace("\n", newline).encode()


def _indented(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in text.split("\n"))


CAMERA = source("VIDEO", "/Volumes/Rushes/A003 take 1.mov")
BOOM = source("WAVE", "Audio/boom #1.wav")
LAV = source("WAVE", "D:\\Sound\\lav.wav")


def _plain() -> bytes:
    dialogue = track(
        1,
        "Dialogue",
        item(101, "1.5", "4", take("A003 take 1", CAMERA, "12.25")),
        item(102, "5.5", "3.5", take("A003 take 1b", CAMERA, "20")),
        item(103, "8.9", "2", take("overlap", CAMERA, "40")),
    )
    boom = track(
        2,
        "Boom",
        item(201, "2", "3", take("boom", BOOM, "0.5", CHANMODE="4"), MUTE=""),
        item(202, "6", "1", take("boom off", BOOM, "7"), MUTE="1 0"),
        item(203, "8", "2", take("boom fast", BOOM, "7", PLAYRATE="1.25 1 0 -1 0 0.0025")),
    )
    muted = track(3, "Spare", item(301, "0", "9", take("lav", LAV)), MUTESOLO="1 0 0")
    return project(dialogue, boom, muted)


def _takes() -> bytes:
    whole = source("FLAC", "takes.flac")
    reversed_part = section(whole, "1.5", "8", "2")
    chosen = "TAKE SEL\n" + take("second", section(whole, "10.5", "8"), "1.25", VOLPAN="")
    dialogue = track(
        1,
        "DX",
        item(101, "0", "2", take("first", whole, "3"), chosen, IID=""),
        item(102, "2", "4", take("back", reversed_part)),
        item(103, "6", "9", take("loop", section(whole, "10.5", "8"), "1.25")),
        item(104, "15", "2", take("sub", source("RPP_PROJECT", "scene 2.rpp"))),
        item(105, "17", "2", take("notes", "<SOURCE MIDI\n  HASDATA 1 960 QN\n>")),
        item(106, "19", "2", take("stretched", whole, "0", SM="0 0 + 1 1.5")),
        item(107, "22", "2"),
        item(108, "24", "2", take("early", whole, "-0.5")),
        item(109, "27", "2", take("both", whole, "5"), "TAKE\n" + take("b", whole), ALLTAKES="1"),
    )
    return project(dialogue, base=30, mode=1, newline="\n")


def _off_grid() -> bytes:
    dialogue = track(
        1,
        "Interview",
        item(101, "1.23456789012345", "3.14159265358979", take("a", BOOM, "0.33333333333333")),
        item(102, "4.99999999999999", "0.7071067811865", take("b", BOOM, "1e-05")),
        ISBUS="1 1",
    )
    child = track(
        2, "Lav", item(201, "0.1", "3", take("l", LAV, "2")), ISBUS="2 -1", AUXRECV="0 0 1"
    )
    return project(dialogue, child, base=24, mode=2)


SPECIMENS = {"plain": _plain(), "takes": _takes(), "off grid": _off_grid()}


# Eyes of our own: nothing below uses the adapter.


def _blocks(lines: Sequence[str], kind: str) -> list[tuple[int, int]]:
    """First line and one past the last of every block of a kind, nested ones included."""
    found, stack = [], []
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith("<"):
            stack.append((number, text[1:].split()[:1] == [kind]))
        elif text == ">" and stack:
            start, wanted = stack.pop()
            if wanted:
                found.append((start, number + 1))
    return sorted(found)


def lines_of(data: bytes) -> list[str]:
    """The project's lines with their ends."""
    return data.decode().splitlines(keepends=True)


def item_place(lines: Sequence[str], address: str) -> tuple[int, int]:
    """Where the item of `T2/I3:{GUID}` stands."""
    match = re.match(r"T(\d+)/I(\d+):", address)
    assert match is not None
    start, end = _blocks(lines, "TRACK")[int(match[1]) - 1]
    first, last = _blocks(lines[start:end], "ITEM")[int(match[2]) - 1]
    return start + first, start + last


def untouched(data: bytes, address: str) -> list[str]:
    """The lines of the item at an address."""
    lines = lines_of(data)
    start, end = item_place(lines, address)
    return lines[start:end]


def _key(line: str) -> str:
    return (line.split() or [""])[0]


def undo(original: bytes, delivered: bytes, plan: ConformPlan) -> bytes:
    """Takes the plan's tracks, markers, title and mutes out of a delivered project."""
    before, after = lines_of(original), lines_of(delivered)
    added = _blocks(after, "TRACK")[len(_blocks(before, "TRACK")) :]
    assert len(added) == len(plan.tracks)
    for start, end in reversed(added):
        del after[start:end]
    for address in plan.disable:
        old = untouched(original, address)
        start, end = item_place(after, address)
        after[start:end] = _switched_on(after[start:end], old)
    known = set(before)
    after = [line for line in after if line in known or _key(line) not in ("MARKER", "TITLE")]
    titles = [line for line in before if _key(line) == "TITLE" and line not in after]
    assert not titles, "a title that was there is replaced, not taken away"
    return "".join(after).encode()


def _switched_on(item_lines: list[str], old: list[str]) -> list[str]:
    result = []
    for line in item_lines:
        if line in old or _key(line) not in ("MUTE", "VOLPAN"):
            result.append(line)
            continue
        was = [other for other in old if _key(other) == _key(line)][:1]
        result += was
    return result


def picture(data: bytes) -> list[list[str]]:
    """The items with a picture, without their volume: what is seen of them.

    Ours are no part of it: their one playing take is a WAV.
    """
    lines = lines_of(data)
    items = [lines[start:end] for start, end in _blocks(lines, "ITEM")]
    return [
        [line for line in found if _key(line) != "VOLPAN"]
        for found in items
        if any(line.strip() == "<SOURCE VIDEO" for line in found)
        and not any(_key(line) == "nlecompanion" for line in found)
    ]


def added_items(data: bytes) -> list[list[str]]:
    """The items that carry our extension data."""
    lines = lines_of(data)
    items = [lines[start:end] for start, end in _blocks(lines, "ITEM")]
    return [found for found in items if any(_key(line) == "nlecompanion" for line in found)]


def file_of(item_lines: Sequence[str]) -> Path:
    """The file of an item's last source, which is the one that plays in our specimens."""
    line = next(line for line in reversed(item_lines) if _key(line) == "FILE")
    return Path(line.strip().removeprefix("FILE ")[1:-1])


def about(item_lines: Sequence[str]) -> list[str]:
    """Our line in an item that we added: start, length, rate, channels."""
    place = next(n for n, line in enumerate(item_lines) if _key(line) == "nlecompanion")
    assert [item_lines[place + n].strip() for n in (-1, 1)] == ["<EXT", ">"]
    return item_lines[place].strip().removeprefix("nlecompanion ").strip('"').split(" ")


def url_of(path: Path) -> str:
    """A POSIX path as a URL."""
    return f"file://{quote(str(path))}"


def repeated_ids(data: bytes) -> list[str]:
    """GUIDs and item numbers that stand twice for one kind of thing."""
    keys = ("IGUID", "GUID", "TRACKID", "FXID", "IID", "<TRACK")
    ids = [line.strip() for line in lines_of(data) if _key(line) in keys]
    return sorted({line for line in ids if ids.count(line) > 1})
