from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from pipelines.data.batches import read_manifest, read_plan, read_table
from pipelines.data.feature_rows import build_batch
from pipelines.errors import BadData, RequestError
from pipelines.messages import IngestRequest, ValidateRequest
from pipelines.steps import ingest, validate
from tests.unit.steps.verdicts import drifted, enter
from tests.worlds import DAYS, FIRST, ROWS, as_of, visits

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(world, ports):
    def ingest_as_of(day=None, **conf):
        conf_then = {"as_of": as_of(day), **conf} if day is not None else conf
        return ingest.run(world.context(ports), IngestRequest(run="r", now=NOW, conf=conf_then))

    return ingest_as_of


def test_one_batch_per_interval_and_the_same_again_writes_nothing(run, ports):
    first = run(4)
    assert (first.batches, first.rows, first.written, first.late) == (4, 4 * ROWS, 4, 0)
    objects = set(ports.store.objects)
    again = run(4)
    assert (again.written, again.plan) == (0, first.plan)
    assert set(ports.store.objects) == objects


def test_row_order_does_not_make_another_batch(run, world):
    run(4)
    world.rewrite(1, world.frame(1).sample(frac=1, random_state=1))
    assert run(4).written == 0


def test_late_rows_make_a_new_version_of_their_batch_only(run, world, ports):
    before = read_plan(ports.store, run(4).plan)
    late = world.frame(1).iloc[:3].assign(visit=["late-1", "late-2", "late-3"])
    world.rewrite(1, pd.concat([world.frame(1), late]))
    result = run(4)
    after = read_plan(ports.store, result.plan)
    assert (result.written, result.late) == (1, 1)
    assert [b.version for b in after.batches] == [1, 2, 1, 1]
    assert [
        b.manifest == a.manifest for a, b in zip(after.batches, before.batches, strict=True)
    ] == [True, False, True, True]
    assert (
        read_table(
            ports.store, read_manifest(ports.store, before.batches[1]).tables["events"]
        ).num_rows
        == ROWS
    )


def test_the_plan_is_the_window_the_holdout_and_the_lookback(run, ports):
    plan = read_plan(ports.store, run(8).plan)
    names = [
        [b.interval.start.day for b in part] for part in (plan.lookback, plan.train, plan.holdout)
    ]
    assert names == [[2], [3, 4, 5, 6, 7], [8]]


def test_without_as_of_the_newest_complete_batch_counts(run):
    assert run().as_of == FIRST + timedelta(days=DAYS)


def test_nothing_later_than_as_of_is_read(run, world):
    for day in range(4, DAYS):
        world.raw(day).unlink()
    assert run(4).batches == 4


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        pytest.param(
            {"as_off": "2024-01-05"},
            "as_off: unknown key; did you mean 'as_of'",
            id="an unknown key",
        ),
        pytest.param({"{{ 7*7 }}": 1}, "unknown key", id="Jinja as a key"),
        pytest.param({"as_of": 5}, "as_of", id="a number as a time"),
        pytest.param({"as_of": "$(touch /tmp/x)"}, "as_of", id="a shell command as a time"),
        pytest.param({"force": "perhaps"}, "force", id="a word as a switch"),
        pytest.param({"reason": "x" * 501}, "reason", id="a novel"),
        pytest.param({"as_of": "2030-01-01T00:00:00Z"}, "future", id="the future"),
        pytest.param({"as_of": "2024-01-02T00:00:00Z"}, "1 complete batches", id="too early"),
    ],
)
def test_what_a_trigger_sends_is_refused_by_name(run, ports, conf, words):
    with pytest.raises(RequestError, match=words) as caught:
        run(**conf)
    assert caught.value.exit_code == 65
    assert ports.store.objects == {}


@pytest.fixture
def watch(world, ports):
    def ingest_window(now=NOW, **conf):
        return ingest.run(
            world.context(ports), IngestRequest(run="r", now=now, purpose="drift", conf=conf)
        )

    return ingest_window


