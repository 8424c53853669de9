"""No network for this process and all that it starts, held by the kernel (Linux).

A seccomp filter (seccomp(2), classic BPF) refuses sockets of the Internet families, and io_uring,
which could make them past the filter. Pipes and local sockets work as ever. It needs no rights, and
it cannot be taken off again.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import platform
import socket
import struct
import sys

logger = logging.getLogger(__name__)

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
#: Machine: audit architecture (linux/audit.h) and the number of socket(2).
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425  # on every architecture
#: x86_64 has a second set of numbers, of the x32 ABI, from here on.
_X32_NUMBERS = 0x40000000
#: Where seccomp_data has them (linux/seccomp.h); of an argument its lower half.
_AT_NUMBER, _AT_MACHINE, _AT_FAMILY = 0, 4, 16
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def cut_off_network() -> bool:
    """Whether this process, its threads to come and its children have no network from now on.

    False where the system has no such filter: then nothing here asks for a network, but nothing
    holds native code back either.
    """
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    code = _filter(*machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
    )
    if refused:
        logger.debug("No filter on the network: error %d", ctypes.get_errno())
    return not refused


def _filter(architecture: int, socket_number: int) -> bytes:
    """The program: eight bytes an instruction (linux/filter.h); jumps count from the next one."""
    families = (int(socket.AF_INET), int(socket.AF_INET6))
    return b"".join(
        (
            _instruction(_LOAD, _AT_MACHINE),
            _instruction(_IF_EQUAL, architecture, otherwise=8),
            _instruction(_LOAD, _AT_NUMBER),
            _instruction(_IF_AT_LEAST, _X32_NUMBERS, then=6),
            _instruction(_IF_EQUAL, _IO_URING_SETUP, then=5),
            _instruction(_IF_EQUAL, socket_number, otherwise=3),
            _instruction(_LOAD, _AT_FAMILY),
            _instruction(_IF_EQUAL, families[0], then=2),
            _instruction(_IF_EQUAL, families[1], then=1),
            _instruction(_RETURN, _ALLOW),
            _instruction(_RETURN, _REFUSE),
        )
    )


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)
