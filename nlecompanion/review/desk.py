"""What the page can be asked: deliveries, uses, decisions, stems, delivering again.

Answers are JSON values; nothing here knows HTTP. May be used by several threads.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlecompanion.decisions import Decisions
from nlecompanion.errors import NleCompanionError, SettingsError, WatchError
from nlecompanion.job_record import read_record
from nlecompanion.model import UseReport
from nlecompanion.review import uses
from nlecompanion.review.bench import DONE, FAILED, QUEUED, RUNNING, Bench, Piece
from nlecompanion.review.deliveries import Shelf, Shown
from nlecompanion.review.events import Hub
from nlecompanion.review.jobs import Lookout, read_jobs, watched
from nlecompanion.review.media import MediaTable
from nlecompanion.review.order import NoOrder, order_of
from nlecompanion.review.places import state_folder
from nlecompanion.review.stems import prepared
from nlecompanion.review.stems_told import stems_json
from nlecompanion.review.store import Book, DecisionStore

_log = logging.getLogger(__name__)
_STEM_STATES = {QUEUED: "preparing", RUNNING: "preparing", DONE: "ready", FAILED: "failed"}
_DELIVER_STATES = {DONE: "done", FAILED: "failed"}
_MAX_CLIENT = 64


class NotFound(NleCompanionError):
    """There is no such delivery, use or file."""


class Refused(NleCompanionError):
    """What was asked for makes no sense now; one line says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was started with; `document` is the timeline of deliveries without a record
    of their job.
    """

    folder: Path
    document: Path | None = None


class Desk:
    """Everything that the page can be asked."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.places = watched(options.folder)
        self.folder = options.folder if self.places is None else self.places.done
        self.shelf = Shelf(self.folder)
        self.media = MediaTable()
        self.hub = Hub()
        self._preparing = Bench(self._tell_stems, latest_first=True)
        self._delivering = Bench(self._tell_deliver)
        self._lock = threading.Lock()
        self._made_with: dict[str, Decisions] = {}
        self._lines: dict[str, tuple[Shown, list[dict[str, Any]]]] = {}
        self._lookout = Lookout(self.jobs, lambda: self.hub.listening > 0, self._tell_jobs)
        if self.places is not None:
            self._lookout.start()

    def close(self) -> None:
        """Ends all work."""
        self.hub.close()
        self._lookout.close()
        self._preparing.close()
        self._delivering.close()

    # Looking

    def deliveries(self) -> list[dict[str, Any]]:
        """All deliveries, the newest first."""
        return [shown.listed() for shown in self.shelf.all()]

    def jobs(self) -> list[dict[str, Any]]:
        """Jobs of the watched folder, the latest first; none where it is not watched."""
        return [] if self.places is None else read_jobs(self.places)

    def shown(self, delivery_id: str) -> Shown:
        """The delivery of that id."""
        found = self.shelf.find(delivery_id)
        if found is None:
            raise NotFound("There is no such delivery below the folder any more.")
        return found

    def uses(self, delivery_id: str) -> dict[str, Any]:
        """All uses of a delivery, in the order of the timeline, with the decisions about them."""
        shown = self.shown(delivery_id)
        book = Book(0, {}) if shown.trouble else self._store(shown).read()
        lines = uses.with_decisions(self._rows(shown), shown.by_id, book)
        cannot = self._cannot_deliver(shown)
        rate = None if shown.delivery is None else str(shown.delivery.timeline.rate)
        return {
            "delivery": {
                **shown.listed(),
                "can_deliver": cannot is None,
                "cannot_deliver": cannot,
                "decided": _decided(shown, book),
                "job": self.delivering(delivery_id),
            },
            "rate": rate,
            "revision": book.revision,
            "uses": sorted(lines, key=lambda line: (line["start_s"], line["index"])),
        }

    def use(self, delivery_id: str, use_id: str) -> dict[str, Any]:
        """All that is known of one use."""
        shown, report = self._use(delivery_id, use_id)
        row = next(row for row in self._rows(shown) if row["id"] == use_id)
        book = self._store(shown).read()
        (line,) = uses.with_decisions([row], {use_id: report}, book)
        return {
            **line,
            "card": uses.card(shown, use_id),
            "cleaned": uses.cleaned_media(shown, report, self.media),
            "stems": self._stems_state(shown, use_id, report),
            "shares": uses.sharing(shown, use_id),
        }

    def _use(self, delivery_id: str, use_id: str) -> tuple[Shown, UseReport]:
        shown = self.shown(delivery_id)
        report = shown.by_id.get(use_id)
        if report is None:
            raise NotFound("There is no such use in this delivery.")
        return shown, report

    def _rows(self, shown: Shown) -> list[dict[str, Any]]:
        with self._lock:
            known = self._lines.get(shown.id)
        if known is None or known[0] is not shown:
            known = shown, uses.lines(shown)
            with self._lock:
                self._lines[shown.id] = known
        return known[1]

    # Stems

    def _stems_state(self, shown: Shown, use_id: str, report: UseReport) -> Any:
        if not uses.treatable(report):
            return None
        piece = self._preparing.of((shown.id, use_id))
        if piece is not None and piece.state in {QUEUED, RUNNING}:
            return _stems_values(piece)
        if prepared(shown, report) is not None:
            return {"state": "ready", "why": None, "done": 1.0, "what": ""}
        if piece is not None and piece.state == FAILED:
            return _stems_values(piece)
        return {"state": "none", "why": None, "done": None, "what": ""}

    def prepare(self, delivery_id: str, use_id: str) -> Any:
        """Begins to make the stems of a use, where they are not there yet."""
        shown, report = self._use(delivery_id, use_id)
        if not uses.treatable(report):
            raise Refused("This use was not treated: there is nothing to be compared.")
        if prepared(shown, report) is not None:
            return {"state": "ready", "why": None, "done": 1.0, "what": ""}
        self._order(shown)
        task = {"do": "prepare", **self._task(shown), "use": report.use.id}
        return _stems_values(self._preparing.ask((shown.id, use_id), task))

    def stems(self, delivery_id: str, use_id: str) -> dict[str, Any]:
        """The stems of a use: what they are, and the ids of their files."""
        shown, report = self._use(delivery_id, use_id)
        found = prepared(shown, report)
        if found is None:
            raise NotFound("The stems of this use are not prepared.")
        told = stems_json(found, self.media)
        if told is None:
            raise NotFound("Some of the stems are gone. Prepare them again.")
        return told

    # Deciding

    def _store(self, shown: Shown) -> DecisionStore:
        name = hashlib.sha256(str(shown.folder.resolve()).encode("utf-8", "surrogatepass"))
        instead = state_folder() / "decisions" / name.hexdigest()[:32]
        return DecisionStore(shown.folder, instead, self._earlier(shown))

    def _earlier(self, shown: Shown) -> Decisions:
        """Those that the delivery was made with."""
        with self._lock:
            known = self._made_with.get(shown.digest)
        if known is None:
            try:
                record = read_record(shown.folder)
            except (SettingsError, OSError) as error:
                _log.info("no record of %s: %s", shown.name, error)
                return Decisions()
            if record is None:  # it may be written yet, if the delivery is new
                return Decisions()
            known = record.decisions
            with self._lock:
                self._made_with[shown.digest] = known
        return known

    def decide(self, delivery_id: str, use_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Sets fields of a decision, saves it and tells the other windows."""
        shown, report = self._use(delivery_id, use_id)
        wanted, base = body.get("set"), body.get("base_revision", 0)
        if not isinstance(wanted, dict) or not wanted:
            raise Refused('A decision is told as {"base_revision": 0, "set": {…}}.')
        if not isinstance(base, int) or isinstance(base, bool):
            raise Refused("base_revision is a whole number.")
        saved = self._store(shown).change(report.use.id, base, wanted)
        decision = uses.decision_json(saved.decided)
        told = {
            "delivery": shown.id,
            "use": use_id,
            "decision": decision,
            "revision": saved.decided.revision,
            "client": str(body.get("client", ""))[:_MAX_CLIENT],
        }
        self.hub.publish("decision", told, shown.id)
        return {
            "decision": decision,
            "revision": saved.decided.revision,
            "overwrote": list(saved.overwrote),
        }

    # Delivering

    def _task(self, shown: Shown) -> dict[str, Any]:
        document = self._options.document
        return {
            "folder": str(shown.folder),
            "document": None if document is None else str(document),
        }

    def _order(self, shown: Shown) -> None:
        try:
            order_of(shown, self._options.document)
        except NoOrder as error:
            raise Refused(str(error)) from error

    def _cannot_deliver(self, shown: Shown) -> str | None:
        if shown.trouble:
            return shown.trouble
        try:
            order_of(shown, self._options.document)
        except NoOrder as error:
            return str(error)
        return None

    def deliver(self, delivery_id: str) -> dict[str, Any]:
        """Begins to deliver again with the decisions as they stand."""
        shown = self.shown(delivery_id)
        if shown.trouble:
            raise Refused(shown.trouble)
        self._order(shown)
        book = self._store(shown).read()
        decisions = book.decisions().to_json()
        if decisions == self._earlier(shown).to_json():
            raise Refused("Nothing was decided since: a new delivery would be the same.")
        task = {"do": "deliver", **self._task(shown), "decisions": decisions}
        return self._deliver_values(self._delivering.ask((shown.id, ""), task))

    def delivering(self, delivery_id: str) -> dict[str, Any] | None:
        """How far delivering again is; None where nobody has asked for it."""
        piece = self._delivering.of((self.shown(delivery_id).id, ""))
        return None if piece is None else self._deliver_values(piece)

    def stop_delivering(self, delivery_id: str) -> dict[str, Any] | None:
        """Ends it; what was staged is taken away."""
        if not self._delivering.stop((self.shown(delivery_id).id, "")):
            raise Refused("Nothing is being delivered.")
        return self.delivering(delivery_id)

    def _deliver_values(self, piece: Piece) -> dict[str, Any]:
        folder = None if piece.result is None else Path(piece.result["folder"])
        return {
            "delivery": piece.key[0],
            "job": str(piece.number),
            "state": _DELIVER_STATES.get(piece.state, "working"),
            "done_s": piece.done_s,
            "total_s": piece.total_s,
            "what": piece.what,
            "why": piece.why or None,
            "result": None if folder is None else self.shelf.id_of(folder),
            "name": "" if folder is None else folder.name,
        }

    # Telling

    def first_events(self) -> list[tuple[str, Any]]:
        """What a window hears when it begins to listen."""
        try:
            return [] if self.places is None else [("jobs", self.jobs())]
        except WatchError as error:  # whoever asks for the list is told why
            _log.info("the journal cannot be read now: %s", error)
            return []

    def _tell_stems(self, piece: Piece) -> None:
        delivery, use = piece.key
        told = {"delivery": delivery, "use": use, **_stems_values(piece)}
        self.hub.publish("stems", told, delivery)

    def _tell_deliver(self, piece: Piece) -> None:
        self.hub.publish("deliver", self._deliver_values(piece), piece.key[0])
        if piece.state == DONE:
            self.hub.publish("deliveries", {})

    def _tell_jobs(self, jobs: list[dict[str, Any]]) -> None:
        self.hub.publish("jobs", jobs)
        self.hub.publish("deliveries", {})


def _decided(shown: Shown, book: Book) -> int:
    """How many of its uses something was decided about."""
    return sum(bool(book.of(report.use.id).set) for report in shown.by_id.values())


def _stems_values(piece: Piece) -> dict[str, Any]:
    share = piece.done_s / piece.total_s if piece.total_s > 0 else 0.0
    return {
        "state": _STEM_STATES[piece.state],
        "why": piece.why or None,
        "done": round(min(1.0, share), 3),
        "what": piece.what if piece.state == RUNNING else "",
    }
