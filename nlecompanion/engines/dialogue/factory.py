"""Finds the dialogue engine's weights and makes the engine; imports nothing heavy until then."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.engines.contract import EngineInfo, Readiness
from nlecompanion.engines.dialogue import release
from nlecompanion.engines.weights import weights_folder
from nlecompanion.errors import EngineError, WeightsMissing

if TYPE_CHECKING:
    from nlecompanion.engines.dialogue.splitter import DialogueEngine

INFO = EngineInfo(
    name="dialogue",
    title="Voice against music, effects and noise, at 48 kHz",
    version=release.VERSION,
    licence="Apache-2.0",
    source="nlecompanion; trained as MODEL_CARD.md beside this file says",
    weights="inside the package",
)
WEIGHTS_NAME = "weights.safetensors"
_SHIPPED = Path(__file__).with_name(WEIGHTS_NAME)
_REINSTALL = "install nlecompanion again, or choose another engine, for example dsp"


class DialogueFactory:
    """Runs with the package's weights, or with one's own from `nlecompanion train`.

    A file `weights.safetensors` in the weights folder of `dialogue` goes before the package's.
    """

    info = INFO
    merit_db: float | None = release.MERIT_DB
    merit_pesq: float | None = release.MERIT_PESQ

    def __init__(self, shipped: Path = _SHIPPED, sha256: str = release.WEIGHTS_SHA256) -> None:
        self._shipped = shipped
        self._sha256 = sha256

    def readiness(self) -> Readiness:
        """Whether a weights file is there; its contents are checked by `create`."""
        if self._own().is_file() or self._shipped.is_file():
            return Readiness(ready=True)
        return Readiness(ready=False, fix=f"{_REINSTALL}: {self._shipped} is missing")

    def create(self) -> DialogueEngine:
        """The engine with its weights loaded.

        Raises:
            WeightsMissing: the package's weights are gone.
            EngineError: they were altered, or one's own weights are not of this network.
        """
        own = self._own()
        path, checked = (own, False) if own.is_file() else (self._shipped, True)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise WeightsMissing(f"{path} is missing: {_REINSTALL}") from error
        except OSError as error:
            raise EngineError(f"{path} cannot be read ({error}): {_REINSTALL}") from error
        if checked:
            self._check(content)
        # torch comes in here.
        from nlecompanion.engines.dialogue.splitter import DialogueEngine
        from nlecompanion.engines.dialogue.weights import WeightsUnusable, read_network

        try:
            return DialogueEngine(INFO, read_network(content))
        except WeightsUnusable as error:
            raise EngineError(
                f"{path} cannot be used ({error}): train again or remove it"
            ) from error

    def fetch(self) -> None:
        """Nothing to fetch: the weights are in the package."""

    def _own(self) -> Path:
        return weights_folder("dialogue") / WEIGHTS_NAME

    def _check(self, content: bytes) -> None:
        found = hashlib.sha256(content).hexdigest()
        if found != self._sha256:
            raise EngineError(
                f"{self._shipped} was altered: its SHA-256 is {found[:16]}…, expected "
                f"{self._sha256[:16]}…: {_REINSTALL}"
            )


FACTORY = DialogueFactory()
