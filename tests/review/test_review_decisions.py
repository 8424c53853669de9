"""Decisions on disk: two windows, two processes, a crash in the middle, folders of other people."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nlecompanion.decisions import Decision, Decisions
from nlecompanion.errors import SettingsError
from nlecompanion.review.store import DecisionStore, DecisionTrouble

_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals and modes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Scene 3 clean"
    made.mkdir()
    return made


def store(folder: Path, earlier: Decisions | None = None) -> DecisionStore:
    return DecisionStore(folder, folder.parent / "state", earlier)


def test_fields_are_merged_and_a_neutral_value_takes_one_back(folder: Path) -> None:
    one = store(folder)
    assert one.read().revision == 0
    first = one.change("u1", 0, {"intensity_db": 9.0, "adr": True})
    assert (first.revision, first.overwrote) == (1, ())
    second = one.change("u1", 1, {"adr": False, "subtitle": "Hello"})
    assert second.decided.set == {"intensity_db": 9.0, "subtitle": "Hello"}
    book = store(folder).read()
    assert book.decisions() == Decisions({"u1": Decision(intensity_db=9.0, subtitle="Hello")})
    assert book.of("u1").revision == 2
    assert book.of("u2").set == {}


def test_two_windows_lose_nothing_of_each_other(folder: Path) -> None:
    left, right = store(folder), store(folder)
    left.change("u1", 0, {"intensity_db": 6.0})
    saved = right.change("u1", 0, {"room_tone": False})
    assert saved.decided.set == {"intensity_db": 6.0, "room_tone": False}
    assert saved.overwrote == ()
    # The same field: the later one stands, and is told that it was not the first.
    saved = right.change("u1", 0, {"intensity_db": 12.0})
    assert saved.overwrote == ("intensity_db",)
    assert left.read().of("u1").set["intensity_db"] == 12.0
    # Who knows the other's value overwrites nothing unseen; nor does who sets the same.
    assert left.change("u1", saved.revision, {"intensity_db": 3.0}).overwrote == ()
    assert left.change("u1", 0, {"intensity_db": 3.0}).overwrote == ()


def test_many_threads_lose_nothing(folder: Path) -> None:
    def decide(number: int) -> None:
        mine = store(folder)
        for turn in range(10):
            mine.change(f"u{turn}", 0, {"subtitle": "x"} if number else {"adr": True})

    threads = [threading.Thread(target=decide, args=(number % 2,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book = store(folder).read()
    assert book.revision == 40
    both = {"subtitle": "x", "adr": True}
    assert {use: dict(decided.set) for use, decided in book.uses.items()} == {
        f"u{turn}": both for turn in range(10)
    }


_OTHER = """
import sys
from pathlib import Path
from nlecompanion.review.store import DecisionStore
store = DecisionStore(Path(sys.argv[1]), Path(sys.argv[2]))
for turn in range(15):
    store.change(f"u{turn}", 0, {"de_echo": False})
"""


def test_two_processes_lose_nothing(folder: Path) -> None:
    arguments = [sys.executable, "-c", _OTHER, str(folder), str(folder.parent / "state")]
    other = subprocess.Popen(arguments)
    mine = store(folder)
    for turn in range(15):
        mine.change(f"u{turn}", 0, {"room_tone": False})
    assert other.wait(60) == 0
    book = store(folder).read()
    assert book.revision == 30
    assert all(d.set == {"de_echo": False, "room_tone": False} for d in book.uses.values())


_KILLED = """
import os, signal, sys
from pathlib import Path
from nlecompanion.review.store import DecisionStore
store = DecisionStore(Path(sys.argv[1]), Path(sys.argv[2]))
if sys.argv[3] == "before the rename":
    Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
else:
    fsync = os.fsync
    def killed(descriptor):
        os.kill(os.getpid(), signal.SIGKILL)
    os.fsync = killed
