"""What a delivery was made of, kept for whoever wants it made again with other decisions.

It lies in this user's own state folder under the SHA-256 of the delivery's receipt: paths of this
machine have no place in what is handed on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlecompanion.decisions import Decisions
from nlecompanion.delivery.hand_back import RECEIPT_NAME
from nlecompanion.errors import SettingsError
from nlecompanion.settings import Settings
from nlecompanion.settings_wire import settings_from, settings_to

logger = logging.getLogger(__name__)
_FORMAT = 1
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A finished job: the document, and everything but the media that it was done with."""

    document: Path
    settings: Settings
    decisions: Decisions
    engine: str


def records_folder() -> Path:
    """Where this user's records lie: `deliveries` below `NLECOMPANION_STATE` or the system's."""
    if named := os.environ.get("NLECOMPANION_STATE"):
        return Path(named) / "deliveries"
    from platformdirs import user_state_path

    return user_state_path("nlecompanion", appauthor=False) / "deliveries"


def record_path(delivery: Path) -> Path:
    """The record of the delivery in that folder, whether there is one or not.

    Raises:
        OSError: its receipt cannot be read.
    """
    with (delivery / RECEIPT_NAME).open("rb") as receipt:
        return records_folder() / f"{hashlib.file_digest(receipt, 'sha256').hexdigest()}.json"


def keep_record(record: JobRecord, delivery: Path) -> None:
    """Writes the record of a delivery; one that cannot be written is a line in the log."""
    try:
        path = record_path(delivery)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 0600, and whole under its name or not at all.
        number, aside = tempfile.mkstemp(dir=path.parent, prefix=".record-")
        with os.fdopen(number, "w", encoding="ascii") as file:
            json.dump(record_values(record), file)
        Path(aside).replace(path)
    except OSError as error:
        logger.warning("No record of %s was kept: %s", delivery.name, error)


def read_record(delivery: Path) -> JobRecord | None:
    """What the delivery in that folder was made of; None where this user has no record of it.

    Raises:
        SettingsError: the record is damaged, or of another version.
        OSError: the delivery's receipt cannot be read.
    """
    try:
        with record_path(delivery).open("rb") as file:
            values = json.loads(file.read(_LARGEST_BYTES))
    except FileNotFoundError:
        if not (delivery / RECEIPT_NAME).is_file():
            raise
        return None
    except ValueError as error:
        raise SettingsError(f"The record of {delivery.name} is damaged: {error}.") from error
    return record_from_values(values, delivery.name)


def record_values(record: JobRecord) -> dict[str, Any]:
    """A record as JSON values."""
    return {
        "format": _FORMAT,
        "document": os.fspath(record.document),
        "engine": record.engine,
        "settings": settings_to(record.settings),
        "decisions": record.decisions.to_json(),
    }


def record_from_values(values: Any, name: str) -> JobRecord:
    """The record in these JSON values; `name` is what an error calls it.

    Raises:
        SettingsError: they are no record, or one of another version.
    """
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise SettingsError(
            f"The record of {name} was written by another version of nlecompanion. "
            "Run the timeline again."
        )
    try:
        return JobRecord(
            document=Path(values["document"]),
            settings=settings_from(values["settings"]),
            decisions=Decisions.from_json(values["decisions"]),
            engine=str(values["engine"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"The record of {name} is damaged ({error}).") from error
