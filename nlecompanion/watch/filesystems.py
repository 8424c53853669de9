"""Which file systems lie across a network: they give no events, and SQLite is not safe on them."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import sys
from pathlib import Path

#: Names in /proc/mounts and of statfs on macOS.
_NETWORK = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.cephfs",
        "fuse.davfs2",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.smbnetfs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "virtiofs",
        "vboxsf",
        "vmhgfs",
        "fuse.vmhgfs-fuse",
        "webdav",
    }
)
_IS_MAC = platform.system() == "Darwin"
_MOUNTS = Path("/proc/self/mounts")
_DRIVE_REMOTE = 4  # GetDriveTypeW
_STATFS_TYPE_AT = 72  # f_fstypename in macOS's 64-bit struct statfs
_STATFS_TYPE_BYTES = 16


def network_kind(path: Path) -> str | None:
    """The name of the network file system that holds `path`; None on a local disk."""
    if os.name == "nt":
        return _windows_kind(path)
    kind = _mac_kind(path) if _IS_MAC else linux_kind(path, _mounts_text())
    return kind if kind in _NETWORK else None


def linux_kind(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, by the text of /proc/mounts (proc(5)).

    Where one is mounted over another, the later one counts.
    """
    resolved = path.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Blanks in names are written as octal: \\040.
        point = Path(fields[1].encode("latin-1", "replace").decode("unicode_escape"))
        depth = len(point.parts)
        if resolved.is_relative_to(point) and depth >= best:
            best, kind = depth, fields[2]
    return kind


def _mounts_text() -> str:
    try:
        return _MOUNTS.read_text(errors="replace")
    except OSError:
        return ""  # no /proc: nothing can be told, and the journal's own test of WAL remains


def _mac_kind(path: Path) -> str:
    library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    buffer = ctypes.create_string_buffer(4096)
    if library.statfs(os.fsencode(path), buffer) != 0:
        return ""
    name = buffer.raw[_STATFS_TYPE_AT : _STATFS_TYPE_AT + _STATFS_TYPE_BYTES]
    return name.split(b"\0")[0].decode("ascii", "replace")


def _windows_kind(path: Path) -> str | None:
    if sys.platform == "win32":
        anchor = path.resolve().anchor
        remote = ctypes.windll.kernel32.GetDriveTypeW(anchor) == _DRIVE_REMOTE
        return "smb" if remote or anchor.startswith("\\\\") else None
    raise AssertionError("only Windows has drives")
