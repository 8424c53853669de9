"""The page's scripts under TypeScript's checker, which reads their JSDoc."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import resources

import pytest

_OPTIONS = (
    "--allowJs --checkJs --noEmit --strict --target es2023 --module es2022 --moduleResolution"
    " bundler --lib es2023,dom,dom.iterable,dom.asynciterable --noUnusedLocals"
    " --noUnusedParameters --noImplicitReturns"
)


def test_the_scripts_keep_their_types() -> None:
    tsc = os.environ.get("TSC") or shutil.which("tsc")
    if tsc is None or shutil.which("node") is None:
        pytest.skip("there is no TypeScript checker here: TSC does not name one (npm: typescript)")
    folder = resources.files("nlecompanion.templates").joinpath("review", "static")
    with resources.as_file(folder) as static:
        files = sorted(str(path) for path in static.glob("*.js"))
        assert len(files) > 10
        done = subprocess.run(
            [tsc, *_OPTIONS.split(), *files],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
