"""The hardest moment treated alone: the bet that is made before the whole is worked on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.diagnosis.levels import LevelMeter, level_db
from nlecompanion.diagnosis.loudness import LoudnessMeter, loudness_hops, loudness_lufs
from nlecompanion.errors import EngineError, MediaError, ProgramFailed
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.extract import read_region
from nlecompanion.model import Region, Ruling, Samples, Span, TimelineFacts, Use, UseReport
from nlecompanion.settings import Profile
from nlecompanion.units import gain_from_db
from nlecompanion.work import Tools, work_region
from nlecompanion.work.decide import SLACK
from nlecompanion.work.hardest import Hardest, find_hardest
from nlecompanion.work.regions import Progress, Watcher
from nlecompanion.work.target import Target

#: Before and after are brought to the same loudness, this closely.
MATCHED_LU = 0.2
#: A shorter job is worked on as fast as its hardest moment is found.
WORTH_PREVIEW_S = 60


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


def preview_window(hardest: Hardest, tools: Tools, profile: Profile, folder: Path) -> Preview:
    """Treats one window; `folder` gets `after.wav`, and nothing else stays in it.

    Raises:
        MediaError, EngineError, ProgramFailed, NoSpace, NotWritable: it cannot be done.
    """
    region = hardest.as_region()
    scratch = folder / ".scratch"
    with disk_errors(folder):
        scratch.mkdir()
    try:
        target = Target(folder / "after.wav", folder / "after.wav", scratch)
        outcome = work_region(region, tools, profile, target, lambda _: None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
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
    regions: Sequence[Region], tools: Tools, profile: Profile, folder: Path, watcher: Watcher
) -> Preview | None:
    """The preview that comes before every run; None where it could tell nothing.

    A job that is hardly longer than a preview is not previewed. A region that cannot be read or
    split says so when it is worked on.
    """
    if sum(region.length_samples / region.rate_hz for region in regions) < WORTH_PREVIEW_S:
        return None
    room = folder / ".preview"
    with disk_errors(folder):
        room.mkdir()
    try:
        found = find_hardest(regions, tools.main, lambda what: watcher(Progress(0, 1, what)))
        return preview_window(found[0], tools, profile, room) if found else None
    except (MediaError, EngineError, ProgramFailed):
        return None
    finally:
        shutil.rmtree(room, ignore_errors=True)


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
