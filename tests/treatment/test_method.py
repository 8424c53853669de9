"""The method by the ratio alone, with its reason in words and numbers."""

from __future__ import annotations

import pytest

from nlecompanion.treatment.method import Method, choose_method


@pytest.mark.parametrize(
    ("sbr_db", "method"),
    [
        (60.0, Method.LIGHT),
        (15.0, Method.LIGHT),
        (14.9, Method.SEPARATE),
        (0.0, Method.SEPARATE),
        (-3.0, Method.SEPARATE),
        (-3.1, Method.HOSTILE),
        (-60.0, Method.HOSTILE),
        (None, Method.HOSTILE),
    ],
)
def test_the_ratio_decides(sbr_db: float | None, method: Method) -> None:
    assert choose_method(sbr_db).method is method


def test_the_profile_moves_the_boundaries() -> None:
    route = choose_method(12.0, light_sbr_db=10, hostile_sbr_db=0)
    assert route.method is Method.LIGHT
    assert choose_method(-1.0, light_sbr_db=10, hostile_sbr_db=0).method is Method.HOSTILE


@pytest.mark.parametrize(
    ("sbr_db", "words"),
    [
        (20.0, "speech stands 20.0 dB above its background; from 15 dB on"),
        (-7.04, "speech lies 7.0 dB below its background; under -3 dB"),
        (4.0, "between -3 and 15 dB it is separated"),
        (None, "nobody is heard above the background"),
    ],
)
def test_the_reason_has_the_numbers(sbr_db: float | None, words: str) -> None:
    (reason,) = choose_method(sbr_db).reasons
    assert words in reason
