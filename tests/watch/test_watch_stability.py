from hypothesis import given
from hypothesis import strategies as st

from nlecompanion.watch.stability import Sighting, StabilityTracker


def paths(tracker: StabilityTracker, now_s: float) -> list[str]:
    return [still.sighting.path for still in tracker.still(now_s)]


def test_still_after_the_whole_time_and_not_before() -> None:
    tracker = StabilityTracker(5)
    tracker.observe(Sighting("a", 10, 1), 100)
    assert paths(tracker, 104.999) == []
    assert paths(tracker, 105) == ["a"]


def test_a_change_of_size_or_time_starts_the_wait_again() -> None:
    tracker = StabilityTracker(5)
    tracker.observe(Sighting("a", 10, 1), 0)
    tracker.observe(Sighting("a", 11, 1), 4)
    assert paths(tracker, 8) == []
    tracker.observe(Sighting("a", 11, 2), 8)
    assert paths(tracker, 12.9) == []
    assert paths(tracker, 13) == ["a"]


def test_seeing_the_same_again_does_not_prolong_the_wait() -> None:
    tracker = StabilityTracker(5)
    for now_s in range(6):
        tracker.observe(Sighting("a", 10, 1), now_s)
    (still,) = tracker.still(5)
    assert still.still_s == 5


def test_vanished_files_are_forgotten() -> None:
    tracker = StabilityTracker(5)
    tracker.observe(Sighting("a", 10, 1), 0)
    tracker.observe(Sighting("b", 10, 1), 1)
    tracker.keep_only(["b"])
    tracker.observe(Sighting("a", 10, 1), 3)
    assert paths(tracker, 6) == ["b"]
    assert paths(tracker, 8) == ["b", "a"]
    tracker.forget("b")
    assert len(tracker) == 1


def test_asked_again_later_unless_it_changes() -> None:
    tracker = StabilityTracker(5)
    tracker.observe(Sighting("a", 10, 1), 0)
    tracker.ask_again("a", 30)
    assert paths(tracker, 29) == []
    assert tracker.next_due_s() == 30
    assert paths(tracker, 30) == ["a"]
    tracker.observe(Sighting("a", 11, 1), 30)
    assert paths(tracker, 35) == ["a"]


def test_nothing_due_where_nothing_is_watched() -> None:
    assert StabilityTracker(5).next_due_s() is None


@given(st.lists(st.tuples(st.floats(0, 4), st.integers(0, 2)), min_size=1, max_size=30))
def test_never_still_sooner_than_the_last_change_allows(looks: list[tuple[float, int]]) -> None:
    tracker = StabilityTracker(5)
    now_s, size, changed_s = 0.0, -1, 0.0
    for pause_s, seen_bytes in looks:
        now_s += pause_s
        if seen_bytes != size:
            size, changed_s = seen_bytes, now_s
        tracker.observe(Sighting("a", seen_bytes, 0), now_s)
        assert bool(tracker.still(now_s)) == (now_s - changed_s >= 5)
