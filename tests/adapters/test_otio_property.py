"""Random cuts in three dialects: whatever an editor cuts, the contract holds on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from benchmarks.documents_checks import HELD, checks_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import otio_json as otio
from testkit.otio_json import PREMIERE, RESOLVE, Json

from nlecompanion import plugins
from nlecompanion.timeline.uses import read_uses

#: As documents spell them, and exact.
RATES = (
    (24.0, Fraction(24)),
    (25.0, Fraction(25)),
    (23.976023976023978, Fraction(24_000, 1001)),
    (29.97, Fraction(30_000, 1001)),
    (60.0, Fraction(60)),
)
DIALECTS = ("", RESOLVE, PREMIERE)


@dataclass
class Cut:
    """A random document; `wanted` are (record in, length, timecode in) of its uses, in frames."""

    dialect: str
    rate: float
    tracks: list[Json] = field(default_factory=list)
    wanted: list[tuple[int, int, int]] = field(default_factory=list)
    links: int = 0

    def sound(self, start: int, length: int, channels: int, **more: object) -> Json:
        """A clip with the dialect's own metadata."""
        self.links += 1
        metadata: Json = {}
        if self.dialect == RESOLVE:
            ids = [{"Source Channel ID": n, "Source Track ID": 0} for n in range(channels)]
            metadata = {RESOLVE: {"Channels": ids, "Link Group ID": self.links}}
        elif self.dialect == PREMIERE:
            assigned = [{"SecondaryChannelIndex": n} for n in range(channels)]
            audio = {"SecondaryAssignments": assigned}
            metadata = {PREMIERE: {"AudioChannels": audio, "LinkID": str(self.links)}}
        return otio.clip(float(start), float(length), self.rate, metadata=metadata, **more)  # type: ignore[arg-type]

    def tree(self) -> Json:
        """The whole document."""
        tree = otio.timeline([otio.picture(500.0, self.rate), *self.tracks], self.rate)
        if self.dialect == RESOLVE:
            tree["metadata"] = {RESOLVE: {"Resolve OTIO Meta Version": "1.0"}}
        elif self.dialect == PREMIERE:
            rates = {"VideoFrameRate": self.rate, "AudioFrameRate": 48_000.0}
            tree["tracks"]["metadata"] = {PREMIERE: rates}
        return tree


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Cut, Fraction]:
    """Tracks of clips, gaps, crossfades, nested sequences and things that are left alone."""
    rate, exact = draw(st.sampled_from(RATES))
    cut = Cut(draw(st.sampled_from(DIALECTS)), rate)
    for _ in range(draw(st.integers(1, 3))):
        channels, on = draw(st.sampled_from((1, 2))), draw(st.sampled_from((True, True, False)))
        children: list[Json] = []
        position = 0
        for _ in range(draw(st.integers(0, 6))):
            position = _add(draw, cut, children, position, channels, on)
        cut.tracks.append(otio.track(children, enabled=on))
    return cut, exact


def _add(
    draw: st.DrawFn, cut: Cut, children: list[Json], position: int, channels: int, on: bool
) -> int:
    kind = draw(st.sampled_from(("clip", "clip", "gap", "off", "slow", "nested", "fade")))
    length, start = draw(st.integers(1, 400)), draw(st.integers(86_500, 90_000))
    if kind == "gap":
        children.append(otio.gap(float(length), cut.rate))
    elif kind == "off":
        children.append(cut.sound(start, length, channels, enabled=False))
    elif kind == "slow":
        # At half speed Premiere's clip lasts twice as long.
        children.append(cut.sound(start, length, channels, effects=[otio.time_warp(0.5)]))
        length *= 2 if cut.dialect == PREMIERE else 1
    elif kind == "nested":
        cut_off = draw(st.integers(0, length - 1))
        inside = otio.track([cut.sound(start, length, channels)])
        shown = otio.span(float(cut_off), float(length - cut_off), cut.rate)
        children.append(otio.stack([inside], shown))
        start, length = start + cut_off, length - cut_off
    else:
        if kind == "fade" and children and children[-1]["OTIO_SCHEMA"] == "Clip.2":
            children.append(otio.transition(1.0, 1.0, cut.rate))
        children.append(cut.sound(start, length, channels))
    if on and kind in ("clip", "fade", "nested"):
        cut.wanted.append((position, length, start))
    return position + length


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts())
def test_the_contract_holds_on_any_cut(tmp_path: Path, drawn: tuple[Cut, Fraction]) -> None:
    cut, rate = drawn
    if not any(track["children"] for track in cut.tracks):
        cut.tracks.append(otio.track([otio.gap(1.0, cut.rate)]))
    path = otio.write(tmp_path / "cut.otio", cut.tree())
    uses = read_uses(plugins.adapters()["otio"].read(path))
    read: list[tuple[object, ...]] = [
        (
            use.record.start_s * rate,
            use.record.duration_s * rate,
            ((use.media_start_s or 0) + use.source.start_s) * rate,
        )
        for use in uses
        if use.left_alone is None
    ]
    assert Counter(read) == Counter(cut.wanted)
    held = checks_of("otio", path)
    assert set(held.values()) == {HELD}, held
