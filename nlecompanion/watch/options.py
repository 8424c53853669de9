"""A watched folder's own options: `watch.toml` inside of it, read by every command and at run."""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nlecompanion.errors import SettingsError
from nlecompanion.watch.layout import OPTIONS


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How this folder is watched. Each key is declared here once: name, default and kind.

    `state_dir` holds journal and lock where the folder itself lies on a network drive. `webhook` is
    an address that every done, failed or parked job is posted to as JSON; `notify` shows it on the
    desktop. Times are in seconds; work that has not moved for `stall_s` is ended, and tried once
    more.
    """

    state_dir: Path | None = None
    polling: bool = False
    still_s: float = 5.0
    rescan_s: float = 60.0
    poll_s: float = 5.0
    retry_parked_s: float = 60.0
    stall_s: float = 3600.0
    webhook: str = ""
    notify: bool = False


def load_options(folder: Path) -> FolderOptions:
    """The options of a folder; the defaults where it has no file.

    Raises:
        SettingsError: an unknown key, naming the nearest one, or a value of the wrong kind.
    """
    file = folder / OPTIONS
    try:
        _refuse_strangers(file)
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return FolderOptions()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.") from error
    return FolderOptions(**{key: _checked(file, key, value) for key, value in values.items()})


def _refuse_strangers(file: Path) -> None:
    """Whoever may drop timelines may not thereby say where news are sent and journals lie."""
    if sys.platform != "win32" and file.stat().st_uid not in (0, os.geteuid()):
        raise SettingsError(f"{file} belongs to another user. Make it your own, or take it away.")


def _checked(file: Path, key: str, value: Any) -> Any:
    known = {field.name: field.default for field in fields(FolderOptions)}
    if key not in known:
        nearest = difflib.get_close_matches(key, known, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Known keys: {', '.join(known)}."
        raise SettingsError(f"There is no key {key!r} in {file}. {hint}")
    if key == "state_dir" and isinstance(value, str):
        return _state_dir(file, value)
    if key == "webhook" and isinstance(value, str):
        return _webhook(file, value)
    if isinstance(known[key], bool) and isinstance(value, bool):
        return value
    if isinstance(known[key], float) and type(value) in (int, float):
        if not 0 <= value <= 86_400 or (value == 0 and key != "still_s"):
            raise SettingsError(f"{key} in {file} must lie between 0 and 86400 s, not {value:g}.")
        return float(value)
    raise SettingsError(f"{key} in {file} has a value of the wrong kind: {value!r}.")


def _state_dir(file: Path, value: str) -> Path:
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:  # ~ of nobody
        raise SettingsError(f"state_dir in {file} cannot be found: {error}") from error
    if not path.is_absolute():
        raise SettingsError(
            f"state_dir in {file} must be a whole path on a local disk, not {value!r}."
        )
    return path


def _webhook(file: Path, value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise SettingsError(f"webhook in {file} must begin with https:// or http://.")
    return value
