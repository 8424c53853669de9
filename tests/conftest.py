"""What tests leave behind outside their own folders goes to temporary ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

_FOLDERS = {"NLECOMPANION_CACHE": "cache", "NLECOMPANION_STATE": "state"}


@pytest.fixture(scope="session", autouse=True)
def shared_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where fixtures of a module or the session keep regions and records."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, name in _FOLDERS.items():
            patch.setenv(variable, str(tmp_path_factory.getbasetemp() / "shared" / name))
        yield


@pytest.fixture(autouse=True)
def own_folders(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every test has its own: none is served by what another has worked on."""
    own = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    for variable, name in _FOLDERS.items():
        monkeypatch.setenv(variable, str(tmp_path_factory.getbasetemp() / f"own-{own}" / name))
