"""The end-to-end footage itself: both adapters must see in it what its description says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from testkit.footage import Footage, Form, write_footage

from nlecompanion.media.probe import probe
from nlecompanion.model import Reason, Use
from nlecompanion.plugins import adapter_for
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

#: Reasons that only the media can tell.
FOUND_LATER = {Reason.NO_SPEECH, Reason.OFFLINE}
RATES = [
    pytest.param(Fraction(25), False, id="25"),
    pytest.param(Fraction(24000, 1001), False, id="23.976"),
    pytest.param(Fraction(30000, 1001), True, id="29.97DF"),
]


def uses_of(footage: Footage) -> dict[str, Use]:
    timeline = adapter_for(footage.document).read(footage.document)
    return {use.name: use for use in choose(read_uses(timeline), (), Fraction(1, 10))}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(("rate", "drop_frame"), RATES)
def test_the_adapters_find_what_the_footage_describes(
    tmp_path: Path, form: Form, rate: Fraction, drop_frame: bool
) -> None:
    footage = write_footage(tmp_path, form, rate, drop_frame)
    timeline = adapter_for(footage.document).read(footage.document)
    facts = timeline_facts(timeline)
    assert (facts.rate, facts.start_frame) == (rate, footage.start_frame)
    found = uses_of(footage)
    assert sorted(found) == sorted(use.name for use in footage.uses)
    for expected in footage.uses:
        use = found[expected.name]
        assert use.record.start_s == expected.record_frame / rate, expected
        assert use.record.duration_s == expected.record_frames / rate, expected
        assert use.lead_s == expected.lead_frames / rate, expected
        assert use.tail_s == expected.tail_frames / rate, expected
        if expected.reason is not Reason.RETIMED:
            assert use.source.start_s == expected.source_start_s, expected
        reason = None if use.left_alone is None else use.left_alone.reason
        assert reason == (None if expected.reason in FOUND_LATER else expected.reason), expected
        if form is Form.PREMIERE:
            assert use.channels == expected.channels, expected
            assert use.media_start_s == expected.media_start_s, expected


def test_only_the_lost_card_is_missing(tmp_path: Path) -> None:
    footage = write_footage(tmp_path)
    missing = {use.media.name for use in footage.uses if not use.media.is_file()}
    assert missing == {"B007_lost.mov"}
    assert {use.name for use in footage.uses if use.reason is Reason.OFFLINE} == {"lost card"}
    assert len(footage.cleaned) == 10


@pytest.mark.parametrize(("rate", "drop_frame"), RATES)
def test_the_media_carry_the_timecode_that_the_timeline_states(
    tmp_path: Path, rate: Fraction, drop_frame: bool
) -> None:
    footage = write_footage(tmp_path, rate=rate, drop_frame=drop_frame)
    for use in footage.uses:
        if use.media.is_file():
            media = probe(use.media)
            assert (media.start_timecode_s or Fraction(0)) == use.media_start_s, use
            assert max(use.channels) < media.streams[0].channels, use
            end_s = use.source_start_s + (use.record_frames + use.tail_frames) / rate
            assert end_s <= media.duration_s, use
