"""The drawing of a check's parts."""

from __future__ import annotations

import re

import pytest

from pipelines.messages import CheckFindings, Finding
from pipelines.verdicts.intervals_plot import draw_intervals


@pytest.mark.parametrize("most", [1.0, 1e300, 1.7e308])
def test_every_point_lies_within_the_drawing_however_large_the_values_are(most):
    parts = [
        Finding(name=str(value), passed=None, detail="", value=value, low=-most, high=most)
        for value in (-most, 0.0, most)
    ]
    drawn = draw_intervals(
        CheckFindings(check="slices", value="loss", limit=most / 2, findings=parts)
    )
    places = [float(x) for x in re.findall(r'(?:cx|x1|x2)="([^"]+)"', drawn)]
    assert all(300 <= x <= 740 for x in places)
    points = [float(x) for x in re.findall(r'cx="([^"]+)"', drawn)]
    assert points[0] < points[1] < points[2]
