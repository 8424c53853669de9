"""What is decided on a region, from its file on: the window, the ladder, and what else counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from testkit.engines import TestedEngine
from testkit.regions import region_of
from testkit.sound import as_samples, noise
from testkit.speech import speech

from nlecompanion.diagnosis.diagnose import diagnose
from nlecompanion.engines.contract import Engine, Geometry
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region, Samples, Span
from nlecompanion.settings import Profile
from nlecompanion.treatment import sig
from nlecompanion.treatment.ladder import receipt_values
from nlecompanion.treatment.stems import Read
from nlecompanion.work.decide import decide
from nlecompanion.work.measure import Measured, extract_and_split

RATE_HZ = 48_000
HALF_S = 8


def quiet_then_drowned() -> tuple[Samples, Samples]:
    """Mixture and voice: the second half lies under noise in which nobody is heard."""
    voice = speech(2 * HALF_S) * np.float32(0.3)
    # Nobody speaks as the noise sets in: the detector would hold on to the voice.
    voice[round(6.7 * RATE_HZ) : 9 * RATE_HZ] = 0
    background = as_samples(noise(2 * HALF_S, level_db=-60))
    background[HALF_S * RATE_HZ :] = as_samples(noise(HALF_S, level_db=-8))
    return voice + background, voice


def in_halves(region: Region) -> Region:
    """The region with one use for each half."""
    (use,) = region.uses
    halves = tuple(
        replace(use, id=f"A1-{n}", source=span, record=span)
        for n, span in enumerate(Span(Fraction(n * HALF_S), Fraction(HALF_S)) for n in range(2))
    )
    return replace(region, uses=halves)


def knowing(voice: Samples) -> Engine:
    """An engine that gets the sound in one block, and knows the voice in it."""
    whole = Geometry(block_samples=len(voice), context_samples=0, fade_samples=0)
    return TestedEngine("knowing", lambda take: voice, whole)


@contextmanager
def measured_region(folder: Path) -> Iterator[tuple[Region, Measured, Read, Read]]:
    """Region, measures, take and voice of `quiet_then_drowned`."""
    mixture, voice = quiet_then_drowned()
    region = in_halves(region_of(mixture, RATE_HZ, folder / "mixture.wav"))
    with (
        ScratchAudio.create(folder / "take.f32", RATE_HZ, 1) as take,
        ScratchAudio.create(folder / "voice.f32", RATE_HZ, 1) as estimate,
    ):
        found = extract_and_split(region, knowing(voice), take, estimate, lambda _: None)
        yield region, found, take.read, estimate.read


def test_a_voice_that_the_mixture_hides_is_decided_by(tmp_path: Path) -> None:
    """It was ignored where the mixture shows speech elsewhere in the region."""
    with measured_region(tmp_path) as (region, found, take, voice):
        quiet, drowned = (diagnose(use, region, found.measures) for use in region.uses)
        assert (quiet.found_in, drowned.found_in) == ("mixture", "voice")
        assert any(span.start_s >= HALF_S for span in found.speech)
        decision = decide(region, found, take, voice, Profile())
    assert decision.moment.span.start_s == HALF_S
    assert decision.moment.sbr_db is not None
    assert decision.moment.sbr_db < 0
    assert decision.intensity_db > 0


def test_the_neighbours_floor_reaches_the_gates(tmp_path: Path) -> None:
    with measured_region(tmp_path) as (region, found, take, voice):
        alone = decide(region, found, take, voice, Profile())
        floor_db = alone.climb.chosen.harm.take_floor_db
        assert floor_db is not None
        beside = decide(region, found, take, voice, Profile(), floor_db + 10)
    drops = [
        finding.value
        for one in (alone, beside)
        for finding in one.climb.attempts[0].harm.findings
        if finding.measure == "drop of the floor"
    ]
    assert drops[0] is not None
    assert drops[1] == pytest.approx(drops[0] + 10)
    assert receipt_values(beside.climb)["neighbour_floor_db"] == pytest.approx(floor_db + 10, 1e-3)


def test_what_a_network_hears_is_asked_late_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with measured_region(tmp_path) as (region, found, take, voice):
        monkeypatch.setattr(sig, "find_spec", lambda name: None)
        without = decide(region, found, take, voice, Profile())
        again = decide(region, found, take, voice, Profile())
        monkeypatch.undo()
        heard = decide(region, found, take, voice, Profile())
    assert receipt_values(without.climb) == receipt_values(again.climb)
    assert "not installed" in receipt_values(without.climb)["sig"]
    asked = [f for f in heard.climb.chosen.harm.findings if f.measure == "DNSMOS SIG lost"]
    assert bool(asked) == bool(sig.sig_source())
    if asked:
        assert receipt_values(heard.climb)["sig"] == sig.sig_source()
