"""De-echo in measured rooms: where it switches on, and what it does there.

C50's limit was set on some rooms and voices; the others were kept for the test. STOI is measured
against two references: the dry voice at the time of the direct sound, and the voice with the first
50 ms of its room, which is what C50 calls early and what de-echo is meant to leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from testkit.rooms import RATE_HZ, InRoom, Mono, both_microphones, in_room, resampled, room, t60_s
from testkit.sound import level_db

from nlecompanion.diagnosis.findings import MixtureMeters, SplitMeters, gather
from nlecompanion.diagnosis.reverberation import Reverberation
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.model import Samples
from nlecompanion.treatment.de_echo import (
    DeEchoLimits,
    DeEchoMeter,
    DeEchoPlan,
    apply_de_echo,
    fit_de_echo,
    plan_de_echo,
)
from nlecompanion.treatment.de_echo_frames import Analysis, Framing, Spectra, Synthesis
from nlecompanion.treatment.de_echo_voice import DeEchoSpectra
from nlecompanion.treatment.stems import Stems

SET_ON_ROOMS = ("openair_st", "wbs_cardiod-35-10-spread", "wbs_omni-35-10")
SET_ON_VOICES = ("kerstin", "jfk", "vctk_p234", "ravdess_F08")
#: Rooms with T60 from 0.6 s on in which a voice is hard to follow (C50 under 6 dB).
ROOMS = (*SET_ON_ROOMS, "seminar_room_clap", "wbs_binaural-s3_r4_bd")
VOICES = (*SET_ON_VOICES, "uh_en", "richard", "vctk_p286", "ravdess_M11")
#: Small, short or too long: blind C50 leaves most voices in them alone.
OTHER_ROOMS = ("wbs_kitchen-true-stereo", "openair_s1", "wbs_echo-chamber")
#: Recorded with two microphones at one place.
TWO_MICROPHONES = (
    "openair_st",
    "wbs_cardiod-35-10-spread",
    "wbs_omni-35-10",
    "wbs_binaural-s3_r4_bd",
)
_SECONDS = 9
Mono32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Echo:
    """One voice in one room (None: dry); changes are None where de-echo stays off."""

    voice: str
    room: str | None
    kept_for_test: bool
    blind_c50_db: float | None
    sureness: float
    on: bool
    t60_s: float | None = None
    microphones: int = 1
    strength: float = 0.0
    c50_rise_db: float | None = None
    stoi_change: float | None = None
    stoi_early_change: float | None = None
    low_band_change_db: float | None = None


def speakers(folder: Path) -> dict[str, list[str]]:
    """Names of the recordings of each speaker."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        parts = path.stem.split("_")
        long = parts[0] in {"kerstin", "richard"}
        found.setdefault(parts[0] if long else "_".join(parts[:2]), []).append(path.name)
    return found


def voice_of(names: Sequence[str]) -> Mono:
    """A speaker's recordings one after another, 9 s at most."""
    parts: list[Mono] = []
    while sum(map(len, parts)) < _SECONDS * RATE_HZ and len(parts) < len(names):
        parts.append(resampled(f"audio/speech/{names[len(parts)]}"))
    return np.concatenate(parts)[: _SECONDS * RATE_HZ]


def dry(folder: Path, engine: Engine, limits: DeEchoLimits) -> Iterator[Echo]:
    """Every speaker, close to the microphone."""
    for speaker, names in speakers(folder).items():
        voice = voice_of(names)
        sound = (0.3 * voice / np.abs(voice).max()).astype(np.float32)[:, None]
        found, plan = _planned(sound, engine, limits)
        yield Echo(speaker, None, speaker not in SET_ON_VOICES, *_heard(found), not plan.off)


def in_rooms(
    folder: Path, engine: Engine, limits: DeEchoLimits, *, everything: bool = False
) -> Iterator[Echo]:
    """Voices in rooms, treated as the plan says; `everything`: all speakers in all rooms."""
    recordings = speakers(folder)
    for name in (*ROOMS, *OTHER_ROOMS) if everything else ROOMS:
        microphones = [room(name)]
        if name in TWO_MICROPHONES:
            microphones = list(both_microphones(name))
        for speaker in recordings if everything else VOICES:
            dry_voice = voice_of(recordings[speaker])
            heard = [in_room(dry_voice, response) for response in microphones]
            found, plan = _planned(heard[0].sound, engine, limits)
            kept = name not in SET_ON_ROOMS and speaker not in SET_ON_VOICES
            shared = (speaker, name, kept, *_heard(found), not plan.off, t60_s(microphones[0]))
            for count in range(1, len(heard) + 1):
                yield Echo(*shared, count, *_changes(heard[:count], plan))


def _heard(found: Reverberation | None) -> tuple[float | None, float]:
    return (None, 0.0) if found is None else (found.c50_db, found.sureness)


