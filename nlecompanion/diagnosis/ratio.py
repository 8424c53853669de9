"""The ratio of speech to background: what the split says, steadied by what the gaps say."""

from __future__ import annotations

#: Weights by least absolute error against known ratios, on the calibration part of
#: `tests/benchmarks/judgement.py`: a split takes the quietest parts of a voice for background and
#: the voice-like parts of a background for voice, so its range is too wide.
_BOTH = (0.798, 0.265, -0.01)
_SPLIT_ALONE = (0.907, 1.12)
_SPLIT_DB = (-25.0, 25.0)
_GAPS_DB = (-10.0, 30.0)


def steadied_sbr_db(split_db: float | None, gaps_db: float | None) -> float | None:
    """Speech over background in dB, or None where the split could not tell.

    `split_db`: voice estimate over background estimate, over frames with speech. `gaps_db`: the
    mixture over frames with speech, over its frames without; it tells a split that lost a voice
    from a voice that is not there. Ratios beyond ±25 dB come back as they are: nothing is decided
    between them.
    """
    if split_db is None:
        return None
    low_db, high_db = _SPLIT_DB
    if not low_db < split_db < high_db:
        return split_db
    if gaps_db is None:
        slope, offset = _SPLIT_ALONE
        return slope * split_db + offset
    by_split, by_gaps, offset = _BOTH
    return by_split * split_db + by_gaps * min(max(gaps_db, _GAPS_DB[0]), _GAPS_DB[1]) + offset
