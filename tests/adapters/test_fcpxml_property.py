"""Random cuts: whatever an editor cuts, the conform keeps it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import fcpxml_undo as kit
from testkit.fcpxml import ADAPTER, RATES, VERSIONS, Writer, time
from testkit.passthrough_plan import passthrough_plan

from nlecompanion.model import Span
from nlecompanion.timeline.uses import read_uses

#: What a random clip must read as: record in, length, and source in from the media's start.
Facts = tuple[int, int, int]


@st.composite
def cuts(draw: st.DrawFn) -> tuple[bytes, Fraction, list[Facts]]:
    """A storyline of clips, gaps and sync clips, with connected clips; what must be found."""
    rate = draw(st.sampled_from(RATES))
    write = Writer(rate, draw(st.sampled_from(VERSIONS)), draw(st.integers(0, 200_000)))
    for name, picture in (("film", True), ("boom", False)):
        clock_s = write.at(draw(st.integers(0, 100_000)))
        write.asset(name, clock_s, draw(st.sampled_from((1, 2))), picture)
    wanted: list[Facts] = []
    position = 0
    for _ in range(draw(st.integers(1, 6))):
        length = draw(st.integers(1, 300))
        kind = draw(st.sampled_from(("film", "boom", "gap", "sync")))
        write.items.append(_item(draw, write, kind, position, length, wanted))
        position += length
    return write.document(), rate, wanted


def _item(
    draw: st.DrawFn, write: Writer, kind: str, position: int, length: int, wanted: list[Facts]
) -> str:
    source = draw(st.integers(0, 5000))
    asset = "film" if kind in ("film", "sync") else "boom"
    start_s = write.at(draw(st.integers(0, 5000)))
    if kind in ("film", "boom"):
        start_s = write.starts[asset] + write.at(source)
    connected = ""
    for _ in range(draw(st.integers(0, 2))):
        late, other = draw(st.integers(-20, length + 20)), draw(st.integers(0, 5000))
        frames = draw(st.integers(1, 400))
        lane = draw(st.sampled_from(("1", "-1", "-3")))
        off = draw(st.sampled_from(("", "", "0")))
        connected += write.clip(
            "boom", time(start_s + write.at(late)), other, frames, lane=lane, enabled=off
        )
        if not off:
            wanted.append((position + late, frames, other))
    if kind in ("film", "boom"):
        wanted.append((position, length, source))
        return write.clip(asset, write.offset(position), source, length, connected)
    if kind == "gap":
        return write.element(
            "gap",
            connected,
            name="Gap",
            offset=write.offset(position),
            start=time(start_s),
            duration=time(write.at(length)),
        )
    early = draw(st.integers(0, 50))
    inner = write.clip("film", time(start_s - write.at(early)), source, length + early)
    wanted.append((position, length, source + early))
    return write.element(
        "sync-clip",
        inner + connected,
        offset=write.offset(position),
        name="s",
        start=time(start_s),
        duration=time(write.at(length)),
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts(), st.sampled_from((0, 2)))
def test_any_cut_survives_the_conform(
    tmp_path: Path, cut: tuple[bytes, Fraction, list[Facts]], handles_s: int
) -> None:
    data, rate, wanted = cut
    path, target = tmp_path / "cut.fcpxml", tmp_path / "out.fcpxml"
    path.write_bytes(data)
    timeline = ADAPTER.read(path)
    eligible = [use for use in read_uses(timeline) if use.left_alone is None]
    read: list[Any] = [
        (use.record.start_s * rate, use.record.duration_s * rate, use.source.start_s * rate)
        for use in eligible
    ]
    assert sorted(read) == sorted(wanted)
    plan = passthrough_plan(timeline, tmp_path, handles_s=Fraction(handles_s))
    ADAPTER.patch(path, plan, target)
    delivered = target.read_bytes()
    assert kit.canonical(kit.undo(data, delivered, plan)) == kit.canonical(data)
    assert kit.canonical_picture(delivered) == kit.canonical_picture(data)
    assert kit.repeated_ids(delivered) == []
    after = read_uses(ADAPTER.read(target))
    clean = [use for use in after if use.track.startswith("DX clean")]
    assert {(use.record, use.left_alone) for use in clean} == {
        (Span(use.record.start_s, use.record.duration_s), None) for use in eligible
    }
    before_s = sorted((u.media_start_s or 0) + u.source.start_s for u in eligible)
    assert before_s == sorted((u.media_start_s or 0) + u.source.start_s for u in clean)
    assert len(after) == len(read_uses(timeline)) + len(clean)
