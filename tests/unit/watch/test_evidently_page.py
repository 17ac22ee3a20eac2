"""Nothing on Evidently's page contradicts the verdict, which stands above it, escaped."""

from __future__ import annotations

import pytest

from pipelines.science.drift import Decision
from pipelines.watch.evidently_page import add_verdict, number_names

PAGE = (
    b'<html><body>\n<script>{"value": "Dataset Drift", "label": "Dataset Drift is NOT detected.'
    b' Threshold is 0.5"}</script></body></html>'
)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("drift", "Drift"),
        ("no_drift", "No drift"),
        ("alarm", "Alarm"),
        ("not_enough_data", "Not enough data"),
    ],
)
def test_the_verdict_stands_first_with_its_reasons(verdict, words):
    page = add_verdict(
        number_names(PAGE),
        Decision(verdict, ["values are missing in <b>gone</b>"]),
        run='a"b',
    ).decode()
    assert f">{words}</strong> is the verdict on this window" in page
    assert page.index("is the verdict") < page.index("<script>")
    assert "&lt;b&gt;gone" in page
    assert 'href="../drift/a%22b"' in page


def test_the_heading_on_the_whole_data_set_says_what_is_compared_instead():
    page = number_names(PAGE)
    assert b"NOT detected" not in page
    assert b"Column by column" in page
