"""The cache of regions: never wrong, never in the way, whatever becomes of its folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nlecompanion.cache_commands import cache as cache_command
from nlecompanion.errors import NotWritable
from nlecompanion.region_cache import RegionCache, cache_folder

_SOUND = bytes(range(256)) * 40


def _digest(of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "cleaned.wav"
    path.write_bytes(_SOUND)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> RegionCache:
    return RegionCache(tmp_path / "cache", 1 << 20)


def _entry(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "cache" / digest[:2] / digest


def _aside(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "aside").iterdir())


def test_what_was_put_comes_back(cache: RegionCache, sound: Path, tmp_path: Path) -> None:
    values = {"gain_db": -0.1, "spans": [[1, 3]], "name": "Szene № 7", "none": None}
    assert cache.get(_digest(1), tmp_path / "out") is None
    cache.put(_digest(1), values, sound)
    assert cache.get(_digest(1), tmp_path / "out") == values
    assert (tmp_path / "out").read_bytes() == _SOUND
    assert cache.get(_digest(2), tmp_path / "other") is None
    assert not (tmp_path / "other").exists()
    assert _aside(tmp_path) == []


def test_values_alone_leave_the_file_alone(cache: RegionCache, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    cache.put(_digest(1), {"levels_db": [-30.25]}, None)
    assert cache.get(_digest(1), tmp_path / "out") == {"levels_db": [-30.25]}
    assert (tmp_path / "out").read_bytes() == b"mine"


def test_the_first_of_two_puts_stays(cache: RegionCache, sound: Path, tmp_path: Path) -> None:
    cache.put(_digest(1), {"who": "first"}, sound)
    cache.put(_digest(1), {"who": "second"}, None)
    assert cache.get(_digest(1), tmp_path / "out") == {"who": "first"}


@pytest.mark.parametrize("file", ["sound", "values.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "missing", "longer"])
def test_a_damaged_entry_is_missing_and_goes(
    cache: RegionCache, sound: Path, tmp_path: Path, file: str, damage: str
) -> None:
    cache.put(_digest(1), {"a": 1}, sound)
    victim = _entry(tmp_path, _digest(1)) / file
    content = victim.read_bytes()
    half = len(content) // 2
    flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
    damaged = {"cut": content[:-1], "emptied": b"", "longer": content + b"\0", "flipped": flipped}
    victim.write_bytes(damaged.get(damage, content))
    if damage == "missing":
        victim.unlink()
    assert cache.get(_digest(1), tmp_path / "out") is None
    assert not (tmp_path / "out").exists()
    assert not _entry(tmp_path, _digest(1)).exists()
    cache.put(_digest(1), {"a": 2}, sound)
    assert cache.get(_digest(1), tmp_path / "out") == {"a": 2}


def test_the_least_recently_used_go_first(sound: Path, tmp_path: Path) -> None:
    cache = RegionCache(tmp_path / "cache", 4 * len(_SOUND))
    for number in range(3):
        cache.put(_digest(number), {}, sound)
        used_ns = (1_000 + number) * 10**9
        os.utime(_entry(tmp_path, _digest(number)) / "values.json", ns=(used_ns, used_ns))
    assert cache.get(_digest(0), tmp_path / "out") == {}  # now the most recently used
    cache.put(_digest(3), {}, sound)
    kept = {n for n in range(4) if _entry(tmp_path, _digest(n)).exists()}
    assert kept == {0, 2, 3}
    assert cache.describe().size_bytes <= 4 * len(_SOUND)
    assert _aside(tmp_path) == []


def test_other_processes_entries_count_towards_the_limit(sound: Path, tmp_path: Path) -> None:
    mine = RegionCache(tmp_path / "cache", 6 * len(_SOUND))
    mine.put(_digest("mine"), {}, sound)
    other = RegionCache(tmp_path / "cache", 1 << 30)
    for number in range(20):
        other.put(_digest(number), {}, sound)
    for number in range(100, 164):
        mine.put(_digest(number), {}, sound)
    assert mine.describe().size_bytes <= 6 * len(_SOUND)


def test_what_is_larger_than_the_cache_is_not_kept(sound: Path, tmp_path: Path) -> None:
    cache = RegionCache(tmp_path / "cache", len(_SOUND))
    cache.put(_digest(1), {}, sound)
    assert cache.describe().entries == 0
    assert _aside(tmp_path) == []


def test_no_size_means_no_cache(sound: Path, tmp_path: Path) -> None:
    cache = RegionCache(tmp_path / "cache", 0)
    cache.put(_digest(1), {}, sound)
    assert cache.get(_digest(1), tmp_path / "out") is None
    assert not (tmp_path / "cache").exists()


def test_a_digest_that_is_a_path_is_refused(cache: RegionCache, tmp_path: Path) -> None:
    for bad in ("../" * 20, "A" * 64, "0" * 63, ""):
        with pytest.raises(ValueError, match="no SHA-256"):
            cache.get(bad, tmp_path / "out")
        with pytest.raises(ValueError, match="no SHA-256"):
            cache.put(bad, {}, None)


def test_what_the_dead_left_aside_goes(cache: RegionCache, sound: Path, tmp_path: Path) -> None:
    cache.put(_digest(1), {}, sound)
    left = tmp_path / "cache" / "aside" / "half"
    left.mkdir()
    (left / "sound").write_bytes(b"half of it")
    cache.put(_digest(2), {}, sound)
    assert _aside(tmp_path) == []


def test_a_newer_layout_is_left_alone(
    cache: RegionCache, sound: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache" / "version").write_text("2\n")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cache.put(_digest(1), {}, sound)
            assert cache.get(_digest(1), tmp_path / "out") is None
    assert [record.message for record in caplog.records] == [
        f"The cache of regions is not used: {tmp_path / 'cache'} was written by a newer "
        "nlecompanion (layout 2, known is 1). The work goes on without."
    ]
    with pytest.raises(OSError, match="newer"):
        cache.clear()
    assert (tmp_path / "cache" / "version").read_text() == "2\n"
    assert "newer" in str(cache.describe().trouble)


def test_an_older_layout_is_emptied(cache: RegionCache, sound: Path, tmp_path: Path) -> None:
    cache.put(_digest(1), {}, sound)
    (tmp_path / "cache" / "version").write_text("0\n")
    assert cache.get(_digest(1), tmp_path / "out") is None
    cache.put(_digest(2), {}, sound)
    assert cache.describe().entries == 1
    assert cache.get(_digest(2), tmp_path / "out") == {}


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("place", ["sound", "values.json", "entry", "shard", "aside"])
def test_a_planted_link_is_neither_read_nor_written_through(
    cache: RegionCache, sound: Path, tmp_path: Path, place: str
) -> None:
    digest = _digest(1)
    cache.put(digest, {}, sound)
    entry = _entry(tmp_path, digest)
    outside = tmp_path / "outside"
    victim = {"entry": entry, "shard": entry.parent, "aside": tmp_path / "cache" / "aside"}.get(
        place, entry / place
    )
    # What the link leads to is a good entry: only that it is a link speaks against it.
    victim.rename(outside)
    before = _tree(outside) if outside.is_dir() else outside.read_bytes()
    victim.symlink_to(outside)
    found = cache.get(digest, tmp_path / "out")
    cache.put(_digest(2), {}, sound)
    cache.put(digest, {"again": True}, sound)
    if place == "aside":  # not read from; nothing is written as long as it is there
        assert found == {}
        assert cache.get(_digest(2), tmp_path / "out2") is None
    else:
        assert found is None
        assert cache.get(digest, tmp_path / "out2") == {"again": True}
    cache_after = cache.describe().trouble
    assert cache_after is None
    assert (_tree(outside) if outside.is_dir() else outside.read_bytes()) == before


def test_emptying_follows_no_link_and_leaves_what_is_not_its_own(
    cache: RegionCache, sound: Path, tmp_path: Path
) -> None:
    cache.put(_digest(1), {}, sound)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_bytes(b"mine")
    (tmp_path / "cache" / "ff").symlink_to(outside)
    _entry(tmp_path, _digest(1)).joinpath("link").symlink_to(outside)
    (tmp_path / "cache" / "notes.txt").write_bytes(b"mine too")
    assert cache.clear().entries == 1
    assert cache.describe().entries == 0
    assert (outside / "mine").read_bytes() == b"mine"
    assert (tmp_path / "cache" / "notes.txt").read_bytes() == b"mine too"
    assert not (tmp_path / "cache" / "ff").is_symlink()


def test_a_file_that_waits_forever_is_damage(
    cache: RegionCache, sound: Path, tmp_path: Path
) -> None:
    cache.put(_digest(1), {}, sound)
    victim = _entry(tmp_path, _digest(1)) / "sound"
    victim.unlink()
    os.mkfifo(victim)
    assert cache.get(_digest(1), tmp_path / "out") is None
    assert not victim.exists()


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_folder_that_others_may_write_to_is_not_used(
    cache: RegionCache, sound: Path, tmp_path: Path, mode: int
) -> None:
    cache.put(_digest(1), {}, sound)
    (tmp_path / "cache").chmod(mode)
    assert cache.get(_digest(1), tmp_path / "out") is None
    assert "chmod" in str(cache.describe().trouble)
    (tmp_path / "cache").chmod(0o700)
    assert cache.get(_digest(1), tmp_path / "out") == {}


def test_its_folder_is_its_users_alone(cache: RegionCache, sound: Path, tmp_path: Path) -> None:
    cache.put(_digest(1), {}, sound)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_costs_one_line(
    sound: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = RegionCache(tmp_path / "file" / "cache", 1 << 20)
    for number in range(3):
        cache.put(_digest(number), {}, sound)
        assert cache.get(_digest(number), tmp_path / "out") is None
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1


def test_a_target_that_cannot_be_written_is_an_error_of_the_job(
    cache: RegionCache, sound: Path, tmp_path: Path
) -> None:
    cache.put(_digest(1), {}, sound)
    with pytest.raises(NotWritable):
        cache.get(_digest(1), tmp_path / "no such folder" / "out")
    assert cache.get(_digest(1), tmp_path / "out") == {}


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from nlecompanion.region_cache import RegionCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = RegionCache(Path(sys.argv[1]), 1 << 30)
cache.put("0" * 64, {"small": True}, None)
# Files beyond this cannot grow (EFBIG), as where a quota is used up.
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
cache.put("1" * 64, {}, Path(sys.argv[2]))
cache.put("2" * 64, {"still": "works"}, None)
print(cache.describe().entries, len(list(Path(sys.argv[1], "aside").iterdir())))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on files need POSIX")
def test_a_full_disk_costs_an_entry_and_leaves_nothing(sound: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path / "cache"), str(sound)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["2", "0"]
    assert done.stderr.count("is not used") == 1


_MANY = """
import hashlib, sys
from pathlib import Path
from nlecompanion.region_cache import RegionCache
folder, sound, own = map(Path, sys.argv[1:4])
cache = RegionCache(folder, 12 * sound.stat().st_size)
for round in range(60):
    digest = hashlib.sha256(str(round % 20).encode()).hexdigest()
    found = cache.get(digest, own)
    if found is None:
        cache.put(digest, {"round": round % 20}, sound)
    elif found != {"round": round % 20} or own.read_bytes() != sound.read_bytes():
        sys.exit("wrong content")
