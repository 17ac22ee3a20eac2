"""Two years of invented orders, from which windows and references are cut by days."""

from __future__ import annotations

import numpy as np

from pipelines.science.causes.view import pick
from pipelines.science.changes.facts import Sample

DAYS, EACH = 730, 16


def orders(seed=0):
    """A warm and a cold half of the year, a rhythm of the day, three regions."""
    rng = np.random.default_rng(seed)
    n = DAYS * EACH
    day, hour = np.repeat(np.arange(DAYS), EACH), rng.integers(0, 24, n)
    warm = 12 - 10 * np.cos(2 * np.pi * day / 365) + 5 * np.sin(2 * np.pi * (hour - 9) / 24)
    columns = {
        "temperature": np.round(warm + rng.normal(0, 2, n), 1),
        "amount": np.round(np.exp(rng.normal(3.5, 0.6, n)), 2),
        "age": np.clip(np.round(rng.normal(44, 14, n)), 18, 95),
        "region": rng.choice(["north", "south", "islands"], n, p=[0.5, 0.35, 0.15]).astype(object),
    }
    losses = np.abs(rng.normal(0, 1, n)) * (1 + (columns["region"] == "islands"))
    times = np.datetime64("2024-01-01T00:00", "m") + day * 1440 + hour * 60
    answers = columns["amount"] / 100
    return Sample(columns, times.astype("datetime64[us]"), answers, losses)


def cut(whole, days):
    """The rows of some days, and those of all others."""
    inside = np.isin((whole.times - whole.times.min()).astype("timedelta64[D]").astype(int), days)
    return pick(whole, inside), pick(whole, ~inside)


def random_days(count=40, seed=1):
    return np.random.default_rng(seed).choice(DAYS, count, replace=False)


def with_columns(sample, **columns):
    return Sample({**sample.columns, **columns}, sample.times, sample.predictions, sample.losses)
