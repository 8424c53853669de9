"""The `<file>` of a cleaned clip, in the form that the original's has."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction

from lxml import etree

from nlecompanion.model import CleanedMedia, Loss

from .document import Dialect, Xmeml
from .edit import file_url, insert, nested, remove, set_text, swap
from .values import BadValue, rate_of, text_of, timecode_text

#: Bit depth of the Broadcast WAVs that the tool writes.
DEPTH_BITS = 24


@dataclass(slots=True, eq=False)
class Ids:
    """Hands out ids that the document does not have yet."""

    taken: set[str]
    last: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, root: etree._Element) -> Ids:
        """The ids that are taken: attributes, and the names of master clips."""
        taken = {str(value) for value in root.xpath("//@id")}
        taken.update(text.text or "" for text in root.iter("masterclipid", "linkclipref"))
        return cls(taken)

    def new(self, stem: str) -> str:
        """`stem-1`, `stem-2`, …: the next that is free."""
        number = self.last.get(stem, 0) + 1
        while f"{stem}-{number}" in self.taken:
            number += 1
        self.last[stem] = number
        self.taken.add(f"{stem}-{number}")
        return f"{stem}-{number}"


@dataclass(slots=True, eq=False)
class FileShelf:
    """The new files: each defined at its first use, then named by its id.

    `needed_frames` is how far into each file the clips reach, by the file's id.
    """

    document: Xmeml
    ids: Ids
    needed_frames: dict[str, int]
    losses: list[Loss]
    _known: dict[str, tuple[str, str]] = field(default_factory=dict)

    def file(self, media: CleanedMedia, like: etree._Element, rate: Fraction) -> etree._Element:
        """The `<file>` to put into a clip that stands in for `like`."""
        if media.id in self._known:
            return etree.Element("file", id=self._known[media.id][0])
        file_id = self.ids.new("file")
        self._known[media.id] = (file_id, self.ids.new("masterclip"))
        original = self.document.file_of(like)
        return self._define(file_id, media, original, media.frame_rate or rate)

    def master(self, media: CleanedMedia) -> str:
        """The master clip id of a file that has been asked for."""
        return self._known[media.id][1]

    def _define(
        self,
        file_id: str,
        media: CleanedMedia,
        original: etree._Element | None,
        rate: Fraction,
    ) -> etree._Element:
        file = etree.Element("file") if original is None else deepcopy(original)
        url = text_of(file, "pathurl")
        localhost = url.startswith("file://localhost") or (
            not url.startswith("file:///") and self.document.dialect is Dialect.PREMIERE
        )
        for child in list(file):
            if child.tag not in ("name", "pathurl", "rate", "duration", "timecode", "media"):
                file.remove(child)
        file.attrib.clear()
        file.set("id", file_id)
        file.tail = None
        set_text(file, "name", media.path.name)
        set_text(file, "pathurl", file_url(media.path, localhost), ("name",))
        set_rate(file, rate, ("pathurl",))
        frames = duration_frames(media, rate, self.needed_frames.get(media.id, 0))
        set_text(file, "duration", str(frames), ("rate",))
        self._set_timecode(file, media, rate)
        _set_sound(file, media)
        return file

    def _set_timecode(self, file: etree._Element, media: CleanedMedia, rate: Fraction) -> None:
        timecode = file.find("timecode")
        if timecode is None:
            timecode = nested("timecode", ("string", ""), ("frame", "0"), ("displayformat", "NDF"))
            insert(file, timecode, ("duration",))
        drop_frame = text_of(timecode, "displayformat").upper() == "DF"
        exact = media.start_s * rate
        frame = round(exact)
        if exact.denominator != 1:
            self.losses.append(
                Loss(
                    media.path.name,
                    f"its start timecode lies {float(abs(exact - frame)):.3f} frame beside the "
                    f"frame {frame} that the document states",
                )
            )
        remove(timecode, "reel")
        set_rate(timecode, rate, ())
        set_text(timecode, "string", timecode_text(frame, rate, drop_frame), ("rate",))
        set_text(timecode, "frame", str(frame), ("string",))


def set_rate(parent: etree._Element, rate: Fraction, after: tuple[str, ...]) -> None:
    """Sets `<rate>`; one that says the same already is left as it is."""
    try:
        stated = rate_of(parent)
    except BadValue:
        stated = None
    if stated == rate:
        return
    element = parent.find("rate")
    if element is None:
        element = etree.Element("rate")
        insert(parent, element, after)
    ntsc = rate.denominator == 1001
    timebase = rate * 1001 / 1000 if ntsc else rate
    whole = timebase.denominator == 1
    set_text(element, "timebase", str(timebase) if whole else f"{float(rate):.6f}")
    set_text(element, "ntsc", "TRUE" if ntsc else "FALSE", ("timebase",))


def duration_frames(media: CleanedMedia, rate: Fraction, needed: int) -> int:
    """The whole frames in a file; a last part of a frame counts where a clip needs it."""
    whole, rest = divmod(media.duration_s * rate, 1)
    return int(whole) + (1 if rest and needed > whole else 0)


def _set_sound(file: etree._Element, media: CleanedMedia) -> None:
    sound = nested(
        "audio",
        nested(
            "samplecharacteristics",
            ("depth", str(DEPTH_BITS)),
            ("samplerate", str(media.rate_hz)),
        ),
        ("channelcount", str(media.channels)),
    )
    old = file.find("media")
    if old is None:
        insert(file, nested("media", sound), ("timecode",))
    else:
        swap(old, nested("media", sound))