store.change("u1", 1, {"intensity_db": 24.0, "subtitle": "lost"})
"""


@_POSIX
@pytest.mark.parametrize("moment", ["before the rename", "before the sync"])
def test_killed_in_the_middle_of_a_save_the_last_answered_decision_stands(
    folder: Path, moment: str
) -> None:
    one = store(folder)
    one.change("u1", 0, {"intensity_db": 6.0})
    arguments = [sys.executable, "-c", _KILLED, str(folder), str(folder.parent / "state"), moment]
    assert subprocess.run(arguments, timeout=60).returncode == -signal.SIGKILL
    assert (folder / "review" / "decisions.json.part").exists()
    after = store(folder)
    assert after.read().of("u1").set == {"intensity_db": 6.0}
    # Neither its lock nor what it has left stands in the way.
    saved = after.change("u1", 1, {"adr": True})
    assert saved.decided.set == {"intensity_db": 6.0, "adr": True}
    assert sorted(path.name for path in (folder / "review").iterdir()) == ["decisions.json", "lock"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"intensity": 3},
        {"intensity_db": -1},
        {"intensity_db": 61},
        {"intensity_db": True},
        {"intensity_db": "6"},
        {"intensity_db": float("inf")},
        {"adr": 1},
        {"adr": None},
        {"de_echo": "yes"},
        {"subtitle": 5},
        {"subtitle": "x" * 5001},
        {"subtitle": "\ud800"},
        {"__class__": {}},
    ],
    ids=repr,
)
def test_what_is_no_decision_is_refused_and_nothing_is_written(
    folder: Path, wanted: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError):
        store(folder).change("u1", 0, {"room_tone": True, **wanted})
    assert not (folder / "review" / "decisions.json").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 9, "uses": {}, "revision": 1}',
                b'{"format":1,"revision":2,"uses":{"u":{"set":{"adr":3},"revisions":{}}}}'],
)  # fmt: skip
def test_a_damaged_file_is_put_aside_not_written_over(folder: Path, content: bytes) -> None:
    (folder / "review").mkdir()
    (folder / "review" / "decisions.json").write_bytes(content)
    one = store(folder)
    assert one.read().uses == {}
    assert (folder / "review" / "decisions.damaged.json").read_bytes() == content
    assert one.change("u1", 0, {"adr": True}).revision == 1


def test_what_cannot_be_written_is_kept_in_the_state_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    store(folder).change("u1", 0, {"adr": True})
    assert not (folder / "review" / "decisions.json").exists()
    assert (folder.parent / "state" / "decisions.json").is_file()
    assert store(folder).read().of("u1").set == {"adr": True}
    # Writable again: everything goes on where it stood.
    monkeypatch.undo()
    store(folder).change("u1", 1, {"accept": True})
    assert store(folder).read().of("u1").set == {"adr": True, "accept": True}


@_POSIX
def test_links_in_a_delivery_are_not_followed(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "decisions.json").write_text("secret")
    (folder / "review").symlink_to(elsewhere)
    one = store(folder)
    one.change("u1", 0, {"adr": True})
    assert (elsewhere / "decisions.json").read_text() == "secret"
    assert sorted(path.name for path in elsewhere.iterdir()) == ["decisions.json"]
    assert one.read().of("u1").set == {"adr": True}
    # A link in place of the file itself.
    (folder / "review").unlink()
    (folder / "review").mkdir()
    (folder / "review" / "decisions.json").symlink_to(elsewhere / "decisions.json")
    (folder / "review" / "decisions.json.part").symlink_to(elsewhere / "decisions.json")
    one.change("u1", 1, {"accept": True})
    assert (elsewhere / "decisions.json").read_text() == "secret"
    assert not (folder / "review" / "decisions.json").is_symlink()


def test_nowhere_to_write_is_told_in_a_line(folder: Path) -> None:
    (folder / "review").write_text("a file")
    (folder.parent / "state").write_text("another")
    with pytest.raises(DecisionTrouble, match="Give yourself the right"):
        store(folder).change("u1", 0, {"adr": True})


def test_what_the_delivery_was_made_with_is_where_everything_begins(folder: Path) -> None:
    earlier = Decisions({"u1": Decision(intensity_db=9.0, adr=True)})
    assert store(folder, earlier).read().decisions() == earlier
    store(folder, earlier).change("u1", 0, {"adr": False})
    # Taken back, it stays so, whatever the delivery was made with.
    assert store(folder, earlier).read().decisions() == Decisions(
        {"u1": Decision(intensity_db=9.0)}
    )


def test_the_file_is_plain_json(folder: Path) -> None:
    store(folder).change("u1", 0, {"subtitle": "Grüße\n<b>"})
    values = json.loads((folder / "review" / "decisions.json").read_text(encoding="ascii"))
    assert values == {
        "format": 1,
        "revision": 1,
        "uses": {"u1": {"set": {"subtitle": "Grüße\n<b>"}, "revisions": {"subtitle": 1}}},
    }
