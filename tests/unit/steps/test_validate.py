import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import BadData, SpecError
from pipelines.incidents import open_incidents
from pipelines.messages import IngestRequest, ValidateRequest
from pipelines.refs import Ref
from pipelines.steps import ingest, validate
from pipelines.store.pages import find_page
from pipelines.tables import from_parquet
from tests import version_0
from tests.worlds import ROWS, as_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(world, ports):
    def validate_as_of(day=3, **conf):
        context = world.context(ports)
        ingested = ingest.run(
            context, IngestRequest(run="r", now=NOW, conf={"as_of": as_of(day), **conf})
        )
        return validate.run(context, ValidateRequest(run="r", ingest=ingested))

    return validate_as_of


def change(world, day, edit):
    world.rewrite(day, edit(world.frame(day)))


def quarantined(ports):
    [key] = ports.store.keys("quarantine/sales")
    return json.loads(ports.store.read(key))


def test_good_batches_pass_with_a_page(run, ports):
    result = run()
    assert (result.batches, result.rows, result.warnings) == (3, 3 * ROWS, [])
    page = ports.store.get(result.page).decode()
    assert page.count("accepted") >= 3
    assert "http" not in page.replace("http-equiv", "")
    assert find_page(ports.store, model="sales", kind="validation", run="r") == page.encode()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        pytest.param(lambda f: f.iloc[:0], "row count", id="an empty batch"),
        pytest.param(
            lambda f: f.drop(columns="pages"),
            'pages.*does not exist|"pages"',
            id="a column is missing",
        ),
        pytest.param(
            lambda f: f.rename(columns={"channel": "source"}), "channel", id="a column is renamed"
        ),
        pytest.param(
            lambda f: f.assign(pages=["many"] * len(f)),
            "pages: column values to be in type list",
            id="a column of another type",
        ),
        pytest.param(
            lambda f: f.assign(minutes=np.nan),
            "minutes",
            id="all missing in a column that the suite names",
        ),
        pytest.param(lambda f: f.drop(columns="visit"), "visit", id="the key is missing"),
        pytest.param(
            lambda f: pd.concat([f, f.iloc[:2]]),
            "visit: column values to be unique",
            id="keys twice",
        ),
        pytest.param(
            lambda f: f.assign(at="2024-03-01T00:00:00Z"),
            "at: column values to be between",
            id="times outside the interval",
        ),
        pytest.param(
            lambda f: f.assign(at="soon"),
            "the event time 'at' holds no times, but 'soon'",
            id="times that are none",
        ),
        pytest.param(
            lambda f: f.assign(at=[*f["at"][:-1], "soon"]),
            "at: column values to not be null",
            id="one time that is none",
        ),
        pytest.param(
            lambda f: f.assign(pages=f["pages"].where(f.index != 7, np.inf)),
            "pages: column values to be between",
            id="infinite",
        ),
    ],
)
def test_a_broken_batch_goes_to_quarantine_and_ends_the_run(run, world, ports, edit, words):
    change(world, 1, edit)
    with pytest.raises(BadData, match=words) as caught:
        run()
    assert caught.value.exit_code == 65
    record = quarantined(ports)
    assert record["interval"]["start"] == "2024-01-02T00:00:00Z"
    assert record["reasons"]
    [entry] = ports.ledger.entries("sales", "quarantine")
    [incident] = open_incidents(ports.ledger, "sales", entry.at)
    assert (incident.what, incident.first) == ("quarantine", entry.seq)
    assert entry.body == record
    assert set(record) in version_0.fields("quarantine")
    page = ports.store.get(Ref.model_validate(record["page"]))
    assert b"quarantine" in page
    assert find_page(ports.store, model="sales", kind="validation", run="r") == page


def test_an_unreadable_batch_goes_to_quarantine_with_its_reason(run, world, ports):
    world.raw(1).write_bytes(b"\x00\xff\xfe not a table")
    with pytest.raises(BadData, match="is no utf-8"):
        run()
    assert "is no utf-8" in quarantined(ports)["reasons"][0]


