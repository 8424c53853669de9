"""A delivery as its `receipt.json` tells it: outside data, read strictly where it matters.

Deliveries are copied, sent and edited by hand. What is missing in a receipt is missing on the page;
what cannot be a receipt at all is one line of trouble.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from nlecompanion.delivery.receipt import RECEIPT_VERSION
from nlecompanion.errors import NleCompanionError
from nlecompanion.model import (
    Delivery,
    Diagnosis,
    LeftAlone,
    Plan,
    Reason,
    Ruling,
    Span,
    TimelineFacts,
    Unfixable,
    Use,
    UseReport,
    Verdict,
)
from nlecompanion.units import exact_rate, frames_from_timecode

#: A receipt of 5,000 uses has about 25 MB.
MAX_RECEIPT_BYTES = 256 << 20
_MAX_TEXT = 10_000

Values = Mapping[str, Any]


class ReceiptTrouble(NleCompanionError):
    """The receipt cannot be shown; one line says why and what to do."""


def read_receipt(path: Path) -> tuple[dict[str, Any], str]:
    """The JSON values of a receipt of a version that this program knows, and the file's SHA-256.

    Raises:
        ReceiptTrouble: missing, damaged, too large, or of a newer version.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_RECEIPT_BYTES + 1)
    except FileNotFoundError as error:
        raise ReceiptTrouble(
            "Its receipt.json is missing: without it nothing can be told. Deliver again."
        ) from error
    except OSError as error:
        raise ReceiptTrouble(f"Its receipt.json cannot be read ({error.strerror}).") from error
    if len(content) > MAX_RECEIPT_BYTES:
        raise ReceiptTrouble(f"Its receipt.json has more than {MAX_RECEIPT_BYTES >> 20} MiB.")
    try:
        values = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ReceiptTrouble(
            "Its receipt.json is damaged (no JSON). Take it from a copy, or deliver again."
        ) from error
    if not isinstance(values, dict):
        _damaged("an object expected")
    version = values.get("receipt_version")
    if not isinstance(version, int) or isinstance(version, bool):
        _damaged("it names no version")
    if version > RECEIPT_VERSION:
        raise ReceiptTrouble(
            f"A newer nlecompanion made it (receipt version {version}, known here is "
            f"{RECEIPT_VERSION}). Update nlecompanion."
        )
    return values, hashlib.sha256(content).hexdigest()


def _no_number(_: str) -> NoReturn:
    raise ValueError("a number that JSON does not have")


def _damaged(what: str) -> NoReturn:
    raise ReceiptTrouble(f"Its receipt.json is damaged: {what}. Deliver again.")


def delivery_of(values: Values, folder: Path) -> Delivery:
    """The delivery that the receipt's values describe, as the report's words want it.

    Raises:
        ReceiptTrouble: a value that the page rests on is missing or of the wrong kind.
    """
    facts = _facts(_object(values, "timeline"), _object(values, "document"))
    uses = values.get("uses")
    if not isinstance(uses, list) or not all(isinstance(use, dict) for use in uses):
        _damaged("its uses are no list")
    numbers: dict[str, int] = {}
    reports = []
    for use in uses:
        track = _text(use, "track")
        numbers.setdefault(track, len(numbers) + 1)
        reports.append(_report(use, track, numbers[track]))
    regions = _object(values, "regions")
    if not all(isinstance(account, dict) for account in regions.values()):
        _damaged("its regions are no objects")
    return Delivery(folder, None, facts, tuple(reports), (), None, regions)


def _facts(timeline: Values, document: Values) -> TimelineFacts:
    drop_frame = timeline.get("drop_frame") is True
    try:
        rate = exact_rate(Fraction(str(timeline["rate"])))
        start_frame = frames_from_timecode(str(timeline["start"]), rate, drop_frame)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise ReceiptTrouble(
            "Its receipt.json is damaged: no rate or start of the timeline. Deliver again."
        ) from error
    rate_hz = timeline.get("sample_rate_hz")
    return TimelineFacts(
        name=_text(timeline, "name"),
        format=_text(document, "format"),
        rate=rate,
        start_frame=start_frame,
        drop_frame=drop_frame,
        sample_rate_hz=rate_hz if isinstance(rate_hz, int) and rate_hz > 0 else 48_000,
    )


