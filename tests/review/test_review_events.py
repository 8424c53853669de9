"""What happens while the page is open: decisions, jobs of a watched folder, delivering again."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from testkit.clock import FakeClock
from testkit.review import Page, only, serving, uses_of

from nlecompanion.decisions import Decision, Decisions
from nlecompanion.job_record import JobRecord, keep_record
from nlecompanion.review.bench import Bench
from nlecompanion.review.children import Child, Ended, Told
from nlecompanion.review.order import order_of, settings_of
from nlecompanion.settings import Settings, load_profile
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import prepare
from nlecompanion.watch.requests import note_progress
from nlecompanion.watch.stability import Sighting

# Deciding


def test_a_decision_reaches_the_other_window(page: Page) -> None:
    delivery, use = only(page), uses_of(page)[0]["id"]
    path = f"/api/d/{delivery}/uses/{use}/decision"
    with page.listen(delivery) as window, page.listen() as home, page.listen("another") as third:
        wanted = {"base_revision": 0, "set": {"intensity_db": 9}, "client": "left"}
        answer = page.post(path, wanted)
        assert answer.status == 200
        assert answer.json["decision"]["intensity_db"] == 9
        told = window.next("decision")
        assert told == home.next("decision")
        assert told["use"] == use
        assert (told["client"], told["revision"]) == ("left", 1)
        assert told["decision"] == answer.json["decision"]
        page.desk.hub.publish("deliveries", {})
        assert third.next("deliveries") == {}  # and nothing of the other delivery before


def test_decisions_survive_the_server(page: Page, root: Path) -> None:
    use = uses_of(page)[0]["id"]
    path = f"/api/d/{only(page)}/uses/{use}/decision"
    page.post(path, {"base_revision": 0, "set": {"subtitle": "Hello", "keep_original": True}})
    with serving(root) as again:
        decision = uses_of(again)[0]["decision"]
        assert (decision["subtitle"], decision["keep_original"]) == ("Hello", True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 409),
        ({"set": {}}, 409),
        ({"set": []}, 409),
        ({"set": {"adr": True}, "base_revision": "x"}, 409),
        ({"set": {"adr": "yes"}}, 422),
        ({"set": {"loudness": 3}}, 422),
        ({"set": {"intensity_db": 99}}, 422),
    ],
)
def test_what_is_no_decision_is_refused_in_a_line(
    page: Page, body: dict[str, Any], status: int
) -> None:
    answer = page.post(f"/api/d/{only(page)}/uses/{uses_of(page)[0]['id']}/decision", body)
    assert answer.status == status
    assert "\n" not in answer.json["error"]
    assert page.get(f"/api/d/{only(page)}/uses").json["revision"] == 0


def test_unknown_uses_and_deliveries_are_not_found(page: Page) -> None:
    delivery = only(page)
    for path in (f"/api/d/{delivery}/uses/none", "/api/d/none/uses/x", "/api/nothing"):
        assert page.get(path).status == 404
        assert page.get(path).json["error"]
    wanted = {"set": {"adr": True}}
    assert page.post(f"/api/d/{delivery}/uses/none/decision", wanted).status == 404


def test_a_browser_that_goes_away_in_the_middle_of_a_save(page: Page) -> None:
    delivery, use = only(page), uses_of(page)[0]["id"]
    headers = {**page.changing, "Host": page.address[7:], "Content-Length": "60"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST /api/d/{delivery}/uses/{use}/decision HTTP/1.1\r\n{head}\r\n"
    with socket.create_connection(("127.0.0.1", page.front.port), timeout=30) as line:
        line.sendall(request.encode() + b'{"base_revision": 0, "set": {"adr": tr')
    # The half of it changes nothing, and the next one is answered.
    assert uses_of(page)[0]["decision"]["adr"] is False
    path = f"/api/d/{delivery}/uses/{use}/decision"
    assert page.post(path, {"set": {"adr": True}}).status == 200
    assert uses_of(page)[0]["decision"]["adr"] is True


# Watched folders


@pytest.fixture
def watched(tmp_path: Path, root: Path) -> Path:
    folder = tmp_path / "watched"
    places = prepare(folder)
    shutil.copytree(root / "Scene 3 clean", places.done / "Scene 3 clean")
    with Journal(places.journal, FakeClock()) as journal:
        journal.sight([Sighting("a <b>.xml", 10, 1)], [])
    return folder


def test_the_jobs_of_a_watched_folder_and_what_it_has_delivered(watched: Path) -> None:
    with serving(watched) as page:
        (job,) = page.get("/api/jobs").json
        assert (job["name"], job["state"]) == ("a <b>.xml", "seen")
        (listed,) = page.get("/api/deliveries").json
        assert listed["folder"] == "Scene 3 clean"


def test_jobs_are_told_as_they_go_on(watched: Path) -> None:
    places = prepare(watched)
    with serving(watched) as page, page.listen() as window:
        assert window.next("jobs")[0]["state"] == "seen"
        with Journal(places.journal, FakeClock()) as journal:
            (job,) = journal.current().values()
            job = journal.take(job, Sighting("a <b>.xml", 10, 1), "exposed", "0" * 64, "1" * 64)
            job = journal.start(job, "Scene 4 clean")
            note_progress(journal, job.id, 5.0, 20.0, "A003 DX.wav")
            told = window.next("jobs")
            while told[0]["state"] != "working" or not told[0]["total_s"]:
                told = window.next("jobs")
            assert (told[0]["done_s"], told[0]["what"]) == (5.0, "A003 DX.wav")
        assert window.next("deliveries") == {}


def test_the_journal_is_only_read(watched: Path) -> None:
    places = prepare(watched)
    before = places.journal.read_bytes()
    with serving(watched) as page:
        for _ in range(3):
            page.get("/api/jobs")
    assert places.journal.read_bytes() == before
    places.journal.write_bytes(b"no database at all, for a while")
    with serving(watched) as page:
        answer = page.get("/api/jobs")
        assert answer.status == 500
        assert "journal" in answer.json["error"]


# Delivering again


def test_without_a_record_the_page_says_what_to_do(page: Page) -> None:
    told = page.get(f"/api/d/{only(page)}/uses").json["delivery"]
    assert told["can_deliver"] is False
    assert "--document" in told["cannot_deliver"]
    use = uses_of(page)[0]["id"]
    path = f"/api/d/{only(page)}/uses/{use}"
    assert page.post(f"{path}/decision", {"set": {"adr": True}}).status == 200
    for asked in (f"{path}/prepare", f"/api/d/{only(page)}/deliver"):
        answer = page.post(asked, {})
        assert answer.status == 409
        assert "--document" in answer.json["error"]


def test_with_a_record_the_job_is_known(root: Path, tmp_path: Path) -> None:
    document = tmp_path / "Scene 3.xml"
    document.write_text("<xmeml/>")
    settings = Settings(profile=load_profile("subtitled"), tracks=("A1",))
    decisions = Decisions({"A1-001": Decision(intensity_db=9.0)})
    keep_record(JobRecord(document, settings, decisions, "dsp"), root / "Scene 3 clean")
    with serving(root) as page:
        shown = page.desk.shelf.all()[0]
        order = order_of(shown, None)
        assert (order.document, order.settings, order.decisions) == (document, settings, decisions)
        assert page.get(f"/api/d/{only(page)}/uses").json["delivery"]["can_deliver"] is True
        answer = page.post(f"/api/d/{only(page)}/deliver", {})
        assert answer.status == 409
        assert "Nothing was decided" in answer.json["error"]
        document.unlink()
        told = page.get(f"/api/d/{only(page)}/uses").json["delivery"]
        assert "no longer where it was" in told["cannot_deliver"]


def test_another_timeline_is_not_taken_for_its_own(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "Scene 9.xml"
    other.write_text("<xmeml/>")
    with serving(root, other) as page:
        told = page.get(f"/api/d/{only(page)}/uses").json["delivery"]
        assert "made of Scene 3.xml" in told["cannot_deliver"]
    # The same content under another name is the same timeline.
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    values = json.loads((root / "Scene 3 clean" / "receipt.json").read_text())
    values["document"]["sha256"] = digest
    (root / "Scene 3 clean" / "receipt.json").write_text(json.dumps(values))
    with serving(root, other) as page:
        assert page.get(f"/api/d/{only(page)}/uses").json["delivery"]["can_deliver"] is True


def test_a_receipt_alone_tells_profile_tracks_handles_and_engine(root: Path) -> None:
    for engine in ("auto", "dialogue"):
        wanted = Settings(profile=load_profile("subtitled"), tracks=("A1",), engine=engine)
        values = json.loads((root / "Scene 3 clean" / "receipt.json").read_text())
        values["profile"] = asdict(wanted.profile)
        values["settings"] |= {"tracks": ["A1"], "fingerprint": wanted.fingerprint()}
        found = settings_of(values)
        assert found.fingerprint() == wanted.fingerprint()
    # What is no setting is as by default, not an error.
    values["profile"] |= {"intensity_db": "loud", "readable": 7, "de_echo": "no", "name": 3}
    assert settings_of(values).profile.readable == Settings().profile.readable
    assert settings_of({}) == Settings(workers="auto")


class Doing(Child):
    """A child that is played by the test."""

    def __init__(self, task: dict[str, Any], result: dict[str, Any] | None) -> None:
        super().__init__(task)
        self.result = result

    def run(self, told: Told) -> Ended:
        told({"done_s": 3.0, "total_s": 12.0, "what": "A003 DX.wav"})
        return Ended(self.result, "" if self.result is not None else "there was no memory left")


@pytest.mark.parametrize("works", [True, False])
def test_delivering_again_is_told_step_by_step(root: Path, tmp_path: Path, works: bool) -> None:
    document = tmp_path / "Scene 3.xml"
    document.write_text("<xmeml/>")
    new = root / "Scene 3 clean 2"
    tasks: list[dict[str, Any]] = []

    def make(task: dict[str, Any]) -> Child:
        tasks.append(task)
        return Doing(task, {"folder": str(new)} if works else None)

    with serving(root, document) as page:
        page.desk._delivering.close()
        page.desk._delivering = Bench(page.desk._tell_deliver, make=make)
        delivery, use = only(page), uses_of(page)[0]["id"]
        page.post(f"/api/d/{delivery}/uses/{use}/decision", {"set": {"adr": True}})
        shutil.copytree(root / "Scene 3 clean", new)
        with page.listen(delivery) as window:
            assert page.post(f"/api/d/{delivery}/deliver", {}).status == 202
            told = window.next("deliver")
            assert told["state"] == "working"
            while told["state"] == "working":
                last, told = told, window.next("deliver")
            assert (last["done_s"], last["total_s"], last["what"]) == (3.0, 12.0, "A003 DX.wav")
            if not works:
                assert (told["state"], told["why"]) == ("failed", "there was no memory left")
            else:
                assert told["state"] == "done"
                assert (
                    page.get(f"/api/d/{told['result']}/uses").json["delivery"]["name"] == new.name
                )
                assert window.next("deliveries") == {}
        assert page.get(f"/api/d/{delivery}/deliver").json == told
        (task,) = tasks
        own_id = page.desk.shown(delivery).by_id[use].use.id
        assert task["decisions"] == {"format": 1, "uses": {own_id: {"adr": True}}}
        assert task["document"] == str(document)
        answer = page.post(f"/api/d/{delivery}/deliver/cancel", {})
        assert answer.status == 409


def test_a_child_that_dies_is_one_line_and_costs_nothing_else(root: Path, tmp_path: Path) -> None:
    """The real child, with a document that is none."""
    document = tmp_path / "Scene 3.xml"
    document.write_text("no timeline")
    with serving(root, document) as page:
        delivery, use = only(page), uses_of(page)[0]["id"]
        with page.listen(delivery) as window:
            assert page.post(f"/api/d/{delivery}/uses/{use}/prepare", {}).status == 202
            told = window.next("stems")
            while told["state"] == "preparing":
                told = window.next("stems")
        assert told["state"] == "failed"
        assert told["why"]
        assert "\n" not in told["why"]
        assert page.get(f"/api/d/{delivery}/uses/{use}").json["stems"]["why"] == told["why"]
        assert page.get(f"/api/d/{delivery}/uses/{use}/stems").status == 404
