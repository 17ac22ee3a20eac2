"""How fast the ledger writes and checks, and whether it answers and finds what it promises.

`python -m benchmarks.ledger` from the checkout.

On SQLite: appends one by one (each reaches the disk) and many in one transaction; `verify` of a
million entries, with what memory it takes. `who-served` is held against a walk of the chain, entry
by entry, on random histories of crowns and repairs whose clock goes backwards now and then. In a
copy of a ledger a random row is edited, deleted or put elsewhere, and `verify` must name it.

What is asked is asked of the clock. Beside it stands the time of the processor, which other work on
the machine changes less.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.answers.service import turn_at, turns
from pipelines.errors import Corrupted
from pipelines.ledger import GENESIS, Crown, MemoryLedger, Reconciliation, UnknownDecision
from pipelines.ledger.chain import StoredEntry
from pipelines.ledger.checked import CheckedLedger
from pipelines.ledger.sql import SqlLedger
from pipelines.refs import Ref, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipelines.ledger import Entry

START = datetime(2026, 1, 1, tzinfo=UTC)
BUNDLE = Ref(uri="objects/aa/" + "a" * 64 + ".json", sha256="a" * 64)
MINUTES = 30
"""A history's clock shows one of so many minutes."""
BODY = {
    "verdict": "no_drift",
    "reasons": ["nothing has drifted"],
    "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"},
    "source": "traffic",
    "rows": 1_234,
    "labelled": 1_111,
    "champion": "7",
    "metric": "roc_auc",
    "live": 0.8123,
    "expected": 0.8201,
    "drifted": [],
    "figures": BUNDLE.model_dump(),
    "page": BUNDLE.model_dump(),
}
"""As long as what most entries hold: a drift check."""