def days(batches):
    return [b.interval.start.day for b in batches]


def test_a_watch_reads_the_window_and_what_the_lookback_reaches(watch, ports):
    result = watch(window_end=as_of(5), reason="a look")
    plan = read_plan(ports.store, result.plan)
    assert (days(plan.lookback), plan.train, days(plan.holdout)) == ([4], [], [5])
    assert (result.window.start, result.window.end, result.as_of) == (
        *(FIRST + timedelta(days=d) for d in (4, 5)),
        plan.as_of,
    )
    assert (result.batches, result.written, result.reason, result.force) == (2, 2, "a look", False)


def looked(ports, day):
    """Enter a verdict on the window that ended when the day began."""
    enter(ports.ledger, f"run-{day}", drifted(day - 1))


def test_a_watch_also_validates_what_became_complete_since_the_window_before(watch, ports):
    assert days(read_plan(ports.store, watch(window_end=as_of(7)).plan).lookback) == [6]
    looked(ports, 1)
    looked(ports, 2)
    result = watch(window_end=as_of(7))
    plan = read_plan(ports.store, result.plan)
    assert (days(plan.lookback), plan.train, days(plan.holdout), result.batches) == (
        [3, 4, 5, 6],
        [],
        [7],
        5,
    )
    looked(ports, 7)
    looked(ports, 8)
    assert watch(window_end=as_of(7)).plan == result.plan


def test_a_window_is_built_from_no_more_than_the_lookback_reaches(watch, world, ports):
    alone = read_plan(ports.store, watch(window_end=as_of(7)).plan)
    looked(ports, 2)
    more = read_plan(ports.store, watch(window_end=as_of(7)).plan)
    context = world.context(ports)
    assert build_batch(context, more, more.holdout[0]).equals(
        build_batch(context, alone, alone.holdout[0])
    )


def test_a_bad_batch_between_windows_ends_one_run_and_the_next_goes_on_without_it(
    watch, world, ports
):
    looked(ports, 2)
    whole = world.frame(3)
    world.rewrite(3, whole.assign(bought=9))
    with pytest.raises(BadData, match=r"2024-01-04T00.*bought"):
        validate.run(
            world.context(ports), ValidateRequest(run="r", ingest=watch(window_end=as_of(7)))
        )
    result = watch(window_end=as_of(7))
    assert days(read_plan(ports.store, result.plan).lookback) == [3, 5, 6]
    assert validate.run(world.context(ports), ValidateRequest(run="r", ingest=result)).batches == 4
    world.rewrite(3, whole)
    assert days(read_plan(ports.store, watch(window_end=as_of(7)).plan).lookback) == [3, 4, 5, 6]


def test_no_more_than_62_batches_between_windows_are_read(world, ports, caplog):
    world.respec("batch: day", "batch: hour")
    world.respec("{start:%Y-%m-%d}.csv", "{start:%Y-%m-%dT%H}.csv")
    for hour in range(5 * 24, 8 * 24):
        at = FIRST + timedelta(hours=hour)
        (world.home / "raw" / f"{at:%Y-%m-%dT%H}.csv").write_text(
            f"visit,at\n{hour},{at:%Y-%m-%dT%H:%M:%SZ}\n"
        )
    looked(ports, 5)
    result = ingest.run(
        world.context(ports),
        IngestRequest(run="r", now=NOW, purpose="drift", conf={"window_end": as_of(8)}),
    )
    plan = read_plan(ports.store, result.plan)
    assert (len(plan.lookback), len(plan.holdout)) == (62, 1)
    assert plan.lookback[-1].interval.end == plan.holdout[0].interval.start
    assert "71 batches became complete since the window before; the newest 62" in caplog.text


def test_a_window_may_be_several_batches_long(world, watch, ports):
    world.respec("schedule: weekly", "schedule: weekly, window: 3 batches".replace(", ", "\n  "))
    plan = read_plan(ports.store, watch(window_end=as_of(5)).plan)
    assert (days(plan.lookback), days(plan.holdout)) == ([2], [3, 4, 5])


