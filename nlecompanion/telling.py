"""What the command line says, as text for people and JSON for scripts. Prints nothing itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.delivery.receipt import record_timecode, summary
from nlecompanion.model import Delivery, Use, UseReport

if TYPE_CHECKING:
    from nlecompanion.doctor import Finding
    from nlecompanion.engines.contract import EngineFactory
    from nlecompanion.pipeline import Job
    from nlecompanion.work.preview import Preview
    from nlecompanion.work.regions import Progress, Watcher


@dataclass(frozen=True, slots=True)
class Bar:
    """A progress bar: `watch` moves it, `pause` takes it off the screen for a question."""

    watch: Watcher
    pause: Callable[[], None]
    interactive: bool


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Bar]:
    """A bar on standard error for people at a terminal; nothing for scripts."""
    from rich import progress as rich_progress
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield Bar(lambda _: None, lambda: None, interactive=False)
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def watch(progress: Progress) -> None:
            if not bar.live.is_started:
                bar.start()
            bar.update(
                task,
                description=progress.what,
                completed=progress.done_s,
                total=progress.total_s,
            )

        yield Bar(watch, bar.stop, interactive=sys.stdin.isatty())


def question(seen: Preview) -> str:
    """What an editor is asked when the hardest moment cannot be made good."""
    where = f"{seen.use.name or seen.use.id} on {seen.use.track}"
    return (
        f"The hardest moment, in {where}, does not come out well: {'; '.join(seen.reasons)}.\n"
        "The rest may still be worth it; what is beyond saving keeps its original and is flagged."
    )


def preview(folder: Path, seen: Preview) -> str:
    """What the hardest moment is, and what became of it."""
    plan, verdict = seen.report.plan, seen.report.verdict
    lines = [
        f"Hardest moment: {seen.use.name or seen.use.id} on {seen.use.track}, "
        f"{float(seen.record.duration_s):.1f} s from {float(seen.record.start_s):.2f} s on"
    ]
    if plan is not None and verdict is not None:
        lines.append(f"{plan.method}, background {plan.intensity_db:g} dB down by {plan.engine}")
        lines.append(f"Verdict: {verdict.ruling.value}: {'; '.join(verdict.reasons)}")
    else:
        lines.append(f"Left alone: {seen.report.left_alone}")
    lines.append(f"Listen: {folder / 'before.wav'}, {folder / 'after.wav'}")
    return "\n".join(lines)


def preview_json(folder: Path, seen: Preview) -> str:
    """The same for a script."""
    verdict = seen.report.verdict
    return _json(
        {
            "folder": str(folder),
            "use": seen.use.id,
            "record_start_s": float(seen.record.start_s),
            "duration_s": float(seen.record.duration_s),
            "failed": seen.failed,
            "ruling": verdict and verdict.ruling.value,
            "reasons": list(seen.reasons),
        }
    )


def delivery(made: Delivery) -> str:
    """What was done to each use, and where the delivery lies."""
    counts = summary(made.uses)
    names = sorted({report.plan.engine for report in made.uses if report.plan is not None})
    by = f" by engine {', '.join(names)}" if names else ""
    lines = [
        f"{made.timeline.name or 'Timeline'} ({made.timeline.format}, "
        f"{float(made.timeline.rate):.6g} fps): {counts['uses']} uses, "
        f"{counts['cleaned']} cleaned{by}"
    ]
    lines += [_use_line(report, made) for report in made.uses]
    lines += [f"Note: {loss.where}: {loss.what}" for loss in made.losses]
    if made.folder is None:
        lines.append(
            "Nothing could be cleaned, so nothing was written."
            if made.failed
            else "Nothing to do: no use needs cleaning, so nothing was written."
        )
    else:
        lines += [f"Delivery: {made.folder}", f"Import this: {made.document}"]
    if made.failed:
        receipt = " and in the receipt" if made.folder is not None else ""
        lines.append(f"{made.failed} uses failed; the reasons stand above{receipt}.")
    return "\n".join(lines)


def _use_line(report: UseReport, made: Delivery) -> str:
    use = report.use
    at = record_timecode(use.record.start_s, made.timeline)
    if report.left_alone is None and report.verdict is not None and report.plan is not None:
        kind = "best effort offered" if report.offered_file else "cleaned"
        what = f"{kind}, background {report.plan.intensity_db:g} dB down: " + "; ".join(
            report.verdict.reasons
        )
    else:
        what = f"left alone: {report.left_alone}"
    flag = " [marked]" if report.marked else ""
    return f"  {at}  {use.track:<14.14}  {use.name:<24.24}  {what}{flag}"


def delivery_json(made: Delivery) -> str:
    """The same for a script."""
    return _json(
        {
            "timeline": made.timeline.name,
            "delivery": made.folder and str(made.folder),
            "document": made.document and str(made.document),
            "summary": summary(made.uses),
            "failed": made.failed,
            "uses": [
                {
                    "id": report.use.id,
                    "name": report.use.name,
                    "track": report.use.track,
                    "record_in": record_timecode(report.use.record.start_s, made.timeline),
                    "cleaned_file": report.cleaned_file,
                    "offered_file": report.offered_file,
                    "left_alone": report.left_alone and str(report.left_alone),
                    "marked": report.marked,
                }
                for report in made.uses
            ],
            "losses": [{"where": loss.where, "what": loss.what} for loss in made.losses],
        }
    )


def dry_run(job: Job) -> str:
    """What a run would do."""
    lines = [f"{job.facts.name or 'Timeline'} ({job.facts.format}): {len(job.uses)} uses"]
    for use in job.uses:
        at = record_timecode(use.record.start_s, job.facts)
        lines.append(f"  {at}  {use.track:<14.14}  {use.name:<24.24}  {_intent(use)}")
    lines += [f"Note: {note.where}: {note.what}" for note in job.notes]
    seconds = sum(region.length_samples / region.rate_hz for region in job.regions)
    lines.append(f"{len(job.regions)} regions, {seconds:.1f} s of sound. Nothing was written.")
    return "\n".join(lines)


def _intent(use: Use) -> str:
    if use.left_alone is not None:
        return f"left alone: {use.left_alone}"
    return "would be worked on if somebody speaks in it"


def dry_run_json(job: Job) -> str:
    """The same for a script."""
    return _json(
        {
            "timeline": job.facts.name,
            "uses": [
                {
                    "id": use.id,
                    "name": use.name,
                    "track": use.track,
                    "record_in": record_timecode(use.record.start_s, job.facts),
                    "left_alone": use.left_alone and str(use.left_alone),
                }
                for use in job.uses
            ],
            "regions": [
                {
                    "media": str(region.media.path),
                    "start_s": region.start_sample / region.rate_hz,
                    "duration_s": region.length_samples / region.rate_hz,
                    "uses": [use.id for use in region.uses],
                }
                for region in job.regions
            ],
        }
    )


def findings(found: Sequence[Finding]) -> str:
    """One line a finding; what is amiss comes with its fix."""
    lines = []
    for finding in found:
        mark = "!!" if finding.trouble else ("--" if finding.fix else "ok")
        lines.append(f"{mark}  {finding.what}: {finding.state}")
        if finding.fix:
            lines.append(f"      {finding.fix}")
    return "\n".join(lines)


def findings_json(found: Sequence[Finding]) -> str:
    """The same for a script."""
    return _json(
        [{"what": f.what, "state": f.state, "trouble": f.trouble, "fix": f.fix} for f in found]
    )


def engines(found: Mapping[str, EngineFactory]) -> str:
    """Name, readiness, licence and source of each engine."""
    lines = []
    for name, factory in found.items():
        info, readiness = factory.info, factory.readiness()
        lines += [
            f"{name}: {info.title} ({'ready' if readiness.ready else 'not ready'})",
            f"    licence: {info.licence}; weights: {info.weights}",
            f"    source:  {info.source}",
        ]
        if factory.merit_db is not None:
            lines.append(
                f"    merit:   {factory.merit_db:g} dB SI-SDR on our benchmark"
                if factory.merit_pesq is not None
                else f"    merit:   ranked as {factory.merit_db:g} dB, not measured"
            )
        if readiness.fix:
            lines.append(f"    next:    {readiness.fix}")
    return "\n".join(lines)


def engines_json(found: Mapping[str, EngineFactory]) -> str:
    """The same for a script."""
    return _json(
        [
            {
                "name": name,
                "title": factory.info.title,
                "version": factory.info.version,
                "licence": factory.info.licence,
                "weights": factory.info.weights,
                "source": factory.info.source,
                "merit_db": factory.merit_db,
                "ready": factory.readiness().ready,
                "fix": factory.readiness().fix,
            }
            for name, factory in found.items()
        ]
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
