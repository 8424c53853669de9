"""Settings as JSON values and back, for a process of our own."""

from __future__ import annotations

from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from nlecompanion.settings import Profile, Settings


def settings_to(settings: Settings) -> dict[str, Any]:
    """JSON values that `settings_from` reads."""
    values = {f.name: _written(getattr(settings, f.name)) for f in fields(Settings)}
    return values | {"profile": asdict(settings.profile)}


def settings_from(values: dict[str, Any]) -> Settings:
    """The settings that were written.

    Raises:
        TypeError, SettingsError: they are none.
    """
    profile = Profile(**values["profile"])
    others = {name: _read(value) for name, value in values.items() if name != "profile"}
    return Settings(profile=profile, **others)


def _written(value: Any) -> Any:
    if isinstance(value, Fraction):
        return {"numerator": value.numerator, "denominator": value.denominator}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        if "path" in value:
            return Path(value["path"])
        return Fraction(value["numerator"], value["denominator"])
    if isinstance(value, list):
        return tuple([_read(item) for item in value])
    return value
