"""A delivery of three uses, one of each ruling that has a file, and the page on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.review import Page, a_delivery, serving

from nlecompanion.model import Ruling


@pytest.fixture
def root(tmp_path: Path) -> Path:
    a_delivery(tmp_path / "out", 3, (Ruling.DELIVER, Ruling.WARN, Ruling.UNFIXABLE))
    return tmp_path / "out"


@pytest.fixture
def page(root: Path) -> Iterator[Page]:
    with serving(root) as page:
        yield page
