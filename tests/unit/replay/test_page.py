"""The page of a replay: what it shows, and that it is complete in itself and escaped."""

from __future__ import annotations

import re

from pipelines.replay.page import render, write_page
from pipelines.replay.words import advice_lines


def test_it_shows_each_policy_and_what_it_did(lived):
    page = render(lived.found)
    for policy in lived.found.outcome.policies:
        assert policy.name in page
    assert "No policy is recommended" in page
    assert "7 batches from\n2024-01-03" in page
    assert page.count("<svg") == 3
    assert 'class="refused"' in page
    assert "retrained, and refused: " in page


def test_alarms_are_counted_where_somebody_looked_and_a_dash_elsewhere(lived):
    outcome = lived.found.outcome
    assert '<td class="n">-</td><td class="n">' in render(lived.found)
    looked = [each.model_copy(update={"alarms": 4321}) for each in outcome.policies]
    found = lived.found.model_copy(
        update={"outcome": outcome.model_copy(update={"policies": looked})}
    )
    page = render(found)
    assert page.count('<td class="n">4321</td>') == len(looked)
    assert '<td class="n">-</td><td class="n">' not in page


def test_it_is_complete_in_itself(lived):
    page = render(lived.found)
    assert not re.search(r"<script|https?://|src=", page)
    assert render(lived.found) == page


def test_what_others_write_is_escaped(lived):
    outcome = lived.found.outcome
    first = outcome.policies[0].model_copy(update={"name": "<b>never</b>"})
    changed = outcome.model_copy(update={"policies": [first, *outcome.policies[1:]]})
    page = render(lived.found.model_copy(update={"outcome": changed}))
    assert "<b>never" not in page
    assert "&lt;b&gt;never" in page


def test_it_is_written_below_the_replays_own_folder(lived):
    path = write_page(lived.world.settings, lived.found)
    assert path.is_relative_to(lived.world.settings.state / "replays" / "sales")
    assert path.read_text() == render(lived.found)


def test_advice_names_the_interval_or_why_there_is_none(lived):
    outcome = lived.found.outcome
    (line,) = advice_lines(outcome)
    assert "too few" in line
    gap = {"mean": 0.5, "low": 0.2, "high": 0.8}
    advice = {"name": "always refit", "why": "it loses least", "best": "always refit"}
    told = outcome.model_validate(
        {
            **outcome.model_dump(mode="json"),
            "advice": {**advice, "margin": 0.1, "over_best": gap, "against_own": None},
        }
    )
    lines = advice_lines(told)
    assert lines[0] == "Recommended: always refit, since it loses least."
    assert "worse by 0.5 per batch (0.2 to 0.8, 95 %)" in lines[1]
