"""Random projects: whatever an editor cuts in REAPER, the contract holds on it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from benchmarks.documents_checks import HELD, checks_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import rpp

from nlecompanion import plugins
from nlecompanion.timeline.uses import read_uses

#: What a random item must read as, in milliseconds: record in, length, source in.
Facts = tuple[int, int, int]


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g}" if milliseconds % 1000 else str(milliseconds // 1000)


@st.composite
def projects(draw: st.DrawFn) -> tuple[bytes, list[Facts]]:
    """Tracks of items: on, muted, faster, in a section, overlapping, on frames or off them."""
    wanted: list[Facts] = []
    tracks = []
    number = 100
    for index in range(1, draw(st.integers(1, 3)) + 1):
        muted = draw(st.sampled_from((False, False, True)))
        items, position = [], draw(st.integers(0, 3000))
        for _ in range(draw(st.integers(0, 5))):
            number += 1
            items.append(_item(draw, number, position, [] if muted else wanted))
            position += draw(st.integers(1, 9000))
        name = draw(st.sampled_from(("Dialogue", "Boom `1`", "")))
        mute = "1 0 0" if muted else "0 0 0"
        tracks.append(rpp.track(index, name, *items, MUTESOLO=mute))
    base, mode = draw(st.sampled_from(((25, 0), (30, 1), (24, 2), (30, 0))))
    newline = draw(st.sampled_from(("\n", "\r\n")))
    return rpp.project(*tracks, base=base, mode=mode, newline=newline), wanted


def _item(draw: st.DrawFn, number: int, position: int, wanted: list[Facts]) -> str:
    length, offset = draw(st.integers(1, 9000)), draw(st.integers(0, 60_000))
    body = draw(st.sampled_from((rpp.CAMERA, rpp.BOOM, rpp.LAV)))
    kind = draw(st.sampled_from(("on", "on", "off", "fast", "section", "frames")))
    begins = 0
    if kind == "frames":
        position, length = position // 40 * 40, (length // 40 + 1) * 40
    elif kind == "section":
        begins = draw(st.integers(0, 5000))
        body = rpp.section(body, _seconds(begins), "100000")
    rate = "1.5 1 0 -1 0 0.0025" if kind == "fast" else "1 1 0 -1 0 0.0025"
    take = rpp.take(f"take {number}", body, _seconds(offset), PLAYRATE=rate)
    if kind not in ("off", "fast"):
        wanted.append((position, length, offset + begins))
    mute = "1 0" if kind == "off" else "0 0"
    return rpp.item(number, _seconds(position), _seconds(length), take, MUTE=mute)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(projects())
def test_the_contract_holds_on_any_project(
    tmp_path: Path, drawn: tuple[bytes, list[Facts]]
) -> None:
    data, wanted = drawn
    path = tmp_path / "cut.rpp"
    path.write_bytes(data)
    uses = read_uses(plugins.adapters()["rpp"].read(path))
    read = [
        tuple(time_s * 1000 for time_s in (u.record.start_s, u.record.duration_s, u.source.start_s))
        for u in uses
        if u.left_alone is None
    ]
    assert sorted(read) == sorted(tuple(map(Fraction, facts)) for facts in wanted)
    held = checks_of("rpp", path)
    assert set(held.values()) == {HELD}, held
