"""Checkpoints and weights: safetensors and JSON, never pickle, replaced in one rename."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nlecompanion.engines.dialogue.network import DialogueNetwork, NetworkShape
from nlecompanion.errors import SettingsError

STATE_NAME = "state.json"
WEIGHTS_NAME = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a training needs to go on as if it had never stopped."""

    shape: NetworkShape
    step: int
    updates: int
    #: First step of the final fall of the learning rate and its length; None before it is known.
    decay: tuple[int, int] | None
    #: Seeds and pool sizes: resuming with others would not be the same training.
    identity: dict[str, Any]
    tensors: dict[str, Tensor]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the tensors under a name of their own, then the JSON that names them."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensor_name = f"state-{checkpoint.step:08d}.safetensors"
    partial = folder / "state.part"
    save_file({k: v.contiguous() for k, v in checkpoint.tensors.items()}, str(partial))
    partial.replace(folder / tensor_name)
    fields = {
        "tensors": tensor_name,
        "shape": checkpoint.shape.to_json(),
        "step": checkpoint.step,
        "updates": checkpoint.updates,
        "decay": checkpoint.decay,
        "identity": checkpoint.identity,
    }
    staged = folder / "state.json.part"
    staged.write_text(json.dumps(fields, indent=1), encoding="utf-8")
    staged.replace(folder / STATE_NAME)
    for old in folder.glob("state-*.safetensors"):
        if old.name != tensor_name:
            old.unlink()


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The folder's checkpoint, or None where there is none.

    Raises:
        SettingsError: the checkpoint is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / STATE_NAME
    if not path.exists():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        decay = fields["decay"]
        return Checkpoint(
            NetworkShape.from_json(fields["shape"]),
            fields["step"],
            fields["updates"],
            (decay[0], decay[1]) if decay else None,
            fields["identity"],
            load_file(str(folder / fields["tensors"])),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise SettingsError(
            f"{path} is damaged ({error}): start in another --out folder"
        ) from error


def save_weights(path: Path, shape: NetworkShape, tensors: dict[str, Tensor]) -> None:
    """Weights for the engine: matrices as float16, the rest as float32, the shape as metadata."""
    from safetensors.torch import save_file

    stored = {
        name: (tensor.half() if tensor.ndim == 2 else tensor.float()).contiguous()
        for name, tensor in tensors.items()
    }
    partial = path.with_suffix(".part")
    save_file(stored, str(partial), metadata={"shape": json.dumps(shape.to_json())})
    partial.replace(path)


def load_network(path: Path) -> DialogueNetwork:
    """A network from a weights file.

    Raises:
        SettingsError: no such file, or not weights of this network.
    """
    from nlecompanion.engines.dialogue.weights import WeightsUnusable, read_network

    try:
        return read_network(path.read_bytes())
    except (OSError, WeightsUnusable) as error:
        raise SettingsError(
            f"{path} cannot be trained on ({error}): give a weights file"
        ) from error


def grown(small: DialogueNetwork, shape: NetworkShape) -> DialogueNetwork:
    """A network of a larger shape that gives the same gains: what is added begins as nothing.

    Raises:
        SettingsError: the shape does not begin with the small network's.
    """
    begins = shape.dilations[: len(small.shape.dilations)] == small.shape.dilations
    keeps = shape.surroundings or not small.shape.surroundings
    same = replace(small.shape, dilations=shape.dilations, surroundings=shape.surroundings)
    if same != shape or not begins or not keeps:
        raise SettingsError(
            f"a network of {small.shape} cannot grow to {shape}: train without --grow"
        )
    network = DialogueNetwork(shape)
    with torch.no_grad():
        for name, tensor in small.state_dict().items():
            network.state_dict()[name].copy_(tensor)
    return network


def engine_tensors(network: DialogueNetwork, average: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the engine's weights file holds: averaged weights and the features' statistics."""
    tensors = {name: tensor.detach().clone() for name, tensor in average.items()}
    tensors["feature_mean"] = network.feature_mean.clone()
    tensors["feature_scale"] = network.feature_scale.clone()
    return tensors


def copy_into(network: DialogueNetwork, tensors: dict[str, Tensor]) -> None:
    """Loads named tensors into a network, casting as needed."""
    with torch.no_grad():
        for name, target in network.state_dict().items():
            target.copy_(tensors[name])
