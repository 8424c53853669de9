"""What an adapter promises, and the notes that it leaves on the neutral model.

How to add a format, in four steps:

1. `score` says how sure you are that a file is yours, from its name and first 64 KiB.
2. `read` turns the document into an `otio.schema.Timeline`: `note_timeline` once, and `note_item`
   on every item of every audio track that makes sound (clips, nested sequences, generators);
   `number_track` where one track of the editor's is several in the document.
   Positions in the OTIO model are whole numbers at exact rates; transitions are
   `otio.schema.Transition` objects between the clips that they join.
3. `patch` writes a copy of the original document to `target`: the plan's tracks appended last, its
   addresses disabled, its markers set, the timeline renamed, and nothing else. What the format
   cannot say is returned as losses.
4. Register it under the entry point group `nlecompanion.adapters` and add it to the contract
   suite in `tests/contract/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nlecompanion.model import (
    ConformPlan,
    Elsewhere,
    LeftAlone,
    Loss,
    Reason,
    Span,
    TimelineFacts,
)

if TYPE_CHECKING:
    import opentimelineio as otio

#: The key under which notes stand in the metadata of OTIO objects.
NAMESPACE = "nlecompanion"
#: How much of a file `Adapter.score` is shown.
HEAD_BYTES = 65_536


class Adapter(Protocol):
    """One document format."""

    @property
    def name(self) -> str:
        """Short name, as in the receipt: `fcp7xml`."""

    @property
    def title(self) -> str:
        """What a person calls the format, with the editors that write it."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name endings in lower case, with the dot."""

    def score(self, path: Path, head: bytes) -> int:
        """0 (not mine) to 100 (certainly mine), from the name and the first `HEAD_BYTES`."""

    def read(self, path: Path) -> otio.schema.Timeline:
        """The document as OTIO, with notes. Never writes, never opens media or network.

        Raises:
            DocumentError: with one sentence fit for the editor.
        """

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """Writes the conformed copy of `path` to `target`.

        Raises:
            DocumentError: the plan names an address that the document does not have.
        """


@dataclass(frozen=True, slots=True)
class ItemNote:
    """What an adapter says about one sounding element of the document.

    `address` finds the element again in `patch`; elements with the same `use` sound together as
    one use (an exploded stereo pair), in the order of `channels`. `channels` are zero-based
    channels of the file that this element alone plays; None means all of the first stream.
    `record` counts from the timeline's first frame. `frame_rate` is the grid of the source
    positions. `counts_timecode` is set where the source counts on the media's own timecode and the
    document does not say what that is (an EDL); `rate_is_guessed` where it does not say its rate
    either. `left_alone` is set where the document itself says that the element is not to be worked
    on.
    """

    address: str
    use: str
    record: Span
    channels: tuple[int, ...] | None = None
    frame_rate: Fraction | None = None
    role: str = ""
    left_alone: LeftAlone | None = None
    counts_timecode: bool = False
    rate_is_guessed: bool = False
    elsewhere: tuple[Elsewhere, ...] = ()


def note_item(item: otio.core.Item, note: ItemNote) -> None:
    """Puts the note into the item's metadata: its address, and the rest as one JSON text.

    OTIO turns each value of its metadata over one by one, which costs more than all the reading at
    10,000 clips.
    """
    values: dict[str, Any] = {
        "use": note.use,
        "record": [str(note.record.start_s), str(note.record.duration_s)],
    }
    if note.channels is not None:
        values["channels"] = note.channels
    if note.frame_rate is not None:
        values["frame_rate"] = str(note.frame_rate)
    if note.role:
        values["role"] = note.role
    if note.counts_timecode:
        values["counts_timecode"] = True
    if note.rate_is_guessed:
        values["rate_is_guessed"] = True
    if note.elsewhere:
        values["elsewhere"] = [
            [place.media_url, place.channels, str(place.start_s)] for place in note.elsewhere
        ]
    if note.left_alone is not None:
        values["left_alone"] = [note.left_alone.reason.value, note.left_alone.detail]
    item.metadata[NAMESPACE] = {"address": note.address, "note": json.dumps(values)}


def item_note(item: otio.core.Item) -> ItemNote | None:
    """The note that `note_item` left, if any."""
    try:
        found = item.metadata[NAMESPACE]
    except KeyError:
        return None
    values = json.loads(found["note"])
    start, duration = values["record"]
    channels = values.get("channels")
    left_alone = values.get("left_alone")
    rate = values.get("frame_rate")
    return ItemNote(
        address=found["address"],
        use=values["use"],
        record=Span(Fraction(start), Fraction(duration)),
        channels=None if channels is None else tuple(channels),
        frame_rate=None if rate is None else _rate(rate),
        role=values.get("role", ""),
        counts_timecode="counts_timecode" in values,
        rate_is_guessed="rate_is_guessed" in values,
        elsewhere=tuple(
            Elsewhere(url, None if played is None else tuple(played), Fraction(start_s))
            for url, played, start_s in values.get("elsewhere", ())
        ),
        left_alone=None if left_alone is None else LeftAlone(Reason(left_alone[0]), left_alone[1]),
    )


@lru_cache(maxsize=256)
def _rate(text: str) -> Fraction:
    return Fraction(text)


def number_track(track: otio.schema.Track, number: int) -> None:
    """Says which of the editor's sound tracks this is, counted from 1.

    For formats that write one stereo track as two elements; without it, elements are counted.
    """
    track.metadata[NAMESPACE] = {"number": number}


def track_number(track: otio.schema.Track, otherwise: int) -> int:
    """The number that `number_track` left."""
    return int(track.metadata.get(NAMESPACE, {}).get("number", otherwise))


def note_timeline(timeline: otio.schema.Timeline, facts: TimelineFacts) -> None:
    """Puts the facts into the timeline's metadata, as plain JSON values."""
    timeline.metadata[NAMESPACE] = {
        "format": facts.format,
        "rate": str(facts.rate),
        "start_frame": facts.start_frame,
        "drop_frame": facts.drop_frame,
        "sample_rate_hz": facts.sample_rate_hz,
    }


def timeline_facts(timeline: otio.schema.Timeline) -> TimelineFacts:
    """The facts that `note_timeline` left."""
    values = timeline.metadata[NAMESPACE]
    return TimelineFacts(
        name=timeline.name,
        format=values["format"],
        rate=Fraction(values["rate"]),
        start_frame=int(values["start_frame"]),
        drop_frame=bool(values["drop_frame"]),
        sample_rate_hz=int(values["sample_rate_hz"]),
    )
