"""Reading the network's weights: safetensors with the network's shape as metadata."""

from __future__ import annotations

import json
import struct

import torch

from nlecompanion.engines.dialogue.network import DialogueNetwork, NetworkShape


class WeightsUnusable(Exception):
    """Bytes that are not weights of this network; the engine turns it into an `EngineError`."""


def read_network(content: bytes) -> DialogueNetwork:
    """The network in a weights file, in float32, ready to run.

    Raises:
        WeightsUnusable: damaged, or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)
        shape = NetworkShape.from_json(json.loads(_metadata(content)["shape"]))
        network = DialogueNetwork(shape)
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, struct.error) as error:
        raise WeightsUnusable(f"not weights of the dialogue network: {error}") from error
    if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
        raise WeightsUnusable("the weights hold NaN or infinite values")
    return network.eval().requires_grad_(False)


def _metadata(content: bytes) -> dict[str, str]:
    """The format begins with the header's length in 8 bytes, then the header as JSON."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length].decode("utf-8"))
    metadata = header["__metadata__"]
    return {str(key): str(value) for key, value in metadata.items()}
