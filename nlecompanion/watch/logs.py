"""One line a state change: for people on a terminal, as JSON everywhere else."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

#: What a record may carry besides its line (see `states.tell`).
_FIELDS = ("event", "job", "document", "state", "state_before", "profile", "note")


class JsonLines(logging.Formatter):
    """A JSON object a record: time (ISO 8601, UTC), level, message, and the fields that it has."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values = {"at": at, "level": record.levelname.lower(), "message": record.getMessage()}
        values |= {name: vars(record)[name] for name in _FIELDS if name in vars(record)}
        if record.exc_info:
            values["trace"] = self.formatException(record.exc_info)
        return json.dumps(values)


def log_state_changes(stream: TextIO | None = None) -> None:
    """The daemon's lines on standard error, whatever -v said, in the form that fits it."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    people = logging.Formatter("%(asctime)s %(message)s")
    handler.setFormatter(people if stream.isatty() else JsonLines())
    watch = logging.getLogger("nlecompanion.watch")
    watch.handlers = [handler]
    watch.setLevel(min(logging.INFO, logging.getLogger().getEffectiveLevel()))
    watch.propagate = False
