"""The shipped models: what they see was known, and nothing else in the product knows of them."""

import re
import shutil
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.special import expit, logit

from pipelines.bundle.rows import schema_of
from pipelines.context import Context
from pipelines.data import labelled_rows
from pipelines.data.feature_rows import build_from, build_rows, read_raw
from pipelines.intervals import Interval, containing
from pipelines.ports import Ports
from pipelines.science.bootstrap import compare
from pipelines.science.gate.blind_spots import find_blind_spot
from pipelines.science.gate.facts import GateFacts, Opponent
from pipelines.science.gate.verdict import judge
from pipelines.science.metrics import scores
from pipelines.settings import load_settings
from pipelines.spec import load_spec, model_names
from pipelines.tables import normalise
from pipelines.training import estimators
from pipelines.training.targets import targets
from tests.conftest import ROOT

SHIPPED = ("bike_demand", "flight_delays")


def context_of(model, **environ):
    settings = load_settings(environ)
    return Context(load_spec(settings.models, model), settings, Ports(None, None, None, None))


def test_nothing_in_the_product_names_a_model():
    assert tuple(model_names(ROOT / "models")) == SHIPPED
    named = re.compile("|".join(SHIPPED))
    mentions = [
        str(p)
        for room in ("pipelines", "dags", "plugins", "serving")
        for p in (ROOT / room).rglob("*.py")
        if named.search(p.read_text())
    ]
    assert mentions == []


@pytest.fixture(scope="module")
def flights():
    """The flights of the second half of February and all that is needed to build them, as they
    stand months later."""
    context = context_of("flight_delays")
    interval = Interval(
        start=datetime(2013, 2, 15, tzinfo=UTC), end=datetime(2013, 3, 1, tzinfo=UTC)
    )
    raws = read_raw(context, interval)
    return context, raws, build_from(context, raws, interval)


def test_flights_are_unique_and_their_inputs_are_no_outcomes(flights):
    context, _, rows = flights
    assert rows.num_rows > 10_000
    assert not set(context.spec.features.inputs) & {
        "dep_time",
        "dep_delay",
        "arr_time",
        "arr_delay",
        "air_time",
    }
    for name in ("origin_late_share", "carrier_late_share"):
        column = rows.column(name).to_pandas()
        assert column.between(0, 1).mean() > 0.85
        assert column.nunique() > 50


def as_known_at(moment, tables):
    """The raw tables as they stood at a moment: schedules are known ahead.

    Outcomes and weather are not.
    """
    flights = tables["flights"].copy()
    scheduled = flights["scheduled_departure"]
    departure = scheduled + pd.to_timedelta(flights["dep_delay"], unit="min")
    flights["dep_delay"] = flights["dep_delay"].where(departure <= moment)
    # An arrival lies at least its delay and the shortest flight after the schedule; half a day
    # covers the longest.

    arrived = (
        scheduled
        + pd.to_timedelta(flights["arr_delay"].clip(lower=0), unit="min")
        + timedelta(hours=12)
    )
    flights["arr_delay"] = flights["arr_delay"].where(arrived <= moment)
    weather = tables["weather"]
    return {**tables, "flights": flights, "weather": weather[weather["observed_at"] <= moment]}


@pytest.mark.parametrize("row", [0, 2_222, 5_555, 9_999])
def test_a_flight_s_row_built_at_its_departure_is_the_row_built_months_later(flights, row):
    """Online rows equal offline rows, bit for bit: no feature looks ahead."""
    context, raws, built = flights
    offline = built.slice(row, 1).to_pylist()[0]
    moment = pd.Timestamp(offline["scheduled_departure"])
    names = raws[-1].tables
    tables = {
        n: pd.concat([r.tables[n].to_pandas() for r in (raws if n != "planes" else raws[-1:])])
        for n in names
    }
    known = {n: normalise(t) for n, t in as_known_at(moment, tables).items()}
    interval = Interval(
        start=moment.to_pydatetime(), end=moment.to_pydatetime() + timedelta(minutes=1)
    )
    online = build_rows(context.folder, context.spec, known, interval).to_pylist()
    [same] = [r for r in online if r["flight_id"] == offline["flight_id"]]
    inputs = context.spec.features.inputs
    assert {c: same[c] for c in inputs} == {c: offline[c] for c in inputs}


