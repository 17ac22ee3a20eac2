"""The chain: its hash speaks of the stored columns, and of every one of them."""

from __future__ import annotations

import json
import random

from pipelines.intervals import iso
from pipelines.ledger import MemoryLedger, first_break
from pipelines.ledger.chain import StoredEntry, entry_hash, first_stored_break
from pipelines.ledger.port import Head
from pipelines.refs import canonical, sha256
from tests.decisions import raw
from tests.version_0 import ENTRIES

HOSTILE = 'x","kind":"y","model":"z\\\\'


def ledger_of(count):
    ledger = MemoryLedger()
    for n in range(count):
        body = {"n": n, "text": f"\u2028grün {HOSTILE}", "key": {"key": HOSTILE}}
        ledger.append("m", f"k{n} {HOSTILE}", raw("verdict", body))
    return ledger


def test_the_hash_is_that_of_the_canonical_json_of_all_else():
    for entry in [*ENTRIES, *ledger_of(3).entries()]:
        fields = {n: v for n, v in entry.model_dump(exclude={"hash"}).items() if n != "at"}
        assert entry_hash(entry) == sha256(canonical({**fields, "at": iso(entry.at)}))


def test_what_an_earlier_version_wrote_is_whole():
    assert first_break(ENTRIES) is None


def test_whatever_changes_in_any_column_is_found():
    """An edit of one column, or a piece that is moved from one to another."""
    ledger, rng = ledger_of(6), random.Random(0)
    rows = [StoredEntry.of(entry) for entry in ledger.entries()]
    head = Head(seq=6, hash=rows[-1].hash)
    assert first_stored_break(rows, head) is None
    for _ in range(3_000):
        place = rng.randrange(6)
        changed = _edit(rows[place], rng)
        if changed == rows[place]:
            continue
        edited = [*rows[:place], changed, *rows[place + 1 :]]
        assert first_stored_break(edited, head) == place + 1


def _edit(row, rng):
    columns = row._asdict()
    name, other = rng.choice(list(columns)), rng.choice(["key", "kind", "model", "body"])
    if name == "seq":
        return row._replace(seq=rng.choice([0, -1, row.seq + 1, None, str(row.seq)]))
    text = columns[name]
    at = rng.randrange(len(text) + 1)
    piece = text[at : at + rng.randrange(1, 40)]
    rest = text[:at] + text[at + len(piece) :]
    edits = [
        {name: text[:at] + rng.choice([" ", "0", '"', "}", "\\"]) + text[at:]},
        {name: rest},
        {name: rest, other: columns[other] + piece},
        {name: text.encode()},
        {name: None},
    ]
    return row._replace(**rng.choice(edits))


def test_a_body_that_takes_in_the_columns_behind_it_is_found():
    """The columns of such a row would read as the same JSON, were they not quoted."""
    (entry,) = ledger_of(1).entries()
    row = StoredEntry.of(entry)
    rest = f',"key":{json.dumps(row.key)},"kind":"verdict"'
    assert first_stored_break([row._replace(body=row.body + rest)]) == 1
    assert first_stored_break([row._replace(kind="", key="", body=row.body + rest)]) == 1


def test_deleted_swapped_and_doubled_rows_are_found():
    rows = [StoredEntry.of(entry) for entry in ledger_of(5).entries()]
    head = Head(seq=5, hash=rows[-1].hash)
    for n in range(5):
        assert first_stored_break(rows[:n] + rows[n + 1 :], head) == n + 1
        assert first_stored_break([*rows[:n], rows[n], *rows[n:]], head) == n + 2
    assert first_stored_break([rows[1], rows[0], *rows[2:]], head) == 1


def test_a_chain_that_is_written_anew_is_whole_and_has_another_head():
    forged = [StoredEntry.of(e) for e in ledger_of(5).entries()]
    mine = ledger_of(5).entries()[-1]
    assert first_stored_break(forged) is None
    assert first_stored_break(forged, Head(seq=5, hash=mine.hash)) == 5
