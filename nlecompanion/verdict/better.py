"""Whether another recording of the same moment is clearly better: measured, not guessed."""

from __future__ import annotations

from dataclasses import dataclass

from nlecompanion.model import SourceQuality


@dataclass(frozen=True, slots=True)
class BetterLimits:
    """What counts as clearly better, or clearly worse.

    `sbr_db`: speech over background, of which `least_sbr_db` must be there. `bandwidth_hz`: how
    far up the sound reaches, of which `enough_hz` is all that a voice needs (what lies above may
    be noise). From `much_sbr_db` on a voice that stands out makes up for what is worse otherwise.
    """

    sbr_db: float = 3.0
    least_sbr_db: float = 3.0
    bandwidth_hz: float = 2000.0
    enough_hz: float = 12_000.0
    much_sbr_db: float = 6.0


@dataclass(frozen=True, slots=True)
class Better:
    """How much better, in dB (any other gain counts as the limit of the ratio), and in words."""

    gain_db: float
    words: tuple[str, ...]


#: What a voice counts as that is not heard at all.
_UNHEARD_DB = -25.0


def better(
    now: SourceQuality, there: SourceQuality, limits: BetterLimits = BetterLimits()
) -> Better | None:
    """What speaks for the other source; None where it is not clearly better.

    A source in which nobody stands above the background is never better. One that is clearly
    worse in anything must have a voice that stands out by `much_sbr_db`.
    """
    if there.sbr_db is None or there.sbr_db < limits.least_sbr_db:
        return None
    gain_db = there.sbr_db - (_UNHEARD_DB if now.sbr_db is None else now.sbr_db)
    wider_hz = 0.0
    if now.highest_hz is not None and there.highest_hz is not None:
        wider_hz = there.highest_hz - now.highest_hz
    words, others = [], 0
    if gain_db >= limits.sbr_db:
        words.append(_louder(now.sbr_db, there.sbr_db))
    if now.codec_damaged and not there.codec_damaged:
        words.append("no codec damage, which there is here")
        others += 1
    if wider_hz >= limits.bandwidth_hz:
        words.append(f"reaches {_khz(there.highest_hz)} against {_khz(now.highest_hz)} kHz")
        others += 1
    if now.clipped and not there.clipped:
        words.append("peaks whole, which are cut off here")
        others += 1
    if not words or gain_db <= -limits.sbr_db:
        return None
    worse = [
        *(["codec-damaged itself"] if there.codec_damaged and not now.codec_damaged else []),
        *(["peaks cut off there"] if there.clipped and not now.clipped else []),
        *(
            # How far up a noisy source reaches is its noise's doing; so no comparison in words.
            [f"reaches {_khz(there.highest_hz)} kHz"]
            if wider_hz <= -limits.bandwidth_hz and (there.highest_hz or 0.0) < limits.enough_hz
            else []
        ),
    ]
    if worse and gain_db < limits.much_sbr_db:
        return None
    if there.codec_damaged and now.codec_damaged:
        worse.append("codec-damaged as well")
    return Better(gain_db + (others - len(worse)) * limits.sbr_db, (*words, *worse))


def _louder(now_db: float | None, there_db: float) -> str:
    there = f"voice {there_db:+.1f} dB over its background"
    return f"{there}, not heard here" if now_db is None else f"{there} against {now_db:+.1f}"


def _khz(highest_hz: float | None) -> str:
    return f"{(highest_hz or 0.0) / 1000:.1f}"
