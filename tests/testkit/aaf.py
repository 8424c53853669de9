"""AAF documents of our own making, and eyes of our own for delivered ones.

Nothing below uses the adapter. A document is compared as the tree of its mobs: every property of
every object as its stored bytes, so that equal trees are equal documents to any reader.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aaf2
from aaf2.mobid import MobID

from nlecompanion.model import ConformPlan

#: A tree: {"class", "id" where it is a mob, and each property by name}.
Tree = dict[str, Any]

_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
GAIN = "9d2ea894-0968-11d3-8a38-0050040ef7d2"
PAN = "9d2ea893-0968-11d3-8a38-0050040ef7d2"
DISSOLVE = "0c3bea41-fc05-11d2-8a29-0050040ef7d2"
COMBINER = "6b46dd7a-132d-4856-ab21-8b751d8462ec"
SPEED = "9d2ea890-0968-11d3-8a38-0050040ef7d2"


# Eyes.


@contextmanager
def opened(data: bytes) -> Iterator[Any]:
    """The document of these bytes, open for reading."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.aaf"
        path.write_bytes(data)
        with aaf2.open(str(path), "r") as file:
            yield file


def tree_of(data: bytes) -> Tree:
    """Mobs by id, and the id of the top composition."""
    tree: Tree = json.loads(_tree_text(data))
    return tree


@lru_cache(maxsize=8)
def _tree_text(data: bytes) -> str:
    with opened(data) as file:
        mobs = {str(mob.mob_id): _dump(mob) for mob in file.content.mobs}
        media = {}
        for essence in file.content.essencedata:
            media[str(essence.mob_id)] = hashlib.sha256(essence.open("r").read()).hexdigest()
        return json.dumps({"top": str(_top(file).mob_id), "mobs": mobs, "essence": media})


def _top(file: Any) -> Any:
    (top,) = [m for m in file.content.compositionmobs() if m.usage == "Usage_TopLevel"]
    return top


def _dump(thing: Any) -> Tree:
    tree: Tree = {"class": str(thing.classdef.class_name)}
    for entry in thing.properties():
        kind = type(entry).__name__
        if kind == "StrongRefProperty":
            tree[entry.name] = _dump(entry.value)
        elif kind == "StrongRefVectorProperty":
            tree[entry.name] = [_dump(child) for child in entry.value]
        elif kind == "StrongRefSetProperty":
            tree[entry.name] = {str(key): _dump(child) for key, child in sorted_items(entry)}
        elif kind == "WeakRefProperty":
            tree[entry.name] = str(entry.ref)
        elif kind == "StreamProperty":
            tree[entry.name] = hashlib.sha256(entry.open("r").read()).hexdigest()
        else:
            tree[entry.name] = bytes(entry.data).hex()
    return tree


def sorted_items(entry: Any) -> list[tuple[Any, Any]]:
    """A set's objects in order of their keys."""
    return sorted(entry.items(), key=lambda pair: str(pair[0]))


def canonical(data: bytes) -> Tree:
    """The document's tree; `undo` gives it as JSON already."""
    if data.startswith(_COMPOUND):
        return tree_of(data)
    tree: Tree = json.loads(data)
    return tree


def undo(original: bytes, delivered: bytes, plan: ConformPlan) -> bytes:
    """Takes the plan's mobs, tracks, markers, name and selectors out of a delivered document."""
    before, after = tree_of(original), tree_of(delivered)
    old, new = before["mobs"][before["top"]], after["mobs"].pop(after["top"])
    added = [mob for mob in after["mobs"] if mob not in before["mobs"]]
    files = {clip.media.id for track in plan.tracks for clip in track.clips}
    assert len(added) >= 3 * len(files)
    for mob in added:
        assert after["mobs"].pop(mob)["class"] in ("MasterMob", "SourceMob")
    slots = len(old["Slots"])
    markers = bool(plan.markers)
    assert len(new["Slots"]) == slots + len(plan.tracks) + markers
    del new["Slots"][slots:]
    for address in plan.disable:
        holder, key = _holder(new, address)
        selector = holder[key]
        assert selector["class"] == "Selector"
        assert selector["Selected"]["class"] == "Filler"
        assert selector["Length"] == selector["Selected"]["Length"]
        (holder[key],) = selector["Alternates"]
    if plan.tracks or plan.disable or plan.markers:
        assert after["top"] != before["top"], "the copy would collide with the original"
    new["Name"], new["MobID"] = old["Name"], old["MobID"]
    after["mobs"][before["top"]], after["top"] = new, before["top"]
    return json.dumps(after).encode()


