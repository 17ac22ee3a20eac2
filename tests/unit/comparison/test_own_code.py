"""The page of a retraining whose pipeline and cost are the folder's own."""

from __future__ import annotations

import pytest

from pipelines.comparison.page import render
from pipelines.comparison.retraining import compare_candidates
from pipelines.messages import GateResult
from tests.own_models import MODEL
from tests.unit.comparison.test_retraining import text_of, with_seconds
from tests.unit.steps.learning import RUN, learning, spec_text

pytestmark = pytest.mark.heavy

OWN = """  - {name: own, pipeline: make}
metrics: {cost: {better: smaller, unit: EUR}}
threshold: {for: cost}"""
COST = """
import numpy as np


def cost(y, prediction, rows):
    return np.where(y > prediction, 20.0, 0.0) + np.where(y < prediction, 10.0, 0.0)
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A world with a trained own pipeline, whose folder holds other code by now."""
    home = tmp_path_factory.mktemp("own")
    folder = home / "models" / "visits"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    (folder / "metrics.py").write_text(COST)
    world = with_seconds(learning(home, spec_text(candidates=OWN)), 20)
    trained = [world.train("own")]
    (folder / "model.py").write_text("def make(: broken")
    return world, trained


@pytest.fixture(scope="module")
def verdict(judged):
    _, [own] = judged
    return GateResult(
        verdict="promote",
        reasons=[],
        checks=[],
        candidate="own",
        run_id=own.run_id,
        version="1",
        metrics=own.metrics,
        champion=None,
    )


@pytest.fixture(scope="module")
def found(judged, verdict):
    world, trained = judged
    return compare_candidates(world.context, world.built, trained, verdict, RUN)


def test_the_code_that_was_kept_is_fitted_and_asked_again(found):
    [own] = found.candidates
    assert own.failed == {}
    points = own.learning.points
    assert len(points) > 2
    assert points[-1].held == pytest.approx(own.metrics["roc_auc"])
    assert points[0].rows < points[-1].rows
    assert next(iter(own.importance.losses)) == "a"


def test_the_page_draws_the_cost_against_the_threshold(found):
    page = render(found)
    said = text_of(page)
    assert "Could not be made" not in said
    assert "cost EUR per row" in said
    assert "cost by the threshold: where it is decided now" in said
    assert 'aria-label="cost (EUR per row) by threshold"' in page
    assert "learning curve of the chosen setting" in said
    assert "lost where one input is shuffled" in said
    assert "what belongs to which input cannot be told" in said


def test_a_stored_model_that_cannot_be_read_is_said_and_the_page_goes_on(judged, verdict):
    world, [own] = judged
    broken = own.model_copy(update={"model": world.context.ports.store.put(b"x", ".skops")})
    made = compare_candidates(world.context, world.built, [broken], verdict, RUN)
    said = text_of(render(made))
    assert "Could not be made: the fitted model (BadData: candidates.own" in said
    assert "Errors by slice" in said
    assert "cost by the threshold" in said
