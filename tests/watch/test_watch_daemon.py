"""What is taken from the inbox, when, and what it is called."""

import hashlib
import json
import logging
import os
import sys
from pathlib import Path

import pytest
from testkit.watching import END, Bench, deliver

from nlecompanion.errors import MediaError, SettingsError, UnsafeDocument
from nlecompanion.watch.contract import JobResult, Needs, WatchSettings, WorkOrder


def test_a_document_that_is_still_for_5_s_is_delivered_once(bench: Bench) -> None:
    with bench.daemon() as daemon:
        dropped = bench.drop("scene 1.xml")
        bench.turn(daemon)
        bench.turn(daemon, 4.9)
        assert bench.orders == []
        bench.turn(daemon, 0.1)
        bench.turn(daemon, 1000)
    (order,) = bench.orders
    assert (order.document, order.profile) == (dropped, "exposed")
    assert order.out == bench.root.resolve() / "done" / "scene 1"
    assert bench.lying("done") == ["scene 1"]
    assert bench.lying("working") == bench.lying("failed") == []
    (job,) = bench.jobs()
    assert (job.state, job.cleaned, job.failed) == ("done", 2, 0)
    assert job.message == "2 uses cleaned"


def test_the_inbox_stays_as_it_was(bench: Bench) -> None:
    with bench.daemon() as daemon:
        files = [bench.drop("a.xml"), bench.drop("bad.xml", b"x"), bench.drop("subtitled/b.otio")]
        before = [(f.stat().st_ino, f.stat().st_mtime_ns, f.read_bytes()) for f in files]
        bench.settle(daemon, 30)
        bench.turn(daemon, 30)
        assert [(f.stat().st_ino, f.stat().st_mtime_ns, f.read_bytes()) for f in files] == before
    assert bench.lying("done") == ["a", "b"]
    assert bench.lying("failed") == ["bad.xml", "bad.xml.txt"]


def test_files_present_at_start_wait_as_well(bench: Bench) -> None:
    bench.drop("a.xml")
    with bench.daemon() as daemon:
        bench.turn(daemon)
        assert bench.orders == []
        bench.turn(daemon, 5)
    assert bench.lying("done") == ["a"]


def test_a_growing_copy_is_never_started_early(bench: Bench) -> None:
    whole = b"x" * 50 + END
    with bench.daemon() as daemon:
        for end in range(1, len(whole)):
            bench.drop("a.xml", whole[:end])
            bench.turn(daemon, 4)
        assert bench.orders == []
        assert bench.states() == {"a.xml": ["seen"]}
        bench.drop("a.xml", whole)
        bench.settle(daemon)
    assert bench.lying("done") == ["a"]