def _planned(
    sound: Samples, engine: Engine, limits: DeEchoLimits
) -> tuple[Reverberation | None, DeEchoPlan]:
    """What the diagnosis hears, and the plan from it at full strength."""
    mixture, split = MixtureMeters(RATE_HZ, 1), SplitMeters(RATE_HZ, 1)
    speech, hidden = SpeechMeter(RATE_HZ), SpeechMeter(RATE_HZ)
    mixture.push(sound)
    speech.push(sound)
    for part in split_blocks(engine, lambda low, high: sound[low:high], len(sound), RATE_HZ, 1):
        split.push(part.voice.samples, part.background.samples)
        hidden.push(part.voice.samples)
    length_s = Fraction(len(sound), RATE_HZ)
    spans = speech_spans(speech.finish(), length_s) or speech_spans(hidden.finish(), length_s)
    found = gather(mixture, split, spans).reverberation
    return found, plan_de_echo(*_heard(found), limits)


def _changes(
    heard: Sequence[InRoom], plan: DeEchoPlan
) -> tuple[float, float | None, float | None, float | None, float | None]:
    """Strength, rise of C50, changes of STOI and of 150-500 Hz, at the first microphone."""
    if plan.off:
        return 0.0, None, None, None, None
    sound = np.concatenate([one.sound for one in heard], axis=1)
    plan = fit_de_echo(plan, lambda at, count: sound[at : at + count], len(sound), RATE_HZ)
    silence = np.zeros_like(sound)
    output = np.concatenate(
        [b.voice for b in apply_de_echo([Stems(sound, silence)], plan, RATE_HZ)]
    )
    meter, one = DeEchoMeter(RATE_HZ), heard[0]
    meter.push(sound, output)
    before_db = level_db(one.early) - level_db(one.late)
    rise_db = float(_c50_after_db(heard, plan, output) - before_db)
    low_band_db = meter.finish().low_band_change_db
    dry_change, early_change = (
        _stoi_change(reference, sound[:, 0], output[:, 0]) for reference in (one.dry, one.early)
    )
    return plan.strength, rise_db, dry_change, early_change, low_band_db


def _stoi_change(reference: Mono, before: Mono32, after: Mono32) -> float | None:
    if find_spec("pystoi") is None:
        return None
    stoi = import_module("pystoi").stoi
    return float(stoi(reference, after, RATE_HZ) - stoi(reference, before, RATE_HZ))


def _c50_after_db(heard: Sequence[InRoom], plan: DeEchoPlan, output: Samples) -> float:
    """Early: the gains of the whole, laid on the early part alone. Late: all else that came out,
    so that whatever prediction gets wrong counts as late.
    """
    framing = Framing.at(RATE_HZ)
    process, synthesis = DeEchoSpectra(plan, framing, len(heard)), Synthesis(framing, 1)
    sound = np.concatenate([one.sound for one in heard], axis=1)
    gains = [g for part in _stretches(sound, framing) for _, g in process.push(part)]
    gains += [g for _, g in process.finish()]
    early = _stretches(heard[0].early.astype(np.float32)[:, None], framing)
    parts = [synthesis.push(part * g) for part, g in zip(early, gains, strict=True)]
    near = np.concatenate(parts)[: len(output)]
    return level_db(near) - level_db(output[:, :1] - near)


def _stretches(sound: Samples, framing: Framing) -> Iterator[Spectra]:
    analysis = Analysis(framing, sound.shape[1])
    yield from analysis.push(sound)
    yield from analysis.finish()


def summary(found: Sequence[Echo]) -> dict[str, object]:
    """Counts and figures: of all, of those kept for the test, and of each room and microphones."""
    wet = [e for e in found if e.room is not None]
    close = [e for e in found if e.room is None]
    lines: dict[str, object] = {
        "dry_on": sum(e.on for e in close),
        "dry": len(close),
        "dry_lowest_c50_db": min(
            (e.blind_c50_db for e in close if e.blind_c50_db is not None), default=None
        ),
        "kept for the test": _figures([e for e in wet if e.kept_for_test and e.microphones == 1]),
    }
    for count in sorted({e.microphones for e in wet}):
        chosen = [e for e in wet if e.microphones == count]
        lines[f"all, microphones: {count}"] = _figures(chosen)
        for name in dict.fromkeys(e.room for e in chosen):
            one = [e for e in chosen if e.room == name]
            lines[f"{name} (T60 {one[0].t60_s:.1f} s), microphones: {count}"] = _figures(one)
    return lines


def _figures(wet: Sequence[Echo]) -> dict[str, object]:
    lines: dict[str, object] = {"on": sum(e.on for e in wet), "of": len(wet)}
    for key in ("c50_rise_db", "stoi_change", "stoi_early_change", "low_band_change_db"):
        values = [value for e in wet if (value := getattr(e, key)) is not None]
        if values:
            mean, least, most = float(np.mean(values)), min(values), max(values)
            lines[key] = {"mean": round(mean, 3), "least": round(least, 3), "most": round(most, 3)}
    rises = [e.c50_rise_db for e in wet if e.c50_rise_db is not None]
    lines["c50_rise_5_to_10_db"] = sum(5 <= rise <= 10 for rise in rises)
    return lines
