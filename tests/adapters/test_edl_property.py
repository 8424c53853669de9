"""Random CMX 3600 lists: whatever an editor cuts, the contract holds on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from benchmarks.documents_checks import HELD, checks_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlecompanion import plugins
from nlecompanion.timeline.uses import read_uses
from nlecompanion.units import timecode_from_frames

#: Rate, what the list says of it, and whether it drops frames.
RATES = (
    (Fraction(25), "* FPS: 25", False),
    (Fraction(24_000, 1001), "* FPS: 23.976", False),
    (Fraction(30_000, 1001), "FCM: DROP FRAME", True),
    (Fraction(30), "* FPS: 30", False),
    (Fraction(50), "* FPS: 50", False),
)
CHANNELS = ("A", "A2", "AA", "A5", "V")


@dataclass
class List:
    """A list as it grows; `sounds` are (record in, length, source in) in frames, and
    `wanted` those of them that may be worked on."""

    rate: Fraction
    drop_frame: bool
    start: int
    lines: list[str] = field(default_factory=list)
    wanted: list[tuple[int, int, int]] = field(default_factory=list)
    sounds: list[tuple[int, int, int]] = field(default_factory=list)
    number: int = 0

    def code(self, frame: int) -> str:
        return timecode_from_frames(frame, self.rate, self.drop_frame).replace(";", ":")

    def event(self, reel: str, channel: str, source: int, length: int, at: int, kind: str) -> None:
        """One cut; `kind` is "on", "slow" or "still"."""
        self.number += 1
        played = length if kind == "on" else length // 2
        codes = (source, source + played, self.start + at, self.start + at + length)
        times = " ".join(self.code(frame) for frame in codes)
        self.lines.append(f"{self.number:03}  {reel:<8} {channel:<5} C        {times}")
        if kind != "on":
            fps = float(self.rate) / 2 if kind == "slow" else 0
            self.lines.append(f"M2   {reel:<8} {fps:05.1f}                {self.code(source)}")
        self.lines.append(f"* FROM CLIP NAME:  {reel} take.mov")
        if channel != "V":
            self.sounds.append((at, length, source))
            self.wanted += [self.sounds[-1]] if kind == "on" else []


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, List]:
    """Cuts on several channels, some retimed or frozen, pictures between them."""
    rate, says, drop_frame = draw(st.sampled_from(RATES))
    made = List(rate, drop_frame, round(3600 * rate))
    ends = dict.fromkeys(CHANNELS, 0)
    for _ in range(draw(st.integers(1, 8))):
        channel = draw(st.sampled_from(CHANNELS))
        at = ends[channel] + draw(st.sampled_from((0, 0, 13)))
        length = draw(st.integers(2, 500))
        kind = draw(st.sampled_from(("on", "on", "on", "slow", "still")))
        reel = draw(st.sampled_from(("A003C01", "LAV", "B_2")))
        # Uses of one reel at one place on two channels are one use.
        source = draw(st.integers(1, 80_000)) + 100_000 * made.number
        made.event(reel, channel, source, length, at, kind)
        ends[channel] = at + length
    made.event("BOOM", "A3", 1_900_000, 40, ends["A5"] + 900, "on")
    newline = draw(st.sampled_from(("\n", "\r\n")))
    title = draw(st.sampled_from(("TITLE: Scene 3", "TITLE:   a (rough)")))
    return newline.join([title, says, *made.lines]) + newline, made


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lists())
def test_the_contract_holds_on_any_list(tmp_path: Path, drawn: tuple[str, List]) -> None:
    text, made = drawn
    path = tmp_path / "cut.edl"
    path.write_bytes(text.encode())
    uses = read_uses(plugins.adapters()["edl"].read(path))
    # The first frame of the timeline is the first event's, which may be a picture's.
    earliest = min(at for at, _, _ in made.sounds)
    first_s = min(use.record.start_s for use in uses) - earliest / made.rate
    read = Counter(
        (
            (use.record.start_s - first_s) * made.rate,
            use.record.duration_s * made.rate,
            use.source.start_s * made.rate,
        )
        for use in uses
        if use.left_alone is None
    )
    assert read == Counter(made.wanted)
    held = checks_of("edl", path)
    assert set(held.values()) == {HELD}, held
