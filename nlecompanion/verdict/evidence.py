"""What speaks for and against a clip: measured on its hardest window, without knowing the truth."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.levels import LevelMeter, hops_of, level_db
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.model import Samples, Span
from nlecompanion.treatment.mix import mix

#: The mix whose voice is found again: where most of the readability is won.
AGAIN_AT_DB = 12.0
_PERCENTILE = 90
_TINY = 1e-20


@dataclass(frozen=True, slots=True)
class Evidence:
    """Four figures of one window.

    `sbr_db`: voice over background estimate while somebody speaks, in the mixture or in the voice
    estimate; None where nobody is heard in either. `heard`, `heard_in_voice`: the speech
    detector's 90th percentile on the mixture and on the voice estimate, 0 to 1. `survives_db`:
    how much of the voice estimate a second split finds again in the mix at 12 dB, as the ratio of
    the voice to what changed; a voice that was guessed does not come back.
    """

    sbr_db: float | None
    heard: float
    heard_in_voice: float
    survives_db: float

    def receipt_values(self) -> dict[str, float | None]:
        """The receipt's entry."""
        return {
            "sbr_db": None if self.sbr_db is None else round(self.sbr_db, 2),
            "heard": round(self.heard, 3),
            "heard_in_voice": round(self.heard_in_voice, 3),
            "survives_db": round(self.survives_db, 2),
        }


def evidence(take: Samples, voice: Samples, rate_hz: int, engine: Engine) -> Evidence:
    """Measures a window; `take` and `voice` of shape (samples, channels), about 8 s long."""
    length_s = Fraction(len(take), rate_hz)
    on_take, on_voice = _probabilities(take, rate_hz), _probabilities(voice, rate_hz)
    speech = [*speech_spans(on_take, length_s), *speech_spans(on_voice, length_s)]
    return Evidence(
        sbr_db=_ratio_db(voice, take - voice, speech, rate_hz),
        heard=_loudly(on_take),
        heard_in_voice=_loudly(on_voice),
        survives_db=_survives_db(take, voice, rate_hz, engine),
    )


def _probabilities(sound: Samples, rate_hz: int) -> NDArray[np.float32]:
    meter = SpeechMeter(rate_hz)
    meter.push(sound)
    return meter.finish()


def _loudly(probabilities: NDArray[np.float32]) -> float:
    return float(np.percentile(probabilities, _PERCENTILE)) if probabilities.size else 0.0


def _ratio_db(
    voice: Samples, background: Samples, speech: list[Span], rate_hz: int
) -> float | None:
    above, below = _powers(voice, rate_hz), _powers(background, rate_hz)
    speaking = hops_of(speech, above.size)
    voice_db, background_db = level_db(above, speaking), level_db(below, speaking)
    return None if voice_db is None or background_db is None else voice_db - background_db


def _powers(sound: Samples, rate_hz: int) -> NDArray[np.float64]:
    meter = LevelMeter(rate_hz)
    meter.push(sound)
    return meter.finish()


def _survives_db(take: Samples, voice: Samples, rate_hz: int, engine: Engine) -> float:
    mixed = mix(take, voice, AGAIN_AT_DB)
    parts = split_blocks(
        engine, lambda start, end: mixed[start:end], len(mixed), rate_hz, mixed.shape[1]
    )
    again = np.concatenate([part.voice.samples for part in parts])
    held = float(np.square(voice, dtype=np.float64).sum())
    changed = float(np.square(voice - again, dtype=np.float64).sum())
    return 10 * float(np.log10((held + _TINY) / (changed + _TINY)))
