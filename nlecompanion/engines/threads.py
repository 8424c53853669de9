"""How many threads the models may use: the one place that touches torch's global setting."""

from __future__ import annotations


def set_threads(count: int) -> None:
    """Lets torch's operators use `count` threads from now on, in the whole process.

    Raises:
        ValueError: less than one.
    """
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, not {count}")
    import torch

    torch.set_num_threads(count)