@pytest.mark.parametrize("model", SHIPPED)
def test_a_shipped_gate_sees_what_it_should(model):
    spec = context_of(model).spec
    assert find_blind_spot(spec.gate, spec.task) == ""


@pytest.fixture(scope="module")
def judged_flights(flights):
    """A week to learn from and one to judge on, and the honest answers of a model that knows
    little more than its champion."""
    context, _, rows = flights
    spec = context.spec
    rows = rows.filter(pc.is_valid(rows["late"]))
    moment = pa.scalar(datetime(2013, 2, 22, tzinfo=UTC), rows.schema.field(spec.event_time).type)
    early = pc.less(rows[spec.event_time], moment)
    fit, held_out = rows.filter(early), rows.filter(pc.invert(early))
    answers = []
    for inputs in (["hour"], spec.features.inputs):
        schema = schema_of(fit.slice(0, 1), inputs, spec.task, None)
        pipeline = estimators.build_pipeline(
            spec.candidate("boosted"), schema, 17, {"max_iter": 30}
        )
        pipeline.fit(estimators.frame(schema, fit), targets(fit, spec, None))
        answers.append(
            estimators.answers(pipeline, estimators.frame(schema, held_out), spec.task, None)
        )
    return spec, held_out, answers


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        pytest.param(lambda z: z, [], id="honest"),
        pytest.param(lambda z: 3 * z, ["guard log_loss"], id="three times too sure"),
        pytest.param(lambda z: z + 1.5, ["guard log_loss"], id="too high"),
        pytest.param(lambda z: z - 1.5, ["guard log_loss"], id="too low"),
    ],
)
def test_the_flights_gate_refuses_probabilities_that_are_not_true(judged_flights, change, refused):
    spec, held_out, (champion, honest) = judged_flights
    truth, times = targets(held_out, spec, None), labelled_rows.times(held_out, spec)
    changed, rule = expit(change(logit(honest))), spec.gate.versus_champion

    def by(metric):
        return compare(
            metric,
            truth,
            challenger=changed,
            opponent=champion,
            event_times=times,
            confidence=rule.confidence_by("better"),
            seed=1,
        )

    opponent = Opponent(
        "champion", by(rule.metric), guards={metric: by(metric) for metric in spec.gate.guards}
    )
    span = labelled_rows.span(held_out, spec)
    before = span.model_copy(update={"start": span.start - timedelta(days=10), "end": span.start})
    metrics = scores(spec.task, truth, changed)
    facts = GateFacts(
        "boosted",
        dummy=False,
        metrics=metrics,
        rows=held_out.num_rows,
        holdout=span,
        fitted_on=before,
        opponent=opponent,
    )
    assert [f.name for f in judge(facts, spec.gate).checks if not f.passed] == refused


def test_bike_rows_look_back_a_day_and_a_week(real_data, tmp_path):
    context = context_of("bike_demand", PERENNIAL_STATE=str(tmp_path))
    cache = tmp_path / "cache" / "http"
    cache.mkdir(parents=True)
    shutil.copy(real_data / "bike_sharing" / "hour.csv", cache / context.spec.source.member_sha256)
    march = containing(datetime(2011, 3, 1, tzinfo=UTC), "month")
    rows = build_from(context, read_raw(context, march), march).to_pandas().set_index("hour_start")
    assert not {"casual", "registered", "cnt"} & set(context.spec.features.inputs)
    at = pd.Timestamp("2011-03-20T17:00:00Z")
    assert rows.loc[at, "rentals_day_before"] == rows.loc[at - pd.Timedelta(days=1), "cnt"]
    assert rows.loc[at, "rentals_week_before"] == rows.loc[at - pd.Timedelta(days=7), "cnt"]
    assert rows.loc[pd.Timestamp("2011-03-01T10:00:00Z"), "rentals_day_before"] > 0, (
        "the lookback reaches into February"
    )
