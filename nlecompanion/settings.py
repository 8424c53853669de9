"""Profiles (what "good enough" means for a job) and settings (how this machine does it)."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

from nlecompanion.errors import SettingsError

DEFAULT_PROFILE = "exposed"
MAX_HANDLES_S = 10


def _number(default: float, low: float, high: float, help_text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": help_text})


@dataclass(frozen=True, slots=True)
class Profile:
    """What "good enough" means. Each key is declared here once: default, range and meaning."""

    name: str = DEFAULT_PROFILE
    title: str = ""
    intensity_db: float = _number(9.0, 0, 60, "how far the background is turned down, dB")
    keep_sbr_db: float = _number(40.0, 0, 200, "a voice this far above its background is kept, dB")
    warn_sbr_db: float = _number(-3.0, -60, 60, "below this the cleaned clip carries a warning, dB")
    min_speech_s: float = _number(0.2, 0, 60, "uses with less speech are left alone, s")
    min_use_s: float = _number(0.25, 0, 60, "shorter uses are left alone, s")
    fade_ms: float = _number(5.0, 0, 100, "fades at the ends of a cleaned file, ms")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a job is done. `path_map` pairs (prefix in the document, prefix on this machine)."""

    profile: Profile = field(default_factory=Profile)
    engine: str = "auto"
    handles_s: Fraction = Fraction(2)
    tracks: tuple[str, ...] = ()
    path_map: tuple[tuple[str, str], ...] = ()
    media_roots: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.handles_s <= MAX_HANDLES_S:
            raise SettingsError(
                f"handles_s must lie between 0 and {MAX_HANDLES_S} s, "
                f"not {float(self.handles_s):g}."
            )

    def fingerprint(self) -> str:
        """SHA-256 over everything that changes the result."""
        values = {
            "profile": asdict(self.profile),
            "engine": self.engine,
            "handles_s": str(self.handles_s),
            "tracks": self.tracks,
            "path_map": self.path_map,
            "media_roots": [str(root) for root in self.media_roots],
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def profile_names() -> tuple[str, ...]:
    """The profiles that are shipped."""
    folder = resources.files("nlecompanion.templates").joinpath("profiles")
    return tuple(
        sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))
    )


def load_profile(name: str) -> Profile:
    """A shipped profile by name, or a user's own by the path of its TOML file.

    Raises:
        SettingsError: no such profile, or a key or value in it that cannot be used.
    """
    if name in profile_names():
        folder = resources.files("nlecompanion.templates").joinpath("profiles")
        return _profile(name, folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return _profile(path.stem, _text(path))
    raise SettingsError(
        f"There is no profile {name!r}. Choose one of {', '.join(profile_names())}, "
        f"or give the path of a .toml file."
    )


def _profile(name: str, text: str) -> Profile:
    known = {f.name: f for f in fields(Profile) if f.name != "name"}
    values: dict[str, Any] = {"name": name}
    for key, value in _table(name, text).items():
        if key not in known:
            raise SettingsError(_unknown_key(f"profile {name}", key, known))
        values[key] = value
        if "low" not in known[key].metadata:
            continue
        low, high = float(known[key].metadata["low"]), float(known[key].metadata["high"])
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(f"{key} in profile {name} must be a number, not {value!r}.")
        if not low <= value <= high:
            raise SettingsError(
                f"{key} in profile {name} must lie between {low:g} and {high:g}, not {value:g}."
            )
    return Profile(**values)


def _table(name: str, text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not valid TOML: {error}.") from error


def _unknown_key(where: str, key: str, known: Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {nearest[0]}?" if nearest else f"Known keys: {', '.join(known)}."
    return f"There is no key {key!r} in {where}. {hint}"


_SETTING_KEYS = ("engine", "handles_s", "profile", "tracks", "media_roots", "path_map")


def load_settings(path: Path) -> dict[str, Any]:
    """The values of a settings file (TOML), checked, as keyword arguments of `Settings`.

    Keys: `engine`, `handles_s`, `profile`, `tracks`, `media_roots` (list of folders) and
    `path_map` (a table: prefix in the document = prefix on this machine).

    Raises:
        SettingsError: an unknown key, naming the nearest one, or a value of the wrong kind.
    """
    values: dict[str, Any] = {}
    for key, value in _table(path.name, _text(path)).items():
        if key not in _SETTING_KEYS:
            raise SettingsError(_unknown_key(path.name, key, dict.fromkeys(_SETTING_KEYS)))
        values[key] = _setting(path, key, value)
    return values


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text (byte {error.start}).") from error


def handles_from(seconds: float) -> Fraction:
    """Handles as an exact length, to the millisecond.

    Raises:
        SettingsError: not between 0 and 10 s.
    """
    if not 0 <= seconds <= MAX_HANDLES_S:  # NaN fails here too
        raise SettingsError(f"handles_s must lie between 0 and {MAX_HANDLES_S} s, not {seconds:g}.")
    return Fraction(seconds).limit_denominator(1000)


def _setting(file: Path, key: str, value: Any) -> Any:
    where = file.name
    if key == "handles_s" and isinstance(value, int | float) and not isinstance(value, bool):
        return handles_from(value)
    if key == "profile" and isinstance(value, str):
        own = file.parent / value
        return load_profile(str(own) if own.suffix == ".toml" else value)
    if key == "engine" and isinstance(value, str):
        return value
    if key in {"tracks", "media_roots"} and isinstance(value, list) and _all_text(value):
        if key == "tracks":
            return tuple(value)
        # Relative folders count from the settings file, wherever the command is called.
        return tuple(file.parent / Path(entry).expanduser() for entry in value)
    if key == "path_map" and isinstance(value, dict) and _all_text(list(value.values())):
        return tuple(value.items())
    raise SettingsError(f"{key} in {where} has a value of the wrong kind: {value!r}.")


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
