"""Made timelines of about ten minutes, and whether the hardest moment found in them is hard.

As in a real cut neighbouring moments are alike: scenes of 16 to 48 s with one speaker and one
background each, whose level wanders by some decibels; some scenes are clean, some went through a
limiter, and some hold music alone. Each is a sound file in an FCP7 XML document, so that reading,
surveying, scouting and choosing are those of `nlecompanion preview`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from benchmarks.judgement_truth import Truth
from numpy.typing import NDArray
from testkit.damage import limited
from testkit.mixtures import RATE_HZ, Mixture, Part, build, recipes

from nlecompanion.demo.timeline import Cut, CutFile, Edit, SoundTrack, premiere_xml
from nlecompanion.diagnosis.levels import LevelMeter, hops_of, level_db
from nlecompanion.diagnosis.moments import ENOUGH_SPEECH_S, windows_in
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.engines.contract import Engine
from nlecompanion.model import Samples, Span

TIMELINE_S = 600
_RATE = Fraction(25)
_TRACK = "Dialogue"
#: Shares of scenes with music alone, without a background, and limited.
_MUSIC_ALONE, _CLEAN, _LIMITED = 0.1, 0.15, 0.2
#: The level of a background is drawn anew this often, and goes there in a straight line.
_KNOT_S = 8
_WANDER_DB = 4.0
_PEAK = 0.97


@dataclass(frozen=True, slots=True)
class Window:
    """The truth about one window: file name, span from the file's start, and how hard it is.

    `sbr_db`: voice over background while somebody speaks; `stoi`: of the untouched mixture.
    """

    file: str
    span: Span
    sbr_db: float
    stoi: float


@dataclass(frozen=True, slots=True)
class MadeTimeline:
    """A document with its media, and the truth about all windows with a second of speech."""

    document: Path
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Where the chosen window truly lies: the share of windows that are harder, 0 to 1.

    None where the chosen one holds no second of true speech.
    """

    harder_by_sbr: float | None
    harder_by_stoi: float | None
    windows: int


def make_timeline(audio: Path, part: Part, seed: int, folder: Path) -> MadeTimeline:
    """Writes scenes and document into `folder`."""
    import soundfile

    rng = np.random.default_rng([seed, 77])
    files: list[CutFile] = []
    truth: list[Window] = []
    for number, (recipe_seed, seconds, ratio_db) in enumerate(_scenes(rng)):
        (recipe,) = recipes(
            audio, 1, part, recipe_seed, length_s=float(seconds), sbr_db=(ratio_db, ratio_db),
            kinds=(("music", "noise", "music+noise")[int(rng.integers(3))],),
        )  # fmt: skip
        sound, windows = _scene(build(audio, recipe), rng, f"scene {number:02}.wav")
        path = folder / f"scene {number:02}.wav"
        soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
        files.append(CutFile(path, _RATE, int(seconds * _RATE), channels=1))
        truth += windows
    document = folder / "made.xml"
    document.write_text(premiere_xml(_cut(files)), encoding="utf-8")
    return MadeTimeline(document, tuple(truth))


def _scenes(rng: np.random.Generator) -> list[tuple[int, int, float]]:
    """Seed, seconds and ratio of every scene; each timeline has a level of its own."""
    base_db = rng.uniform(2, 14)
    scenes, total_s = [], 0
    while total_s < TIMELINE_S:
        seconds = min(8 * int(rng.integers(2, 7)), TIMELINE_S - total_s)
        ratio_db = float(np.clip(base_db + 6 * rng.standard_normal(), -12, 25))
        scenes.append((int(rng.integers(2**31)), seconds, ratio_db))
        total_s += seconds
    return scenes


