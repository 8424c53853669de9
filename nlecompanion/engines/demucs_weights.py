"""Finds, checks, loads and fetches Demucs' weights.

The folder holds what demucs' own Hugging Face loader reads: `<bag>.yaml`, which lists the bag's
models and how much each counts for each source, and `<signature>.safetensors` per model, whose
metadata name the class and its arguments. Checkpoints ending in `.th` are pickles, which run code
when they are opened: they are never read. The metadata may name Demucs' own classes only, for the
same reason. `SHA256SUMS`, written by a fetch, is checked where it is there.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

from nlecompanion.engines.contract import Readiness
from nlecompanion.engines.weights import fetch_command, require_sha256, sha256_of
from nlecompanion.errors import EngineError, WeightsMissing

#: The bag that is fetched. Only the model that it uses for the voice is: 1 of 4.
BAG = "htdemucs_ft"
#: Bags in order of preference; others come after, by name.
_PREFERRED = (BAG, "htdemucs")
VOICE = "vocals"
#: The order in which every published bag lists its sources starts with these.
_SOURCES = ("drums", "bass", "other", VOICE)
_CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")
_SIGNATURE = re.compile(r"^[0-9A-Za-z_]+$")
_SUMS = "SHA256SUMS"

#: Puts one file of a bag's repository into a folder.
Download = Callable[[str, str, Path], None]


@dataclass(frozen=True, slots=True)
class Bag:
    """The models of a bag that have a say in the voice, with their weights."""

    name: str
    folder: Path
    voices: tuple[tuple[str, float], ...]

    def file(self, signature: str) -> Path:
        """Where a model's weights lie."""
        return self.folder / f"{signature}.safetensors"


def readiness(folder: Path) -> Readiness:
    """Whether the folder holds a whole bag; looks at names and the small YAML only."""
    command = f"`{fetch_command('demucs')}`"
    try:
        bag = find_bag(folder)
    except EngineError as error:
        return Readiness(ready=False, fix=str(error))
    if bag is None:
        if any(folder.glob("*.th")):
            return Readiness(
                ready=False,
                fix=f"{folder} holds .th checkpoints, which are pickles and never opened. "
                f"Fetch the safetensors with {command}.",
            )
        return Readiness(ready=False, fix=f"Fetch the weights (mind their licence) with {command}.")
    missing = [bag.file(name).name for name, _ in bag.voices if not bag.file(name).is_file()]
    if missing:
        return Readiness(
            ready=False,
            fix=f"{', '.join(missing)} is missing in {folder}. Fetch the weights with {command}.",
        )
    return Readiness(ready=True)


def find_bag(folder: Path) -> Bag | None:
    """The best bag in the folder, None where there is none.

    Raises:
        EngineError: its YAML is not a bag.
    """
    names = {path.stem for path in folder.glob("*.yaml")}
    for name in [*(name for name in _PREFERRED if name in names), *sorted(names)]:
        return _read_bag(folder / f"{name}.yaml")
    return None


def _read_bag(path: Path) -> Bag:
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        names = [str(name) for name in content["models"]]
        weights = content.get("weights") or [[1.0] * len(_SOURCES)] * len(names)
        shares = [float(row[_SOURCES.index(VOICE)]) for row in weights]
        if not all(_SIGNATURE.match(name) for name in names):
            raise ValueError(f"{names} are not signatures of models")
        voices = tuple(
            (name, share) for name, share in zip(names, shares, strict=True) if share > 0
        )
        if not voices:
            raise ValueError("no model counts for the voice")
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise EngineError(
            f"{path} does not describe a Demucs bag: {error}. "
            f"Delete it and fetch the weights with `{fetch_command('demucs')}`."
        ) from error
    return Bag(path.stem, path.parent, voices)


