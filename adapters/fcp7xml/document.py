"""The xmeml document: which sequence is meant, where its files stand, which editor wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from lxml import etree

from nlecompanion.errors import DocumentError, NotATimeline, UnsupportedDocument

from ..xml_safe import XmlDocument, parse_xml
from .values import BadValue, Timecode, is_false, rate_of, text_of, timecode_of

ITEMS = frozenset({"clipitem", "generatoritem", "transitionitem"})


class Dialect(StrEnum):
    """The editors' habits that matter here."""

    PREMIERE = "Premiere"
    RESOLVE = "Resolve"
    FINAL_CUT = "Final Cut Pro 7"


@dataclass(frozen=True, slots=True, eq=False)
class Xmeml:
    """A document with the one sequence that is worked on.

    `files` holds the full definition of each file by id, wherever it stands; `masters` the
    project's clips by id, for clips that name no file of their own; `sequences` the nested
    sequences by id; `clips` the clips and generators of the sound tracks by address.
    """

    xml: XmlDocument
    name: str
    sequence: etree._Element
    rate: Fraction
    dialect: Dialect
    files: dict[str, etree._Element]
    masters: dict[str, etree._Element]
    sequences: dict[str, etree._Element]
    audio_tracks: tuple[etree._Element, ...]
    picture_tracks: tuple[etree._Element, ...]
    clips: dict[str, etree._Element]
    #: Found once: a track's own flag stands behind all its clips.
    tracks_off: frozenset[etree._Element]

    def timecode(self) -> Timecode:
        """Where the sequence's clock starts."""
        try:
            return timecode_of(self.sequence, self.rate) or Timecode(0, self.rate, False)
        except BadValue as error:
            raise UnsupportedDocument(f"{self.name}: the sequence's {error}.") from error

    def file_of(
        self, clip: etree._Element, file: etree._Element | None = None
    ) -> etree._Element | None:
        """The full definition of the file that a clip plays, None where it names none.

        `file` is the clip's own `<file>`, for those who know it.
        """
        file = clip.find("file") if file is None else file
        if file is None:
            master = self.masters.get(text_of(clip, "masterclipid"))
            file = None if master is None or master is clip else master.find(".//file")
        return None if file is None else self.files.get(file.get("id", ""), file)

    def sequence_of(self, clip: etree._Element) -> etree._Element | None:
        """The full definition of the sequence that is nested in a clip, if the document has it."""
        inner = clip.find("sequence")
        if inner is None:
            return None
        found = self.sequences.get(inner.get("id", ""), inner)
        return None if found.find("media") is None else found

    def element_at(self, address: str) -> etree._Element:
        """The clip that `address_of` named.

        Raises:
            DocumentError: there is none, or its id is another one.
        """
        found = self.clips.get(address)
        if found is not None:
            return found
        raise DocumentError(
            f"{self.name} has no clip at {address}. It is not the document that the plan was "
            "made from; run the timeline again."
        )


def address_of(track_number: int, item_index: int, element: etree._Element) -> str:
    """`A2/5:clipitem-7`: sound track 2, its fifth child; the id is a check, it may be empty."""
    return f"A{track_number}/{item_index + 1}:{element.get('id', '')}"


def open_xmeml(path: Path) -> Xmeml:
    """Parses the document and finds its one sequence.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    xml = parse_xml(path)
    root = xml.tree.getroot()
    if root.tag != "xmeml":
        raise NotATimeline(
            f"{path.name} is XML, but not Final Cut Pro 7 XML: its root is <{str(root.tag)[:40]}>. "
            "Export the sequence as Final Cut Pro XML."
        )
    sequence = _the_sequence(path.name, root)
    try:
        rate = rate_of(sequence)
    except BadValue as error:
        raise UnsupportedDocument(f"{path.name}: the sequence's {error}.") from error
    if rate is None:
        raise UnsupportedDocument(
            f"{path.name}: the sequence states no frame rate. Export it again."
        )
    audio_tracks = tuple(sequence.iterfind("media/audio/track"))
    picture_tracks = tuple(sequence.iterfind("media/video/track"))
    clips = {
        address_of(number, index, item): item
        for number, track in enumerate(audio_tracks, start=1)
        for index, item in enumerate(track)
        if item.tag in ("clipitem", "generatoritem")
    }
    return Xmeml(
        xml=xml,
        name=path.name,
        sequence=sequence,
        rate=rate,
        dialect=_dialect(root, sequence, clips.values()),
        files=_definitions(root),
        masters={
            key: clip
            for clip in root.iter("clip")
            for key in (clip.get("id"), text_of(clip, "masterclipid"))
            if key
        },
        sequences={
            inner.get("id", ""): inner
            for inner in root.iter("sequence")
            if inner.get("id") and inner.find("media") is not None and inner is not sequence
        },
        audio_tracks=audio_tracks,
        picture_tracks=picture_tracks,
        tracks_off=frozenset(
            track for track in (*audio_tracks, *picture_tracks) if is_false(track, "enabled")
        ),
        clips=clips,
    )


def _the_sequence(name: str, root: etree._Element) -> etree._Element:
    nested = {inner.get("id") for inner in root.iterfind(".//clipitem/sequence") if inner.get("id")}
    top = [
        sequence
        for sequence in root.iter("sequence")
        if sequence.find("media") is not None
        and next(sequence.iterancestors("clipitem", "sequence"), None) is None
    ]
    if not top:
        raise UnsupportedDocument(
            f"{name} holds no sequence. Select the sequence in the editor, not its clips, and "
            "export that."
        )
    outer = [sequence for sequence in top if sequence.get("id") not in nested]
    if len(outer) == 1:
        return outer[0]
    names = ", ".join(text_of(sequence, "name")[:60] or "(unnamed)" for sequence in top[:8])
    raise UnsupportedDocument(
        f"{name} holds {len(top)} sequences ({names}). Export one sequence at a time."
    )


def _definitions(root: etree._Element) -> dict[str, etree._Element]:
    files: dict[str, etree._Element] = {}
    for file in root.iter("file"):
        file_id = file.get("id")
        if file_id is None or not len(file):
            continue
        known = files.get(file_id)
        if known is None or (known.find("pathurl") is None and file.find("pathurl") is not None):
            files[file_id] = file
    return files


def _dialect(
    root: etree._Element, sequence: etree._Element, clips: Iterable[etree._Element]
) -> Dialect:
    if any(str(name).startswith("TL.") for name in sequence.attrib):
        return Dialect.PREMIERE
    masters = False
    for clip in clips:
        track = clip.getparent()
        if (
            clip.get("premiereChannelType") is not None
            or clip.find("pproTicksIn") is not None
            or (track is not None and track.get("premiereTrackType") is not None)
        ):
            return Dialect.PREMIERE
        masters = masters or clip.find("masterclipid") is not None
        masters = masters or clip.find("link/mediatype") is not None
    # Resolve writes version 5, bare links, and no master clips (seen in its exports).
    return Dialect.RESOLVE if root.get("version") == "5" and not masters else Dialect.FINAL_CUT
