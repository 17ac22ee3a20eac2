"""`train: {window: auto}`: the final fit leaves old rows out where they mislead."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.manifest import BundleManifest
from pipelines.errors import BadData, SpecError
from pipelines.judging.recipe import Recipe
from pipelines.judging.window import probe_start
from pipelines.ledger import GateVerdict
from pipelines.messages import PackageRequest
from pipelines.spec import parse_spec
from pipelines.steps import gate, package
from pipelines.store.pages import find_page
from tests.snapshots import SPEC as SNAPSHOT
from tests.unit.steps.learning import DAYS, FIRST, learning, rows, spec_text
from tests.unit.steps.test_gate_champion import crown

RUN = "scheduled__2024-01-13T00:00:00+00:00"
AUTO = spec_text().replace("window: 4 batches", "window: auto")
FEWEST = 400
CHANGE = FIRST + timedelta(days=2 * DAYS - 2)


def judged(home, held):
    """A world after its champion's, whose held-out days may be of another concept."""
    before = learning(home)
    crown(before)
    tables = [rows(d, signal=held if d >= 2 * DAYS - 2 else 1.0) for d in range(DAYS, 2 * DAYS)]
    text = AUTO.replace("roc_auc: 0.6", "roc_auc: 0.4")
    world = learning(home, text, tables=tables, outside=before.context.ports, run=RUN, first=DAYS)
    trained = world.train_all()
    return world, trained, gate.run(world.context, world.gate_request(trained, RUN))


def test_after_a_change_the_final_fit_learns_from_the_new_days_alone(tmp_path):
    world, trained, result = judged(tmp_path, held=-1.0)
    assert result.verdict == "promote", result.reasons
    assert result.window.since == CHANGE
    assert "because older rows mislead: without them roc_auc is" in result.window.because
    ports = world.context.ports
    assert ports.ledger.find("visits", "verdict", RUN).read(GateVerdict).window == result.window
    page = find_page(ports.store, model="visits", kind="verdict", run=RUN).decode()
    assert "because older rows mislead" in page
    packed = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=result)
    )
    manifest = BundleManifest.model_validate_json(ports.store.get(packed.bundle))
    assert manifest.fitted_on.start == CHANGE
    assert packed.rows == 294  # six wait for their outcome


def test_where_nothing_changes_all_rows_are_learnt_from(tmp_path):
    world, trained, result = judged(tmp_path, held=1.0)
    assert result.window.since is None
    assert "no shorter window is proven better" in result.window.because
    packed = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=result)
    )
    assert packed.rows == 894


def test_a_window_that_the_spec_names_is_not_probed(tmp_path):
    world = learning(tmp_path)
    assert gate.run(world.context, world.gate_request(world.train_all())).window is None


def test_rows_without_time_have_no_window(tmp_path):
    text = SNAPSHOT.replace("train: {", "train: {window: auto, ")
    assert "window: auto" in text
    with pytest.raises(SpecError, match="remove it, all rows are learnt from"):
        parse_spec(text.encode(), "m")


@pytest.mark.parametrize("window", ["automatic", "Auto", "0 batches"])
def test_only_auto_is_auto(window):
    with pytest.raises(SpecError, match="window"):
        parse_spec(AUTO.replace("window: auto", f"window: {window}").encode(), "m")


def test_so_many_batches_are_read_at_most():
    assert parse_spec(AUTO.encode(), "m").train.most_batches == 12
    assert parse_spec(spec_text().encode(), "m").train.most_batches == 4


class Sharp(Recipe):
    """A recipe that cannot be fitted on the rows of few days, and is the better the fewer."""

    def fit_and_ask(self, learn, asked):
        if len(learn) < FEWEST:
            raise BadData("the rows hold one class only")
        truth = self.y[-len(asked) :]
        noise = np.random.default_rng(len(learn)).normal(0, len(learn) / 500, len(truth))
        return 1 / (1 + np.exp(-(truth - 0.5 + noise)))


def test_a_beginning_after_which_nothing_can_be_learnt_is_none(tmp_path):
    context = learning(tmp_path, AUTO).context
    days, back = 40, 10
    table = pa.concat_tables([rows(d, count=60) for d in range(days)])
    recipe = Sharp.of(context, SimpleNamespace(threshold=None), table, None)
    first = np.datetime64(FIRST.replace(tzinfo=None), "us")
    edges = first + np.arange(0, days, back) * np.timedelta64(1, "D")
    since, found = probe_start(recipe, edges, first + np.timedelta64(days + 9, "D"))
    assert since == edges[2]  # not edges[3], after which five days alone could be learnt from
    assert found.lower > 0