def _holder(mob: Tree, address: str) -> tuple[Any, Any]:
    """What holds the element of `S19/0.3`, and under which key."""
    slot_id, _, path = address.removeprefix("S").partition("/")
    wanted = int(slot_id).to_bytes(4, "little").hex()
    holder: Any = next(slot for slot in mob["Slots"] if slot["SlotID"] == wanted)
    key: Any = "Segment"
    for index in map(int, path.split(".") if path else ()):
        inner = holder[key]
        holder, key = inner.get("Components") or inner["InputSegments"], index
    return holder, key


def untouched(data: bytes, address: str) -> Tree:
    """The tree of the element at an address."""
    tree = tree_of(data)
    holder, key = _holder(tree["mobs"][tree["top"]], address)
    element: Tree = holder[key]
    return element


def picture(data: bytes) -> list[Tree]:
    """The composition's tracks that are neither sound nor markers."""
    with opened(data) as file:
        kinds = [str(slot.media_kind or "") for slot in _top(file).slots]
    tree = tree_of(data)
    dumps = tree["mobs"][tree["top"]]["Slots"]
    sound = ("Sound", "LegacySound")
    return [
        slot
        for kind, slot in zip(kinds, dumps, strict=True)
        if kind not in sound and "Descriptive" not in kind
    ]


@dataclass(frozen=True)
class Entry:
    """How the document describes one file."""

    url: str
    start_s: Fraction
    duration_s: Fraction
    rate_hz: int
    channels: int


def entries(data: bytes, plan: ConformPlan) -> list[Entry]:
    """The descriptions of the plan's files: descriptor, head of the WAV, and tape behind it."""
    wanted = {clip.media.path for track in plan.tracks for clip in track.clips}
    found = []
    with opened(data) as file:
        for mob in file.content.sourcemobs():
            for locator in mob.descriptor.get("Locator").value or ():
                url = str(locator["URLString"].value)
                parts = urlsplit(url)
                if parts.scheme == "file" and Path(unquote(parts.path)) in wanted:
                    found.append(_entry(file, mob, url))
    return found


def _entry(file: Any, mob: Any, url: str) -> Entry:
    descriptor = mob.descriptor
    head = bytes(descriptor["Summary"].value)
    assert head[:4] + head[8:16] == b"RIFFWAVEfmt "
    rate_hz = int(descriptor["SampleRate"].value)
    assert int.from_bytes(head[24:28], "little") == rate_hz
    length = int(descriptor["Length"].value)
    (slot,) = mob.slots
    assert slot.segment.length == length
    tape = file.content.mobs.get(slot.segment.mob_id)
    clock = next(s for s in tape.slots if type(s.segment).__name__ == "Timecode")
    start_s = clock.segment.start / _fraction(clock.edit_rate)
    start_s += slot.segment.start / _fraction(slot.edit_rate)
    channels = int.from_bytes(head[22:24], "little")
    return Entry(url, start_s, Fraction(length, rate_hz), rate_hz, channels)


def _fraction(rate: Any) -> Fraction:
    return Fraction(int(rate.numerator), int(rate.denominator))


def repeated_ids(data: bytes) -> list[str]:
    """Slot ids that a mob has twice; mob ids cannot be."""
    with opened(data) as file:
        counts = Counter(
            (str(mob.mob_id), slot.slot_id) for mob in file.content.mobs for slot in mob.slots
        )
    return [f"slot {slot} of {mob}" for (mob, slot), count in counts.items() if count > 1]


# Documents.


@dataclass(frozen=True)
class Wave:
    """A file on disk as a document describes it; `tape_start` counts frames of the timeline."""

    url: str
    name: str
    channels: int = 1
    rate_hz: int = 48_000
    length_samples: int = 48_000 * 60
    tape_start: int | None = None


