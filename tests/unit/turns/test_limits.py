"""The limits as the environment names them."""

from __future__ import annotations

import pytest

from pipelines.errors import RequestError
from pipelines.settings import load_settings
from pipelines.turns.limits import Limits, limits_of


def settings_with(**values):
    return load_settings({f"PERENNIAL_{name.upper()}": text for name, text in values.items()})


def test_without_a_word_there_are_none():
    settings = settings_with()
    assert limits_of(settings) == Limits()
    assert not settings.has_line


def test_an_owner_has_its_own_number_or_everybody_s():
    limits = limits_of(
        settings_with(
            retrainings_at_once="8",
            retrainings_at_once_per_owner="2,data team, Berlin=5".replace(", ", " "),
            retrainings_per_day="100",
            retrainings_per_day_per_owner="pricing=4",
        )
    )
    assert (limits.at_once, limits.per_day) == (8, 100)
    assert [limits.at_once_of(o) for o in ("pricing", "data team Berlin")] == [2, 5]
    assert [limits.per_day_of(o) for o in ("pricing", "other")] == [4, None]


@pytest.mark.parametrize(
    "name",
    [
        "retrainings_at_once",
        "retrainings_at_once_per_owner",
        "retrainings_per_day",
        "retrainings_per_day_per_owner",
    ],
)
def test_one_limit_makes_a_line(name):
    assert settings_with(**{name: "3"}).has_line


@pytest.mark.parametrize("text", ["0", "two", "a=0", "a=1,,b=2", "-1"])
def test_a_number_that_is_none_is_refused(text):
    with pytest.raises(
        RequestError, match=r"PERENNIAL_RETRAININGS_AT_ONCE_PER_OWNER: .*write a number for"
    ):
        settings_with(retrainings_at_once_per_owner=text)


def test_pools_have_slots():
    assert settings_with(pools="warehouse=2,gpu=1").pool_slots == {"warehouse": 2, "gpu": 1}
    assert settings_with().pool_slots == {}
    with pytest.raises(RequestError, match=r"PERENNIAL_POOLS: .*write pools with their slots"):
        settings_with(pools="warehouse")
