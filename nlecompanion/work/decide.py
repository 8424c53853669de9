"""What is done to a region: the method, the hardest window, the lowest intensity that is readable.

One region is one file, so it gets one intensity: the one that its hardest window needs. Whether
the bet on that window was good is looked at afterwards, on all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nlecompanion.diagnosis.diagnose import window_within
from nlecompanion.diagnosis.moments import Moment, Track, moments, windows_in
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.model import Region, Samples, Span, Use
from nlecompanion.settings import Profile
from nlecompanion.treatment.harm import HarmLimits
from nlecompanion.treatment.ladder import RUNGS_DB, Climb, ReadabilityTarget, climb
from nlecompanion.treatment.readability import readability, voice_bands
from nlecompanion.treatment.sig import sig_of, sig_source
from nlecompanion.treatment.spectra import WindowSpectra, analyse
from nlecompanion.verdict.evidence import Evidence, evidence

if TYPE_CHECKING:
    from nlecompanion.engines.contract import Engine
    from nlecompanion.media.scratch import ScratchAudio
    from nlecompanion.treatment.harm import SigOf
    from nlecompanion.treatment.stems import Read
    from nlecompanion.work.measure import Measured

#: Of the windows that look hardest, this many are listened to before one is chosen.
CANDIDATES = 3
#: Another window may read this much worse than the chosen one before the bet counts as lost.
SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Bet:
    """Whether the window that decided was the hardest after all.

    `worst` is the window that reads worst at the chosen intensity, `mean` its readability, and
    `windows` how many were compared. Windows count from the region's first sample.
    """

    representative: bool
    windows: int
    worst: Span
    worst_mean: float | None
    chosen_mean: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The window that decided and where the ladder ended on it.

    `untouched`: its readability before anything is done, None where it cannot be measured.
    """

    moment: Moment
    climb: Climb
    bet: Bet
    untouched: float | None = None

    @property
    def intensity_db(self) -> float:
        """How far the background is turned down."""
        return self.climb.intensity_db


def track_of(measured: Measured) -> Track:
    """What the windows are ranked by."""
    measures = measured.measures
    return Track(
        measured.speech,
        measured.probabilities,
        measures.powers,
        measures.voice_powers,
        measures.background_powers,
    )


def decide(
    region: Region,
    measured: Measured,
    take: Read,
    voice: Read,
    profile: Profile,
    neighbour_floor_db: float | None = None,
) -> Decision:
    """Climbs on the region's hardest window, then looks at all the others.

    `neighbour_floor_db`: the floor of the clips beside the region's (`neighbours`), under their
    voice; None where there are none.
    """
    windows = windows_in(window_within(use, region) for use in region.uses)
    ranked = moments(track_of(measured), windows)
    heard = [
        (moment, window_spectra(moment.span, measured.speech, take, voice, region.rate_hz))
        for moment in ranked[:CANDIDATES]
    ]
    moment, spectra = min(heard, key=lambda pair: _untouched(pair[1]))
    sig = sig_of(*window_sound(moment.span, take, voice, region.rate_hz), region.rate_hz)
    found = climb_for(spectra, profile, sig, neighbour_floor_db)
    bet = _bet(found, moment, apart(windows), measured, take, voice, region.rate_hz)
    return Decision(moment, found, bet, readability(voice_bands(spectra), 0.0).mean)


def evidence_for(
    use: Use,
    region: Region,
    measured: Measured,
    take: ScratchAudio,
    voice: ScratchAudio,
    engine: Engine,
) -> Evidence:
    """What speaks for and against a use: on the window of it that looks hardest."""
    windows = windows_in([window_within(use, region)])
    hardest = moments(track_of(measured), windows)[0].span
    return evidence(
        *window_sound(hardest, take.read, voice.read, region.rate_hz), region.rate_hz, engine
    )


def window_sound(span: Span, take: Read, voice: Read, rate_hz: int) -> tuple[Samples, Samples]:
    """Take and voice of a window, shape (samples, channels)."""
    first, end = int(span.start_s * rate_hz), int(span.end_s * rate_hz)
    return take(first, end - first), voice(first, end - first)


def window_spectra(
    span: Span, speech: Sequence[Span], take: Read, voice: Read, rate_hz: int
) -> WindowSpectra:
    """The window's powers, once for every intensity."""
    mixture, estimate = window_sound(span, take, voice, rate_hz)
    return analyse(estimate, mixture - estimate, clip_spans(speech, span), rate_hz)


def climb_for(
    spectra: WindowSpectra,
    profile: Profile,
    sig: SigOf | None = None,
    neighbour_floor_db: float | None = None,
) -> Climb:
    """The ladder within the profile's limits; a fixed intensity is a ladder of one rung."""
    target = ReadabilityTarget(mean=profile.readable, quietest_fifth=profile.readable_quietest)
    limits = replace(
        HarmLimits(), floor_drop_db=profile.floor_drop_db, pumping_db=profile.pumping_db
    )

    def climbed(rungs_db: Sequence[float]) -> Climb:
        return climb(
            spectra,
            target,
            limits,
            rungs_db=rungs_db,
            neighbour_floor_db=neighbour_floor_db,
            sig_of=sig,
            sig_source="" if sig is None else sig_source(),
        )

    if profile.intensity_db is not None:
        return climbed((profile.intensity_db,))
    least_db = min(profile.min_intensity_db, profile.max_intensity_db)
    rungs_db = [r for r in RUNGS_DB if least_db < r <= profile.max_intensity_db]
    found = climbed((least_db, *rungs_db))
    if found.chosen.harm.passed:
        return found
    # Even the least that the profile asks for harms here: then less than that.
    lower_db = [r for r in RUNGS_DB if r < least_db]
    return climbed(lower_db) if lower_db else found


def _untouched(spectra: WindowSpectra) -> float:
    mean = readability(voice_bands(spectra), 0.0).mean
    return 2.0 if mean is None else mean


def apart(windows: Sequence[Span]) -> tuple[Span, ...]:
    """Windows that hardly overlap: all sound is heard, none of it twice."""
    kept: list[Span] = []
    for window in windows:
        if not kept or window.start_s >= kept[-1].end_s or window.end_s <= kept[-1].start_s:
            kept.append(window)
    return tuple(kept)


def _bet(
    found: Climb,
    moment: Moment,
    windows: Sequence[Span],
    measured: Measured,
    take: Read,
    voice: Read,
    rate_hz: int,
) -> Bet:
    chosen_mean = found.chosen.readability.mean
    worst, worst_mean = moment.span, chosen_mean
    for window in windows:
        if not clip_spans(measured.speech, window):
            continue
        bands = voice_bands(window_spectra(window, measured.speech, take, voice, rate_hz))
        mean = readability(bands, found.intensity_db, found.presence_db).mean
        if mean is not None and (worst_mean is None or mean < worst_mean):
            worst, worst_mean = window, mean
    lost = (
        worst_mean is not None
        and chosen_mean is not None
        and worst_mean < min(chosen_mean - SLACK, found.target.mean)
    )
    return Bet(not lost, len(windows), worst, worst_mean, chosen_mean)