def test_without_an_end_the_window_ends_with_the_newest_complete_batch(watch):
    assert watch().as_of == FIRST + timedelta(days=DAYS)
    assert watch(now=FIRST + timedelta(days=5, hours=7)).as_of == FIRST + timedelta(days=5)


def test_learning_and_watching_share_their_batches(run, watch):
    run(5)
    again = watch(window_end=as_of(5))
    assert (again.batches, again.written) == (2, 0)


def test_late_rows_in_a_window_are_a_new_version(watch, world, ports):
    watch(window_end=as_of(5))
    world.rewrite(4, pd.concat([world.frame(4), world.frame(4).iloc[:1].assign(visit=["late"])]))
    result = watch(window_end=as_of(5))
    assert (result.written, result.late) == (1, 1)
    assert read_plan(ports.store, result.plan).holdout[0].version == 2


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        pytest.param(
            {"windowend": "2024-01-05"},
            "windowend: unknown key; did you mean 'window_end'",
            id="an unknown key",
        ),
        pytest.param(
            {"as_of": "2024-01-05T00:00:00Z"}, "as_of: unknown key", id="what retrain takes"
        ),
        pytest.param({"force": True}, "force: unknown key", id="force"),
        pytest.param({"window_end": 5}, "window_end", id="a number as a time"),
        pytest.param(
            {"window_end": "2024-01-05T10:00:00Z"},
            "no day ends at 2024-01-05T10.*2024-01-05T00.*or 2024-01-06T00",
            id="no boundary",
        ),
        pytest.param({"window_end": "2030-01-01T00:00:00Z"}, "future", id="the future"),
        pytest.param(
            {"window_end": "2024-01-20T00:00:00Z"},
            "after the end of the data.*2024-01-09",
            id="after the data",
        ),
        pytest.param(
            {"window_end": "2024-01-01T00:00:00Z"},
            "begins before the data do",
            id="before the data",
        ),
        pytest.param({"reason": "x" * 501}, "reason", id="a novel"),
    ],
)
def test_what_a_trigger_of_a_watch_sends_is_refused_by_name(watch, ports, conf, words):
    with pytest.raises(RequestError, match=words) as caught:
        watch(**conf)
    assert caught.value.exit_code == 65
    assert ports.store.objects == {}


def test_a_model_without_a_drift_section_is_not_watched(world, watch):
    path = world.home / "models" / "sales" / "model.yaml"
    path.write_text(path.read_text().split("drift:")[0])
    with pytest.raises(RequestError, match=r"is not watched.*add `drift"):
        watch()


def test_hostile_text_is_carried_as_data(run):
    text = "x'; DROP TABLE entries; -- {{ 7*7 }} $(id)"
    assert run(4, reason=text).reason == text


def test_what_cannot_be_read_becomes_a_batch_with_its_problem(run, world, ports):
    world.raw(2).write_bytes(b'visit,at\n"open,1\n')
    result = run(4)
    manifest = read_manifest(ports.store, read_plan(ports.store, result.plan).batches[2])
    assert result.unreadable == 1
    assert "line 2: a quote begins there and has no end" in manifest.problem
    assert ports.store.get(manifest.raw) == b'visit,at\n"open,1\n'


def test_two_ingests_at_once_lose_nothing(world, ports):
    from concurrent.futures import ThreadPoolExecutor

    from pipelines.data.batches import manifest_of, newest, publish
    from pipelines.intervals import containing
    from pipelines.sources import Raw
    from pipelines.tables import normalise

    spec, interval = world.context(ports).spec, containing(FIRST, "day")

    def write(n):
        raw = Raw({"events": normalise(visits(0, 5).assign(pages=n))})
        return publish(ports.store, manifest_of(ports.store, spec, interval, raw))[0].version

    with ThreadPoolExecutor(8) as pool:
        versions = sorted(pool.map(write, range(24)))
    assert versions == list(range(1, 25))
    assert newest(ports.store, "sales", interval).version == 24
