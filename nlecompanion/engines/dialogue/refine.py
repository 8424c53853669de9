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
    of_mixture, of_voice = _covariances(mixture, gain)
    mean_gain = of_voice[..., 1].real / (of_mixture[..., 1, 1].real + 1e-20)
    filters = _solved(of_mixture, of_voice, mean_gain).conj().to(mixture.dtype)
    filtered = _held(filters[..., 1], gain) * mixture
    filtered += _held(filters[..., 0], gain) * _later(mixture, 1)
    filtered += _held(filters[..., 2], gain) * _later(mixture, -1)
    spread = _held(mean_gain.clamp(min=1e-3).reciprocal().to(gain.dtype), gain)
    found = filtered * (gain * spread).clamp(max=1.0)
    louder = found.abs() / mixture.abs().clamp(min=1e-20)
    voice[..., _BINS] = found / louder.clamp(min=1.0)
    return voice


def _later(values: Tensor, frames: int) -> Tensor:
    """(channels, frames, bins) moved by one frame, zeros moving in."""
    moved = torch.roll(values, frames, 1)
    moved[:, 0 if frames > 0 else -1] = 0
    return moved


def _covariances(mixture: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Local covariances a group of frames, of the frame before, this one and the next.

    Those of the mixture with itself, (groups, bins, 3, 3), and of the three with the voice now,
    (groups, bins, 3), complex128. Only two complex products differ by more than a moved frame.
    """
    power = (mixture.real.square() + mixture.imag.square()).sum(0, keepdim=True)
    one = (_later(mixture, 1) * mixture.conj()).sum(0, keepdim=True)
    two = (_later(mixture, 1) * _later(mixture, -1).conj()).sum(0)
    before, now, after = _later(power, 1)[0], power[0], _later(power, -1)[0]
    with_before, with_after = one[0], _later(one, -1)[0].conj()
    parts = [before, now, after, with_before.real, with_before.imag, with_after.real]
    parts += [with_after.imag, two.real, two.imag, gain * now, gain * with_before.real]
    parts += [gain * with_before.imag, gain * with_after.real, gain * with_after.imag]
    sums = _local_sums(torch.stack(parts))
    lower, upper = torch.complex(sums[3], sums[4]), torch.complex(sums[5], sums[6])
    far = torch.complex(sums[7], sums[8])
    rows = (
        (sums[0] + 0j, lower, far),
        (lower.conj(), sums[1] + 0j, upper.conj()),
        (far.conj(), upper, sums[2] + 0j),
    )
    of_mixture = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    voiced = torch.complex(sums[10], sums[11]), sums[9] + 0j, torch.complex(sums[12], sums[13])
    return of_mixture, torch.stack(voiced, dim=-1)


def _local_sums(values: Tensor) -> Tensor:
    """Sums over the groups around each group of four frames: (slots, frames, bins) to float64.

    Running sums over half a minute need the precision: quiet places stand beside loud ones.
    """
    padded = functional.pad(values, (0, 0, 0, -values.shape[1] % GROUP_FRAMES))
    slots, _, bins = padded.shape
    groups = padded.reshape(slots, -1, GROUP_FRAMES, bins).sum(2).double()
    width = 2 * _RADIUS_GROUPS + 1
    running = functional.pad(groups, (0, 0, _RADIUS_GROUPS + 1, _RADIUS_GROUPS)).cumsum(1)
    return running[:, width:] - running[:, :-width]


def _held(values: Tensor, like: Tensor) -> Tensor:
    """(groups, bins) to (frames, bins): the same for all frames of a group."""
    return values.repeat_interleave(GROUP_FRAMES, dim=0)[: len(like)]


def _solved(of_mixture: Tensor, of_voice: Tensor, mean_gain: Tensor) -> Tensor:
    """The filters: loaded 3 × 3 systems that lead to the mean gain where they know nothing."""
    loading = _LOADING / 3 * of_mixture.diagonal(dim1=-2, dim2=-1).real.sum(-1) + 1e-18
    right = of_voice.clone()
    right[..., 1] += loading * mean_gain
    solution: Tensor = torch.linalg.solve(
        of_mixture + loading[..., None, None] * torch.eye(3), right
    )
    return solution
