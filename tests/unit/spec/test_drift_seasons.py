"""What a spec may say of seasons and holidays."""

from __future__ import annotations

import pytest

from pipelines.errors import SpecError
from pipelines.spec import Spec, parse_spec
from tests.unit.steps.learning import spec_text


def drift(text):
    spec = parse_spec((spec_text() + f"drift: {{schedule: daily, {text}}}\n").encode(), "visits")
    again = Spec.model_validate(spec.model_dump(mode="json", exclude_unset=True, by_alias=True))
    assert again.drift == spec.drift
    return spec.drift


@pytest.mark.parametrize("season", ["", "season: [month, holiday], "])
def test_holidays_are_days(season):
    found = drift(season + "holidays: [2025-12-25, 2026-01-01]")
    assert [day.isoformat() for day in found.holidays] == ["2025-12-25", "2026-01-01"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("season: [holiday]", "season: holiday needs `holidays`"),
        ("season: [month], holidays: [2025-12-25]", "add holiday to `season`"),
        ("season: none, holidays: [2025-12-25]", "add holiday to `season`"),
        ("holidays: [Christmas]", "holidays"),
        ("holidays: [2025-02-30]", "holidays"),
    ],
)
def test_what_makes_no_sense_is_named(text, said):
    with pytest.raises(SpecError) as error:
        drift(text)
    assert said in str(error.value)