"""


def test_processes_share_a_cache(cache: RegionCache, sound: Path, tmp_path: Path) -> None:
    """They put, find and evict the same entries at once: nothing wrong, nothing damaged."""
    arguments = [str(tmp_path / "cache"), str(sound)]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _MANY, *arguments, str(tmp_path / f"own {number}")],
            stderr=subprocess.PIPE,
        )
        for number in range(3)
    ]
    told = [child.communicate(timeout=120)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], told
    assert told == ["", "", ""]
    assert cache.describe().size_bytes <= 12 * (len(_SOUND) + 200)
    assert _aside(tmp_path) == []


def test_the_place_is_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NLECOMPANION_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "regions"
    monkeypatch.delenv("NLECOMPANION_CACHE")
    assert cache_folder().name == "regions"
    assert tmp_path not in cache_folder().parents


def test_the_command_shows_and_empties(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sound: Path
) -> None:
    monkeypatch.setenv("NLECOMPANION_CACHE", str(tmp_path))
    runner = CliRunner()
    assert "0 regions" in runner.invoke(cache_command).output
    RegionCache(cache_folder(), 1 << 20).put(_digest(1), {}, sound)
    told = json.loads(runner.invoke(cache_command, ["show", "--json"]).output)
    assert (told["regions"], told["trouble"]) == (1, None)
    assert told["bytes"] > len(_SOUND)
    assert "1 regions" in runner.invoke(cache_command, ["empty"]).output
    assert "0 regions" in runner.invoke(cache_command, ["show"]).output
