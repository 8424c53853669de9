"""A multi-frame Wiener filter on top of the gains, against tones that stand still under a voice.

A gain turns a bin of one frame down as a whole. Where a held note and a gliding voice share the
bin, three successive frames tell them apart: the note turns by the same phase from frame to frame.
From the gains come the covariances of three frames of voice and of mixture over 0.9 s, from these
the linear filter with the least error (multi-frame Wiener filter, Huang & Benesty 2012), bin by
bin below 3 kHz. Where the present gain is under its local mean, it goes on top.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Bins 1 … 127, where tones lie close enough to share a bin with a voice's harmonic.
_BINS = slice(1, 128)
#: Filters change every four frames, and are found from this many groups of four on either side.
GROUP_FRAMES = 4
_RADIUS_GROUPS = 10
#: Frames on either side that can change a frame's filter.
REACH_FRAMES = GROUP_FRAMES * (_RADIUS_GROUPS + 1) + 1
#: Share of the mean power that is added to each frame's own: limits what the filter may amplify.
_LOADING = 1e-3


def refined(spectra: Tensor, gains: Tensor) -> Tensor:
    """Voice spectra of (channels, frames, 1025) for gains of (frames, 1025).

    One filter serves all channels, so that a stereo image does not move. The result is nowhere
    louder than the mixture.
    """
    voice = spectra * gains
    mixture, gain = spectra[..., _BINS], gains[:, _BINS]
    stacked = torch.stack([_later(mixture, 1), mixture, _later(mixture, -1)], dim=-1)
    outer = stacked.unsqueeze(-1) * stacked.unsqueeze(-2).conj()
    outer = outer.sum(dim=0) if len(outer) > 1 else outer[0]
    of_mixture = _local_sums(outer)
    of_voice = _local_sums(outer[..., 1] * gain.unsqueeze(-1))
    mean_gain = of_voice[..., 1].real / (of_mixture[..., 1, 1].real + 1e-20)
    filters = _held(_solved(of_mixture, of_voice, mean_gain), len(gain))
    mean_gain = _held(mean_gain, len(gain))
    filtered = (filters.conj() * stacked).sum(-1)
    found = filtered * (gain / mean_gain.clamp(min=1e-3)).clamp(max=1.0)
    louder = found.abs() / mixture.abs().clamp(min=1e-20)
    voice[..., _BINS] = found / louder.clamp(min=1.0)
    return voice


def _later(values: Tensor, frames: int) -> Tensor:
    """(channels, frames, …) moved by one frame, zeros moving in."""
    moved = torch.roll(values, frames, 1)
    moved[:, 0 if frames > 0 else -1] = 0
    return moved


def _local_sums(values: Tensor) -> Tensor:
    """Sums over the groups around each group of four frames: (groups, …), complex128.

    Running sums over half a minute need the precision: quiet places stand beside loud ones.
    """
    flat = torch.view_as_real(values).reshape(len(values), -1)
    flat = functional.pad(flat, (0, 0, 0, -len(values) % GROUP_FRAMES))
    groups = flat.reshape(-1, GROUP_FRAMES, flat.shape[1]).sum(1).double()
    width = 2 * _RADIUS_GROUPS + 1
    running = functional.pad(groups, (0, 0, _RADIUS_GROUPS + 1, _RADIUS_GROUPS)).cumsum(0)
    sums = (running[width:] - running[:-width]).reshape(-1, *values.shape[1:], 2)
    return torch.view_as_complex(sums.contiguous())


def _held(values: Tensor, frames: int) -> Tensor:
    """A value a group to a value a frame, in single precision."""
    single = values.to(torch.complex64 if values.is_complex() else torch.float32)
    return single.repeat_interleave(GROUP_FRAMES, dim=0)[:frames]


def _solved(of_mixture: Tensor, of_voice: Tensor, mean_gain: Tensor) -> Tensor:
    """The filters: loaded 3 × 3 systems that lead to the mean gain where they know nothing."""
    loading = _LOADING / 3 * of_mixture.diagonal(dim1=-2, dim2=-1).real.sum(-1) + 1e-18
    right = of_voice.clone()
    right[..., 1] += loading * mean_gain
    solution: Tensor = torch.linalg.solve(
        of_mixture + loading[..., None, None] * torch.eye(3), right
    )
    return solution
