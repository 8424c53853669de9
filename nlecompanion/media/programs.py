"""The only place in the package that starts programs.

A program gets no shell, no stdin and no chance to read a file name as anything else: names are
made absolute and stand behind ffmpeg's `file:` protocol, and no other protocol may be opened.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from nlecompanion.errors import ProgramFailed

logger = logging.getLogger(__name__)

#: Enough for ffmpeg's last words, little enough to keep for a program that never stops talking.
STDERR_TAIL_BYTES = 16_384
BLOCK_BYTES = 1 << 20
#: Long enough for a cold start from a slow disk; a program that needs more is not usable.
VERSION_TIMEOUT_S = 20.0
_FIX = "Install ffmpeg, or run `pip install --force-reinstall imageio-ffmpeg`."


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be started; `origin` says where it came from."""

    path: Path
    version: str
    origin: str


def find_ffmpeg() -> Program:
    """The system's ffmpeg where there is one that works, else the binary from a wheel.

    Raises:
        ProgramFailed: neither is there and works.
    """
    return _find_ffmpeg(os.environ.get("PATH", os.defpath))


@lru_cache(maxsize=8)
def _find_ffmpeg(search_path: str) -> Program:
    found = shutil.which("ffmpeg", path=search_path)
    if found is not None:
        try:
            return Program(Path(found), _version(found), "system")
        except ProgramFailed as error:
            logger.warning("The ffmpeg at %s does not work, so it is not used: %s", found, error)
    import imageio_ffmpeg

    try:
        bundled = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise ProgramFailed("ffmpeg", 127, f"There is no ffmpeg here. {_FIX}") from error
    return Program(Path(bundled), _version(bundled), "imageio-ffmpeg wheel")


def _version(executable: str) -> str:
    """The version that `-version` states, as the third word of its first line."""
    try:
        done = subprocess.run(
            [executable, "-hide_banner", "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramFailed(executable, 126, f"{error}. {_FIX}") from error
    if done.returncode != 0:
        raise ProgramFailed(executable, done.returncode, _text(done.stderr))
    words = _text(done.stdout).split()
    return words[2] if len(words) > 2 and words[1] == "version" else "unknown"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def file_address(path: Path) -> str:
    """`path` as ffmpeg must be given it: never an option, a protocol or a pattern."""
    return f"file:{path.absolute()}"


def media_input(path: Path, **options: Any) -> Any:
    """An ffmpeg-python input node that reads this one local file and nothing else."""
    import ffmpeg

    return ffmpeg.input(file_address(path), protocol_whitelist="file,pipe", **options)


def ffmpeg_arguments(output: Any) -> list[str]:
    """The command line (without the program) of an ffmpeg-python output node."""
    quiet = output.global_args("-nostdin", "-hide_banner", "-loglevel", "error")
    return [str(argument) for argument in quiet.get_args()]


def stream_output(
    program: Program, arguments: Sequence[str], block_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Starts the program and gives its stdout in blocks of at most `block_bytes`.

    The program is killed when the iterator is closed before its end.

    Raises:
        ProgramFailed: it could not be started, or ended with an exit code other than 0.
    """
    command = [str(program.path), *arguments]
    logger.info("Starting %s", shlex.join(command))
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except (OSError, ValueError) as error:
        raise ProgramFailed(program.path.name, 126, str(error)) from error
    assert process.stdout is not None
    assert process.stderr is not None
    # Read aside, or a program that fills the pipe of stderr would wait for us for ever.
    tail = bytearray()
    listener = threading.Thread(target=_keep_tail, args=(process.stderr, tail), daemon=True)
    listener.start()
    try:
        while block := process.stdout.read(block_bytes):
            yield block
        exit_code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        listener.join()
        process.stderr.close()
    logger.debug("%s ended with exit code %d", program.path.name, exit_code)
    if exit_code != 0:
        raise ProgramFailed(program.path.name, exit_code, _text(bytes(tail)))


def run(program: Program, arguments: Sequence[str]) -> bytes:
    """Runs the program to its end and gives its whole stdout.

    Raises:
        ProgramFailed: it could not be started, or ended with an exit code other than 0.
    """
    return b"".join(stream_output(program, arguments))


def _keep_tail(stream: IO[bytes], tail: bytearray) -> None:
    while block := stream.read(4096):
        tail += block
        del tail[:-STDERR_TAIL_BYTES]
