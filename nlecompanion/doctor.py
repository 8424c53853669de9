"""What is installed, which engines are ready, can the folders be written; each with its fix."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion import __version__
from nlecompanion.errors import NleCompanionError

if TYPE_CHECKING:
    from nlecompanion.engines.contract import EngineFactory

_PACKAGES = ("opentimelineio", "torch", "demucs", "onnxruntime", "silero-vad", "av", "soundfile")
_LITTLE_SPACE_GIB = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `trouble`: work will fail; a `fix` without trouble is a gain to be had."""

    what: str
    state: str
    trouble: bool = False
    fix: str = ""


def examine(folders: Sequence[Path]) -> tuple[Finding, ...]:
    """All findings, in the order in which a person would fix them."""
    return (*_programs(), *_packages(), *_adapters(), *_engines(), *map(_folder, folders))


def _programs() -> Iterator[Finding]:
    yield Finding("nlecompanion", f"{__version__} on Python {platform.python_version()}")
    from nlecompanion.media.programs import find_ffmpeg

    try:
        ffmpeg = find_ffmpeg()
    except NleCompanionError as error:
        yield Finding("ffmpeg", str(error), trouble=True, fix="pip install imageio-ffmpeg")
        return
    yield Finding("ffmpeg", f"{ffmpeg.version} from {ffmpeg.origin} ({ffmpeg.path})")


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "missing", trouble=True, fix=f"pip install {name}")


def _adapters() -> Iterator[Finding]:
    from nlecompanion.plugins import adapters

    for name, adapter in adapters().items():
        yield Finding(f"format {name}", f"{adapter.title} ({', '.join(adapter.suffixes)})")


def _engines() -> Iterator[Finding]:
    from nlecompanion.plugins import engine_factories, engine_factory

    factories = engine_factories()
    chosen = engine_factory("auto")
    for name, factory in factories.items():
        readiness = factory.readiness()
        state = "ready" if readiness.ready else "not ready"
        if factory is chosen:
            state += ", taken by --engine auto"
        fix = readiness.fix
        if not readiness.ready:
            fix = f"{fix} {_gain(factory, chosen)}".strip()
        yield Finding(f"engine {name}", state, fix=fix)


def _gain(missing: EngineFactory, chosen: EngineFactory) -> str:
    """What fetching an engine's weights would gain over the one that is taken now."""
    if missing.merit_pesq is None or missing.merit_db is None:
        return "Its gain is not measured."
    gain_db = missing.merit_db - (chosen.merit_db or 0)
    gain_pesq = missing.merit_pesq - (chosen.merit_pesq or 0)
    return (
        f"On our benchmark: {gain_db:+.1f} dB SI-SDR and {gain_pesq:+.2f} PESQ "
        f"against {chosen.info.name}."
    )


def _folder(folder: Path) -> Finding:
    what = f"folder {folder}"
    if not folder.is_dir():
        return Finding(what, "does not exist", trouble=True, fix=f"Make it: mkdir '{folder}'")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".nlecompanion-"):
            pass
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        return Finding(
            what,
            f"cannot be written ({reason})",
            trouble=True,
            fix="Give yourself the right to write there, or choose another folder with --out.",
        )
    free_gib = shutil.disk_usage(folder).free / 2**30
    if free_gib < _LITTLE_SPACE_GIB:
        # An hour of stereo takes 1 GiB cleaned and 2.8 GiB while it is worked on.
        fix = "An hour of stereo needs about 4 GiB while it is worked on. Make room."
        return Finding(what, f"writable, only {free_gib:.1f} GiB free", fix=fix)
    return Finding(what, f"writable, {free_gib:.0f} GiB free")
