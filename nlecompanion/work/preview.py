"""The hardest moment treated alone: the bet that is made before the whole is worked on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.diagnosis.levels import LevelMeter, level_db
from nlecompanion.diagnosis.loudness import LoudnessMeter, loudness_hops, loudness_lufs
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.extract import read_region
from nlecompanion.model import Region, Ruling, Samples, Span, TimelineFacts, Use, UseReport
from nlecompanion.settings import Profile
from nlecompanion.treatment.tone_finding import ToneKey
from nlecompanion.units import gain_from_db
from nlecompanion.wire import Json, from_json, to_json
from nlecompanion.work.decide import SLACK
from nlecompanion.work.hardest import Hardest, Moments, candidates, hardest_first
from nlecompanion.work.places import place_of
from nlecompanion.work.pool import Request
from nlecompanion.work.regions import Assignment
from nlecompanion.work.survey import Listened, Survey
from nlecompanion.work.survey_all import ToneFile, bare, seconds_of
from nlecompanion.work.task import TaskOutcome, bound
from nlecompanion.work.task_digest import EngineId, sha256_of_json, stretch_digest
from nlecompanion.work.tasks_bench import Bench, Piece
from nlecompanion.work.worker_jobs import Done

#: Before and after are brought to the same loudness, this closely.
MATCHED_LU = 0.2
#: A shorter job is worked on as fast as its hardest moment is found.
WORTH_PREVIEW_S = 60
Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """One window before and after.

    `record` is where it plays, from the timeline's first frame; `failed` says that its result did
    not pass: beyond saving, or not readable without harm. `account` are the receipt's values.
    """

    use: Use
    record: Span
    report: UseReport
    failed: bool
    account: Mapping[str, Any]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it failed, or what was found, in words and numbers."""
        if self.report.verdict is not None:
            return self.report.verdict.reasons
        return (str(self.report.left_alone),)


def preview_window(
    hardest: Hardest, bench: Bench, tone: ToneFile, profile: Profile, folder: Path
) -> Preview | None:
    """Treats one window; `folder` gets `after.wav`, unless nothing was to be treated.

    None where it cannot be worked on: its region will say why.

    Raises:
        EngineError, NoSpace, NotWritable: nothing can be worked on.
    """
    region = hardest.as_region()
    piece = Assignment(region, profile, (True, True), tone).piece(bench, "preview")
    answer = next(iter(bench.answers([piece], lambda *_: None)))
    if not isinstance(answer, Done):
        return None
    told = from_json(answer.values["outcome"], TaskOutcome)
    if told.failed:
        return None
    final = folder / "after.wav"
    if told.sound_sha256 is not None and piece.sound is not None:
        with disk_errors(folder):
            piece.sound.rename(final)
    outcome = bound(told, region, final, None)
    report = outcome.reports[0]
    use = report.use
    return Preview(
        use=use,
        record=use.record,
        report=report,
        failed=_failed(report, outcome.account, profile),
        account=outcome.account or {},
    )


def _failed(report: UseReport, account: Mapping[str, Any] | None, profile: Profile) -> bool:
    """Beyond saving, or so little readable without harm that it carries a warning."""
    if report.verdict is None or account is None:
        return False
    if report.verdict.ruling is Ruling.UNFIXABLE:
        return True
    ladder = account["ladder"]
    reached = ladder["attempts"][ladder["chosen"]]["readability"]["mean"]
    return reached is not None and reached < profile.warn_readable


def write_pair(region: Region, folder: Path) -> tuple[Path, Path]:
    """`before.wav` beside `after.wav`, both equally loud over the sound that is not silence.

    The quieter of the two keeps its level, so that neither is driven into clipping. Where nothing
    was treated both are the original.

    Raises:
        MediaError: the original cannot be read.
        NoSpace, NotWritable: the disk is full, or the files cannot be written.
    """
    before = np.concatenate(
        list(
            read_region(
                region.media,
                region.channels,
                region.rate_hz,
                region.start_sample,
                region.end_sample,
            )
        )
    )
    paths = folder / "before.wav", folder / "after.wav"
    after = _read(paths[1]) if paths[1].is_file() else before
    gap_lu = _loudness(before, region.rate_hz) - _loudness(after, region.rate_hz)
    quieter = (-gap_lu, 0.0) if gap_lu > 0 else (0.0, gap_lu)
    for path, sound, gain_db in zip(paths, (before, after), quieter, strict=True):
        _write(path, sound * np.float32(gain_from_db(gain_db)), region)
    return paths


