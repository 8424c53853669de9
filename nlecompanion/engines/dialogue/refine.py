"""A multi-frame Wiener filter on top of the gains, against tones that stand still under a voice.

A gain turns a bin of one frame down as a whole. Where a held note and a gliding voice share the
bin, three successive frames tell them apart: the note turns by the same phase from frame to frame.
From the gains come the covariances of three frames of voice and of mixture over 0.9 s, from these
the linear filter with the least error (multi-frame Wiener filter, Huang & Benesty 2012), bin by
bin below 3 kHz. Where the present gain is under its local mean, it goes on top.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

#: Bins 1 … 127, where tones lie close enough to share a bin with a voice's harmonic.
BINS = slice(1, 128)
#: Filters change every four frames, and are found from this many groups of four on either side.
GROUP_FRAMES = 4
_RADIUS_GROUPS = 10
#: Frames on either side that can change a frame's filter.
REACH_FRAMES = GROUP_FRAMES * (_RADIUS_GROUPS + 1) + 1
#: Share of the mean power that is added to each frame's own: limits what the filter may amplify.
_LOADING = 1e-3
#: Groups that are worked on at once: what lies between two steps stays in the processor's cache.
_BATCH_GROUPS = 32

#: Three numbers a group and bin: the frame before, this frame, the frame after.
_Three = tuple[Tensor, Tensor, Tensor]


def refined(mixture: Tensor, gain: Tensor) -> Tensor:
    """Voice spectra of (channels, frames, `BINS`) for the mixture's and gains of (frames, `BINS`).

    One filter serves all channels, so that a stereo image does not move. The result is nowhere
    louder than the mixture.
    """
    frames = len(gain)
    # Silence at both ends, and whole groups.
    mixture = functional.pad(mixture, (0, 0, 1, -frames % GROUP_FRAMES + 1))
    gain = functional.pad(gain, (0, 0, 0, -frames % GROUP_FRAMES))
    sums = [
        _group_sums(part, own, frames - groups.start * GROUP_FRAMES)
        for groups, part, own in _batches(mixture, gain)
    ]
    local = _local_sums(torch.cat(sums, dim=1))
    voice = [
        _filtered(part, own, *_filters(local[:, groups]))
        for groups, part, own in _batches(mixture, gain)
    ]
    return torch.cat(voice, dim=1)[:, :frames]


def _batches(mixture: Tensor, gain: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Groups, the mixture's frames in them with a frame on either side, and their gains."""
    groups = len(gain) // GROUP_FRAMES
    for first in range(0, groups, _BATCH_GROUPS):
        end = min(first + _BATCH_GROUPS, groups)
        frames = slice(first * GROUP_FRAMES, end * GROUP_FRAMES)
        yield slice(first, end), mixture[:, frames.start : frames.stop + 2], gain[frames]


def _group_sums(mixture: Tensor, gain: Tensor, frames: int) -> Tensor:
    """Products of neighbouring frames, summed over channels and groups: (14, groups, bins).

    Of the batch's frames only the first `frames` are sound, the others fill the last group up.

    The power of the frame before, this one and the next; the products of this one with the one
    before and the one after, and of these two; then those with the voice now.
    """
    real, imaginary = mixture.real.contiguous(), mixture.imag.contiguous()
    power = (real.square() + imaginary.square()).sum(0)
    one_real, one_imaginary = _products(real, imaginary, 1)
    two_real, two_imaginary = _products(real, imaginary, 2)
    before, now, after = power[:-2].clone(), power[1:-1], power[2:]
    before[frames:] = 0
    with_before = one_real[:-1], one_imaginary[:-1]
    with_after = one_real[1:], -one_imaginary[1:]
    parts = (before, now, after, *with_before, *with_after, two_real, two_imaginary)
    voiced = (gain * part for part in (now, *with_before, *with_after))
    return torch.stack([_grouped(part[None])[0].sum(1) for part in (*parts, *voiced)])


