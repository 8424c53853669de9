"""Finds, checks, fetches and loads DeepFilterNet3's weights; imports nothing heavy until then."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from nlecompanion.engines.contract import EngineInfo, Readiness
from nlecompanion.engines.weights import (
    fetch_command,
    fetch_file,
    require_sha256,
    sha256_of,
    weights_folder,
)
from nlecompanion.errors import EngineError, WeightsMissing

if TYPE_CHECKING:
    from nlecompanion.engines.deepfilternet.splitter import DeepFilterNet

INFO = EngineInfo(
    name="deepfilternet",
    title="DeepFilterNet3, strong against noise, at 48 kHz",
    version="1",
    licence="MIT or Apache-2.0, code and weights",
    source="https://github.com/Rikorose/DeepFilterNet",
    weights="DeepFilterNet3 as ONNX, fetched on request (9 MB)",
)
#: Environment variable: the address of a folder that has the three files, without their names.
URL_VARIABLE = "NLECOMPANION_DEEPFILTERNET_URL"
DEFAULT_URL = (
    "https://raw.githubusercontent.com/shimondoodkin/deepfilter-rt/"
    "f1a1b27be767a5e62ccc8625017f1737c33a3bf9/models/dfn3"
)
SHA256 = {
    "enc.onnx": "7c5399d3da8a50ebef1c1a0ae421b33376aa5e45d0e92df16da7e83c9c131916",
    "erb_dec.onnx": "ab669a1d10afe20911728b33053a452071042317a90581092b325da7b2f9d895",
    "df_dec.onnx": "23114ce3b0f6464b763ee62f7bb8aab6b2a129a21eabd5bcfe59413db05f278a",
}
#: What the published archive calls its folder: looked for beside the engine's own.
_PUBLISHED_NAME = "DeepFilterNet3"


class DeepFilterNetFactory:
    """Ready once its weights have been fetched or put into the folder by hand."""

    info = INFO
    #: Measured on the benchmark by its mixtures in music, noise and both: 8.20, 8.31 and 7.60 dB.
    merit_db: float | None = 8.0
    merit_pesq: float | None = 1.94

    def readiness(self) -> Readiness:
        """Looks for the files; their contents are checked by `create`."""
        folder = _found_folder()
        missing = _missing(folder)
        if not missing:
            return Readiness(ready=True)
        return Readiness(
            ready=False,
            fix=f"{folder} lacks {', '.join(missing)}. "
            f"Fetch the weights (9 MB) with `{fetch_command(INFO.name)}`.",
        )

    def create(self) -> DeepFilterNet:
        """Loads the graphs from the folder, offline.

        Raises:
            WeightsMissing: with the command that fetches them.
            EngineError: altered files.
        """
        state = self.readiness()
        if not state.ready:
            raise WeightsMissing(f"The deepfilternet engine has no weights. {state.fix}")
        folder = _found_folder()
        for name, sha256 in SHA256.items():
            require_sha256(folder / name, sha256)
        # onnxruntime comes in here.
        from nlecompanion.engines.deepfilternet.graphs import Graphs
        from nlecompanion.engines.deepfilternet.splitter import DeepFilterNet

        return DeepFilterNet(INFO, Graphs(folder))

    def fetch(self) -> None:
        """Fetches what is missing or altered from the address in the settings.

        Raises:
            EngineError: no connection, an error from the server, no space, or other contents than
                expected. Nothing is left behind, and what stood in the folder still does.
        """
        folder = weights_folder(INFO.name)
        base = os.environ.get(URL_VARIABLE) or DEFAULT_URL
        wanted = [name for name in SHA256 if not _is_whole(folder / name)]
        staged = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
        try:
            for name in wanted:
                fetch_file(f"{base.rstrip('/')}/{name}", staged / name, SHA256[name])
            folder.mkdir(parents=True, exist_ok=True)
            for name in wanted:
                (staged / name).replace(folder / name)
        except OSError as error:
            raise EngineError(
                f"Could not put the weights into {folder}: {error}. "
                f"Make room there or choose another folder with NLECOMPANION_WEIGHTS."
            ) from error
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _found_folder() -> Path:
    """The engine's own folder, or the published one beside it where only that has the files."""
    own, published = weights_folder(INFO.name), weights_folder(_PUBLISHED_NAME)
    return published if _missing(own) and not _missing(published) else own


def _missing(folder: Path) -> list[str]:
    return [name for name in SHA256 if not (folder / name).is_file()]


def _is_whole(path: Path) -> bool:
    return path.is_file() and sha256_of(path) == SHA256[path.name]


FACTORY = DeepFilterNetFactory()
