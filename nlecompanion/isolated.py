"""The child of `isolation`: answers requests on its standard streams, under their limits."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import math
import os
import signal
import sys
import traceback
from typing import IO, Any

from nlecompanion.errors import NleCompanionError, UnsafeDocument
from nlecompanion.isolation import MAX_ANSWER_BYTES, frame_of, read_frame
from nlecompanion.offline import cut_off_network

logger = logging.getLogger(__name__)

#: What can be asked for, and the function that does it: JSON values in, JSON values out.
JOBS = {
    "recognise": ("nlecompanion.timeline.documents", "recognise_here"),
    "read": ("nlecompanion.timeline.documents", "read_here"),
    "patch": ("nlecompanion.timeline.documents", "patch_here"),
    "neutral": ("nlecompanion.timeline.documents", "neutral_here"),
    "probe": ("nlecompanion.media.probing", "probe_here"),
    "unpack": ("nlecompanion.media.bundles", "unpack_here"),
}
#: Address space beyond the limit on memory: libraries map files and reserve what they never use.
_RESERVED_BYTES = 2 << 30
#: Past its parent's limit by this much, an orphan ends itself.
_ORPHAN_S = 10


def main() -> None:
    """Answers until standard input ends."""
    faulthandler.enable()
    cut_off_network()
    requests, answers = take_streams()
    # A tree of a long document is no garbage, and looking for some takes a tenth of the time.
    gc.disable()
    while isinstance(request := read_frame(requests), dict):
        gc.collect()
        answers.write(_answer(request))
        answers.flush()


def take_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Keeps the two pipes to ourselves: what a library reads is empty, what it prints is no answer.

    Copies of descriptors are not inherited by further children.
    """
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")


def _answer(request: dict[str, Any]) -> bytes:
    """The answer as a frame; what goes wrong is an answer too."""
    try:
        _limit(request)
        module, function = JOBS[request["do"]]
        answer = getattr(importlib.import_module(module), function)(request["with"])
        frame = frame_of({"answer": answer})
        if len(frame) > MAX_ANSWER_BYTES:
            raise UnsafeDocument(
                f"What it holds takes {len(frame) >> 20} MiB; at most {MAX_ANSWER_BYTES >> 20} "
                "are read. Export a shorter timeline."
            )
    except NleCompanionError as error:
        return _told(type(error).__name__, str(error))
    except OSError as error:
        name = None if error.filename is None else os.fspath(error.filename)
        return _told("OSError", error.strerror or str(error), errno=error.errno or 0, filename=name)
    except MemoryError:
        return _told("MemoryError", "")
    except Exception as error:
        return _told(type(error).__name__, str(error), trace=traceback.format_exc())
    finally:
        _rest()
    return frame


def _told(kind: str, line: str, **more: Any) -> bytes:
    return frame_of({"error": {"class": kind, "message": " ".join(line.split()), **more}})


def _limit(request: dict[str, Any]) -> None:
    """The request's limits, as far as this system has them; the parent watches the clock."""
    if sys.platform == "win32":
        return
    import resource

    memory_bytes = int(request["memory_bytes"])
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = math.ceil(used.ru_utime + used.ru_stime + request["cpu_s"])
    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_CPU, cpu_s)
    lower_limit(resource.RLIMIT_DATA, memory_bytes)
    lower_limit(resource.RLIMIT_AS, memory_bytes + _RESERVED_BYTES)
    signal.alarm(math.ceil(request["wall_s"]) + _ORPHAN_S)


def _rest() -> None:
    """Between two requests no time runs; an orphan sees its standard input end."""
    if sys.platform != "win32":
        signal.alarm(0)


def lower_limit(kind: int, amount: int) -> None:
    """Sets the soft limit of that kind (`resource`), which the next request may set anew."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(kind)
    soft = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError) as error:
        # macOS refuses an address space below what it has mapped; the clock still holds.
        logger.debug("This system does not take limit %d: %s", kind, error)


if __name__ == "__main__":
    main()