def _products(real: Tensor, imaginary: Tensor, later: int) -> tuple[Tensor, Tensor]:
    """Each frame times the conjugate of the one `later` frames on, summed over the channels."""
    one_real, one_imaginary = real[:, :-later], imaginary[:, :-later]
    other_real, other_imaginary = real[:, later:], imaginary[:, later:]
    return (
        (one_real * other_real).addcmul_(one_imaginary, other_imaginary).sum(0),
        (one_imaginary * other_real).addcmul_(one_real, other_imaginary, value=-1).sum(0),
    )


def _local_sums(groups: Tensor) -> Tensor:
    """Sums over the groups around each: (slots, groups, bins) to float64 of that shape.

    Running sums over a minute need the precision: quiet places stand beside loud ones.
    """
    width = 2 * _RADIUS_GROUPS + 1
    padded = functional.pad(groups.double(), (0, 0, _RADIUS_GROUPS + 1, _RADIUS_GROUPS))
    running = padded.cumsum(1)
    return running[:, width:] - running[:, :-width]


def _filters(sums: Tensor) -> tuple[_Three, Tensor]:
    """The filters, complex64, and the mean gain, float32, of each group and bin.

    Loaded 3 × 3 systems that lead to the mean gain where they know nothing. Hermitian and positive
    definite, they are solved by their LDL decomposition (Golub & Van Loan 2013, 4.1.2).
    """
    before, now, after = sums[0], sums[1], sums[2]
    mean_gain = sums[9] / (now + 1e-20)
    loading = _LOADING / 3 * (before + now + after) + 1e-18
    voiced = (
        torch.complex(sums[10], sums[11]),
        torch.complex(sums[9] + loading * mean_gain, torch.zeros_like(now)),
        torch.complex(sums[12], sums[13]),
    )
    # Below the diagonal: each later frame times the conjugate of an earlier one.
    now_before = torch.complex(sums[3], -sums[4])
    after_now = torch.complex(sums[5], sums[6])
    after_before = torch.complex(sums[7], -sums[8])
    first = before + loading
    low_1, low_2 = now_before / first, after_before / first
    second = now + loading - _power(low_1) * first
    low_3 = (after_now - low_2 * low_1.conj() * first) / second
    third = after + loading - _power(low_2) * first - _power(low_3) * second
    y_1 = voiced[1] - low_1 * voiced[0]
    y_2 = voiced[2] - low_2 * voiced[0] - low_3 * y_1
    x_2 = y_2 / third
    x_1 = y_1 / second - low_3.conj() * x_2
    x_0 = voiced[0] / first - low_1.conj() * x_1 - low_2.conj() * x_2
    return (_single(x_0), _single(x_1), _single(x_2)), mean_gain.float()


def _single(solution: Tensor) -> Tensor:
    """Conjugated, complex64."""
    return solution.to(torch.complex64).conj().resolve_conj()


def _grouped(values: Tensor) -> Tensor:
    """(channels, frames, bins) to (channels, groups, frames of a group, bins)."""
    channels, frames, bins = values.shape
    return values.reshape(channels, frames // GROUP_FRAMES, GROUP_FRAMES, bins)


def _power(values: Tensor) -> Tensor:
    power: Tensor = values.real.square() + values.imag.square()
    return power


def _filtered(mixture: Tensor, gain: Tensor, taps: _Three, mean_gain: Tensor) -> Tensor:
    """The voice in a batch of groups, (channels, frames, bins)."""
    gain = _grouped(gain[None])[0]
    before, now, after = (
        _grouped(mixture[:, shift : mixture.shape[1] - 2 + shift]) for shift in range(3)
    )
    filtered = now * taps[1][:, None]
    filtered += before * taps[0][:, None]
    filtered += after * taps[2][:, None]
    spread = mean_gain.clamp(min=1e-3).reciprocal()[:, None]
    filtered *= (gain * spread).clamp(max=1.0)
    louder = _power(filtered) / _power(now).clamp_(min=1e-36)
    filtered /= louder.clamp_(min=1.0).sqrt_()
    return filtered.flatten(1, 2)