def _loudness(sound: Samples, rate_hz: int) -> float:
    """LUFS over what is not silence; the plain level where it is too short for that."""
    meter = LoudnessMeter(rate_hz, sound.shape[1])
    meter.push(sound)
    powers = meter.finish()
    whole = [Span(Fraction(0), Fraction(len(sound), rate_hz))]
    lufs = loudness_lufs(powers, loudness_hops(whole, powers.size))
    if lufs is not None:
        return lufs
    levels = LevelMeter(rate_hz)
    levels.push(sound)
    hops = levels.finish()
    return level_db(hops, np.ones(hops.size, dtype=bool)) or 0.0


def _read(path: Path) -> Samples:
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(samples, np.float32)


def _write(path: Path, sound: Samples, region: Region) -> None:
    start_s = region.media_start_s + Fraction(region.start_sample, region.rate_hz)
    channels = sound.shape[1]
    with BroadcastWavWriter(
        path,
        rate_hz=region.rate_hz,
        channels=channels,
        layout={1: "mono", 2: "stereo"}.get(channels, f"{channels} channels"),
        time_reference_samples=max(0, round(start_s * region.rate_hz)),
        description=f"Preview of {region.media.path.name}",
    ) as writer:
        writer.write(sound)


def foresee(
    surveys: Sequence[Survey | None],
    bench: Bench,
    tones: Mapping[ToneKey, ToneFile],
    profile_of: Callable[[Region], Profile],
    say: Callable[[str], None],
) -> Preview | None:
    """The preview that comes before every run; None where it could tell nothing.

    A job that is hardly longer than a preview is not previewed. A region that cannot be read or
    split says so when it is worked on.
    """
    known = [surveyed for surveyed in surveys if surveyed is not None]
    if sum(seconds_of(s.region) for s in known) < WORTH_PREVIEW_S:
        return None
    found = find_scouted(known, bench, say)
    if not found:
        return None
    region = found[0].region
    return preview_window(found[0], bench, tones[place_of(region)], profile_of(region), bench.room)


def find_scouted(
    surveys: Sequence[Survey], bench: Bench, say: Callable[[str], None]
) -> tuple[Hardest, ...]:
    """As `hardest.find_hardest`, by whoever works at the bench."""
    chosen = candidates(surveys)
    pieces = [_scouting(surveyed, windows, bench) for surveyed, windows in chosen]
    what = "Looking for the hardest moment"
    say(what)
    found = []
    answers = bench.answers(pieces, lambda *_: say(what))
    for (surveyed, _), answer in zip(chosen, answers, strict=True):
        if isinstance(answer, Done) and "moments" in answer.values:
            moments = from_json(answer.values["moments"], Moments)
            found += [Hardest(surveyed.region, moment) for moment in moments]
    return hardest_first(found)


def _scouting(surveyed: Survey, windows: tuple[Span, ...], bench: Bench) -> Piece:
    region, track = surveyed.region, surveyed.track
    spans = to_json(windows, Spans)
    engine = to_json(bench.main, EngineId)

    def values() -> dict[str, Json]:
        heard = to_json(Listened(track.probabilities, track.powers), Listened)
        return {"region": bare(region), "heard": heard, "windows": spans, "engine": engine}

    request = Request("scout", values, float(sum(window.duration_s for window in windows)))
    return Piece(request, lambda: sha256_of_json(["scout", stretch_digest(region), spans, engine]))


def preview_receipt(preview: Preview, facts: TimelineFacts) -> dict[str, Any]:
    """The receipt's values of a preview."""
    verdict = preview.report.verdict
    return {
        "use": preview.use.id,
        "record_in": record_timecode(preview.record.start_s, facts),
        "duration_s": round(float(preview.record.duration_s), 3),
        "failed": preview.failed,
        "ruling": None if verdict is None else verdict.ruling.value,
        "reasons": list(preview.reasons),
        "intensity_db": None if preview.report.plan is None else preview.report.plan.intensity_db,
        "account": dict(preview.account),
    }


def bet_on(preview: Preview, accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Whether the previewed moment was the hardest after all, now that all is done."""
    worst = [account["hardest_moment"]["worst_readability"] for account in accounts.values()]
    known = [value for value in worst if value is not None]
    foreseen = preview.account.get("hardest_moment", {}).get("worst_readability")
    if foreseen is None or not known:
        return {"representative": None, "worst_readability": None}
    return {
        "representative": min(known) >= foreseen - SLACK,
        "worst_readability": min(known),
    }
