"""Stacks in audio tracks: one sound inside is worked on, everything else is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from testkit import otio_json as otio
from testkit.otio_json import Json
from testkit.otio_specimens import SPECIMENS

from nlecompanion import plugins
from nlecompanion.model import Reason, Span, Use
from nlecompanion.timeline.uses import read_uses

ADAPTER = plugins.adapters()["otio"]
FRAME_S = Fraction(1, 24)


def uses_of(tmp_path: Path, tree: Json) -> tuple[Use, ...]:
    return read_uses(ADAPTER.read(otio.write(tmp_path / "cut.otio", tree)))


def one(tmp_path: Path, stack: Json, *beside: Json) -> Use:
    return uses_of(tmp_path, otio.timeline([otio.track([stack, *beside])]))[0]


def frames(use: Use) -> tuple[float, float, float]:
    """Record in, length and source in, in frames."""
    span = use.record
    found = (span.start_s, span.duration_s, use.source.start_s)
    start, length, source_in = (float(time_s / FRAME_S) for time_s in found)
    return start, length, source_in


def test_the_one_sound_lies_where_the_stack_shows_it(tmp_path: Path) -> None:
    uses = uses_of(tmp_path, SPECIMENS["nested"])
    assert [frames(use) for use in uses] == [
        (0, 20, 0),
        (30, 40, 50),  # a gap of 10 stands before it in the stack of 50
        (70, 25, 60),  # frames 20 to 45 of the stack
        (105, 20, 50),  # frames 0 to 30 of the stack
        (125, 20, 57),  # the track's own range cuts 5 more, the stack's 2
        (145, 20, 0),
        (175, 40, 50),
        (215, 10, 0),
    ]
    assert [use.left_alone.reason if use.left_alone else None for use in uses] == [
        *[None] * 6,
        Reason.DISABLED,
        Reason.NO_SPEECH,
    ]


def test_the_model_keeps_the_length_of_the_cut(tmp_path: Path) -> None:
    timeline = ADAPTER.read(otio.write(tmp_path / "cut.otio", SPECIMENS["nested"]))
    assert timeline.tracks[1].duration().to_seconds() == pytest.approx(225 / 24)


CLIP = otio.clip(86450.0, 40.0)
WARPED = otio.clip(86450.0, 40.0, effects=[otio.time_warp(2.0)])
GAIN: Json = {"OTIO_SCHEMA": "Effect.1", "metadata": {}, "name": "Gain", "effect_name": "gain"}


@pytest.mark.parametrize(
    ("children", "more", "words"),
    [
        ([otio.track([CLIP]), otio.track([CLIP])], {}, "with 2 sounds"),
        ([otio.track([CLIP, CLIP])], {}, "with 2 sounds"),
        ([otio.track([WARPED])], {}, "left alone (retimed"),
        ([otio.track([CLIP])], {"effects": [otio.time_warp(2.0)]}, "with effects on it"),
        ([otio.track([CLIP])], {"effects": [GAIN]}, "with effects on it"),
        ([otio.track([CLIP], effects=[GAIN])], {}, "effects on a track in it"),
        ([otio.track([CLIP, otio.transition(2.0, 2.0), otio.gap(9.0)])], {}, "transition inside"),
        ([otio.track([otio.stack([otio.track([CLIP])], None)])], {}, "left alone (nested"),
        ([CLIP], {}, "on no track"),
    ],
)
def test_what_cannot_be_exact_is_refused_with_a_sentence(
    tmp_path: Path, children: list[Json], more: Json, words: str
) -> None:
    use = one(tmp_path, otio.stack(children, None, **more))
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.NESTED
    assert words in use.left_alone.detail
    assert use.left_alone.detail.endswith("export it by itself.")


def test_a_transition_beside_the_stack_is_refused(tmp_path: Path) -> None:
    stack = otio.stack([otio.track([CLIP])], None)
    use = one(tmp_path, stack, otio.transition(3.0, 3.0), otio.clip(86400.0, 20.0))
    assert use.left_alone is not None
    assert "with a transition." in use.left_alone.detail


def test_a_muted_clip_inside_does_not_count(tmp_path: Path) -> None:
    off = otio.clip(86900.0, 40.0, enabled=False)
    stack = otio.stack([otio.track([CLIP]), otio.track([off])], None)
    assert one(tmp_path, stack).left_alone is None


def test_resolves_channels_are_known_inside_as_well(tmp_path: Path) -> None:
    notes = [{"Source Channel ID": 1, "Source Track ID": 1}]
    inner = otio.clip(86450.0, 40.0, metadata={otio.RESOLVE: {"Channels": notes}})
    use = one(tmp_path, otio.stack([otio.track([inner])], None))
    assert use.channels == (3,)
    assert use.record == Span(Fraction(0), 40 * FRAME_S)
