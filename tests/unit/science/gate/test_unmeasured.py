"""A check that could not be computed refuses, and says why and what to do."""

from __future__ import annotations

import pytest

from pipelines.science.gate.unmeasured import refuse_unmeasured


@pytest.mark.parametrize(
    ("error", "why"), [("no row has a label", "no row has a label"), ("", "nothing was measured")]
)
def test_it_refuses_and_says_why_and_what_to_do(error, why):
    check = refuse_unmeasured("slices", "they could not be seen", error, field="slices", limit=0.1)
    assert not check.passed
    assert check.detail == f"they could not be seen: {why}"
    assert check.would_pass == "mend that, or take gate.slices out"
    assert (check.name, check.limit) == ("slices", 0.1)