def test_a_copy_that_stalls_gets_time_and_then_a_line(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("stalls.xml", b"half")
        bench.drop("ends.xml", b"half")
        bench.settle(daemon)
        bench.turn(daemon, 20)
        assert bench.lying("failed") == []
        bench.drop("stalls.xml", b"half and half" + END)
        bench.settle(daemon)
        assert (bench.lying("done"), bench.lying("failed")) == (
            ["stalls"],
            ["ends.xml", "ends.xml.txt"],
        )
    line = (bench.root / "failed" / "ends.xml.txt").read_text()
    assert line == "ends.xml ends too early. Export it again.\n"
    assert (bench.root / "failed" / "ends.xml").read_bytes() == b"half"


def test_a_failed_copy_that_is_completed_later_is_worked_on(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"half")
        bench.settle(daemon, 30)
        bench.drop("a.xml", b"half and half" + END)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed", "done"]}
    assert bench.lying("done") == ["a"]


def test_a_document_that_never_will_parse_fails_at_once(bench: Bench) -> None:
    def refuse(document: Path) -> Needs:
        raise UnsafeDocument(f"{document.name} nests 20000 deep;\n at most 200 are read.")

    bench.check = refuse
    with bench.daemon() as daemon:
        bench.drop("a.otio")
        bench.settle(daemon)
    line = (bench.root / "failed" / "a.otio.txt").read_text()
    assert line == "a.otio nests 20000 deep; at most 200 are read.\n"


def test_a_fault_in_a_reader_fails_the_file_and_nothing_else(bench: Bench) -> None:
    def fall_over(document: Path) -> Needs:
        if document.name == "a.xml":
            raise RecursionError("too deep")
        return Needs(())

    bench.check = fall_over
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml")
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed"], "b.xml": ["done"]}
    assert "RecursionError: too deep" in (bench.root / "failed" / "a.xml.txt").read_text()


def test_a_sub_folder_picks_the_profile_whatever_its_case(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("Under-Music/b.xml")
        bench.drop("subtitled/reel 1/c.xml")
        bench.settle(daemon)
    picked = {order.document.name: order.profile for order in bench.orders}
    assert picked == {"a.xml": "exposed", "b.xml": "under-music", "c.xml": "subtitled"}


def test_an_unknown_sub_folder_is_answered_with_the_profiles(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("subtitels/a.xml")
        bench.settle(daemon)
    line = (bench.root / "failed" / "a.xml.txt").read_text()
    assert "no profile 'subtitels'" in line
    assert "exposed, subtitled, under-music" in line
    assert bench.orders == []


def test_the_default_profile_must_exist() -> None:
    with pytest.raises(SettingsError, match="Known profiles: a, b"):
        WatchSettings({"a": "", "b": ""}, default_profile="c")
    with pytest.raises(SettingsError, match="above 0 s"):
        WatchSettings({"a": ""}, default_profile="a", rescan_s=0)


def test_failures_of_the_same_name_do_not_cover_each_other(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"one")
        bench.drop("subtitled/a.xml", b"two")
        bench.settle(daemon, 30)
    assert bench.lying("failed") == ["a 2.xml", "a 2.xml.txt", "a.xml", "a.xml.txt"]


def test_deliveries_of_the_same_name_are_numbered(bench: Bench) -> None:
    with bench.daemon() as daemon:
        (bench.root / "done" / "A").mkdir()
        bench.drop("a.xml", b"one" + END)
        bench.drop("subtitled/a.otio", b"two" + END)
        bench.settle(daemon)
    assert bench.lying("done") == ["A", "a 2", "a 3"]


def test_the_same_content_under_another_name_is_one_job(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"same" + END)
        bench.drop("b.xml", b"same" + END)
        bench.settle(daemon)
        bench.drop("c.xml", b"same" + END)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"], "b.xml": ["duplicate"], "c.xml": ["duplicate"]}
    first, second, third = bench.jobs()
    assert second.duplicate_of == third.duplicate_of == first.id
    assert len(bench.orders) == 1


def test_a_touched_file_is_the_same_job(bench: Bench) -> None:
    with bench.daemon() as daemon:
        path = bench.drop("a.xml")
        bench.settle(daemon)
        os.utime(path, ns=(1, 1))
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done", "duplicate"]}
    assert len(bench.orders) == 1


def test_the_same_content_with_another_profile_or_settings_is_another_job(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"same" + END)
        bench.drop("subtitled/a.xml", b"same" + END)
        bench.settle(daemon)
    assert [order.profile for order in bench.orders] == ["exposed", "subtitled"]
    with bench.daemon(profiles={"exposed": "2"}) as daemon:
        bench.drop("b.xml", b"same" + END)
        bench.settle(daemon)
    assert len(bench.orders) == 3


def test_new_content_under_the_same_name_is_a_new_job(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"one" + END)
        bench.settle(daemon)
        bench.drop("a.xml", b"two" + END)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done", "done"]}
    assert bench.lying("done") == ["a", "a 2"]


def test_a_failed_job_is_tried_again_when_dropped_again(bench: Bench) -> None:
    def offline(order: WorkOrder) -> JobResult:
        raise MediaError("All media are offline. Mount their disk and drop the timeline again.")

    bench.behaviour = offline
    with bench.daemon() as daemon:
        path = bench.drop("a.xml")
        bench.settle(daemon)
        bench.turn(daemon, 1000)
        assert len(bench.orders) == 1
        assert bench.lying("failed") == ["a.xml", "a.xml.txt"]
        bench.behaviour = deliver
        os.utime(path, ns=(1, 1))
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed", "done"]}
    assert bench.lying("done") == ["a"]
    assert bench.lying("failed") == [], "the line is no longer true"


def test_a_failed_job_is_tried_again_when_taken_out_and_put_back(bench: Bench) -> None:
    def fail(order: WorkOrder) -> JobResult:
        raise MediaError("Offline.")

    bench.behaviour = fail
    with bench.daemon() as daemon:
        path = bench.drop("a.xml")
        bench.settle(daemon)
        aside = path.rename(bench.root / "aside.xml")
        bench.turn(daemon)
        aside.rename(path)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed", "failed"]}
    assert bench.lying("failed") == ["a.xml", "a.xml.txt"]


def test_names_of_every_kind(bench: Bench) -> None:
    names = [
        "a scene.xml",
        'it\'s "quoted".xml' if sys.platform != "win32" else "it's quoted.xml",
        "50% #1.xml",
        "Übung.xml",
        "会議.xml",
        "שלום.xml",
        "-rf.xml",
    ]
    with bench.daemon() as daemon:
        for name in names:
            bench.drop(name)
        bench.settle(daemon)
    assert bench.states() == {name: ["done"] for name in names}
    assert len(bench.lying("done")) == len(names)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows names that are no Unicode")
def test_a_name_that_is_no_unicode(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop(os.fsdecode(b"caf\xe9.xml"))
        bench.drop(os.fsdecode(b"bad\xe9.\xe9ml"), b"half")
        bench.settle(daemon, 30)
        bench.settle(daemon)
    assert bench.states() == {
        os.fsdecode(b"caf\xe9.xml"): ["done"],
        os.fsdecode(b"bad\xe9.\xe9ml"): ["failed"],
    }
    assert bench.lying("failed") == ["bad_._ml", "bad_._ml.txt"]


def test_a_file_too_large_for_a_timeline_is_not_read(bench: Bench) -> None:
    with bench.daemon(max_document_bytes=1 << 20) as daemon:
        path = bench.drop("a.xml")
        os.truncate(path, 3 << 20)
        bench.settle(daemon)
    assert (
        "has 3 MiB; a timeline may have 1 MiB" in (bench.root / "failed" / "a.xml.txt").read_text()
    )


def test_hundreds_at_once(bench: Bench) -> None:
    with bench.daemon() as daemon:
        for number in range(300):
            bench.drop(f"scene {number}.xml", b"" if number % 2 else b"%d" % number + END)
        bench.turn(daemon)
        bench.turn(daemon, 5)
    assert bench.states() == {
        f"scene {number}.xml": ["seen" if number % 2 else "done"] for number in range(300)
    }


def test_every_change_of_state_is_one_line(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nlecompanion"), bench.daemon() as daemon:
        bench.drop("a\u202eb.xml")
        bench.settle(daemon)
    states = [r for r in caplog.records if getattr(r, "event", "") == "state"]
    assert [r.getMessage() for r in states] == [
        r"a\u202eb.xml: seen",
        r"a\u202eb.xml: stable (profile exposed)",
        r"a\u202eb.xml: working (attempt 1)",
        r"a\u202eb.xml: done (2 uses cleaned)",
    ]
    fields = {key: vars(states[-1])[key] for key in ("job", "state", "state_before", "profile")}
    assert json.loads(json.dumps(fields)) == {
        "job": 1,
        "state": "done",
        "state_before": "working",
        "profile": "exposed",
    }


def test_the_delivery_is_of_the_document_as_dropped(bench: Bench) -> None:
    with bench.daemon() as daemon:
        path = bench.drop("a.xml")
        bench.settle(daemon)
    (job,) = bench.jobs()
    assert job.document_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
