"""CMX 3600 lists for tests, and eyes of our own for those that come back."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
