import sqlite3
import threading
from pathlib import Path

import pytest
from testkit.clock import FakeClock
from testkit.watching import Bench

from nlecompanion.errors import NoSpace, WatchError
from nlecompanion.watch.journal import Journal, identity_of
from nlecompanion.watch.schema import MIGRATIONS, open_journal
from nlecompanion.watch.stability import Sighting
from nlecompanion.watch.states import NEXT, State


def test_identity_tells_all_three_parts_apart() -> None:
    ids = {
        identity_of("d", "p", "s"),
        identity_of("e", "p", "s"),
        identity_of("d", "q", "s"),
        identity_of("d", "p", "t"),
    }
    assert len(ids) == 4


def test_every_state_is_known_to_the_table_and_has_its_ways_out() -> None:
    assert set(NEXT) == set(State)
    for state in State:
        assert f"'{state.value}'" in MIGRATIONS[1]


def test_changes_are_kept_in_order(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    with Journal(bench.root / ".nlecompanion" / "journal.sqlite3", bench.clock) as journal:
        assert [state.value for state, _ in journal.changes(1)] == [
            "seen",
            "stable",
            "working",
            "done",
        ]


def test_a_change_that_is_not_allowed_changes_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite3", FakeClock()) as journal:
        journal.sight([Sighting("a.xml", 1, 1)], ())
        job = journal.job(1)
        with pytest.raises(WatchError, match="cannot go from seen to done"):
            journal.finish(job, "", 0, 0)
        stable = journal.take(job, job.sighting, "exposed", "d", "i")
        with pytest.raises(WatchError, match="changed by somebody else"):
            journal.take(job, job.sighting, "exposed", "d", "other")
        assert journal.job(1) == stable


def test_the_table_itself_refuses_a_second_live_job(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite3"
    with Journal(path, FakeClock()) as journal:
        journal.sight([Sighting("a.xml", 1, 1), Sighting("b.xml", 1, 1)], ())
        first = journal.job(1)
        journal.take(first, first.sighting, "exposed", "d", "i")
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match=r"jobs\.identity"):
        connection.execute("UPDATE jobs SET identity = 'i', state = 'stable' WHERE id = 2")
    connection.close()


def test_a_full_disk_is_told_and_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite3"
    with Journal(path, FakeClock()) as journal:
        (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [Sighting(f"{number} {'x' * 200}.xml", 1, 1) for number in range(1000)]
        with pytest.raises(NoSpace, match="No space for the journal"):
            journal.sight(many, ())
        assert journal.current() == {}
        journal._connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
        journal.sight(many, ())
        assert len(journal.current()) == 1000


def test_a_journal_from_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite3"
    Journal(path, FakeClock()).__exit__(None, None, None)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(WatchError, match=r"schema 99.*Update nlecompanion"):
        Journal(path, FakeClock())


def test_a_damaged_journal_is_told_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite3"
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(WatchError, match="move it away"):
        Journal(path, FakeClock())
    assert path.read_bytes().startswith(b"this is no database")


def test_a_journal_without_wal_is_refused() -> None:
    with pytest.raises(WatchError, match="WAL mode"):
        Journal(Path(":memory:"), FakeClock())


def test_an_interrupted_migration_leaves_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.sqlite3"
    Journal(path, FakeClock()).__exit__(None, None, None)
    broken = "ALTER TABLE jobs ADD COLUMN fresh TEXT; SELECT nonsense;"
    with monkeypatch.context() as patch:
        patch.setattr("nlecompanion.watch.schema.MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(WatchError, match="nonsense"):
            Journal(path, FakeClock())
    with Journal(path, FakeClock()) as journal:
        columns = journal._connection.execute("PRAGMA table_info(jobs)").fetchall()
    assert "fresh" not in [column[1] for column in columns]


def test_two_that_open_a_new_journal_at_once_both_get_it(tmp_path: Path) -> None:
    """The command `status` comes while the daemon starts."""
    path = tmp_path / "j.sqlite3"
    opened, troubles = [], []
    gate = threading.Barrier(8)

    def enter() -> None:
        gate.wait()
        try:
            opened.append(open_journal(path))
        except WatchError as error:
            troubles.append(error)

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in opened:
        connection.close()
    assert troubles == []
    assert len(opened) == 8


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_journal_of_every_older_version_is_brought_up_to_date(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "j.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    for number, script in enumerate(MIGRATIONS[:version]):
        connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {number + 1}")
    connection.execute(
        "INSERT INTO jobs (path, size_bytes, modified_ns, state, profile, identity, slot, attempts)"
        " VALUES ('sub/scene.xml', 7, 8, 'working', 'exposed', 'abc', 'scene', 3)"
    )
    connection.execute("INSERT INTO changes (job, at_s, state, note) VALUES (1, 2.5, 'seen', 'n')")
    connection.close()
    with Journal(path, FakeClock()) as journal:
        (job,) = journal.in_state(State.WORKING)
        assert (job.path, job.slot, job.attempts, job.identity) == (
            "sub/scene.xml",
            "scene",
            3,
            "abc",
        )
        assert (job.crashes, job.sound_s) == (0, None)
        assert journal.changes(1) == [(State.SEEN, "n")]
        assert journal.note_crash(job, "it died").crashes == 1
