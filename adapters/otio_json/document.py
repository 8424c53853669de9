"""A parsed `.otio` document: where its one timeline stands, and what its items are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.timeline.contract import NAMESPACE

from .guards import refuse_dangerous
from .source_text import decode, parse
from .times import (
    DocRange,
    Json,
    is_number,
    read_range,
    read_time,
)

_COMPOSABLE = frozenset({"Clip", "Gap", "Stack", "Track", "Transition"})
_ADDRESS = re.compile(r"^tracks/(\d{1,6})(?:/children/(\d{1,9}))?$")


def schema_of(value: object) -> str:
    """The schema's name without its version; empty where there is none."""
    label = value.get("OTIO_SCHEMA") if isinstance(value, dict) else None
    return label.partition(".")[0] if isinstance(label, str) else ""


def label_of(item: object, otherwise: str) -> str:
    """An item's name, short and on one line, for a sentence to a person."""
    name = item.get("name") if isinstance(item, dict) else None
    words = " ".join(name.split()) if isinstance(name, str) else ""
    return (words if len(words) <= 60 else f"{words[:60]}…") or otherwise


def address_of(track_index: int, child_index: int | None = None) -> str:
    """The address of a track, or of one of its children."""
    track = f"tracks/{track_index}"
    return track if child_index is None else f"{track}/children/{child_index}"


def child_list(value: Json, key: str, where: str) -> list[Any]:
    """A list that may be missing or null.

    Raises:
        UnsupportedDocument: something else stands there.
    """
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise UnsupportedDocument(
            f"The {key} of {where} are not a list. Export the timeline again."
        )
    return found


def metadata_of(value: object, dialect: str) -> Json:
    """What a program wrote about an object under its own name."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    found = metadata.get(dialect) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """The text, its JSON tree, and the timeline in it; `in_collection` is its index in one."""

    name: str
    text: str
    tree: Any
    timeline: Json
    in_collection: int | None
    #: Where the items stand that carry an address as a note; filled when first asked for.
    noted: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def stack(self) -> Json:
        """The timeline's stack of tracks."""
        stack: Json = self.timeline["tracks"]
        return stack

    @property
    def tracks(self) -> list[Any]:
        """The stack's children."""
        return child_list(self.stack, "children", "the timeline's stack")

    def audio_tracks(self) -> Iterator[tuple[int, Json]]:
        """The audio tracks with their index in the stack."""
        for index, track in enumerate(self.tracks):
            if schema_of(track) == "Track" and str(track.get("kind")).lower() == "audio":
                yield index, track

    def items(self) -> Iterator[tuple[int, int, Json]]:
        """The children of all tracks of the stack, with the indices of track and child."""
        for track_index, track in enumerate(self.tracks):
            if schema_of(track) == "Track":
                for index, child in enumerate(child_list(track, "children", "a track")):
                    yield track_index, index, child

    def clips(self) -> Iterator[Json]:
        """All clips, those in nested sequences too."""
        pending: list[Any] = [self.stack]
        while pending:
            item = pending.pop()
            if schema_of(item) == "Clip":
                yield item
            else:
                pending.extend(child_list(item, "children", "a nested sequence"))

    def written_by(self, dialect: str) -> bool:
        """Whether the program of that metadata key wrote the timeline."""
        return bool(metadata_of(self.timeline, dialect) or metadata_of(self.stack, dialect))

    def resolve(self, address: str) -> tuple[int, int]:
        """Indices of track and child of an address, or of the item that carries it as a note.

        Raises:
            UnsupportedDocument: the document has no such item.
        """
        match = _ADDRESS.match(address)
        if match is not None and match[2] is not None:
            track_index, index = int(match[1]), int(match[2])
            if track_index < len(self.tracks):
                track = self.tracks[track_index]
                if schema_of(track) == "Track" and index < len(track.get("children") or []):
                    return track_index, index
        elif match is None:
            if not self.noted:
                for track_index, index, child in self.items():
                    note = metadata_of(child, NAMESPACE).get("address")
                    if isinstance(note, str):
                        self.noted.setdefault(note, (track_index, index))
            if address in self.noted:
                return self.noted[address]
        raise UnsupportedDocument(
            f"The plan speaks of {address!r}, which {self.name} does not have. "
            f"Run it again on the timeline as it is now."
        )


