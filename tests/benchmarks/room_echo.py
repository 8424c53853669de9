"""De-echo in measured rooms: where it switches on, and what it does there.

C50's limit was set on some rooms and voices; the others were kept for the test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from testkit.rooms import RATE_HZ, InRoom, Mono, in_room, resampled, room
from testkit.sound import level_db

from nlecompanion.diagnosis.findings import MixtureMeters, SplitMeters, gather
from nlecompanion.diagnosis.reverberation import Reverberation
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.model import Samples
from nlecompanion.treatment.de_echo import (
    DeEchoLimits,
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
_SECONDS = 9


@dataclass(frozen=True, slots=True)
class Echo:
    """One voice in one room (None: dry); changes are None where de-echo stays off."""

    voice: str
    room: str | None
    kept_for_test: bool
    blind_c50_db: float | None
    sureness: float
    on: bool
    c50_rise_db: float | None = None
    stoi_change: float | None = None


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


def in_rooms(folder: Path, engine: Engine, limits: DeEchoLimits) -> Iterator[Echo]:
    """Voices in rooms, treated as the plan says."""
    recordings = speakers(folder)
    for name in ROOMS:
        response = room(name)
        for speaker in VOICES:
            one = in_room(voice_of(recordings[speaker]), response)
            found, plan = _planned(one.sound, engine, limits)
            kept = name not in SET_ON_ROOMS and speaker not in SET_ON_VOICES
            changes = (None, None) if plan.off else _changes(one, plan)
            yield Echo(speaker, name, kept, *_heard(found), not plan.off, *changes)


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


def _changes(one: InRoom, plan: DeEchoPlan) -> tuple[float, float | None]:
    """The rise of C50 in dB and the change of STOI, of the whole sound in the room."""
    sound = one.sound
    fitted = fit_de_echo(plan, lambda at, count: sound[at : at + count], len(sound), RATE_HZ)
    silence = np.zeros_like(sound)
    output = np.concatenate(
        [b.voice for b in apply_de_echo([Stems(sound, silence)], fitted, RATE_HZ)]
    )
    before_db = level_db(one.early) - level_db(one.late)
    rise_db = float(_c50_after_db(one, fitted, output) - before_db)
    if find_spec("pystoi") is None:
        return rise_db, None
    stoi = import_module("pystoi").stoi
    before, after = (float(stoi(one.dry, s[:, 0], RATE_HZ)) for s in (sound, output))
    return rise_db, after - before


def _c50_after_db(one: InRoom, plan: DeEchoPlan, output: Samples) -> float:
    """Early: the gains of the whole, laid on the early part alone. Late: all else that came out,
    so that whatever prediction gets wrong counts as late.
    """
    framing = Framing.at(RATE_HZ)
    process, synthesis = DeEchoSpectra(plan, framing), Synthesis(framing, 1)
    gains = [g for part in _stretches(one.sound, framing) for _, g in process.push(part)]
    gains += [g for _, g in process.finish()]
    early = _stretches(one.early.astype(np.float32)[:, None], framing)
    parts = [synthesis.push(part * g) for part, g in zip(early, gains, strict=True)]
    near = np.concatenate(parts)[: len(output)]
    return level_db(near) - level_db(output - near)


def _stretches(sound: Samples, framing: Framing) -> Iterator[Spectra]:
    analysis = Analysis(framing, sound.shape[1])
    yield from analysis.push(sound)
    yield from analysis.finish()


def summary(found: Sequence[Echo]) -> dict[str, object]:
    """Counts and figures, of all and of those kept for the test."""
    lines: dict[str, object] = {}
    for name, chosen in (
        ("all", found),
        ("kept for the test", [e for e in found if e.kept_for_test]),
    ):
        close = [e for e in chosen if e.room is None]
        c50s = [e.blind_c50_db for e in close if e.blind_c50_db is not None]
        wet = [e for e in chosen if e.room is not None]
        rises = [e.c50_rise_db for e in wet if e.c50_rise_db is not None]
        stois = [e.stoi_change for e in wet if e.stoi_change is not None]
        lines[name] = {
            "dry_on": sum(e.on for e in close),
            "dry": len(close),
            "dry_lowest_c50_db": min(c50s, default=None),
            "rooms_on": sum(e.on for e in wet),
            "rooms": len(wet),
            "c50_rise_db_mean": float(np.mean(rises)) if rises else None,
            "c50_rise_db_least": min(rises, default=None),
            "c50_rise_db_most": max(rises, default=None),
            "stoi_change_mean": float(np.mean(stois)) if stois else None,
            "stoi_change_least": min(stois, default=None),
        }
    return lines