def _report(values: Values, track: str, track_number: int) -> UseReport:
    record, source = _object(values, "record"), _object(values, "source")
    use = Use(
        id=_text(values, "id"),
        name=_text(values, "name"),
        track=track,
        track_number=track_number,
        record=_span(record),
        source=_span(source),
        media_url=_text(source, "media"),
        media_start_s=None,
        channels=_channels(source.get("channels")),
        addresses=(),
        frame_rate=None,
    )
    return UseReport(
        use=use,
        left_alone=_left_alone(values.get("left_alone")),
        diagnosis=_diagnosis(values.get("measured")),
        plan=_plan(values.get("plan")),
        verdict=_verdict(values.get("verdict")),
        cleaned_file=_text(values, "cleaned_file") or None,
        marked=values.get("marked") is True,
        offered_file=_text(values, "offered_file") or None,
        region=_text(values, "region"),
    )


def _channels(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
        return None
    return tuple(item - 1 for item in value)


def _left_alone(value: Any) -> LeftAlone | None:
    if not isinstance(value, dict):
        return None
    try:
        reason = Reason(str(value.get("reason")))
    except ValueError:
        # A reason of another version: told in its own words.
        return LeftAlone(Reason.UNSUPPORTED, f"{value.get('reason')} {_text(value, 'detail')}")
    return LeftAlone(reason, _text(value, "detail"))


def _diagnosis(value: Any) -> Diagnosis | None:
    if not isinstance(value, dict):
        return None
    spoken = value.get("speech")
    spans = [_span(item) for item in _listed(spoken) if isinstance(item, dict)]
    return Diagnosis(
        speech=tuple(spans),
        speech_s=Fraction(str(number_in(value, "speech_s") or 0)),
        found_in=_text(value, "speech_found_in"),
        speech_level_db=number_in(value, "speech_level_dbfs"),
        background_level_db=number_in(value, "background_level_dbfs"),
        sbr_db=number_in(value, "sbr_db"),
    )


def _plan(value: Any) -> Plan | None:
    if not isinstance(value, dict) or (intensity_db := number_in(value, "intensity_db")) is None:
        return None
    return Plan(
        _text(value, "engine"), intensity_db, _texts(value.get("reasons")), _text(value, "method")
    )


def _verdict(value: Any) -> Verdict | None:
    if not isinstance(value, dict):
        return None
    try:
        ruling = Ruling(str(value.get("ruling")))
    except ValueError:
        return None
    kinds = {kind.value: kind for kind in Unfixable}
    return Verdict(
        ruling,
        _texts(value.get("reasons")),
        kinds.get(str(value.get("kind"))),
        number_in(value, "risk"),
    )


def _object(values: Values, key: str) -> dict[str, Any]:
    found = values.get(key)
    if not isinstance(found, dict):
        _damaged(f"{key} is no object")
    return found


def _text(values: Values, key: str) -> str:
    found = values.get(key)
    return found[:_MAX_TEXT] if isinstance(found, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item)[:_MAX_TEXT] for item in _listed(value))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def number_in(values: Values, key: str) -> float | None:
    """A finite number of the receipt; None where there is none."""
    found = values.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def _span(values: Values) -> Span:
    start_s, duration_s = number_in(values, "start_s"), number_in(values, "duration_s")
    if start_s is None or duration_s is None or duration_s < 0:
        _damaged("a use has no start or length")
    # Six digits were written: exact enough for a sample.
    return Span(Fraction(str(round(start_s, 6))), Fraction(str(round(duration_s, 6))))
