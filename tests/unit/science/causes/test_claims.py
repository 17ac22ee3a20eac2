"""A claim that fails is told with its cause: another concept where no input has moved."""

from __future__ import annotations

import pytest

from pipelines.science.causes.cause import Cause
from pipelines.science.causes.claims import with_claims

CLAIMS = ["90% intervals cover 78.0%, they covered 91.0%"]


def test_the_same_rows_with_other_outcomes_are_another_concept():
    cause = with_claims(Cause("nothing", ["no column has moved"]), CLAIMS)
    assert cause.kind == "concept"
    assert cause.evidence == [*CLAIMS, "no column has moved"]


@pytest.mark.parametrize("kind", ["population", "season", "unclear"])
def test_beside_other_rows_it_cannot_be_told_what_a_claim_fails_by(kind):
    cause = with_claims(Cause(kind, ["age has moved"]), CLAIMS)
    assert cause.kind == kind
    assert cause.evidence[1] == (
        f"{CLAIMS[0]}: whether that comes with such rows or is another concept cannot be told"
    )


def test_a_broken_pipe_explains_what_fails_and_nothing_failed_adds_nothing():
    broken = Cause("broken_upstream", ["in other units"], "units")
    assert with_claims(broken, CLAIMS) is broken
    quiet = Cause("nothing", ["no column has moved"])
    assert with_claims(quiet, []) is quiet
    assert with_claims(Cause("concept", ["worse"]), CLAIMS).evidence == ["worse", *CLAIMS]
