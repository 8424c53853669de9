"""CMX 3600 lists for tests, and eyes of our own for those that come back."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from nlecompanion.model import ConformPlan

#: Cuts on A, AA, A3 and both of AUD, a dissolve, a fade out, speeds, names in all places.
CUT_25 = """TITLE:   Scene 3 (rough)
FCM: NON-DROP FRAME

001  A003_C01 V     C        10:00:04:05 10:00:10:05 01:00:00:00 01:00:06:00
* FROM CLIP NAME:  A003 take 1.mov
002  A003_C01 AA    C        10:00:04:05 10:00:10:05 01:00:00:00 01:00:06:00
* FROM CLIP NAME:  A003 take 1.mov
* SOURCE FILE: /Volumes/Rushes/A003 take 1.mov
* AUDIO LEVEL AT 00:00:00:00 IS -3.00 DB  (REEL A003_C01 A1)
003  A003_C01 AA    C        10:00:10:05 10:00:10:05 01:00:06:00 01:00:06:00
003  A004_C02 AA    D    012 10:20:00:24 10:20:04:24 01:00:06:00 01:00:10:00
* FROM CLIP NAME:  A003 take 1.mov
* TO CLIP NAME:  A004 take 2.mov
* LOC: 01:00:07:00 GREEN   OWN NOTE
004  A004_C02 AA    C        10:20:04:24 10:20:04:24 01:00:10:00 01:00:10:00
004  BL       AA    D    010 00:00:00:00 00:00:02:00 01:00:10:00 01:00:12:00
* FROM CLIP NAME:  A004 take 2.mov
* TO CLIP NAME:  BL
005  LAV      A3    C        09:00:00:00 09:00:05:00 01:00:01:00 01:00:06:00
* FROM CLIP NAME:  lav.wav
006  SLOW     A     C        11:00:00:00 11:00:02:00 01:00:20:00 01:00:24:00
M2   SLOW     012.5                11:00:00:00
* FROM CLIP NAME:  slow.mov
007  BACK     A     C        11:00:00:00 11:00:02:00 01:00:24:00 01:00:26:00
M2   BACK    -025.0                11:00:00:00
* FROM CLIP NAME:  back.mov
008  STILL    A     C        11:00:00:00 11:00:00:01 01:00:26:00 01:00:28:00
M2   STILL    000.0                11:00:00:00
* FROM CLIP NAME:  still.mov
009  A005_C03 V     C        12:00:00:00 12:00:03:00 01:00:30:00 01:00:33:00
* FROM CLIP NAME:  A005 take 3.mov
AUD  3    4
010  SAME     A2    C        12:00:00:00 12:00:01:00 01:00:34:00 01:00:35:00
M2   SAME     025.0                12:00:00:00
* FROM CLIP NAME:  same.wav
"""

SPECIMENS = {
    "25": CUT_25,
    "25 CRLF": CUT_25.replace("\n", "\r\n"),
    "29.97 DF": CUT_25.replace("NON-DROP FRAME", "DROP FRAME").replace(
        "M2   SAME     025.0", "M2   SAME     029.9"
    ),
    "23.976": CUT_25.replace("FCM:", "* FPS: 23.976\nFCM:")
    .replace(":24 ", ":23 ")
    .replace("025.0", "024.0"),
}

_EVENT = re.compile(
    r"^(\d+)  (\S+) +(\S+) +(\S+) +(?:(\d{3}) +)?(\S{11}) (\S{11}) (\S{11}) (\S{11})$"
)


@dataclass(frozen=True)
class Line:
    """An event line of a strict list."""

    number: str
    reel: str
    channels: str
    kind: str
    length: str
    source_in: str
    source_out: str
    record_in: str
    record_out: str


def events(text: str) -> list[Line]:
    """All event lines; lines that begin with a number must be ones."""
    found = []
    for line in text.splitlines():
        if line[:1].isdigit():
            match = _EVENT.match(line)
            assert match is not None, line
            found.append(Line(*(part or "" for part in match.groups())))
    return found


def without_notes(text: str, original: str) -> str:
    """The list without comments that the original lacks, under its old title."""
    known = set(original.splitlines(keepends=True))
    kept = [
        line
        for line in text.splitlines(keepends=True)
        if line in known or not line.startswith(("* LOC:", "* NLECOMPANION:"))
    ]
    old = next(line for line in original.splitlines(keepends=True) if line.startswith("TITLE:"))
    return "".join(old if line.startswith("TITLE:") else line for line in kept)


def _parts(joined: bytes) -> list[str]:
    """The list and those beside it, as `contract.conform` joins them."""
    return [part.decode("utf-8", "replace") for part in joined.split(BETWEEN)]


#: Stands between a list and the lists that were written beside it; no list holds it.
BETWEEN = b"\n\x00\n"


def canonical(joined: bytes) -> bytes:
    """The list itself; what stands beside it is new."""
    return joined.split(BETWEEN)[0]


def undo(original: bytes, delivered: bytes, plan: ConformPlan) -> bytes:
    """The delivered list without our notes and locators, after checking that they are there.

    Raises:
        AssertionError: it holds more or less than the plan says.
    """
    known = Counter(original.splitlines())
    kept, muted, located = [], 0, 0
    for line in delivered.split(BETWEEN)[0].splitlines(keepends=True):
        words = line.strip()
        muted += words.startswith(b"* NLECOMPANION: MUTE THIS EVENT")
        ours = words.startswith((b"* LOC:", b"* NLECOMPANION: MUTE"))
        if ours and not known[line.rstrip(b"\r\n")]:
            located += words.startswith(b"* LOC:")
            continue
        known[line.rstrip(b"\r\n")] -= 1
        kept.append(line)
    assert muted == len(set(plan.disable)), f"{muted} events are noted, not {len(plan.disable)}"
    assert located == len(plan.markers), f"{located} locators, not {len(plan.markers)}"
    return _retitled(b"".join(kept), original, plan)


def _retitled(data: bytes, original: bytes, plan: ConformPlan) -> bytes:
    title = re.compile(rb"^\s*TITLE\s*:[^\r\n]*", re.MULTILINE | re.IGNORECASE)
    old, new = title.search(original), title.search(data)
    assert new is not None
    assert new[0].decode("utf-8", "replace").endswith(plan.timeline_name)
    if old is None:
        return data[: new.start()] + data[new.end() :].lstrip(b"\r\n")
    data = data[: new.start()] + old[0] + data[new.end() :]
    # A last line without an end gets one where something follows it.
    return data if original.endswith(b"\n") else data.rstrip(b"\r\n")


def picture(data: bytes) -> list[str]:
    """The event lines with picture, with what follows each of them; without our notes."""
    found: list[str] = []
    inside = False
    for line in _parts(data)[0].splitlines():
        if line[:1].isdigit():
            words = line.split()
            inside = any(word.startswith(("V", "B")) and len(word) < 6 for word in words[2:3])
        if inside and not line.startswith(("* NLECOMPANION", "* LOC")):
            found.append(line)
    return found


def untouched(data: bytes, address: str) -> list[str]:
    """The lines of the event `E5:003`, the fifth of the list; without locators, which follow it."""
    number = int(address.removeprefix("E").partition(":")[0])
    found: list[str] = []
    count = 0
    for line in _parts(data)[0].splitlines():
        count += line[:1].isdigit() and len(re.findall(r"\d\d[:;]\d\d[:;]\d\d", line)) == 4
        if count == number and not line.startswith("* LOC"):
            found.append(line)
    return found


def cleaned_files(joined: bytes) -> dict[str, list[tuple[str, str, str]]]:
    """For each file of the lists beside: the reel, source in and source out of its events."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for part in _parts(joined)[1:]:
        waiting: list[Line] = []
        named = True
        for line in part.splitlines():
            match = _EVENT.match(line)
            if match is not None:
                # The two events of a transition are followed by their two sources, in order.
                waiting = [] if named else waiting
                waiting.append(Line(*(text or "" for text in match.groups())))
                named = False
            elif line.startswith("* SOURCE FILE: "):
                event, named = waiting.pop(0), True
                times = (event.reel, event.source_in, event.source_out)
                found.setdefault(line.removeprefix("* SOURCE FILE: "), []).append(times)
    found.pop("BL", None)
    return found


def repeated_reels(joined: bytes) -> list[str]:
    """Reels of the lists beside that name two files, or one that the list itself has."""
    reels: dict[str, set[str]] = {}
    for path, times in cleaned_files(joined).items():
        for reel, _, _ in times:
            reels.setdefault(reel, set()).add(path)
    own = {line.split()[1] for line in _parts(joined)[0].splitlines() if line[:1].isdigit()}
    return [reel for reel, paths in reels.items() if len(paths) > 1 or reel in own]
