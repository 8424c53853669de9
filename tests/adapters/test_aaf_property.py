"""Random timelines in the editors' forms: whatever is cut, the contract holds on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.documents_checks import HELD, checks_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import aaf

from nlecompanion import plugins
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

#: Frames a second, and whether the clock drops frames.
CLOCKS = (
    (Fraction(24_000, 1001), False),
    (Fraction(25), False),
    (Fraction(30_000, 1001), True),
    (Fraction(30_000, 1001), False),
)
SAMPLES = Fraction(48_000)
URLS = (
    "file:///D%3A/Avid%20MediaFiles/A001%20%231.wav",
    "file://server/share/boom.wav",
    "/Volumes/Sound/plant mic.wav",
)
#: What stands on a track; all but the first five are left alone or nothing.
KINDS = ("clip", "clip", "gained", "right", "both", "muted", "fast", "tone", "gap", "gap")

#: What a use must read as: record in, length and source in (units of its track), the timecode of
#: the file's first sample (seconds), its channels, its URL.
Facts = tuple[Fraction, Fraction, Fraction, Fraction, tuple[int, ...], str]


@dataclass(frozen=True)
class Part:
    """A segment of a track; `fade` is the length of the transition before it, `cut` its cut."""

    kind: str
    wave: int
    start: int
    length: int
    fade: int = 0
    cut: int = 0


@dataclass(frozen=True)
class Sound:
    """A track, its parts in order."""

    parts: tuple[Part, ...]
    muted: bool
    panned: bool


@dataclass(frozen=True)
class Scene:
    """A random document: its clock, what its tracks count in, its files."""

    rate: Fraction
    drop: bool
    start_frame: int
    unit_hz: Fraction
    waves: tuple[aaf.Wave, ...]
    tracks: tuple[Sound, ...] = field(default=())

    def write(self, path: Path) -> Path:
        """The document, as the kit makes it."""
        return aaf.made(path, self.rate, self._build)

    def _build(self, make: aaf.Maker) -> None:
        make.timecode(self.start_frame, self.drop, 5000)
        make.picture(5000)
        masters = [make.master(wave, self.unit_hz) for wave in self.waves]
        for number, track in enumerate(self.tracks, start=1):
            components = []
            for part in track.parts:
                if part.fade:
                    components.append(make.dissolve(part.fade, part.cut))
                components.append(_segment(make, part, masters[part.wave]))
            make.track(
                number,
                f"A{number}",
                components,
                self.unit_hz,
                over=(lambda s: make.operation(aaf.PAN, "Audio Pan", [s], s.length))
                if track.panned
                else None,
                attributes={"AudioMixerCompMute": 1} if track.muted else {},
            )

    def wanted(self) -> Counter[Facts]:
        """The uses that may be cleaned, by the cuts: a transition overlaps both its sides."""
        found: Counter[Facts] = Counter()
        for track in self.tracks:
            end = 0
            for part, after in zip(track.parts, (*track.parts[1:], None), strict=True):
                begin = end - part.fade
                end = begin + part.length
                first = begin + part.cut
                last = end - (after.fade - after.cut if after else 0)
                plays = part.kind in ("clip", "gained", "right", "both") and not track.muted
                if plays and last > first:
                    found[self._facts(part, first, last)] += 1
        return found

    def _facts(self, part: Part, first: int, last: int) -> Facts:
        wave = self.waves[part.wave]
        clock_s = (wave.tape_start or 0) / self.rate
        channels = {"right": (1,), "both": (0, 1)}.get(part.kind, (0,))
        source = part.start + part.cut
        return (
            Fraction(first),
            Fraction(last - first),
            Fraction(source),
            clock_s,
            channels,
            wave.url,
        )


def _segment(make: aaf.Maker, part: Part, master: Any) -> Any:
    clip = make.clip(master, part.start, part.length, 2 if part.kind == "right" else 1)
    if part.kind == "gap":
        return make.filler(part.length)
    if part.kind == "muted":
        return make.muted(clip)
    if part.kind == "tone":
        return make.operation(aaf.DISSOLVE, "Tone", [], part.length)
    if part.kind == "gained":
        return make.operation(aaf.GAIN, "Audio Gain", [clip], part.length)
    if part.kind == "fast":
        return make.operation(aaf.SPEED, "Audio Speed", [clip], part.length)
    if part.kind == "both":
        other = make.clip(master, part.start, part.length, 2)
        return make.operation(aaf.COMBINER, "Audio Channel Combiner", [clip, other], part.length)
    return clip


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """One to four tracks that count frames or samples, over one to three files."""
    rate, drop = draw(st.sampled_from(CLOCKS))
    unit_hz = draw(st.sampled_from((rate, rate, SAMPLES)))
    # One rate for all: the made-up plan's files are of 48 kHz, the pipeline's of the rate that most
    # sources have, and only the latter leave the majority what it was.
    rate_hz = draw(st.sampled_from((48_000, 44_100)))
    waves = tuple(
        aaf.Wave(
            url,
            f"wave {number}",
            draw(st.sampled_from((1, 2))),
            rate_hz,
            tape_start=draw(st.none() | st.integers(0, 2_000_000)),
        )
        for number, url in enumerate(URLS[: draw(st.integers(1, 3))])
    )
    tracks = tuple(_track(draw, waves, unit_hz) for _ in range(draw(st.integers(1, 4))))
    return Scene(rate, drop, draw(st.integers(0, 2_000_000)), unit_hz, waves, tracks)


def _track(draw: st.DrawFn, waves: tuple[aaf.Wave, ...], unit_hz: Fraction) -> Sound:
    parts: list[Part] = []
    room = 0  # what the last part has left for a transition
    for _ in range(draw(st.integers(1, 6))):
        wave = draw(st.integers(0, len(waves) - 1))
        mono = waves[wave].channels == 1
        kind = draw(st.sampled_from([k for k in KINDS if not mono or k not in ("right", "both")]))
        start = draw(st.integers(0, int(30 * unit_hz)))
        length = draw(st.integers(1, int(15 * unit_hz)))
        fade = cut = 0
        sounds = kind != "gap" or (parts and parts[-1].kind != "gap")
        if sounds and room and draw(st.booleans()):
            fade = draw(st.integers(1, min(room, length)))
            cut = draw(st.integers(0, fade))
        parts.append(Part(kind, wave, start, length, fade, cut))
        room = length - fade
    muted = draw(st.sampled_from((False, False, False, True)))
    return Sound(tuple(parts), muted, draw(st.booleans()))


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scenes())
def test_the_contract_holds_on_any_scene(tmp_path: Path, scene: Scene) -> None:
    path = scene.write(tmp_path / "cut.aaf")
    timeline = plugins.adapters()["aaf"].read(path)
    facts = timeline_facts(timeline)
    clock = (facts.rate, facts.start_frame, facts.drop_frame)
    assert clock == (scene.rate, scene.start_frame, scene.drop)
    read = [
        (
            use.record.start_s * scene.unit_hz,
            use.record.duration_s * scene.unit_hz,
            use.source.start_s * scene.unit_hz,
            use.media_start_s,
            use.channels,
            use.media_url,
        )
        for use in read_uses(timeline)
        if use.left_alone is None
    ]
    assert Counter(read) == scene.wanted()
    held = checks_of("aaf", path)
    assert set(held.values()) == {HELD}, held
