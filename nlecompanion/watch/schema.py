"""The journal's tables, version by version, and how a journal file is opened.

To change the tables, append a script to `MIGRATIONS`; what is there is never edited, since
journals in the field have already run it. `PRAGMA user_version` counts the scripts that were run.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from nlecompanion.errors import WatchError

#: A lock of another process is waited for; on a busy machine a command may hold it for seconds.
_PATIENCE_S = 30.0
MIGRATIONS = (
    # One row a drop: one content under one name. `current` is the row that stands for what lies at
    # `path` now. `identity` is known from `stable` on. `slot` names the delivery and its staging
    # folder, and is fixed before the work starts.
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        current INTEGER NOT NULL DEFAULT 1,
        size_bytes INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('seen', 'stable', 'queued', 'working', 'delivering',
            'done', 'failed', 'parked', 'duplicate', 'gone')),
        profile TEXT NOT NULL DEFAULT '',
        document_sha256 TEXT,
        identity TEXT,
        duplicate_of INTEGER REFERENCES jobs (id),
        slot TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        cleaned INTEGER,
        failed INTEGER,
        message TEXT NOT NULL DEFAULT '',
        filed TEXT
    );
    CREATE UNIQUE INDEX one_current_row_a_path ON jobs (path) WHERE current;
    CREATE UNIQUE INDEX one_live_job_an_identity ON jobs (identity)
        WHERE state IN ('stable', 'queued', 'working', 'delivering', 'done', 'parked');
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL REFERENCES jobs (id),
        at_s REAL NOT NULL,
        state TEXT NOT NULL,
        note TEXT NOT NULL
    );
    CREATE INDEX changes_by_job ON changes (job);
    """,
    # `cancelled` and `forgotten` join the states; SQLite changes a CHECK only by a new table
    # (https://www.sqlite.org/lang_altertable.html, section 7). What other processes ask for stands
    # in `requests` until it has its answer; `media` is what a document used when it was taken.
    """
    CREATE TABLE jobs_2 (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        current INTEGER NOT NULL DEFAULT 1,
        size_bytes INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('seen', 'stable', 'queued', 'working', 'delivering',
            'done', 'failed', 'parked', 'duplicate', 'gone', 'cancelled', 'forgotten')),
        profile TEXT NOT NULL DEFAULT '',
        document_sha256 TEXT,
        identity TEXT,
        duplicate_of INTEGER REFERENCES jobs (id),
        slot TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        cleaned INTEGER,
        failed INTEGER,
        message TEXT NOT NULL DEFAULT '',
        filed TEXT
    );
    INSERT INTO jobs_2 SELECT * FROM jobs;
    DROP TABLE jobs;
    ALTER TABLE jobs_2 RENAME TO jobs;
    CREATE UNIQUE INDEX one_current_row_a_path ON jobs (path) WHERE current;
    CREATE UNIQUE INDEX one_live_job_an_identity ON jobs (identity)
        WHERE state IN ('stable', 'queued', 'working', 'delivering', 'done', 'parked');
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE TABLE media (
        job INTEGER NOT NULL REFERENCES jobs (id),
        path TEXT NOT NULL,
        size_bytes INTEGER,
        modified_ns INTEGER,
        PRIMARY KEY (job, path)
    ) WITHOUT ROWID;
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL REFERENCES jobs (id),
        what TEXT NOT NULL CHECK (what IN ('retry', 'cancel', 'forget')),
        at_s REAL NOT NULL,
        answer TEXT
    );
    CREATE INDEX requests_waiting ON requests (id) WHERE answer IS NULL;
    CREATE TABLE progress (
        job INTEGER PRIMARY KEY REFERENCES jobs (id),
        done_s REAL NOT NULL,
        total_s REAL NOT NULL,
        what TEXT NOT NULL,
        at_s REAL NOT NULL
    );
    """,
    # How often the process that worked on it has died, and how much dialogue there is, in seconds.
    """
    ALTER TABLE jobs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN sound_s REAL;
    """,
)


def open_journal(path: Path) -> sqlite3.Connection:
    """The journal at `path`, made or brought up to date.

    Raises:
        WatchError: damaged, from a newer version, or on a file system without what WAL needs.
    """
    try:
        connection = sqlite3.connect(
            path, _PATIENCE_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        _configure(connection, path)
        _migrate(connection, path)
        # Only now: while a table is made anew, others refer to what is not there.
        connection.execute("PRAGMA foreign_keys = ON")
    except (sqlite3.Error, UnicodeDecodeError) as error:  # damaged words fail as either
        connection.close()
        raise _unusable(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise WatchError(
            f"The journal {path} cannot be kept in WAL mode here (the file system allows {mode}). "
            "Watch a folder on a local disk."
        )
    # FULL: after a power cut a lost "working" would let a finished delivery be made again.
    connection.execute("PRAGMA synchronous = FULL")
    (health,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if health != "ok":
        raise sqlite3.DatabaseError(health)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Runs the scripts that are missing, each as a transaction; of two processes one runs them."""
    while (version := _version(connection)) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) == version:
                for statement in MIGRATIONS[version].split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    if version > len(MIGRATIONS):
        raise WatchError(
            f"The journal {path} has schema {version}, this version knows {len(MIGRATIONS)}: "
            "a newer nlecompanion wrote it. Update nlecompanion."
        )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < 0:
        raise sqlite3.DatabaseError(f"its version is {version}")
    return int(version)


def _unusable(path: Path, error: Exception) -> WatchError:
    why = " ".join(str(error).split())
    return WatchError(
        f"The journal {path} cannot be used ({why}). If it is damaged, move it away together "
        "with its -wal and -shm; documents still in the inbox are then worked on again."
    )
