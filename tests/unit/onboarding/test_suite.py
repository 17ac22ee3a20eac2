"""A suite that is drawn from batches passes them, and refuses broken ones."""

import numpy as np
import pandas as pd
import pytest

from pipelines.onboarding.suite import draw_suite
from pipelines.tables import normalise
from pipelines.validation.run import check_table

BATCHES, ROWS = 14, 240


@pytest.fixture(scope="module")
def batches():
    """Months of a shop with a season in temperature and price; rows have no key."""
    random = np.random.default_rng(11)
    parts = []
    for month in range(BATCHES):
        season = np.sin(month / 12 * 2 * np.pi)
        day = pd.Timestamp("2023-01-01") + pd.DateOffset(months=month)
        low = random.normal(10 + 8 * season, 3, ROWS).round(1)
        parts.append(
            pd.DataFrame(
                {
                    "day": day + pd.to_timedelta(np.sort(random.integers(0, 28, ROWS)), unit="D"),
                    "low": low,
                    "high": (low + random.gamma(4, 0.7, ROWS)).round(1),
                    "price": random.lognormal(3 + 0.2 * season, 0.5, ROWS).round(2),
                    "amount": random.poisson(30, ROWS),
                    "flag": (random.random(ROWS) < 0.2).astype(int),
                    "city": random.choice(["Köln", "Graz", "Bern"], ROWS),
                    "note": pd.Series(
                        [f"order {i} from Köln" for i in random.integers(0, 9**6, ROWS)]
                    ),
                    "rare": pd.Series(random.normal(size=ROWS)).where(random.random(ROWS) < 0.3),
                    "year": day.year,
                }
            )
        )
    return parts  # fmt: skip


@pytest.fixture(scope="module")
def suite(batches):
    return draw_suite(batches, event_time="day", key=[])


def broken(suite, batch):
    """Return the columns and types of the critical expectations that a batch breaks."""
    results = check_table("events", normalise(batch), suite, "the suite")
    return [r.expectation for r in results if r.critical]


def test_it_passes_every_batch_that_it_was_drawn_from(suite, batches):
    assert [found for batch in batches if (found := broken(suite, batch))] == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x 1000", lambda b: b.assign(price=b["price"] * 1000)),
        ("cents", lambda b: b.assign(price=b["price"] * 100)),
        ("fahrenheit", lambda b: b.assign(low=b["low"] * 1.8 + 32)),
        ("no whole number", lambda b: b.assign(amount=b["amount"] * 1.8 + 32)),
        ("emptied", lambda b: b.assign(city=pd.Series(None, b.index, dtype="string"))),
        ("a sparse column emptied", lambda b: b.assign(rare=np.nan)),
        ("swapped and alike", lambda b: b.assign(low=b["high"], high=b["low"])),
        ("swapped texts", lambda b: b.assign(city=b["note"], note=b["city"])),
        ("all rows twice", lambda b: pd.concat([b, b], ignore_index=True)),
        ("codes", lambda b: b.assign(flag=b["flag"] * 100)),
        ("garbled", lambda b: b.assign(note=b["note"].map(lambda t: t.encode().decode("cp1252")))),
        ("garbled codes", lambda b: b.assign(city=b["city"].map(lambda t: t.replace("r", "�")))),
    ],
)
def test_it_refuses_a_broken_batch(suite, batches, name, change):
    assert broken(suite, change(batches[5])), name


def test_a_year_and_a_number_that_goes_on_have_no_bounds(batches):
    numbered = [b.assign(row=np.arange(ROWS) + i * ROWS) for i, b in enumerate(batches)]
    suite = draw_suite(numbered, event_time="day", key=[])
    kinds = {
        (e["kwargs"].get("column"), e["type"])
        for e in suite
        if "quantile" in e["type"] or "between" in e["type"]
    }
    assert not {c for c, _ in kinds} & {"year", "row"}


def test_a_snapshot_is_held_to_what_chance_moves(batches):
    snapshot = pd.concat(batches, ignore_index=True).drop(columns=["day", "year"])
    suite = draw_suite([snapshot], event_time=None, key=[])
    assert broken(suite, snapshot) == []
    again = snapshot.sample(frac=0.8, random_state=3, ignore_index=True)
    assert broken(suite, again) == []
    assert broken(suite, snapshot.assign(price=snapshot["price"] * 100))
    assert broken(suite, snapshot.assign(low=snapshot["high"], high=snapshot["low"]))


def test_a_column_that_a_batch_nearly_lacks_is_not_named(batches):
    sparse = [b.assign(rare=b["rare"].where(b.index < (2 if i == 3 else ROWS)))
              for i, b in enumerate(batches)]  # fmt: skip
    suite = draw_suite(sparse, event_time="day", key=[])
    assert "rare" not in {e["kwargs"].get("column") for e in suite}
