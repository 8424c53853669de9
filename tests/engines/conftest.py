"""Tiny models run faster, and the same everywhere, on one thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nlecompanion.engines.threads import set_threads


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    set_threads(1)
    yield
    set_threads(before)