def load(data: bytes, name: str) -> Document:
    """The document of these bytes, guarded.

    Raises:
        DocumentError: not JSON, unsafe, or without exactly one timeline.
    """
    text = decode(data, name)
    tree = parse(text, name)
    timeline, in_collection = _find_timeline(tree, name)
    if schema_of(timeline.get("tracks")) != "Stack":
        raise UnsupportedDocument(f"{name} has a timeline without tracks. Export it again.")
    refuse_dangerous(tree, name)
    document = Document(name, text, tree, timeline, in_collection)
    _check_items(document)
    return document


def _find_timeline(tree: object, name: str) -> tuple[Json, int | None]:
    if isinstance(tree, dict) and schema_of(tree) == "Timeline":
        return tree, None
    if isinstance(tree, dict) and schema_of(tree) == "SerializableCollection":
        children = child_list(tree, "children", "the collection")
        found = [i for i, child in enumerate(children) if schema_of(child) == "Timeline"]
        if len(found) == 1:
            return children[found[0]], found[0]
        raise UnsupportedDocument(
            f"{name} is a collection of {len(found)} timelines; one at a time can be worked on. "
            f"Export one timeline."
        )
    what = schema_of(tree) or "something without OTIO_SCHEMA"
    raise UnsupportedDocument(f"{name} holds {what}, not a timeline. Export the whole timeline.")


def _check_items(document: Document) -> None:
    """All times of all items, also of those that are never touched: the library trusts them."""
    pending: list[tuple[str, Any]] = [("The timeline's stack", document.stack)]
    while pending:
        where, item = pending.pop()
        if schema_of(item) not in _COMPOSABLE:
            raise UnsupportedDocument(
                f"{where} is no clip, gap, transition or nested sequence, and cannot be placed. "
                f"Export the timeline again."
            )
        read_range(item.get("source_range"), f"the source range of {where}")
        for effect in child_list(item, "effects", where):
            scalar = effect.get("time_scalar", 1) if isinstance(effect, dict) else 1
            if not (is_number(scalar) and abs(scalar) <= 1e6):
                raise UnsupportedDocument(f"{where} has an impossible speed. Export again.")
        for side in ("in_offset", "out_offset"):
            offset = item.get(side)
            if offset is not None and read_time(offset, f"The {side} of {where}").seconds < 0:
                raise UnsupportedDocument(f"{where} has a negative {side}. Export again.")
        if schema_of(item) == "Clip":
            for key, reference in media_references(item).items():
                if isinstance(reference, dict):
                    what = f"the available range of {where} ({key})"
                    read_range(reference.get("available_range"), what)
        for index, child in enumerate(child_list(item, "children", where)):
            label = label_of(child, schema_of(child) or "item")
            pending.append((f"{label} (number {index + 1})", child))


def media_references(clip: Json) -> Json:
    """A clip's media references by key, whatever its schema's version."""
    references = clip.get("media_references")
    if isinstance(references, dict):
        return references
    return {"DEFAULT_MEDIA": clip.get("media_reference")}


def active_reference(clip: Json) -> Json:
    """The media reference in use; an empty object where there is none."""
    key = clip.get("active_media_reference_key", "DEFAULT_MEDIA")
    reference = media_references(clip).get(key) if isinstance(key, str) else None
    return reference if isinstance(reference, dict) else {}


def item_range(item: Json, where: str) -> DocRange | None:
    """An item's own source range, or that of its media where it has none."""
    own = read_range(item.get("source_range"), where)
    if own is None and schema_of(item) == "Clip":
        return read_range(active_reference(item).get("available_range"), where)
    return own


def duration_s(item: Json, where: str) -> Fraction:
    """How long an item lasts by its ranges, without time effects.

    Raises:
        UnsupportedDocument: the document does not say.
    """
    schema = schema_of(item)
    if schema == "Transition":
        return Fraction(0)
    known = item_range(item, where)
    if known is not None:
        return known.duration.seconds
    if schema in ("Stack", "Track"):
        inner = [duration_s(child, where) for child in child_list(item, "children", where)]
        return max(inner, default=Fraction(0)) if schema == "Stack" else sum(inner, Fraction(0))
    if schema == "Gap":
        return Fraction(0)
    raise UnsupportedDocument(
        f"{where} has no source range and no available range, so nothing after it has a place. "
        f"Relink its media and export the timeline again."
    )
