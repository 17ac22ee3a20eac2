"""Two models on the same rows: how far the opponent leads a constant."""

import numpy as np
import pytest

from pipelines.judging.pairs import Pair, measure_lead
from pipelines.training.targets import targets
from tests.unit.steps.learning import learning, rows, spec_text

GATE = "gate: {at_least: {recall: 0.1}, versus_champion: {metric: f1}, min_rows: 50}"


def test_a_champion_that_decides_at_0_has_the_lead_that_it_has_there(tmp_path):
    context = learning(tmp_path, spec_text(gate=GATE)).context
    held = rows(1)
    truth = targets(held, context.spec, None)
    theirs = np.where(truth == 1, 0.2, 0.0)  # all that is positive lies between 0 and one half
    nothing = np.zeros(len(truth))
    found = Pair(held, theirs, theirs, None, 0.5, their_threshold=0.0)
    share = truth.mean()
    of_constant = 2 * share / (1 + share)  # it calls all rows positive
    assert measure_lead(context, found, nothing) == pytest.approx(1.0 - of_constant)
