"""Profiles (what "good enough" means for a job) and settings (how this machine does it)."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from nlecompanion.errors import SettingsError

DEFAULT_PROFILE = "exposed"
MAX_HANDLES_S = 10
AUTO: Final = "auto"
MAX_WORKERS = 256
MAX_CACHE_GB = 100_000


def _number(default: float | None, low: float, high: float, help_text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": help_text})


def _switch(*, default: bool, help_text: str) -> Any:
    return field(default=default, metadata={"switch": True, "help": help_text})


@dataclass(frozen=True, slots=True)
class Profile:
    """What "good enough" means. Each key is declared here once: default, range and meaning."""

    name: str = DEFAULT_PROFILE
    title: str = ""
    intensity_db: float | None = _number(None, 0, 60, "a fixed intensity instead of the lowest, dB")
    min_intensity_db: float = _number(6.0, 0, 30, "what is worked on gets at least this, dB")
    max_intensity_db: float = _number(18.0, 0, 60, "the background is never turned down more, dB")
    readable: float = _number(0.85, 0, 1, "readability (SII) over speech to reach, 0 to 1")
    readable_quietest: float = _number(0.4, 0, 1, "readability of the quietest fifth, 0 to 1")
    warn_readable: float = _number(0.6, 0, 1, "readability under which a warning is due, 0 to 1")
    keep_sbr_db: float = _number(30.0, 0, 200, "a voice this far above its background is kept, dB")
    light_sbr_db: float = _number(15.0, -60, 200, "from here on light clean-up is enough, dB")
    hostile_sbr_db: float = _number(-3.0, -60, 60, "below this it is a best effort, dB")
    warn_risk: float = _number(0.2, 0, 1, "risk of being beyond saving that brings a warning")
    unfixable_risk: float = _number(0.5, 0, 1, "risk from which on the original stays in place")
    floor_drop_db: float = _number(18.5, 0, 60, "the floor in pauses sinks by at most this, dB")
    pumping_db: float = _number(6.0, 0, 60, "background under speech against pauses, at most, dB")
    high_pass_hz: float = _number(100.0, 0, 120, "highest cut-off of the high-pass (0: off), Hz")
    hum_db: float = _number(30.0, 0, 60, "deepest notch on measured mains hum (0: off), dB")
    plosive_db: float = _number(12.0, 0, 12, "most that a plosive is turned down by (0: off), dB")
    de_echo: bool = _switch(default=True, help_text="echo is taken off where it is the problem")
    c50_limit_db: float = _number(10.0, -10, 20, "only voices under this clarity C50 have echo, dB")
    de_echo_db: float = _number(18.0, 0, 18, "how far late echo goes down at most, dB")
    budget_db: float = _number(24.0, 0, 60, "intensity and de-echo together, at most, dB")
    compression_ratio: float = _number(1.3, 1, 2.5, "ratio of the gentle compression (1: off)")
    deess_db: float = _number(4.0, 0, 6, "most that sharp sibilants are turned down by, dB")
    presence_db: float = _number(3.0, 0, 3, "most that dull consonants are raised by, dB")
    match_level: bool = _switch(default=True, help_text="speech as loud as the original's")
    target_lufs: float = _number(0.0, -60, 0, "loudness of the speech (0: the original's), LUFS")
    ride_db: float = _number(0.0, 0, 4, "most that riding moves the level by (0: off), dB")
    ceiling_dbtp: float = _number(
        -1.0, -12, 0, "true peak at most, or the original's where higher, dBTP"
    )
    room_tone: bool = _switch(default=True, help_text="room tone is laid under what sinks too low")
    tone_lowered_db: float = _number(6.0, 0, 40, "how far under the original floor tone lies, dB")
    tone_clip_s: float = _number(30.0, 0, 600, "length of the clips on `Room tone` (0: none), s")
    min_speech_s: float = _number(0.2, 0, 60, "uses with less speech are left alone, s")
    min_use_s: float = _number(0.25, 0, 60, "shorter uses are left alone, s")
    fade_ms: float = _number(5.0, 0, 100, "fades at the ends of a cleaned file, ms")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a job is done. `path_map` pairs (prefix in the document, prefix on this machine).

    Below `search_roots`, media that are offline are looked for by name. `report_sound_mb` is the
    most that all sounds in the report take together, MB (0: none). `workers` is how many processes
    share the regions: 0 for this one, "auto" by cores and free memory. `cache_gb` is the most that
    finished regions kept for later runs take, GB (0: none are kept).
    """

    profile: Profile = field(default_factory=Profile)
    engine: str = "auto"
    handles_s: Fraction = Fraction(2)
    tracks: tuple[str, ...] = ()
    path_map: tuple[tuple[str, str], ...] = ()
    media_roots: tuple[Path, ...] = ()
    search_roots: tuple[Path, ...] = ()
    report_sound_mb: float = 12.0
    workers: int | Literal["auto"] = 0
    cache_gb: float = 20.0

    def __post_init__(self) -> None:
        if not 0 <= self.handles_s <= MAX_HANDLES_S:
            raise SettingsError(
                f"handles_s must lie between 0 and {MAX_HANDLES_S} s, "
                f"not {float(self.handles_s):g}."
            )
        if self.workers != AUTO and not 0 <= self.workers <= MAX_WORKERS:
            raise SettingsError(
                f"workers must lie between 0 and {MAX_WORKERS}, or be {AUTO!r}, "
                f"not {self.workers!r}."
            )
        if not 0 <= self.cache_gb <= MAX_CACHE_GB:
            raise SettingsError(
                f"cache_gb must lie between 0 and {MAX_CACHE_GB}, not {self.cache_gb:g}."
            )

    def fingerprint(self) -> str:
        """SHA-256 over everything that changes the result; who does the work does not."""
        values = {
            "profile": asdict(self.profile),
            "engine": self.engine,
            "handles_s": str(self.handles_s),
            "tracks": self.tracks,
            "path_map": self.path_map,
            "media_roots": [str(root) for root in self.media_roots],
            "search_roots": [str(root) for root in self.search_roots],
            "report_sound_mb": self.report_sound_mb,
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
        _check_value(f"{key} in profile {name}", value, known[key].metadata)
        values[key] = value
    return Profile(**values)


#: A user's own keys, beside a timeline or in a watched folder.
OWN_FILE = "nlecompanion.toml"


def own_files(document: Path) -> tuple[Path, ...]:
    """Files with keys of the user's own for this timeline, the strongest last.

    `nlecompanion.toml` in the watched folder that the timeline lies in, the same beside the
    timeline, and `NAME.toml` beside `NAME.xml`.
    """
    watched = [f / OWN_FILE for f in document.parents if (f / ".nlecompanion").is_dir()]
    beside = [document.with_name(OWN_FILE), document.with_suffix(".toml")]
    return tuple(dict.fromkeys(path for path in (*watched[:1], *beside) if path.is_file()))


def overlaid(profile: Profile, path: Path) -> tuple[Profile, tuple[str, ...]]:
    """The profile with the keys of the user's own file, and which those are.

    Raises:
        SettingsError: a key or value in it that cannot be used.
    """
    known = {f.name: f for f in fields(Profile) if f.name != "name"}
    values = dict(_table(path.name, _text(path)))
    for key, value in values.items():
        if key not in known:
            raise SettingsError(_unknown_key(path.name, key, known))
        _check_value(f"{key} in {path.name}", value, known[key].metadata)
    return replace(profile, **values), tuple(values)


def _check_value(where: str, value: object, declared: Mapping[str, Any]) -> None:
    if "switch" in declared:
        if not isinstance(value, bool):
            raise SettingsError(f"{where} must be true or false, not {value!r}.")
    elif "low" in declared:
        low, high = float(declared["low"]), float(declared["high"])
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(f"{where} must be a number, not {value!r}.")
        if not low <= value <= high:
            raise SettingsError(f"{where} must lie between {low:g} and {high:g}, not {value:g}.")
    elif not isinstance(value, str):
        raise SettingsError(f"{where} must be text, not {value!r}.")


def _table(name: str, text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not valid TOML: {error}.") from error


def _unknown_key(where: str, key: str, known: Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {nearest[0]}?" if nearest else f"Known keys: {', '.join(known)}."
    return f"There is no key {key!r} in {where}. {hint}"


_LISTS = ("tracks", "media_roots", "search_roots")
_KEPT = {"report_sound_mb": 200, "cache_gb": MAX_CACHE_GB}
_SETTING_KEYS = ("engine", "handles_s", "profile", *_LISTS, "path_map", *_KEPT, "workers")


def load_settings(path: Path) -> dict[str, Any]:
    """The values of a settings file (TOML), checked, as keyword arguments of `Settings`.

    Keys: `engine`, `handles_s`, `profile`, `tracks`, `media_roots` and `search_roots` (lists of
    folders), `path_map` (a table: prefix in the document = prefix on this machine),
    `report_sound_mb` (0 to 200), `workers` (a number, or "auto") and `cache_gb`.

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
    if key in _KEPT and isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= _KEPT[key]:
            raise SettingsError(
                f"{key} in {where} must lie between 0 and {_KEPT[key]}, not {value:g}."
            )
        return float(value)
    if key == "workers" and (value == AUTO or type(value) is int):
        return value
    if key == "profile" and isinstance(value, str):
        own = file.parent / value
        return load_profile(str(own) if own.suffix == ".toml" else value)
    if key == "engine" and isinstance(value, str):
        return value
    if key in _LISTS and isinstance(value, list) and _all_text(value):
        if key == "tracks":
            return tuple(value)
        # Relative folders count from the settings file, wherever the command is called.
        try:
            return tuple(file.parent / Path(entry).expanduser() for entry in value)
        except RuntimeError as error:  # ~ of nobody
            raise SettingsError(f"{key} in {where} cannot be found: {error}") from error
    if key == "path_map" and isinstance(value, dict) and _all_text(list(value.values())):
        return tuple(value.items())
    raise SettingsError(f"{key} in {where} has a value of the wrong kind: {value!r}.")


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