ROOT = Path(__file__).resolve().parents[1]
VERIFY = """
import re, sys, time
from pathlib import Path
from pipelines.ledger.sql import SqlLedger

def peak():  # getrusage would tell the peak of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1_000

ledger = SqlLedger(sys.argv[1])
ledger.find("sales", "drift", "k1")  # what a first question loads is no part of it
before, start, processor = peak(), time.perf_counter(), time.process_time()
found = ledger.verify()
print(found, time.perf_counter() - start, time.process_time() - processor, peak() - before)
"""
"""Prints entries, seconds, seconds of the processor, and how many MB the peak of memory rose."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *measure_appends(Path(folder), single=5 if tiny else 200, many=50 if tiny else 20_000),
            *measure_verify(Path(folder), 1_000 if tiny else 1_000_000),
            measure_damage(Path(folder), 5 if tiny else 500),
        ]
    histories = 20 if tiny else 10_000
    rng = random.Random(0)
    equal = sum(is_answered_as_by_a_walk(random_history(rng)) for _ in range(histories))
    name = f"who-served equal to a walk of the chain, of {histories:,} random histories"
    rows.append({"measure": name, "value": equal, "unit": "histories", "asked": f">= {histories}"})
    show("Ledger", rows)
    if tiny:
        return 0
    write("ledger", rows)
    return int(not all(_is_as_asked(row) for row in rows))


def _is_as_asked(row: Measure) -> bool:
    if not row["asked"]:
        return True
    sign, number = row["asked"].split()
    return row["value"] <= float(number) if sign == "<=" else row["value"] >= float(number)


def measure_appends(folder: Path, *, single: int, many: int) -> list[Measure]:
    """Return how many entries a second a ledger takes, one by one and in batches."""
    ledger = SqlLedger(f"sqlite:///{folder}/appends.db")
    decision = UnknownDecision(kind="drift", content=BODY)
    start = time.perf_counter()
    for n in range(single):
        ledger.append("sales", f"single{n}", decision)
    one_by_one = single / (time.perf_counter() - start)
    size = min(many, 1_000)
    start, processor = time.perf_counter(), time.process_time()
    for first in range(0, many, size):
        ledger.append_many("sales", [(f"many{n}", decision) for n in range(first, first + size)])
    in_batches = many / (time.perf_counter() - start)
    by_processor = many / (time.process_time() - processor)
    return [
        _measure("appends one by one", one_by_one, "entries/s", ""),
        _measure(f"appends in batches of {size:,}", in_batches, "entries/s", ">= 2000"),
        _measure(f"appends in batches of {size:,}, processor", by_processor, "entries/s", ""),
    ]


def measure_verify(folder: Path, count: int) -> list[Measure]:
    """Return how long the check of a ledger with so many entries takes, and with what memory."""
    file = folder / "long.db"
    fill_chain(file, count)
    # a process of its own, whose memory has held nothing else
    command = [sys.executable, "-c", VERIFY, f"sqlite:///{file}"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found, seconds, by_processor, megabytes = map(float, done.stdout.split())
    if found != count:
        message = f"{found} entries were checked, not {count}"
        raise AssertionError(message)
    name = f"verify of {count:,} entries"
    return [
        *measure_questions(file, count),
        _measure(name, seconds, "s", "<= 20"),
        _measure(f"{name}, each, processor", by_processor / count * 1e6, "µs", "<= 20"),
        _measure(f"{name}, more memory at its peak", megabytes, "MB", "<= 20"),
    ]


def fill_chain(file: Path, count: int) -> None:
    """Make a ledger with so many entries of a model, faster than the ledger would write them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    SqlLedger(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as database:
        triggers = _drop_triggers(database)
        database.executemany("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?)", _chain(count))
        newest = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1"
        database.execute(f"UPDATE head SET (seq, hash) = ({newest})")
        for statement in triggers:
            database.execute(statement)
        database.commit()


def measure_questions(file: Path, count: int) -> list[Measure]:
    """Return how long a ledger of so many entries takes to answer, and to take one more."""
    ledger = CheckedLedger(SqlLedger(f"sqlite:///{file}"), file.with_name("checked.db"))
    (first,) = _seconds(ledger.check, 1)[:1]
    decision = UnknownDecision(kind="drift", content=BODY)
    keys = iter(f"more{number}" for number in range(100))
    of = f"of {count:,} entries"

    def history() -> None:
        ledger.check()
        ledger.entries("sales", limit=50)

    def champion() -> None:
        ledger.champion("sales")

    def append() -> None:
        ledger.append("sales", next(keys), decision)

    bare = file.with_name("bare.db")
    with closing(sqlite3.connect(bare)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE bare (body TEXT)")

    def commit() -> None:
        with closing(sqlite3.connect(bare, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = FULL")
            database.execute("INSERT INTO bare VALUES (?)", (canonical(BODY).decode(),))

    ledger.append("sales", "first", Crown(version="1", bundle=BUNDLE, release=1))
    history()
    return [
        _measure(f"first check {of}, which is remembered", first, "s", ""),
        _measure(f"what is remembered {of}", _size(file.with_name("checked.db")), "MB", ""),
        *_measure_call(f"history {of}, checked", history, 20, "<= 100"),
        *_measure_call(f"champion {of}, checked", champion, 100, "<= 5"),
        *measure_append(of, append, commit),
    ]


def measure_append(
    of: str, append: Callable[[], object], commit: Callable[[], object]
) -> list[Measure]:
    """Return what an append takes, beside a bare commit that reaches the disk: one after the other,
    so that what else writes slows both.
    """
    begin = time.process_time()
    taken = [(_seconds(append, 1)[0], _seconds(commit, 1)[0]) for _ in range(100)]
    processor = (time.process_time() - begin) / len(taken)
    wall, bare = (statistics.median(times) for times in zip(*taken, strict=True))
    return [
        _measure(f"append {of}", 1e3 * wall, "ms", "<= 10"),
        _measure(f"append {of} and a bare commit, processor", 1e3 * processor, "ms", ""),
        _measure("a bare commit that reaches the disk, of SQLite beside it", 1e3 * bare, "ms", ""),
        _measure(f"append {of} against a bare commit", wall / bare, "times", ""),
    ]


def _measure_call(name: str, call: Callable[[], object], times: int, asked: str) -> list[Measure]:
    wall, processor = _seconds(call, times)
    return [
        _measure(name, 1e3 * wall, "ms", asked),
        _measure(f"{name}, processor", 1e3 * processor, "ms", ""),
    ]


def _seconds(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Return how long a call takes, in the middle of so many, and of the processor on average."""
    taken, processor = [], time.process_time()
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken), (time.process_time() - processor) / times


def _size(file: Path) -> float:
    return file.stat().st_size / 1e6


def _chain(count: int) -> Iterator[StoredEntry]:
    """Yield the entries of a chain as a ledger stores them."""
    previous = GENESIS
    for seq in range(1, count + 1):
        body = canonical({**BODY, "rows": seq}).decode()
        row = StoredEntry(
            seq, "2026-01-01T00:00:00Z", "sales", "drift", f"k{seq}", body, previous, ""
        )
        row = row._replace(hash=row.own_hash())
        previous = row.hash
        yield row


def measure_damage(folder: Path, trials: int) -> Measure:
    """Return how many of so many touched rows `verify` names."""
    file, count, rng = folder / "touched.db", 50, random.Random(0)
    ledger = SqlLedger(f"sqlite:///{file}")
    decision = UnknownDecision(kind="drift", content=BODY)
    # no key becomes another one by an edit
    ledger.append_many("sales", [(f"k{n:02d}" * 3, decision) for n in range(count)])
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        _drop_triggers(database)
        named = 0
        for _ in range(trials):
            seq = rng.randrange(1, count + 1)
            row = database.execute("SELECT * FROM entries WHERE seq = ?", (seq,)).fetchone()
            _touch(database, seq, rng)
            try:
                ledger.verify()
            except Corrupted as error:
                named += f"Entry {seq} of" in str(error)
            database.execute("DELETE FROM entries WHERE seq IN (?, 999)", (seq,))
            database.execute("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?)", row)
    ledger.verify()
    name = f"touched rows that verify names, of {trials}"
    return _measure(name, named, "rows", f">= {trials}")


def _touch(database: sqlite3.Connection, seq: int, rng: random.Random) -> None:
    """Edit a column of a row by a character, delete the row, or give it another number."""
    what = rng.choice(["at", "model", "kind", "key", "body", "previous", "hash", "gone", "moved"])
    if what == "gone":
        database.execute("DELETE FROM entries WHERE seq = ?", (seq,))
        return
    if what == "moved":
        database.execute("UPDATE entries SET seq = 999 WHERE seq = ?", (seq,))
        return
    query = f"SELECT {what} FROM entries WHERE seq = ?"
    (text,) = database.execute(query, (seq,)).fetchone()
    at = rng.randrange(len(text))
    edited = text[:at] + rng.choice(["\t", chr(ord(text[at]) ^ 1), ""]) + text[at + 1 :]
    change = f"UPDATE entries SET {what} = ? WHERE seq = ?"
    database.execute(change, (edited, seq))


def _drop_triggers(database: sqlite3.Connection) -> list[str]:
    """Drop what guards the entries, and return the statements that make it again."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    found = database.execute(query).fetchall()
    for name, _ in found:
        database.execute(f'DROP TRIGGER "{name}"')
    return [sql for _, sql in found]


def random_history(rng: random.Random) -> list[Entry]:
    """Return the entries of a model: crowns, repairs and others, by a clock that may go back."""
    minutes: Sequence[int] = [rng.randrange(MINUTES) for _ in range(rng.randrange(12))]
    if rng.random() < 0.5:
        minutes = sorted(minutes)
    moments = iter(START + timedelta(minutes=m) for m in minutes)
    ledger = MemoryLedger(now=lambda: next(moments))
    for number in range(1, len(minutes) + 1):
        version, kind = str(rng.randrange(4)), rng.randrange(4)
        key = f"run{number}"
        if kind == 0:
            repair = Reconciliation(reason="", number=number, version=version, bundle=BUNDLE)
            ledger.append("sales", key, repair)
        elif kind == 1:
            ledger.append("sales", key, Reconciliation(reason="the alias followed"))
        else:
            crown = Crown(version=version, bundle=BUNDLE, release=number)
            ledger.append("sales", key, crown)
    return ledger.entries("sales")


def is_answered_as_by_a_walk(entries: list[Entry]) -> bool:
    """Tell whether each moment has the answer that a walk of the chain gives."""
    found = turns(entries)
    for half in range(-2, 2 * MINUTES + 4):
        at = START + timedelta(seconds=30 * half)
        turn = turn_at(found, at)
        if (turn and (turn.version, turn.release)) != walk(entries, at):
            return False
    return True


def walk(entries: list[Entry], at: datetime) -> tuple[str, int] | None:
    """Return who served: go along the chain until its clock has passed the moment.

    The chain's clock shows the latest moment of any release so far, whatever a later entry says.
    """
    answer: tuple[str, int] | None = None
    clock = START - timedelta(days=1)
    for entry in entries:
        number = entry.body.get("release", entry.body.get("number"))
        if number is None:
            continue
        clock = max(clock, entry.at)
        if clock > at:
            break
        answer = (entry.body["version"], number)
    return answer


def _measure(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": round(value, 2), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
