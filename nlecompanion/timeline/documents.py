"""Documents are recognised, read and patched in a child process: the only door to the adapters.

Functions that end in `_here` run in the child, on JSON values; the others ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.errors import DocumentError, UnsafeDocument
from nlecompanion.isolation import ChildEnded, Isolation, Limits
from nlecompanion.model import ConformPlan, Loss, TimelineFacts, Use
from nlecompanion.plugins import adapter_for, adapters
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses
from nlecompanion.units import exact_seconds
from nlecompanion.wire import from_json, to_json

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.timeline.contract import Adapter

_MIB = 2**20
#: Measured at 10,000 clips: 66 (FCP7 XML), 160 (FCPXML) and 17 (OTIO) times the document.
_MEMORY_FACTOR = 200
_MIN_MEMORY_BYTES, _MAX_MEMORY_BYTES = 1 << 30, 4 << 30
#: Measured: up to 1.5 s a MiB; a busy laptop takes several times that.
_CPU_S_PER_MIB = 10.0
_MIN_CPU_S, _MAX_CPU_S = 30.0, 600.0


@dataclass(frozen=True, slots=True)
class StatedMedia:
    """What the document says of a media file: its start timecode and its length."""

    url: str
    start_s: Fraction | None
    duration_s: Fraction | None


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a document says: facts, all uses in track and record order, media files by URL."""

    facts: TimelineFacts
    uses: tuple[Use, ...]
    media: tuple[StatedMedia, ...] = ()


def limits_for(document: Path) -> Limits:
    """In proportion to the document's own text; media inside a bundle are not read."""
    parts = sorted(document.iterdir()) if document.is_dir() else [document]
    size_bytes = sum(part.stat().st_size for part in parts if part.is_file())
    memory_bytes = min(_MIN_MEMORY_BYTES + _MEMORY_FACTOR * size_bytes, _MAX_MEMORY_BYTES)
    cpu_s = min(_MIN_CPU_S + round(_CPU_S_PER_MIB * size_bytes / _MIB), _MAX_CPU_S)
    # The clock is for what sleeps: a loaded machine gives a child a tenth of a processor.
    return Limits(memory_bytes, cpu_s, wall_s=10 * cpu_s + 60)


def recognise(document: Path, isolation: Isolation) -> str:
    """The name of the adapter that is surest that the document is its own.

    Raises:
        NotATimeline: none of them knows it.
    """
    name = _asked(isolation, "recognise", document, None, {})
    if not isinstance(name, str):
        raise UnsafeDocument(_no_sense(document))
    return name


def read_document(
    document: Path, adapter: str, isolation: Isolation, limits: Limits | None = None
) -> ReadDocument:
    """All that a document says, in the order of `read_uses`.

    Raises:
        DocumentError: with one sentence fit for the editor, also where the reader crashed, hung
            or needed more than the limits.
    """
    answer = _asked(isolation, "read", document, limits, {"adapter": adapter})
    try:
        return from_json(answer, ReadDocument)
    except (ValueError, TypeError) as error:
        raise UnsafeDocument(_no_sense(document)) from error


def patch_document(
    document: Path, adapter: str, plan: ConformPlan, target: Path, isolation: Isolation
) -> tuple[Loss, ...]:
    """`Adapter.patch`: the conformed copy at `target`.

    Raises:
        DocumentError: the plan does not fit it, or its patching crashed, hung or grew too large.
        OSError: `target` cannot be written.
    """
    return _patched(isolation, "patch", document, adapter, plan, target)


def patch_neutral(
    document: Path, adapter: str, plan: ConformPlan, target: Path, isolation: Isolation
) -> tuple[Loss, ...]:
    """The conformed cut as `.otio` at `target`, whatever the document's format.

    The neutral model is a document like any other: its adapter finds the plan's addresses in the
    notes that the reading adapter left.

    Raises:
        DocumentError, OSError: as `patch_document`.
    """
    return _patched(isolation, "neutral", document, adapter, plan, target)


def _patched(
    isolation: Isolation, what: str, document: Path, adapter: str, plan: ConformPlan, target: Path
) -> tuple[Loss, ...]:
    arguments = {
        "adapter": adapter,
        "plan": to_json(plan, ConformPlan),
        "target": str(target),
    }
    answer = _asked(isolation, what, document, None, arguments)
    try:
        return from_json(answer, tuple[Loss, ...])
    except (ValueError, TypeError) as error:
        raise UnsafeDocument(_no_sense(document)) from error


def _asked(
    isolation: Isolation,
    what: str,
    document: Path,
    limits: Limits | None,
    arguments: dict[str, Any],
) -> Any:
    try:
        limits = limits or limits_for(document)
        return isolation.ask(what, {"document": str(document), **arguments}, limits)
    except ChildEnded as error:
        raise UnsafeDocument(
            f"{document.name} {error}. Export the timeline again, in parts if it is very long, "
            "or report this."
        ) from error


def _no_sense(document: Path) -> str:
    return f"{document.name} was read as something that makes no sense. Export it again."


def recognise_here(arguments: dict[str, Any]) -> str:
    """In the child: the adapter's name."""
    return adapter_for(Path(arguments["document"])).name


def read_here(arguments: dict[str, Any]) -> Any:
    """In the child: facts and uses."""
    timeline = _adapter(arguments).read(Path(arguments["document"]))
    read = ReadDocument(timeline_facts(timeline), read_uses(timeline), stated_media(timeline))
    return to_json(read, ReadDocument)


def stated_media(timeline: otio.schema.Timeline) -> tuple[StatedMedia, ...]:
    """The media of all audio tracks; what two clips state differently of one file is not stated."""
    stated: dict[str, StatedMedia] = {}
    for track in timeline.audio_tracks():
        for child in track:
            reference: Any = getattr(child, "media_reference", None)
            url = getattr(reference, "target_url", None)
            if not url:
                continue
            found = _stated(url, reference.available_range)
            if stated.setdefault(url, found) != found:
                stated[url] = StatedMedia(url, None, None)
    return tuple(stated.values())


def _stated(url: str, available: otio.opentime.TimeRange | None) -> StatedMedia:
    if available is None:
        return StatedMedia(url, None, None)
    start, duration = available.start_time, available.duration
    return StatedMedia(
        url,
        exact_seconds(start.value, start.rate),
        exact_seconds(duration.value, duration.rate),
    )


def patch_here(arguments: dict[str, Any]) -> Any:
    """In the child: writes the conformed copy, gives the losses."""
    plan = from_json(arguments["plan"], ConformPlan)
    document, target = Path(arguments["document"]), Path(arguments["target"])
    losses = _adapter(arguments).patch(document, plan, target)
    return to_json(losses, tuple[Loss, ...])


def neutral_here(arguments: dict[str, Any]) -> Any:
    """In the child: writes the conformed cut as `.otio`, gives the losses."""
    plan, target = from_json(arguments["plan"], ConformPlan), Path(arguments["target"])
    timeline = _adapter(arguments).read(Path(arguments["document"]))
    neutral = target.with_name(f".{target.name}")
    try:
        neutral.write_text(timeline.to_json_string(indent=4), encoding="utf-8")
        losses = adapters()["otio"].patch(neutral, plan, target)
    finally:
        neutral.unlink(missing_ok=True)
    return to_json(losses, tuple[Loss, ...])


def _adapter(arguments: dict[str, Any]) -> Adapter:
    found = adapters().get(arguments["adapter"])
    if found is None:
        raise DocumentError(f"There is no adapter {arguments['adapter']!r}. Install it again.")
    return found
