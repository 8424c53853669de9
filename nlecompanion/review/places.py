"""Where the review keeps its own things: prepared stems, decisions that a delivery cannot hold."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Prepared stems: `review` below `NLECOMPANION_CACHE` or the system's place for caches."""
    if named := os.environ.get("NLECOMPANION_CACHE"):
        return Path(named) / "review"
    from platformdirs import user_cache_path

    return user_cache_path("nlecompanion", appauthor=False) / "review"


def state_folder() -> Path:
    """What must not be lost: below `NLECOMPANION_STATE` or the system's place for state."""
    if named := os.environ.get("NLECOMPANION_STATE"):
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("nlecompanion", appauthor=False)
