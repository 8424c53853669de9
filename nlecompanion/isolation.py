"""Work on files from outside in a child process with limits: what kills it costs one file.

Native parsers crash, hang and fill the memory on hostile or damaged input. The child gets a limit
on memory and processor time where the system has them (Linux; macOS in part) and on the clock
everywhere, no standard input, no open files of ours, and answers in JSON: nothing that it says is
executed or unpickled.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

from nlecompanion import errors
from nlecompanion.errors import NleCompanionError

logger = logging.getLogger(__name__)

_CHILD = "nlecompanion.isolated"
_LENGTH_BYTES = 8
#: A 10,000-clip document's answer has 4 MB.
MAX_ANSWER_BYTES = 512 << 20
_STDERR_TAIL_BYTES = 16_384
_GOODBYE_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take: memory of the child, its processor time, time on the clock."""

    memory_bytes: int = 2 << 30
    cpu_s: float = 60.0
    wall_s: float = 150.0


class ChildEnded(Exception):
    """The child broke a limit or died; `str()` says how, with numbers: `took over 150 s`."""


class Isolation:
    """Starts a child at the first request and again after one that it did not survive.

    Not for several threads at once. Leaving the `with` block ends the child.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._tail = bytearray()
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, what: str, arguments: Any, limits: Limits = Limits()) -> Any:
        """The answer of `isolated.JOBS[what]` to these JSON values.

        Raises:
            ChildEnded: it crashed, hung, or needed more than the limits.
            NleCompanionError: the job raised it; the same class is raised here.
            OSError: the job raised it while it read or wrote a file.
        """
        process = self._process or self._start()
        request = {"do": what, "with": arguments, "memory_bytes": limits.memory_bytes}
        request |= {"cpu_s": limits.cpu_s, "wall_s": limits.wall_s}
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limits.wall_s, kill)
        timer.start()
        try:
            answer = self._exchange(process, request)
        except BaseException:
            process.kill()
            self._end()
            raise
        finally:
            timer.cancel()
        if answer is None or late.is_set():
            code = self._end()
            raise ChildEnded(_how_it_ended(code, limits, late.is_set()))
        if "error" in answer:
            _raise(answer["error"], limits)
        return answer["answer"]

    def _start(self) -> subprocess.Popen[bytes]:
        # One thread for numerical libraries: each reserves memory that counts.
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        # -P: a module in the folder that we were started in must not shadow one of ours.
        command = [sys.executable, "-P", "-m", _CHILD]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | single,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert process.stderr is not None
        # Read aside, or a child that fills the pipe of stderr would wait for us for ever.
        self._tail = bytearray()
        self._listener = threading.Thread(
            target=keep_tail, args=(process.stderr, self._tail), daemon=True
        )
        self._listener.start()
        self._process = process
        return process

    def _exchange(
        self, process: subprocess.Popen[bytes], request: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The child's answer; None where it ended before it gave one."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(frame_of(request))
            process.stdin.flush()
        except OSError:  # a broken pipe, which Windows calls an invalid argument
            return None
        answer = read_frame(process.stdout)
        return answer if isinstance(answer, dict) else None

    def _end(self) -> int:
        """Ends the child and gives its exit code; a child that does not leave is killed."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdin.close()  # the sign to leave
        except OSError as error:
            logger.debug("The child had closed its side already: %s", error)
        process.stdout.close()
        try:
            process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._listener is not None:
            self._listener.join()
        process.stderr.close()
        if process.returncode and self._tail:
            logger.debug("The child's last words: %s", self._tail.decode("utf-8", "replace"))
        return process.returncode


def keep_tail(stream: IO[bytes], tail: bytearray) -> None:
    """Reads to the end, and keeps the last 16 KiB."""
    while block := stream.read1(4096):  # type: ignore[attr-defined]
        tail += block
        del tail[:-_STDERR_TAIL_BYTES]


def frame_of(value: Any) -> bytes:
    """One JSON value behind its length in bytes.

    Raises:
        ValueError: a number that JSON does not have.
    """
    data = json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def read_frame(stream: IO[bytes]) -> Any:
    """The value of a `frame_of`; None where the stream ends or holds something else."""
    head = stream.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "big")
    if len(head) < _LENGTH_BYTES or length > MAX_ANSWER_BYTES:
        return None
    data = stream.read(length)
    if len(data) < length:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        logger.debug("No JSON came from the other side: %s", error)
        return None


def _how_it_ended(exit_code: int, limits: Limits, late: bool) -> str:
    if late:
        return f"took longer than {limits.wall_s:g} s"
    if exit_code >= 0:
        return f"ended its reader with {exit_words(exit_code)}"
    name = _signal_name(-exit_code)
    if name == "SIGXCPU":
        return f"took longer than {limits.cpu_s:g} s of processor time"
    if name == "SIGALRM":
        return f"took longer than {limits.wall_s:g} s"
    return (
        f"crashed its reader by {name} (signal {-exit_code}; "
        f"at most {limits.memory_bytes >> 20} MiB of memory)"
    )


def exit_words(exit_code: int) -> str:
    """An exit code, or the signal behind it, in words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    return f"{_signal_name(-exit_code)} (signal {-exit_code})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a signal"


def _known_errors() -> dict[str, type[NleCompanionError]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, NleCompanionError)
        and kind.__init__ is Exception.__init__
    }


def _raise(told: Any, limits: Limits) -> None:
    """Raises what the child was told by its job."""
    name, line = str(told.get("class")), str(told.get("message"))
    if told.get("trace"):
        logger.debug("In the child: %s", told["trace"])
    if name == "MemoryError":
        raise ChildEnded(f"needed more than {limits.memory_bytes >> 20} MiB of memory")
    if name == "OSError":
        raise OSError(int(told["errno"]), line, told.get("filename"))
    error = known_error(name, line)
    raise ChildEnded(f"stopped its reader ({name}: {line})") if error is None else error


def known_error(name: str, line: str) -> NleCompanionError | None:
    """The error of ours with that class name; None where there is none to be made from a line."""
    kind = _known_errors().get(name)
    return None if kind is None else kind(line)