def test_every_bad_row_is_kept_with_all_that_it_broke(run, world, ports):
    bad = range(3, 63)  # more than the 20 that Great Expectations lists by itself

    def edit(frame):
        frame.loc[list(bad), "pages"] = 1_000
        frame.loc[[3, 4], "bought"] = 7
        return frame

    change(world, 1, edit)
    with pytest.raises(BadData):
        run()
    rows = from_parquet(
        ports.store.get(Ref.model_validate(quarantined(ports)["bad_rows"]["events"]))
    ).to_pylist()
    broke = {r["visit"]: r["broken_expectations"] for r in rows}
    assert set(broke) == {f"1-{i}" for i in bad}
    assert len(broke["1-3"]) == 2
    assert all(
        any(e.startswith("pages: column values to be between") for e in b) for b in broke.values()
    )


SIDE = """
import pandas as pd
def read(start, end):
    day = pd.read_csv(f"{folder}/raw/{start:%Y-%m-%d}.csv")
    return {"events": day, "shops": pd.DataFrame({"shop": ["a", "b", "c"], "size": [1, -2, 3]})}
"""


def test_bad_rows_of_a_side_table_are_kept_and_shown_too(run, world, ports):
    source = 'source: {kind: files, uri: "raw/{start:%Y-%m-%d}.csv",'
    world.respec(source, "source: {kind: python, side: {shops: null},")
    (world.home / "models" / "sales" / "source.py").write_text(
        f"folder = {str(world.home)!r}\n{SIDE}"
    )
    world.rewrite(1, world.frame(1))
    sizes = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "size", "min_value": 0},
    }
    (world.settings.expectations / "sales.shops.json").write_text(
        json.dumps({"name": "shops", "expectations": [sizes]})
    )
    with pytest.raises(BadData, match="shops: size"):
        run(2)
    record = json.loads(ports.store.read(ports.store.keys("quarantine/sales")[0]))
    assert list(record["bad_rows"]) == ["shops"]
    [row] = from_parquet(
        ports.store.get(Ref.model_validate(record["bad_rows"]["shops"]))
    ).to_pylist()
    assert (row["shop"], row["size"]) == ("b", -2)
    assert "Bad rows of shops" in ports.store.get(Ref.model_validate(record["page"])).decode()


def test_a_changed_suite_gets_a_quarantine_entry_of_its_own(run, world, ports):
    change(world, 1, lambda f: f.assign(pages=f["pages"].where(f.index != 5, 999)))
    path = world.settings.expectations / "sales.json"
    for text in (path.read_text(), path.read_text().replace('"max_value": 100', '"max_value": 90')):
        path.write_text(text)
        with pytest.raises(BadData):
            run()
    records = [json.loads(ports.store.read(key)) for key in ports.store.keys("quarantine/sales")]
    assert len({r["reasons"][0] for r in records}) == 2
    assert len({r["batch"]["sha256"] for r in records}) == 1


def test_a_warning_is_told_and_the_run_goes_on(run, world):
    change(world, 1, lambda f: f.assign(minutes=f["minutes"].where(f.index != 5, 56)))
    assert any("minutes" in w for w in run().warnings)


def test_an_empty_column_that_nobody_named_is_a_warning(run, world):
    change(world, 1, lambda f: f.assign(note=np.nan))
    assert any("note" in w for w in run().warnings)


def test_values_in_data_are_escaped_on_the_page(run, world, ports):
    change(
        world,
        1,
        lambda f: f.assign(
            pages=f["pages"].where(f.index != 5, 999),
            channel=f["channel"].where(f.index != 5, "<script>alert(1)</script>"),
        ),
    )
    with pytest.raises(BadData):
        run()
    page = ports.store.get(Ref.model_validate(quarantined(ports)["page"])).decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_batch_that_was_judged_is_not_judged_again_unless_forced(run, ports):
    run()
    judged = set(ports.store.keys("results/validate"))
    run(4)
    assert len(set(ports.store.keys("results/validate")) - judged) == 2, (
        "one new batch, and its one table"
    )
    assert run(4, force=True).rows == 4 * ROWS


def test_a_mended_source_is_read_as_a_new_version_and_passes(run, world):
    good = world.frame(1)
    change(world, 1, lambda f: f.iloc[:0])
    with pytest.raises(BadData):
        run()
    world.rewrite(1, good)
    assert run().rows == 3 * ROWS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "There is no expectations/sales.json", id="no suite"),
        pytest.param("{", "is no suite", id="no JSON"),
        pytest.param(
            '{"expectations": [{"type": "expect_miracles", "kwargs": {}}]}',
            "expect_miracles",
            id="an unknown expectation",
        ),
    ],
)
def test_a_broken_suite_is_named(run, world, text, words):
    path = world.settings.expectations / "sales.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(SpecError, match=words):
        run()