def _scene(made: Mixture, rng: np.random.Generator, file: str) -> tuple[Samples, list[Window]]:
    """A scene's sound with its level wandering, and the truth about its windows."""
    kind, limits = rng.random(), rng.random() < _LIMITED
    background = made.background * _wander(len(made.mix), rng)
    loudness = np.float32(10 ** (rng.uniform(-8, 4) / 20))
    if kind < _MUSIC_ALONE:
        return _fit(background * loudness)[0], []
    if kind < _MUSIC_ALONE + _CLEAN:
        background = background * np.float32(10 ** (-25 / 20))
    mix, gain = _fit((made.voice + background) * loudness)
    voice, background = made.voice * loudness * gain, background * loudness * gain
    if limits:
        mix = limited(mix, RATE_HZ, float(rng.uniform(4, 10)))
    windows = []
    for span in windows_in([Span(Fraction(0), Fraction(len(mix), RATE_HZ))]):
        window = _truth(mix, voice, background, made.speech, span, file)
        if window is not None:
            windows.append(window)
    return mix, windows


def _wander(length: int, rng: np.random.Generator) -> Samples:
    knots = length // (_KNOT_S * RATE_HZ) + 2
    levels_db = rng.uniform(-_WANDER_DB, _WANDER_DB, knots)
    place = np.arange(length) / (_KNOT_S * RATE_HZ)
    return (10 ** (np.interp(place, np.arange(knots), levels_db) / 20)).astype(np.float32)[:, None]


def _fit(sound: Samples) -> tuple[Samples, np.float32]:
    loudest = float(np.abs(sound).max())
    gain = np.float32(min(1.0, _PEAK / loudest)) if loudest else np.float32(1)
    return sound * gain, gain


def _truth(
    mix: Samples,
    voice: Samples,
    background: Samples,
    speech: tuple[Span, ...],
    span: Span,
    file: str,
) -> Window | None:
    inside = clip_spans(speech, span)
    if sum((s.duration_s for s in inside), Fraction(0)) < ENOUGH_SPEECH_S:
        return None
    rows = slice(int(span.start_s * RATE_HZ), int(span.end_s * RATE_HZ))
    above, below = _powers(voice[rows]), _powers(background[rows])
    speaking = hops_of(inside, above.size)
    voice_db, background_db = level_db(above, speaking), level_db(below, speaking)
    if voice_db is None or background_db is None:
        return None
    cut = mix[rows]
    stoi = Truth(voice[rows], cut, np.zeros_like(cut), inside, RATE_HZ).stoi(0)
    return Window(file, span, voice_db - background_db, stoi)


def _powers(sound: Samples) -> NDArray[np.float64]:
    meter = LevelMeter(RATE_HZ)
    meter.push(sound)
    return meter.finish()


def _cut(files: list[CutFile]) -> Cut:
    edits, frame = [], 0
    for file in files:
        edits.append(
            Edit(file, frame, file.duration_frames, 0, _TRACK, name=file.path.stem, channels=(0,))
        )
        frame += file.duration_frames
    return Cut("made", _RATE, 90_000, (SoundTrack(_TRACK, 1),), tuple(edits))


def find(made: MadeTimeline, engine: Engine) -> Found:
    """The window that the preview chooses, looked up in the truth."""
    from nlecompanion.pipeline import read_job
    from nlecompanion.settings import Settings
    from nlecompanion.work.hardest import find_hardest

    job = read_job(made.document, Settings())
    chosen = find_hardest(job.regions, engine, lambda _: None)[0]
    offset_s = Fraction(chosen.region.start_sample, RATE_HZ)
    span = Span(chosen.moment.span.start_s + offset_s, chosen.moment.span.duration_s)
    return place_of(made, chosen.region.media.path.name, span)


def place_of(made: MadeTimeline, file: str, span: Span) -> Found:
    """How many windows are truly harder than this one."""
    count = len(made.windows)
    near = [w for w in made.windows if w.file == file and abs(w.span.start_s - span.start_s) < 1]
    if not near:
        return Found(None, None, count)
    sbr = sum(w.sbr_db < near[0].sbr_db for w in made.windows) / count
    stoi = sum(w.stoi < near[0].stoi for w in made.windows) / count
    return Found(sbr, stoi, count)