def load(folder: Path) -> tuple[list[tuple[Any, float]], str]:
    """The models with their shares in the voice, and a word on which they are. Offline.

    Raises:
        WeightsMissing: with the command that fetches them.
        EngineError: damaged files, or files that are no Demucs models.
    """
    state = readiness(folder)
    bag = find_bag(folder) if state.ready else None
    if bag is None:
        raise WeightsMissing(f"The demucs engine has no weights. {state.fix}")
    sums = _known_sums(folder)
    models, words = [], []
    for signature, share in bag.voices:
        path = bag.file(signature)
        if path.name in sums:
            require_sha256(path, sums[path.name])
        models.append((load_model(path), share))
        words.append(f"{path.name} ({sha256_of(path)[:16]})")
    return models, f"{bag.name}: {', '.join(words)}"


def load_model(path: Path) -> Any:
    """One model, in evaluation mode.

    Raises:
        EngineError: not a safetensors file, not one of Demucs' classes, or other tensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        model = _model_class(metadata)(
            *_decoded(json.loads(metadata["args"])),
            **_decoded(json.loads(metadata["kwargs"])),
        )
        model.load_state_dict(tensors)
        if VOICE not in model.sources:
            raise ValueError(f"it separates {', '.join(model.sources)}, not {VOICE}")
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EngineError(
            f"{path} is not a Demucs model that can be used: {reason}. "
            f"Delete it and fetch the weights with `{fetch_command('demucs')}`."
        ) from error
    return model.eval()


def _model_class(metadata: dict[str, str]) -> Callable[..., Any]:
    """The constructor that the metadata name, dropping arguments that it no longer knows."""
    if "structure" in metadata:
        raise ValueError("its weights are quantised; use a bag without _q")
    name = metadata["klass"]
    if name not in _CLASSES:
        raise ValueError(f"it asks for the class {name!r}")
    module, _, attribute = name.rpartition(".")
    klass: Callable[..., Any] = getattr(import_module(module), attribute)
    known = inspect.signature(klass).parameters

    def build(*args: Any, **kwargs: Any) -> Any:
        return klass(*args, **{key: value for key, value in kwargs.items() if key in known})

    return build


def _decoded(value: Any) -> Any:
    """JSON with fractions as `{"_type": "fraction", "numerator": n, "denominator": d}`."""
    if isinstance(value, dict):
        if value.get("_type") == "fraction":
            return Fraction(value["numerator"], value["denominator"])
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value


def _known_sums(folder: Path) -> dict[str, str]:
    path = folder / _SUMS
    if not path.is_file():
        return {}
    lines = [line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines()]
    return {name.strip(): digest for digest, name in (line for line in lines if len(line) == 2)}


def hub_download(bag: str, filename: str, folder: Path) -> None:
    """One file from where demucs' own loader gets it."""
    from demucs.hf import DEFAULT_NAMESPACE, hf_repo_name
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    # Libraries do not print.
    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        hf_hub_download(f"{DEFAULT_NAMESPACE}/{hf_repo_name(bag)}", filename, local_dir=folder)
    finally:
        if shown:
            enable_progress_bars()


def fetch(folder: Path, download: Download = hub_download) -> None:
    """Fetches `BAG` into the folder: staged beside it, loaded once as a check, then moved.

    Raises:
        EngineError: the download failed or is no model. What stood in the folder still does.
    """
    staged = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    try:
        staged.mkdir(parents=True)
        download(BAG, f"{BAG}.yaml", staged)
        bag = _read_bag(staged / f"{BAG}.yaml")
        for signature, _ in bag.voices:
            download(BAG, bag.file(signature).name, staged)
        load(staged)
        names = [bag.file(signature).name for signature, _ in bag.voices] + [f"{BAG}.yaml"]
        sums = "".join(f"{sha256_of(staged / name)}  {name}\n" for name in names)
        (staged / _SUMS).write_text(sums, "utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        # The YAML last: without it, what lies there is not a bag.
        for name in (_SUMS, *names):
            (staged / name).replace(folder / name)
    except EngineError:
        raise
    except Exception as error:
        # The hub's client raises errors of several libraries, not all of them OSError.
        raise EngineError(
            f"Could not fetch Demucs' weights: {type(error).__name__}: "
            f"{(str(error).splitlines() or [''])[0]}. Check the connection and try again."
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
