"""De-echo: a reverberant voice brought closer, where echo is clearly part of the problem.

Two published steps in a row, both computed on all channels together and laid on each alike:
weighted prediction error takes away what the past predicts (`de_echo_prediction`), spectral
suppression turns down what late echo is left (`de_echo_suppression`).

The sum law. Up to here voice + background = region. What is taken off the voice here goes nowhere:
given to the background it would only be turned down by the intensity. From here on

    voice + background = region - echo,

where echo is what `DeEchoMeter` reports; the background is passed on bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from nlecompanion.model import Samples
from nlecompanion.treatment.de_echo_frames import Analysis, Framing
from nlecompanion.treatment.de_echo_voice import WHOLE_PREDICTION, DeEchoSpectra, VoiceDeEcho
from nlecompanion.treatment.de_echo_walk import Step, StrengthWalk
from nlecompanion.treatment.stems import Read, Stems

#: Longer decays are treated like this one, on which rooms up to 2.5 s came out best (STOI).
_DECAY_S = 0.8
#: Sound that strength and gain are found on, from the region's first, middle and last third.
_FIT_S = 24.0
#: A gain for the whole voice; where it would have to be larger, the strength goes down instead.
_MOST_MAKEUP_DB = 10.0
#: Two channels that differ by less than this share of their energy hear no echo of their own.
_OWN_ECHO_SHARE = 0.01
#: The blind C50 lies this far over the voice's own early-to-late ratio in bad rooms; measured on
#: 30 voices in three rooms, with and without noise: 6.5 +- 2.2 dB. With 5 dB, C50 rose most there.
_BLIND_OVER_DB = 5.0


@dataclass(frozen=True, slots=True)
class DeEchoLimits:
    """What the profile says about echo.

    `c50_limit_db`: only voices that a blind C50 finds below it are worked on; 9 of 10 voices in
    rooms of C50 under 6 dB lie there, dry ones, also with music and noise, from 16 dB on.
    `least_sureness`: of that estimate, 0..1; under 0.5 (2 s of speech) music can feign a room.
    `depth_db`: how far late echo goes down at strength 1. `wanted_rise_db`: C50's rise, as it is
    estimated, at which the strength stops; on measured rooms the true one came out 4.4 to 9.8 dB.
    `budget_db`: what noise reduction and de-echo may take together, dB of intensity plus dB of
    depth. `low_band_change_db`: how far 150-500 Hz may fall.
    """

    enabled: bool = True
    c50_limit_db: float = 10.0
    least_sureness: float = 0.5
    depth_db: float = 18.0
    wanted_rise_db: float = 7.5
    budget_db: float = 18.0
    low_band_change_db: float = 2.0


@dataclass(frozen=True, slots=True)
class DeEchoPlan:
    """What is done to the voice; `strength` 0 with the `reason` where nothing is.

    `c50_db` is early over late sound in the voice itself, `decay_s` the time in which late echo
    falls by 60 dB (T60), `makeup_db` a gain that keeps the level of 150-500 Hz. `together`: each of
    two channels is predicted from the past of both. `rise_db` is what C50 is estimated to gain.
    """

    strength: float
    reason: str
    c50_db: float = 0.0
    decay_s: float = _DECAY_S
    depth_db: float = 18.0
    wanted_rise_db: float = 7.5
    low_band_change_db: float = 2.0
    makeup_db: float = 0.0
    together: bool = False
    rise_db: float | None = None

    @property
    def off(self) -> bool:
        """Whether the voice is passed on as it is."""
        return self.strength <= 0


def plan_de_echo(
    c50_db: float | None,
    sureness: float,
    limits: DeEchoLimits,
    *,
    strength: float = 1.0,
    decay_s: float | None = None,
) -> DeEchoPlan:
    """Whether the voice needs it.

    `c50_db` is the blind estimate of the ratio of early (50 ms) to late sound, None where there was
    nothing to measure; `sureness` of it, 0..1; `decay_s` the T60 where it is known.
    """
    if not limits.enabled:
        return DeEchoPlan(0.0, "de-echo is switched off in the profile")
    if c50_db is None:
        return DeEchoPlan(0.0, "there was no speech to measure the echo on")
    if c50_db >= limits.c50_limit_db:
        return DeEchoPlan(
            0.0, f"C50 of {c50_db:.1f} dB is not below {limits.c50_limit_db:g} dB", c50_db
        )
    if sureness < limits.least_sureness:
        return DeEchoPlan(
            0.0,
            f"C50 of {c50_db:.1f} dB is known with a sureness of {sureness:.2f} only; "
            f"{limits.least_sureness:g} is needed",
            c50_db,
        )
    if strength <= 0:
        return DeEchoPlan(0.0, "the budget leaves no strength for de-echo", c50_db)
    # Worse values say no more: the estimate's own errors grow towards the ends.
    own_c50_db = float(np.clip(c50_db - _BLIND_OVER_DB, -5.0, 15.0))
    return DeEchoPlan(
        strength=float(np.clip(strength, 0.0, 1.0)),
        reason=f"C50 of {c50_db:.1f} dB lies below {limits.c50_limit_db:g} dB",
        c50_db=own_c50_db,
        decay_s=float(np.clip(_DECAY_S if decay_s is None else decay_s, 0.25, _DECAY_S)),
        depth_db=limits.depth_db,
        wanted_rise_db=limits.wanted_rise_db,
        low_band_change_db=limits.low_band_change_db,
    )


def within_budget(plan: DeEchoPlan, intensity_db: float, limits: DeEchoLimits) -> DeEchoPlan:
    """The plan with as much of its strength as the shared budget leaves.

    Noise reduction and de-echo each cost some of the voice, and their costs add up. So they draw on
    one budget in dB: the background's intensity comes first, the echo's depth gets what remains,
    `strength * depth_db <= budget_db - intensity_db`. A caller that walks both up raises the
    intensity first, then the strength, or asks here again after each step of the intensity.
    """
    if plan.off:
        return plan
    left_db = limits.budget_db - intensity_db
    if left_db <= 0:
        return DeEchoPlan(
            0.0,
            f"{plan.reason}, but an intensity of {intensity_db:g} dB uses up the budget of "
            f"{limits.budget_db:g} dB",
            plan.c50_db,
        )
    return replace(plan, strength=min(plan.strength, left_db / max(plan.depth_db, 1e-6)))


def fit_de_echo(plan: DeEchoPlan, read: Read, length_samples: int, rate_hz: int) -> DeEchoPlan:
    """The plan with what only listening can settle, on at most 24 s of the voice.

    Whether two channels are predicted together: where each hears echo of its own. The strength:
    walked up until the estimated C50 has risen far enough, within what the plan allows. And the
    make-up gain that keeps 150-500 Hz within its limit: late echo carries a good part of that
    band's energy in a bad room; taken away it leaves the voice thin. No step is taken that would
    need more than 10 dB of it. `read(position, count)` gives the voice.
    """
    if plan.off or not length_samples:
        return plan
    plan = replace(plan, together=_own_echoes(read, length_samples, rate_hz))
    chosen: Step | None = None
    for step in _steps(plan, read, length_samples, rate_hz):
        if step.strength < min(plan.strength, WHOLE_PREDICTION):
            continue
        too_thin = _makeup_db(plan, step) > _MOST_MAKEUP_DB
        if chosen is not None and too_thin:
            break
        chosen = step
        if step.rise_db >= plan.wanted_rise_db or step.strength >= plan.strength:
            break
    if chosen is None:
        return plan
    return replace(
        plan,
        strength=min(plan.strength, chosen.strength),
        makeup_db=round(min(_makeup_db(plan, chosen), _MOST_MAKEUP_DB), 2),
        rise_db=round(chosen.rise_db, 2),
    )


def _makeup_db(plan: DeEchoPlan, step: Step) -> float:
    # Half the limit is left for stretches that differ from those measured.
    return max(0.0, -step.low_band_change_db - plan.low_band_change_db / 2)


def _steps(plan: DeEchoPlan, read: Read, length_samples: int, rate_hz: int) -> list[Step]:
    """What each strength would do to this voice."""
    framing = Framing.at(rate_hz)
    walk = StrengthWalk(framing.bin_hz)
    whole = replace(plan, strength=1.0)
    for start, count in _fit_stretches(length_samples, rate_hz):
        voice = read(start, count)
        analysis = Analysis(framing, voice.shape[1])
        process = DeEchoSpectra(whole, framing, voice.shape[1], walk)
        for spectra in chain(analysis.push(voice), analysis.finish()):
            for _ in process.push(spectra):
                pass
        for _ in process.finish():
            pass
    return walk.steps()


def _own_echoes(read: Read, length_samples: int, rate_hz: int) -> bool:
    """Whether there are two channels that are no copies of one, at any level."""
    products = np.zeros((2, 2))
    for start, count in _fit_stretches(length_samples, rate_hz):
        voice = read(start, count)
        if voice.shape[1] != len(products):
            return False
        products += voice.T @ voice
    energies = float(products[0, 0] * products[1, 1])
    return energies > 0 and 1 - float(products[0, 1]) ** 2 / energies > _OWN_ECHO_SHARE


def _fit_stretches(length_samples: int, rate_hz: int) -> list[tuple[int, int]]:
    part = round(_FIT_S / 3 * rate_hz)
    if length_samples <= 3 * part:
        return [(0, length_samples)] if length_samples else []
    return [(0, part), ((length_samples - part) // 2, part), (length_samples - part, part)]


def apply_de_echo(blocks: Iterable[Stems], plan: DeEchoPlan, rate_hz: int) -> Iterator[Stems]:
    """The voice with its late echo turned down, the background as it was.

    As many samples as were given, none later or earlier; results do not depend on the blocks'
    lengths. Up to 9 s of both stems are held.
    """
    if plan.off:
        yield from blocks
        return
    voice: VoiceDeEcho | None = None
    waiting: list[Samples] = []
    given = taken = 0
    for stems in blocks:
        voice = voice or VoiceDeEcho(plan, rate_hz, stems.voice.shape[1])
        waiting.append(stems.background)
        given += len(stems)
        for cleaned in voice.push(stems.voice):
            taken += len(cleaned)
            yield Stems(cleaned, _take(waiting, len(cleaned)))
    if voice is not None:
        for cleaned in voice.finish():
            taken += len(cleaned)
            yield Stems(cleaned, _take(waiting, len(cleaned)))
    if given != taken:
        raise AssertionError(f"de-echo made {taken} samples of {given}")


def _take(waiting: list[Samples], count: int) -> Samples:
    """The first `count` samples of the blocks, which are removed from them."""
    parts: list[Samples] = []
    missing = count
    while missing:
        block = waiting.pop(0)
        if len(block) > missing:
            waiting.insert(0, block[missing:])
            block = block[:missing]
        parts.append(block)
        missing -= len(block)
    return np.concatenate(parts) if parts else waiting[0][:0]


@dataclass(frozen=True, slots=True)
class DeEchoMeasures:
    """What de-echo took off: energy of the whole, level change of 150-500 Hz, both in dB.

    `removed_db` is the energy of what was taken away, relative to the voice before; None where
    there was no voice.
    """

    removed_db: float | None
    low_band_change_db: float


class DeEchoMeter:
    """Compares the voice before and after, given in pairs of blocks of equal lengths."""

    def __init__(self, rate_hz: int) -> None:
        from scipy.signal import butter

        low, high = 150.0, min(500.0, 0.45 * rate_hz)
        self._sections = butter(2, (low, high), "bandpass", fs=rate_hz, output="sos")
        self._states: list[np.ndarray] | None = None
        self._total = np.zeros(2)
        self._low = np.zeros(2)

    def push(self, before: Samples, after: Samples) -> None:
        """Takes the next pair, float32 of shape (samples, channels)."""
        from scipy.signal import sosfilt

        if before.shape != after.shape:
            raise ValueError(f"before and after differ in shape: {before.shape}, {after.shape}")
        if self._states is None:
            shape = (len(self._sections), 2, before.shape[1])
            self._states = [np.zeros(shape, np.float32) for _ in range(2)]
        removed = before - after
        self._total += (_energy(before), _energy(removed))
        for i, sound in enumerate((before, after)):
            low, self._states[i] = sosfilt(
                self._sections.astype(np.float32), sound, axis=0, zi=self._states[i]
            )
            self._low[i] += _energy(low)

    def finish(self) -> DeEchoMeasures:
        """The comparison."""
        voice, removed = self._total
        before, after = self._low
        return DeEchoMeasures(
            removed_db=float(10 * np.log10(removed / voice)) if min(voice, removed) > 0 else None,
            low_band_change_db=float(10 * np.log10(after / before))
            if min(before, after) > 0
            else 0,
        )


def _energy(sound: np.ndarray) -> float:
    flat = sound.ravel()
    return float(flat @ flat)


def receipt_values(plan: DeEchoPlan, measures: DeEchoMeasures | None) -> dict[str, object]:
    """What the receipt says about this step."""
    values: dict[str, object] = {"on": not plan.off, "reason": plan.reason}
    if plan.off:
        return values
    values |= {
        "strength": round(plan.strength, 3),
        "c50_before_db": round(plan.c50_db, 1),
        "decay_s": round(plan.decay_s, 2),
        "makeup_db": plan.makeup_db,
        "channels_together": plan.together,
        "c50_rise_estimated_db": plan.rise_db,
    }
    if measures is not None:
        values["low_band_change_db"] = round(measures.low_band_change_db, 2)
        removed = measures.removed_db
        values["removed_energy_db"] = None if removed is None else round(removed, 1)
    return values