class Maker:
    """Builds one document in the editors' forms, with ids that follow from a count."""

    def __init__(self, file: Any, rate: Fraction) -> None:
        self.file = file
        self.rate = rate
        self._count = 0
        self.top = self._mob("CompositionMob", "Scene 3 Ünïcode")
        self.top.usage = "Usage_TopLevel"

    def _mob(self, kind: str, name: str) -> Any:
        mob = self.file.create.from_name(kind, name)
        self._count += 1
        mob.mob_id = MobID(int=0x060A2B34_01010101_01010F00_13000000 << 128 | self._count)
        self.file.content.mobs.append(mob)
        return mob

    def edit_rate(self, rate: Fraction | None = None) -> str:
        """A rate as pyaaf2 takes it."""
        rate = rate or self.rate
        return f"{rate.numerator}/{rate.denominator}"

    def timecode(self, start: int, drop: bool, length: int) -> None:
        """The composition's own clock."""
        slot = self.top.create_timeline_slot(self.edit_rate(), 90)
        slot["PhysicalTrackNumber"].value = 1
        fps = -(-self.rate.numerator // self.rate.denominator)
        slot.segment = self.file.create.Timecode(fps=fps, drop=drop, length=length)
        slot.segment.start = start

    def picture(self, length: int) -> None:
        """A picture track with something on it."""
        slot = self.top.create_timeline_slot(self.edit_rate(), 91)
        slot.segment = self.file.create.Sequence(media_kind="Picture", length=length)
        filler = self.file.create.Filler(media_kind="Picture", length=length)
        slot.segment["Components"].value = [filler]

    def master(self, wave: Wave, rate: Fraction | None = None) -> Any:
        """A master clip with a slot a channel; each channel has a file mob on the same path."""
        rate = rate or self.rate
        length = int(Fraction(wave.length_samples, wave.rate_hz) * rate)
        master = self._mob("MasterMob", wave.name)
        for channel in range(wave.channels):
            source = self._mob("SourceMob", wave.name)
            descriptor = self.file.create.WAVEDescriptor()
            head = bytearray(44)
            head[:4], head[8:16], head[36:40] = b"RIFF", b"WAVEfmt ", b"data"
            head[16], head[20], head[22] = 16, 1, wave.channels
            head[24:28] = wave.rate_hz.to_bytes(4, "little")
            descriptor["Summary"].value = bytes(head)
            descriptor["Length"].value = wave.length_samples
            descriptor["SampleRate"].value = wave.rate_hz
            locator = self.file.create.NetworkLocator()
            locator["URLString"].value = wave.url
            descriptor["Locator"].append(locator)
            source.descriptor = descriptor
            inner = self._slot(source, 1, rate, length, channel + 1)
            if wave.tape_start is not None:
                inner.mob, inner.slot_id = self._tape(wave, length), 1
            outer = self._slot(master, channel + 1, rate, length, channel + 1)
            outer.mob, outer.slot_id = source, 1
        return master

    def _slot(self, mob: Any, slot_id: int, rate: Fraction, length: int, physical: int) -> Any:
        slot = mob.create_timeline_slot(self.edit_rate(rate), slot_id)
        slot["PhysicalTrackNumber"].value = physical
        slot.segment = self.file.create.SourceClip(length=length, media_kind="Sound")
        return slot.segment

    def _tape(self, wave: Wave, length: int) -> Any:
        tape = self._mob("SourceMob", f"{wave.name} tape")
        tape.descriptor = self.file.create.TapeDescriptor()
        self._slot(tape, 1, self.rate, length, 1)
        clock = tape.create_timeline_slot(self.edit_rate(), 9)
        clock.segment = self.file.create.Timecode(fps=25, drop=False, length=length)
        clock.segment.start = wave.tape_start
        return tape

    def clip(self, master: Any, start: int, length: int, slot_id: int = 1) -> Any:
        """A source clip; counts in the track's edit units."""
        return self.file.create.SourceClip(start, length, master.mob_id, slot_id, "Sound")

    def filler(self, length: int) -> Any:
        """A gap."""
        return self.file.create.Filler(media_kind="Sound", length=length)

    def operation(self, auid: str, name: str, inputs: Sequence[Any], length: int) -> Any:
        """An effect, its definition added where it is new."""
        known = self.file.dictionary["OperationDefinitions"]
        identity = aaf2.auid.AUID(auid)
        if identity not in known:
            definition = self.file.create.OperationDef(identity, name)
            definition.media_kind = "Sound"
            definition["NumberInputs"].value = len(inputs)
            definition["IsTimeWarp"].value = auid == SPEED
            self.file.dictionary.register_def(definition)
        group = self.file.create.OperationGroup(identity, length, "Sound")
        group["InputSegments"].value = list(inputs)
        return group

    def dissolve(self, length: int, cut: int) -> Any:
        """A crossfade."""
        group = self.operation(DISSOLVE, "Audio Dissolve", [], length)
        transition = self.file.create.Transition(media_kind="Sound", length=length)
        transition.cutpoint = cut
        transition["OperationGroup"].value = group
        return transition

    def muted(self, clip: Any) -> Any:
        """Avid's muted clip."""
        selector = self.file.create.Selector(media_kind="Sound", length=clip.length)
        selector["Selected"].value = self.filler(clip.length)
        selector["Alternates"].value = [clip]
        return selector

    def track(
        self,
        number: int,
        name: str,
        components: Sequence[Any],
        rate: Fraction | None = None,
        over: Callable[[Any], Any] | None = None,
        attributes: Mapping[str, int] = {},
    ) -> None:
        """A sound track; `over` puts an effect over all of it."""
        sequence = self.file.create.Sequence(media_kind="Sound")
        sequence["Components"].value = list(components)
        sequence.length = sum(
            -part.length if type(part).__name__ == "Transition" else part.length
            for part in components
        )
        slot = self.top.create_timeline_slot(self.edit_rate(rate), number + 1)
        slot.name = name
        slot["PhysicalTrackNumber"].value = number
        slot.segment = over(sequence) if over else sequence
        for key, value in attributes.items():
            pair = self.file.create.TaggedValue(key, value, "aafInt32")
            slot["TimelineMobAttributeList"].append(pair)


def made(path: Path, rate: Fraction, build: Callable[[Maker], None]) -> Path:
    """A document at that path, with what `build` puts into it; `rate` is in frames a second."""
    with aaf2.open(str(path), "w") as file:
        build(Maker(file, rate))
    return path


def _avid(make: Maker) -> None:
    make.timecode(90_000, False, 1000)
    make.picture(1000)
    first = make.master(
        Wave("file:///D%3A/Avid%20MediaFiles/A001%20%231.wav", "A001", tape_start=4321)
    )
    second = make.master(Wave("file://server/share/boom.wav", "boom", rate_hz=44_100))
    make.track(
        1,
        "DX 1",
        [
            make.filler(12),
            make.dissolve(12, 0),
            make.clip(first, 50, 117),
            make.dissolve(48, 30),
            make.clip(first, 400, 137),
            make.dissolve(24, 12),
            make.filler(89),
            make.operation(GAIN, "Audio Gain", [make.clip(second, 31, 168)], 168),
            make.clip(second, 300, 130),
            make.dissolve(48, 48),
            make.filler(48),
        ],
        over=lambda inner: make.operation(PAN, "Audio Pan", [inner], inner.length),
    )
    make.track(
        2,
        "DX 2",
        [
            make.muted(make.clip(first, 10, 100)),
            make.operation(SPEED, "Audio Speed", [make.clip(first, 100, 100)], 50),
            make.filler(50),
            make.clip(second, 500, 75),
            make.operation(GAIN, "Audio Gain", [], 25),
        ],
    )
    make.track(3, "Spare", [make.clip(second, 0, 200)], attributes={"AudioMixerCompMute": 1})


def _resolve(make: Maker) -> None:
    make.timecode(86_400, False, 500)
    samples = Fraction(48_000)
    stereo = make.master(Wave("file://localhost/C:/res/stereo.wav", "stereo", 2), samples)
    mono = make.master(Wave("file://localhost/C:/res/mono.wav", "mono", 1), samples)

    def both(start: int, length: int) -> Any:
        inputs = [make.clip(stereo, start, length - 7, slot) for slot in (1, 2)]
        return make.operation(COMBINER, "Audio Channel Combiner", inputs, length)

    make.track(
        1,
        "Audio 1",
        [both(1, 93_861), make.filler(106_139), both(48_000, 93_860), both(200_001, 48_011)],
        samples,
        attributes={"_TRACK_FORMAT": 2},
    )
    make.track(2, "Audio 2", [make.filler(11), make.clip(mono, 77_777, 123_457)], samples)


def _ntsc(make: Maker) -> None:
    make.timecode(107_892, True, 900)
    one = make.master(Wave("file:///Macintosh%20HD/Sound/lav.wav", "lav", 1, tape_start=1799))
    two = make.master(Wave("/Volumes/Sound/plant mic.wav", "plant", 2))
    make.track(1, "", [make.clip(one, 91, 300), make.filler(3), make.clip(one, 77, 61)])
    make.track(2, "", [make.filler(50), make.clip(two, 10, 100, 2)])
    make.track(3, "", [make.operation(GAIN, "", [make.clip(two, 400, 222)], 222)])


#: Documents by label, as functions that write one to a path.
SPECIMENS: Mapping[str, Callable[[Path], Path]] = {
    "avid 25": lambda path: made(path, Fraction(25), _avid),
    "resolve samples": lambda path: made(path, Fraction(24), _resolve),
    "premiere 29.97 DF": lambda path: made(path, Fraction(30_000, 1001), _ntsc),
}
