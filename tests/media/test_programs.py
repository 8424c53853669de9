"""Programs are found, fed, listened to and ended."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from nlecompanion.errors import ProgramFailed
from nlecompanion.media.programs import (
    Program,
    ffmpeg_arguments,
    file_address,
    find_ffmpeg,
    media_input,
    run,
    stream_output,
)

PYTHON = Program(Path(sys.executable), "3", "test")


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_working_ffmpeg_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path / "good", "ffmpeg", "echo ffmpeg version 7.1-mine Copyright")
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    assert find_ffmpeg() == Program(path, "7.1-mine", "system")


def test_a_broken_ffmpeg_on_the_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path / "bad", "ffmpeg", "echo no library >&2; exit 127")
    monkeypatch.setenv("PATH", str(path.parent))
    found = find_ffmpeg()
    assert found.origin == "imageio-ffmpeg wheel"
    assert found.version[:1] in "n123456789"
    assert found.path.is_file()


def test_output_comes_in_blocks_and_stdin_is_closed() -> None:
    code = "import sys; assert sys.stdin.read() == ''; sys.stdout.write('x' * 2500)"
    blocks = list(stream_output(PYTHON, ["-c", code], block_bytes=1000))
    assert [len(block) for block in blocks] == [1000, 1000, 500]


def test_a_failure_carries_code_and_last_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nlecompanion.media.programs")
    code = "import sys; sys.stderr.write('e' * 1_000_000 + '\\nthe end\\n'); sys.exit(3)"
    with pytest.raises(ProgramFailed) as caught:
        run(PYTHON, ["-c", code])
    assert caught.value.exit_code == 3
    assert caught.value.stderr_tail.endswith("the end\n")
    assert len(caught.value.stderr_tail) <= 16_384
    assert str(caught.value).endswith("ended with exit code 3: the end")
    assert "-c" in caplog.messages[0]


def test_closing_early_ends_the_program() -> None:
    code = (
        "import os, sys\nprint(os.getpid(), flush=True)\nwhile True: sys.stdout.write('x' * 9999)"
    )
    output = stream_output(PYTHON, ["-u", "-c", code], block_bytes=64)
    process = int(next(output).split()[0])
    output.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="No such file"):
        run(Program(tmp_path / "none", "", ""), [])
    with pytest.raises(ProgramFailed, match="null byte"):
        run(PYTHON, ["a\0b"])


def test_names_are_only_names_in_command_lines() -> None:
    arguments = ffmpeg_arguments(media_input(Path("-y")).output("pipe:1", f="null"))
    assert arguments[arguments.index("-i") + 1] == f"file:{Path('-y').absolute()}"
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "file,pipe"
    assert "-nostdin" in arguments
    assert file_address(Path("concat:a|b")).startswith("file:/")


def test_ffmpeg_opens_no_other_protocol(tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text("ffconcat version 1.0\nfile 'http://127.0.0.1:9/a.wav'\n")
    arguments = ffmpeg_arguments(
        media_input(listing, f="concat", safe=0).output("pipe:1", f="null")
    )
    with pytest.raises(ProgramFailed) as caught:
        run(find_ffmpeg(), arguments)
    assert caught.value.exit_code != 0
    assert "not on whitelist" in caught.value.stderr_tail
