"""From files to a file: the bytes of what is built in memory, with any number of threads."""

from datetime import UTC, datetime, timedelta
from operator import methodcaller

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis import _

from pipelines.building.files import build_file
from pipelines.building.question import BuildQuestion, RawTable
from pipelines.building.row_order import why_order_matters
from pipelines.building.rows import run_build
from pipelines.errors import SpecError
from pipelines.tables import GROUP_ROWS, from_parquet, sorted_rows, to_parquet

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = GROUP_ROWS + 60_000
SUBJECT = "models/m/features.py"


def events(rows: int) -> pa.Table:
    """Rows in no order: texts, whole numbers, floats with NaN and null, one time for a few."""
    chance = np.random.default_rng(7)
    at = chance.integers(0, 40 * 86_400, rows) * 1_000_000 + int(START.timestamp()) * 1_000_000
    amount = chance.normal(size=rows)
    amount[::97] = np.nan
    return pa.table(
        {
            "id": pa.array(chance.permutation(rows)),
            "at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "shop": pa.array(chance.choice(["north", "south", "Ost"], rows)),
            "amount": pa.array(amount),
            "count": pa.array(chance.integers(0, 9, rows), mask=chance.random(rows) < 0.01),
        }
    )


def build(tables):
    """Sums of whole numbers over the days before, joined back: nothing depends on the order."""
    rows = tables["events"].mutate(day=(_.at.epoch_seconds() // 86_400).cast("int64"))
    days = rows.group_by(["shop", "day"]).agg(sold=_["count"].sum())
    before = ibis.window(group_by="shop", order_by="day", range=(-7, -1))
    days = days.select("shop", "day", trend=_.sold.sum().over(before) / 7)
    joined = rows.left_join(days, ["shop", "day"])
    return joined.select("id", "at", "shop", "amount", "trend", twice=_["count"] * 2)


def question(folder, **changes) -> BuildQuestion:
    kinds = pq.read_schema(folder / "0.parquet")
    raw = RawTable(
        files=[str(p) for p in sorted(folder.glob("[0-9].parquet"))],
        columns=kinds.names,
        floats=["amount"],
        time="at",
    )
    return BuildQuestion(
        **{
            "tables": {"events": raw},
            "since": START,
            "start": START + timedelta(days=2),
            "end": START + timedelta(days=39),
            "event_time": "at",
            "order": ["at", "id"],
            "columns": ["id", "at", "trend", "amount", "shop", "twice"],
            "inputs": ["amount", "trend"],
            "derived": None,
            "memory": 200 * 2**20,
            "threads": 1,
            "folder": str(folder),
            "target": str(folder / "built.parquet"),
            "any_order": False,
        }
        | changes
    )


def kept(tables: dict[str, pa.Table], asked: BuildQuestion, code=build) -> bytes:
    """What is built in memory, as it is kept."""
    low, high = (pa.scalar(t, pa.timestamp("us", tz="UTC")) for t in (asked.start, asked.end))
    at = pa.compute.field("at")
    before = {name: table.filter(at < high) for name, table in tables.items()}
    built = run_build(code, before, SUBJECT, asked.derived)
    rows = built.select(asked.columns).filter((at >= low) & (at < high))
    return to_parquet(sorted_rows(rows, asked.order))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two files of raw rows, and the rows as one table."""
    folder, table = tmp_path_factory.mktemp("raw"), events(ROWS + 130_000)
    pq.write_table(table.slice(0, 700_000), folder / "0.parquet", row_group_size=100_000)
    pq.write_table(table.slice(700_000), folder / "1.parquet", row_group_size=100_000)
    return folder, table


def test_one_thread_eight_threads_and_memory_give_the_same_bytes(stored):
    folder, table = stored
    written = {}
    for threads in (1, 8):
        asked = question(folder, threads=threads)
        answer = build_file(build, asked, SUBJECT)
        assert (answer.unfit, answer.one_thread, answer.infinite) == ("", "", "")
        written[threads] = (folder / "built.parquet").read_bytes()
    assert answer.rows > GROUP_ROWS
    assert written[1] == written[8]
    assert written[1] == kept({"events": table}, asked)


@pytest.fixture
def few(tmp_path):
    table = events(2_000)
    pq.write_table(table, tmp_path / "0.parquet")
    return tmp_path, table


def test_a_derived_target_is_made_of_any_column_that_was_built(few):
    folder, table = few
    derived = ("rich", "amount > 0 AND trend IS NOT NULL")
    asked = question(folder, derived=derived, columns=["id", "at", "rich"], threads=2)
    answer = build_file(build, asked, SUBJECT)
    assert answer.names[-1] == "rich"
    assert (folder / "built.parquet").read_bytes() == kept({"events": table}, asked)


def test_a_table_that_the_code_makes_is_known(few):
    folder, table = few

    def build(tables):
        weights = ibis.memtable({"shop": ["north", "south"], "weight": [1.5, 2.5]})
        joined = tables["events"].left_join(weights, "shop")
        return joined.select("id", "at", "shop", "amount", share=_.weight)

    asked = question(folder, columns=["id", "at", "shop", "amount", "share"])
    assert build_file(build, asked, SUBJECT).rows > 0
    assert (folder / "built.parquet").read_bytes() == kept({"events": table}, asked, build)


def test_what_sums_floats_is_left_to_memory_or_takes_one_thread(few):
    folder, table = few

    def sums(tables):
        rows = tables["events"]
        shops = rows.group_by("shop").agg(trend=_.amount.sum())
        return rows.left_join(shops, "shop").mutate(twice=_["count"])

    answer = build_file(sums, question(folder, threads=8), SUBJECT)
    assert "Sum" in answer.unfit
    assert "trend" not in answer.names
    written = []
    for threads in (1, 8):
        asked = question(folder, threads=threads, any_order=True)
        answer = build_file(sums, asked, SUBJECT)
        assert "Sum" in answer.one_thread
        written.append((folder / "built.parquet").read_bytes())
    assert written[0] == written[1]
    there = from_parquet(written[0])
    expected = from_parquet(kept({"events": table}, asked, sums))
    assert there.drop("trend").equals(expected.drop("trend"))
    np.testing.assert_allclose(there["trend"].to_numpy(), expected["trend"].to_numpy(), rtol=1e-9)


def test_columns_that_are_not_there_and_infinite_inputs_are_told(few):
    folder, _table = few
    asked = question(folder, columns=["id", "at", "absent"])
    answer = build_file(build, asked, SUBJECT)
    assert "absent" not in answer.names
    assert answer.rows == 0

    def endless(tables):
        return build(tables).mutate(amount=ibis.literal(float("inf")))

    assert build_file(endless, question(folder), SUBJECT).infinite == "amount"


def test_too_little_memory_is_said_with_a_remedy(stored):
    folder, _table = stored
    with pytest.raises(SpecError, match="more memory") as error:
        build_file(build, question(folder, memory=2 * 2**20), SUBJECT)
    assert "resources.memory" in error.value.remedy


TABLE = ibis.table(
    {"id": "int64", "at": "timestamp", "shop": "string", "x": "float64", "n": "int32"}, name="t"
)
WINDOW = ibis.window(group_by="shop", order_by="at")


@pytest.mark.parametrize(
    "code",
    [
        lambda t: t.mutate(y=_.x * 2 + _.n).filter(_.y > 0),
        lambda t: t.group_by("shop").agg(n=_.n.sum(), mean=_.n.mean(), late=_.at.max()),
        lambda t: t.mutate(r=_.n.sum().over(ibis.window(order_by="n", range=(-3, 0)))),
        lambda t: t.mutate(share=_.n.sum().over(ibis.window(group_by="shop"))),
        lambda t: t.mutate(place=ibis.rank().over(WINDOW)),
        lambda t: t.inner_join(t.group_by("shop").agg(k=_.count()), "shop"),
        lambda t: t.union(t),
    ],
)
def test_what_cannot_depend_on_the_order_of_rows(code):
    assert why_order_matters(code(TABLE)) == ""


@pytest.mark.parametrize(
    "code",
    [
        lambda t: t.group_by("shop").agg(s=_.x.sum()),
        lambda t: t.group_by("shop").agg(s=_.x.mean()),
        lambda t: t.group_by("shop").agg(s=_.n.var()),
        lambda t: t.group_by("shop").agg(s=_.id.first()),
        lambda t: t.group_by("shop").agg(s=_.shop.group_concat()),
        lambda t: t.group_by("x").agg(s=_.count()),
        lambda t: t.mutate(before=_.n.lag().over(WINDOW)),
        lambda t: t.mutate(place=ibis.row_number().over(WINDOW)),
        lambda t: t.mutate(s=_.n.sum().over(ibis.window(order_by="at", preceding=3))),
        lambda t: t.mutate(s=_.x.sum().over(ibis.window(group_by="shop"))),
        lambda t: t.asof_join(t.view(), "at"),
        methodcaller("limit", 5),
        methodcaller("sample", 0.5),
        methodcaller("distinct"),
        lambda t: t.mutate(chance=ibis.random()),
    ],
)
def test_what_may_depend_on_the_order_of_rows(code):
    assert why_order_matters(code(TABLE)) != ""
