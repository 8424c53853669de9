"""The last resort for offline media: a file of that name below the search roots, confirmed.

A name alone proves nothing (`A001.wav` is on every card), so that a file is taken only where the
document's own statements of it agree: its length, its start timecode, and the ranges and channels
that the timeline uses. Two files that agree are one too many.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath

from nlecompanion.errors import MediaError
from nlecompanion.media.locate import readings
from nlecompanion.model import MediaFile, Use
from nlecompanion.timeline.documents import StatedMedia
from nlecompanion.timeline.regions import OVERHANG_S, settle

#: A large post house's share; walked in a minute or two on a local disk.
MAX_ENTRIES = 2_000_000
#: More files of one name than this are not compared.
MAX_CANDIDATES = 16
#: Two frames at 24: documents round a start timecode to their frame, files to a sample.
TIMECODE_SLACK_S = Fraction(1, 12)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was taken, and what agreed: `its length and start timecode`."""

    file: MediaFile
    agreed: str


@dataclass(slots=True)
class Search:
    """The search roots of one job; walked once, at the first file that is missed.

    `names` are all file names that may be asked for; only these are kept. With `media_roots`,
    nothing outside of them is looked at. `stopped` is set where the walk met `max_entries`.
    """

    roots: Sequence[Path]
    media_roots: Sequence[Path]
    names: frozenset[str]
    max_entries: int = MAX_ENTRIES
    stopped: bool = False
    _index: dict[str, list[Path]] | None = field(default=None, init=False)

    def candidates(self, url: str) -> list[Path]:
        """The files of the name that `url` ends in, in order of path."""
        if self._index is None:
            self._index = self._walked()
        found = {path for name in file_names(url) for path in self._index.get(name, [])}
        return sorted(found)

    def _walked(self) -> dict[str, list[Path]]:
        index: dict[str, list[Path]] = {}
        everything = _entries(allowed(self.roots, self.media_roots))
        for count, entry in enumerate(everything, start=1):
            if count > self.max_entries:
                self.stopped = True
                break
            name = _compared(entry.name)
            if name in self.names and entry.is_file(follow_symlinks=False):
                index.setdefault(name, []).append(Path(entry.path))
        return index


def file_names(url: str) -> set[str]:
    """The file names that a media URL may end in, as they are compared."""
    texts = (text.replace("\\", "/") for text in readings(url))
    return {_compared(PurePosixPath(text).name) for text in texts} - {""}


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def allowed(roots: Iterable[Path], media_roots: Sequence[Path]) -> list[Path]:
    """What of the search roots may be looked at: links resolved, none inside another."""
    whole = [root.resolve() for root in roots]
    if media_roots:
        limits = [root.resolve() for root in media_roots]
        whole = [
            root if root.is_relative_to(limit) else limit
            for root in whole
            for limit in limits
            if root.is_relative_to(limit) or limit.is_relative_to(root)
        ]
    return sorted(
        root
        for root in set(whole)
        if not any(root != other and root.is_relative_to(other) for other in whole)
    )


def _entries(roots: Sequence[Path]) -> Iterator[os.DirEntry[str]]:
    """Everything below the roots; links are not followed, so that there is no loop."""
    pending = [str(root) for root in reversed(roots)]
    while pending:
        try:
            with os.scandir(pending.pop()) as opened:
                entries = sorted(opened, key=lambda entry: entry.name)
        except OSError:  # gone, or not ours to read: what is there cannot be media of this user
            continue
        yield from entries
        pending += [e.path for e in reversed(entries) if e.is_dir(follow_symlinks=False)]


def confirmed(
    candidates: Sequence[Path],
    uses: Sequence[Use],
    stated: StatedMedia | None,
    probe: Callable[[Path], MediaFile],
) -> Found | str:
    """The one candidate that the document's statements agree with, or why there is none."""
    if not candidates:
        return "No file below the search folders has its name."
    if len(candidates) > MAX_CANDIDATES:
        return f"{len(candidates)} files below the search folders have its name."
    agreeing: list[Found] = []
    faults: list[str] = []
    for path in candidates:
        try:
            file = probe(path)
        except MediaError as error:
            faults.append(str(error))
            continue
        verdict = _verdict(file, uses, stated)
        if isinstance(verdict, Found):
            agreeing.append(verdict)
        else:
            faults.append(f"{path} {verdict}")
    if len(agreeing) == 1:
        return agreeing[0]
    if agreeing:
        places = " and ".join(str(found.file.path) for found in agreeing[:3])
        return f"{len(agreeing)} files fit equally well ({places}); map its folder to one of them."
    return f"Found by name, but not taken: {faults[0]}."


def _verdict(file: MediaFile, uses: Sequence[Use], stated: StatedMedia | None) -> Found | str:
    """What agrees, or what contradicts."""
    agreed: list[str] = []
    if stated is not None and stated.duration_s is not None:
        if abs(stated.duration_s - file.duration_s) > OVERHANG_S:
            return (
                f"lasts {float(file.duration_s):.2f} s, the timeline says "
                f"{float(stated.duration_s):.2f} s"
            )
        agreed.append("length")
    start_s = file.start_timecode_s
    if stated is not None and stated.start_s and start_s is not None:
        if abs(stated.start_s - start_s) > TIMECODE_SLACK_S:
            return (
                f"starts at timecode {float(start_s):.2f} s, the timeline says "
                f"{float(stated.start_s):.2f} s"
            )
        agreed.append("start timecode")
    elif start_s and any(use.counts_timecode for use in uses):
        agreed.append("timecode")  # that the uses lie inside of it is checked next
    for use in uses:
        if use.left_alone is None and (left_alone := settle(use, file).left_alone) is not None:
            return f"does not serve the timeline ({left_alone.detail or left_alone.reason.value})"
    if not agreed:
        return "has its name, and the timeline states neither length nor timecode to tell it by"
    return Found(file, f"name, {' and '.join(agreed)}")
