"""What travels between processes comes back equal, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from testkit.model import media, use

from nlecompanion.model import (
    CleanedClip,
    CleanedMedia,
    CleanTrack,
    ConformPlan,
    LeftAlone,
    Loss,
    MediaFile,
    Reason,
    Span,
    TimelineMarker,
    Use,
)
from nlecompanion.wire import Json, from_json, to_json


def there_and_back(value: Any, kind: Any) -> Any:
    return from_json(json.loads(json.dumps(to_json(value, kind))), kind)


def test_uses_media_and_plans_come_back_equal() -> None:
    plain = use(left_alone=LeftAlone(Reason.MUTED, "the track is off"), channels=None)
    assert there_and_back(plain, Use) == plain
    odd = media(path=Path("/media/caf\udce9 \u00fc.mov"), video_rate=None)
    assert there_and_back(odd, MediaFile) == odd
    cleaned = CleanedMedia(
        "m", PureWindowsPath("D:/Media/a.wav"), 48_000, 2, 9, Fraction(1, 3), Fraction(24_000, 1001)
    )
    clip = CleanedClip("A1", ("t1", "t2"), cleaned, Fraction(1), Span(Fraction(0), Fraction(2)))
    marker = TimelineMarker(Span(Fraction(0), Fraction(1)), "a", "\u2028 \U0001f600")
    plan = ConformPlan("Cut", (CleanTrack("DX", 2, (clip,)),), ("t1",), (marker,))
    back = there_and_back(plan, ConformPlan)
    assert back == plan
    assert isinstance(back.tracks[0].clips[0].media.path, PureWindowsPath)


@given(st.fractions(), st.integers(), st.text())
def test_every_value_comes_back_equal(fraction: Fraction, number: int, text: str) -> None:
    wanted = use(media_url=text, track_number=number, media_start_s=fraction, frame_rate=fraction)
    assert there_and_back(wanted, Use) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.integers(0, 15))
def test_a_wrong_value_anywhere_is_refused_or_read_as_what_it_is(wrong: Any, index: int) -> None:
    values = to_json(use(), Use)
    values[index % len(values)] = wrong
    try:
        read = from_json(values, Use)
    except (ValueError, TypeError):
        return
    assert to_json(read, Use) == values


@pytest.mark.parametrize("wrong", [None, {}, [], "x", [1], [["a", "b"], 2]])
def test_what_is_no_loss_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"Loss has 2 fields|str expected"):
        from_json(wrong, Loss)


def test_other_types_do_not_travel() -> None:
    with pytest.raises(TypeError, match="does not travel"):
        to_json({}, dict)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3, 4), (0, 5)])
def test_arrays_come_back_to_the_bit(kind: Any, shape: tuple[int, ...]) -> None:
    drawn = np.random.default_rng(1).normal(size=shape)
    values = (drawn * (1 + 1j)).astype(kind) if kind is np.complex64 else drawn.astype(kind)
    back = there_and_back(values, NDArray[kind])
    assert back.dtype == values.dtype
    assert back.shape == values.shape
    assert back.tobytes() == values.tobytes()
    assert there_and_back(values[..., ::-1], NDArray[kind]).tobytes() == values[..., ::-1].tobytes()


@pytest.mark.parametrize(
    "wrong",
    [None, [[3], "AAAA"], [[-1], ""], [[1.0], "AAAAAA=="], [[1], "*"], [[10**12, 10**12], ""], [1]],
)
def test_what_is_no_array_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"array|expected|unpack"):
        from_json(wrong, NDArray[np.float32])


@dataclass(frozen=True)
class Told:
    values: Json


def test_json_travels_as_it_is() -> None:
    told = Told({"a": [1, 2.5, None, True, {"b": "c"}]})
    assert there_and_back(told, Told) == told


@pytest.mark.parametrize("wrong", [float("nan"), [float("inf")], {"a": {"b": float("-inf")}}])
def test_json_has_no_infinite_numbers(wrong: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        from_json([wrong], Told)


def test_a_row_has_its_own_types() -> None:
    assert there_and_back((True, 2), tuple[bool, int]) == (True, 2)
    with pytest.raises(ValueError, match="zip"):
        from_json([True], tuple[bool, int])
