"""How many threads the models may use: the one place that touches torch's global setting."""

from __future__ import annotations

import sys

#: Beside any other busy program (the editor's own, for one) torch's threads wait for each other:
#: with two on two cores the dialogue engine fell from 75 to 24 times real time. One thread is
#: steady, and gives the same bits whatever else runs.
WORK_THREADS = 1


def set_threads(count: int) -> None:
    """Lets torch's operators use `count` threads from now on, in the whole process.

    Raises:
        ValueError: less than one.
    """
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, not {count}")
    import torch

    torch.set_num_threads(count)


def settle_threads() -> None:
    """`WORK_THREADS` for whatever engine has just been made; does not load torch for it."""
    if "torch" in sys.modules:
        set_threads(WORK_THREADS)
