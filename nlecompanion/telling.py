"""What the command line says, as text for people and JSON for scripts. Prints nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlecompanion.delivery.receipt import record_timecode, summary
from nlecompanion.model import Delivery, Use, UseReport

if TYPE_CHECKING:
    from nlecompanion.doctor import Finding
    from nlecompanion.engines.contract import EngineFactory
    from nlecompanion.pipeline import Job, Progress, Watcher


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Watcher]:
    """A bar on standard error for people at a terminal; nothing for scripts."""
    from rich import progress as rich_progress
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def watcher(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.what,
                completed=progress.done_s,
                total=progress.total_s,
            )

        yield watcher


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
        what = f"cleaned, background {report.plan.intensity_db:g} dB down: " + "; ".join(
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
