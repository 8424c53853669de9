"""How fast the review page answers: `python tests/benchmarks/review.py`.

The limit is 100 ms for a delivery of 500 uses; 5,000 must work. Every line is the first answer
after a start, and the median and the slowest of the next ones, over loopback, in ms. The limit is
held against the processor time of the first and of the median (server and client together), which
does not depend on what else the machine does.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testkit.review import Answer, Page, a_delivery, serving

LIMIT_MS = 100.0
TURNS = 15


def grown(root: Path, uses: int) -> Path:
    """A delivery of that many uses, four to a file, each file with an account of its own."""
    folder = a_delivery(root, uses=1)
    values = json.loads((folder / "receipt.json").read_text())
    (use,), account = values["uses"], values["regions"]["r1"]
    values["uses"] = [
        {**use, "id": f"A1-{number:04}", "region": f"r{number // 4}"} for number in range(uses)
    ]
    values["regions"] = {f"r{number}": account for number in range(-(-uses // 4))}
    (folder / "receipt.json").write_text(json.dumps(values))
    return folder


def timed_ms(ask: Callable[[], Answer]) -> tuple[float, float]:
    """How long one answer takes, and how much processor time."""
    start_s, busy_s = time.perf_counter(), time.process_time()
    answer = ask()
    taken_s, busy_s = time.perf_counter() - start_s, time.process_time() - busy_s
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {answer.content[:200]!r}")
    return 1000 * taken_s, 1000 * busy_s


def measured(page: Page) -> dict[str, list[tuple[float, float]]]:
    """Times of every kind of answer, the first of each apart."""
    times: dict[str, list[tuple[float, float]]] = {}

    def measure(name: str, ask: Callable[[], Answer]) -> None:
        times[name] = [timed_ms(ask) for _ in range(TURNS + 1)]

    measure("list of deliveries", lambda: page.get("/api/deliveries"))
    delivery = page.get("/api/deliveries").json[0]["id"]
    measure("page of a delivery", lambda: page.get(f"/d/{delivery}"))
    measure("its uses", lambda: page.get(f"/api/d/{delivery}/uses"))
    use = page.get(f"/api/d/{delivery}/uses").json["uses"][-1]["id"]
    path = f"/api/d/{delivery}/uses/{use}"
    measure("one use", lambda: page.get(path))
    decision, headers = b'{"set": {"intensity_db": 9}}', page.changing
    measure("a decision", lambda: page.ask("POST", f"{path}/decision", decision, headers))
    for number in range(0, len(page.desk.shown(delivery).by_id), 7):
        use = f"A1-{number:04}"
        body = {"set": {"subtitle": "What was said", "adr": True}}
        page.ask(
            "POST", f"/api/d/{delivery}/uses/{use}/decision", json.dumps(body).encode(), headers
        )
    measure("its uses, every seventh decided", lambda: page.get(f"/api/d/{delivery}/uses"))
    measure(
        "a decision beside many", lambda: page.ask("POST", f"{path}/decision", decision, headers)
    )
    return times


def main() -> int:
    """Prints a table; 1 where a limit is missed."""
    missed = False
    for uses in (500, 5000):
        with tempfile.TemporaryDirectory() as folder:
            grown(Path(folder), uses)
            with serving(Path(folder)) as page:
                times = measured(page)
        print(f"{uses} uses: first, median, slowest; processor: first, median (ms)")
        for name, each in times.items():
            (first, *rest), (busy_first, *busy) = zip(*each, strict=True)
            over = uses == 500 and max(statistics.median(busy), busy_first) > LIMIT_MS
            missed |= over
            told = f"{first:8.1f} {statistics.median(rest):8.1f} {max(rest):8.1f}"
            told += f"   {busy_first:8.1f} {statistics.median(busy):8.1f}"
            print(f"  {name:34} {told}{'  over the limit' if over else ''}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
