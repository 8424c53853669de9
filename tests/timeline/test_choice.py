"""Which uses may be dialogue, as far as names and the user's word go."""

from __future__ import annotations

from fractions import Fraction

import pytest
from testkit.model import use

from nlecompanion.model import LeftAlone, Reason, Use
from nlecompanion.timeline.choice import choose, says_dialogue, says_other


def chosen(one: Use, tracks: tuple[str, ...] = ()) -> Reason | None:
    (made,) = choose([one], tracks, Fraction(1, 4))
    return None if made.left_alone is None else made.left_alone.reason


@pytest.mark.parametrize("name", ["Dialogue", "DX 1", "dia_2", "VO", "Interview cam", "Boom"])
def test_dialogue_names(name: str) -> None:
    assert says_dialogue(name)
    assert not says_other(name)


@pytest.mark.parametrize("name", ["Music", "MX1", "SFX 2", "Ambience", "M&E", "room tone", "Score"])
def test_other_names(name: str) -> None:
    assert says_other(name)
    assert chosen(use(track=name)) is Reason.MUSIC_ROLE


@pytest.mark.parametrize("name", ["A1", "", "Audio 1", "Foxtrot", "Effectsless talk", "avocado"])
def test_other_words_decide_nothing(name: str) -> None:
    assert not says_other(name)
    assert chosen(use(track=name)) is None


def test_naming_tracks_overrules_their_names_but_not_their_state() -> None:
    music = use(track="Music", track_number=3)
    assert chosen(music, ("music",)) is None
    assert chosen(music, ("A3",)) is None
    assert chosen(music, ("3",)) is None
    assert chosen(use(), ("A3",)) is Reason.NOT_CHOSEN
    disabled = use(left_alone=LeftAlone(Reason.DISABLED))
    assert chosen(disabled, ("A1",)) is Reason.DISABLED
    assert chosen(disabled, ("A3",)) is Reason.DISABLED


def test_a_role_wins_over_a_track_name() -> None:
    assert chosen(use(track="Music", role="dialogue")) is None
    assert chosen(use(track="A1", role="effects")) is Reason.MUSIC_ROLE


def test_short_uses_and_our_own_tracks() -> None:
    assert chosen(use(duration_s=0.2)) is Reason.TOO_SHORT
    assert chosen(use(track="DX clean 1")) is Reason.ALREADY_CLEANED
