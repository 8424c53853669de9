"""From a delivery back to the job that it came from: its document, settings and decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from nlecompanion.decisions import Decisions
from nlecompanion.errors import NleCompanionError, SettingsError
from nlecompanion.job import document_digest
from nlecompanion.job_record import read_record
from nlecompanion.review.deliveries import Shown
from nlecompanion.settings import AUTO, Profile, Settings, handles_from


class NoOrder(NleCompanionError):
    """The job cannot be done again; one line says what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """A job that was done: `decisions` are those that it was done with."""

    document: Path
    settings: Settings
    decisions: Decisions


def order_of(shown: Shown, document: Path | None) -> Order:
    """The job behind a delivery, from its record on this machine.

    Without a record (made elsewhere, or by an earlier version) the receipt tells the profile, and
    the timeline is `document`; so it is where the record's own is no longer there.

    Raises:
        NoOrder: the document is not known, is not there, or is another one.
    """
    try:
        record = read_record(shown.folder)
    except SettingsError as error:
        if document is None:
            raise NoOrder(f"{error} Or name the timeline with --document.") from error
        record = None
    except OSError as error:
        raise NoOrder(f"Its receipt.json cannot be read ({error.strerror}).") from error
    if record is None:
        return Order(_named(shown, document), settings_of(shown.receipt), Decisions())
    own = record.document
    return Order(
        own if own.exists() else _named(shown, document, own), record.settings, record.decisions
    )


def _named(shown: Shown, document: Path | None, gone: Path | None = None) -> Path:
    """The timeline that the command was given, if this delivery was made of it."""
    if document is None and gone is not None:
        raise NoOrder(
            f"Its timeline {gone.name} is no longer where it was. Put it back, or start "
            "`nlecompanion review` with --document and its new place."
        )
    if document is None:
        raise NoOrder(
            "This machine does not know which timeline it was made of. "
            "Start `nlecompanion review` with --document and the timeline's file."
        )
    made_of = shown.receipt.get("document")
    told = made_of if isinstance(made_of, dict) else {}
    if not document.exists():
        raise NoOrder(f"{document} is no longer there. Start the review page anew.")
    if told.get("name") != document.name and told.get("sha256") != document_digest(document):
        raise NoOrder(
            f"It was made of {told.get('name')}, --document names {document.name}. "
            "Name the timeline that it was made of."
        )
    return document


def settings_of(receipt: Mapping[str, Any]) -> Settings:
    """The settings that a receipt tells of; what it does not tell is as by default.

    Raises:
        NoOrder: it tells of settings that cannot be.
    """
    told = receipt.get("settings")
    told = told if isinstance(told, dict) else {}
    tracks = told.get("tracks")
    handles_s = _number(told.get("handles_s"))
    try:
        settings = Settings(
            profile=_profile(receipt.get("profile")),
            handles_s=Fraction(2) if handles_s is None else handles_from(handles_s),
            tracks=tuple(map(str, tracks)) if isinstance(tracks, list) else (),
            workers=AUTO,
        )
    except SettingsError as error:
        raise NoOrder(f"Its receipt tells of settings that cannot be used: {error}") from error
    engine = receipt.get("engine")
    name = engine.get("name") if isinstance(engine, dict) else None
    named = replace(settings, engine=name) if isinstance(name, str) and name else settings
    # The receipt does not say whether the engine was asked for by name; the fingerprint does.
    return named if named.fingerprint() == told.get("fingerprint") else settings


def _profile(told: Any) -> Profile:
    values = told if isinstance(told, dict) else {}
    known: dict[str, Any] = {}
    for field in fields(Profile):
        value = values.get(field.name)
        metadata = field.metadata
        if "low" in metadata:
            number = _number(value)
            if number is None or not metadata["low"] <= number <= metadata["high"]:
                continue
        elif not isinstance(value, bool if "switch" in metadata else str):
            continue
        known[field.name] = value
    return Profile(**known)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
