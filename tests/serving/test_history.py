"""A caller sends what is known of the series, and the rows are those that were learnt from."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.rows import rows_from_table
from pipelines.bundle.schema import Column, InputSchema
from pipelines.data.series import add_series_columns
from pipelines.intervals import iso
from serving.history import SeriesDecoder
from serving.problems import Problem
from tests.series import hourly, sales_spec
from tests.serving.bundles import put_bundle, put_release
from tests.serving.logged import records

PREDICT = "/models/sales/predict"

STEP = timedelta(hours=1)
SPEC = sales_spec()
TABLE = add_series_columns(hourly(300, gap=range(100, 110)), SPEC, "features.py")
SCHEMA = InputSchema(
    task="forecast",
    columns=[
        Column(
            name=name,
            kind="integer" if name == "open" or name.startswith("at_") else "number",
            nullable=name != "open" and not name.startswith("at_"),
        )
        for name in SPEC.inputs
    ],
    series=SPEC.series,
)
DECODER = SeriesDecoder(SCHEMA, SPEC.series, max_rows=1_000)
KNOWN = dict(zip(TABLE["at"].to_pylist(), TABLE["sold"].to_pylist(), strict=True))


@pytest.fixture
def forecasting(store, serve):
    """A server of the forecast."""
    fitted = put_bundle(
        store, model="sales", task="regression", table=TABLE.select(SPEC.inputs), compiled=False
    )
    manifest = open_bundle(store, fitted).manifest
    inputs = manifest.inputs.model_copy(update={"task": "forecast", "series": SPEC.series})
    bundle = write_bundle(store, manifest.model_copy(update={"inputs": inputs}))
    put_release(store, 1, bundle, model="sales")
    return serve()


def test_both_ways_of_asking_have_the_same_answers_and_the_log_holds_the_made_columns(
    store, forecasting
):
    rows = TABLE.slice(240, 4)
    times = rows["at"].to_pylist()
    whole = {"rows": rows_from_table(SCHEMA.columns, rows), "event_times": [iso(t) for t in times]}
    history = known(times[0] - SPEC.lookback, times[0] - STEP)
    own = {
        **whole,
        "rows": rows.select(["open"]).to_pylist(),
        "history": history,
        "keys": [iso(t) for t in times],
    }
    first, second = (forecasting.post(PREDICT, json=body) for body in (whole, own))
    assert second.status_code == 200
    assert first.json()["predictions"] == second.json()["predictions"]
    logged = records(store, "sales")
    assert logged[0].rows == logged[1].rows
    assert logged[1].keys == [iso(t) for t in times]
    assert forecasting.post(PREDICT, json={**own, "history": history[5:]}).status_code == 422


def test_the_server_tells_what_a_history_must_hold(forecasting):
    assert forecasting.get("/models/sales").json()["series"]["gap"] == 6
    operation = forecasting.get("/openapi.json").json()["paths"][PREDICT]["post"]
    bodies = operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert [sorted(b["required"]) for b in bodies[2:]] == [
        ["event_times", "history", "rows"],
        ["event_time", "history", "row"],
    ]
    assert bodies[2]["properties"]["rows"]["items"]["required"] == ["open"]
    assert (
        "from 24 steps before the first row to 6 steps"
        in (bodies[3]["properties"]["history"]["description"])
    )


def known(first, last):
    """What is known of the series from one hour to another, both included."""
    count = int((last - first) / STEP) + 1
    return [[iso(t), KNOWN.get(t)] for t in (first + i * STEP for i in range(count))]


def ask(places, history=None, **other):
    rows = TABLE.take(places)
    times = rows["at"].to_pylist()
    first = times[0] - SPEC.lookback
    body = {
        "rows": rows.select(["open"]).to_pylist(),
        "event_times": [iso(t) for t in times],
        "history": known(first, times[0] - STEP) if history is None else history,
    }
    return DECODER.decode(json.dumps({**body, **other}).encode())


def refused(body):
    with pytest.raises(Problem) as caught:
        DECODER.decode(json.dumps(body).encode())
    assert caught.value.status == 422
    return caught.value


def refusal(*arguments, **other):
    with pytest.raises(Problem) as caught:
        ask(*arguments, **other)
    assert caught.value.status == 422
    assert caught.value.field == "history"
    return caught.value.message


@pytest.mark.parametrize("places", [[250], range(250, 256), [112], range(104 + 10, 118)])
def test_the_rows_made_of_a_history_are_the_built_ones_bit_for_bit(places):
    asked = ask(list(places))
    built = rows_from_table(SCHEMA.columns, TABLE.take(list(places)))
    assert [dict(zip(SPEC.inputs, row, strict=True)) for row in asked.rows] == built
    assert asked.event_times is not None


def test_a_gap_in_the_series_is_null_online_as_offline():
    [row] = ask([102]).rows  # the hours from 100 to 109 are missing, this one is hour 112
    values = dict(zip(SPEC.inputs, row, strict=True))
    assert values["sold_lag_6h"] is None
    assert values["sold_lag_1d"] is not None


def test_a_row_with_the_made_columns_is_answered_as_it_is():
    [row] = rows_from_table(SCHEMA.columns, TABLE.slice(250, 1))
    asked = DECODER.decode(json.dumps({"row": row}).encode())
    assert asked.rows == [tuple(row.values())]
    assert asked.event_times is None


def test_a_row_without_history_is_told_that_one_may_be_sent():
    problem = refused({"row": {"open": 1}})
    assert problem.field == "sold_lag_6h"
    assert "Send `history` beside the rows" in problem.message


def test_a_history_that_is_too_short_is_refused_at_either_end():
    moment = TABLE["at"][250].as_py()
    late = known(moment - SPEC.lookback + STEP, moment - STEP)
    assert "too short: it begins at" in refusal([250], late)
    early = known(moment - SPEC.lookback, moment - 7 * STEP)
    assert "too short: it ends at" in refusal([250], early)
    assert ask([250], known(moment - SPEC.lookback, moment - 6 * STEP)).rows == ask([250]).rows


def test_a_forecast_farther_ahead_than_the_horizon_is_refused():
    moment = TABLE["at"][250].as_py()
    history = known(moment - SPEC.lookback, moment - STEP)
    assert "which is what the horizon leaves" in refusal([250, 256], history)


def test_a_history_in_disorder_or_ahead_of_time_is_refused():
    moment = TABLE["at"][250].as_py()
    history = known(moment - SPEC.lookback, moment - STEP)
    swapped = [*history[:3], history[4], history[3], *history[5:]]
    assert refusal([250], swapped).startswith("history[4] is not later than history[3]")
    twice = [*history[:3], history[2], *history[3:]]
    assert refusal([250], twice).startswith("history[3] is not later than history[2]")
    ahead = [*history, [iso(moment), 1.0]]
    assert "is ahead of time" in refusal([250], ahead)


def test_times_beside_the_grid_are_refused():
    moment = TABLE["at"][250].as_py()
    history = known(moment - SPEC.lookback, moment - STEP)
    beside = [[iso(moment - SPEC.lookback - timedelta(minutes=90)), 1.0], *history]
    assert "history[0]" in refusal([250], beside)
    times = [iso(moment), iso(moment + timedelta(minutes=30))]
    assert "event time of row 1" in refusal([250, 251], history, event_times=times)


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([], "history is empty"),
        ([["2024-01-01T00:00:00", 1.0]], "history[0] must be like"),
        ([["2024-01-01T00:00:00Z", "1"]], "history[0] must be like"),
        ([["2024-01-01T00:00:00Z"]], "history[0] must be like"),
        ([["2024-01-01T00:00:00Z", 1e39]], "history[0] must be like"),
        ([["0001-01-01T00:00:00Z", 1.0]], "The time of history[0]"),
        ({"a": 1}, "history must be like"),
        (1, "history must be like"),
    ],
)
def test_what_is_no_history_is_named(history, words):
    assert refusal([250], history).startswith(words)


def test_a_history_without_event_times_is_refused():
    body = {"row": {"open": 1}, "history": [["2024-01-01T00:00:00Z", 1.0]]}
    assert "each row needs its time" in refused(body).message


def test_a_text_that_is_called_history_is_no_history():
    assert "history is no input" in refused({"row": {"open": 1, "history": 2}}).message


def test_no_value_of_the_future_moves_a_row():
    moment = TABLE["at"][250].as_py()
    history = known(moment - SPEC.lookback, moment - STEP)
    newest = moment - SPEC.horizon - SPEC.target.known_after
    random = np.random.default_rng(3)
    other = [
        [t, v if datetime.fromisoformat(t) <= newest else float(random.normal(0, 1e6))]
        for t, v in history
    ]
    assert sum(a != b for a, b in zip(history, other, strict=True)) == 5
    assert ask([250], other).rows == ask([250], history).rows
