"""A small model that forecasts hourly sales, and its rows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from pipelines.spec import Spec

START = datetime(2024, 1, 1, tzinfo=UTC)


def sales_body(**changes):
    """Return the `model.yaml` of the forecast as a mapping, with changes to its parts."""
    body = {
        "name": "sales",
        "owner": "shop",
        "description": "How much is sold in each hour?",
        "task": "forecast",
        "source": {"kind": "files", "uri": "file:///data/{start:%Y-%m}.csv", "first": "2024-01-01"},
        "batch": "month",
        "event_time": "at",
        "alike": {"span": "hour"},
        "key": ["at"],
        "target": {"column": "sold", "known_after": "1h"},
        "features": {"inputs": ["open"]},
        "forecast": {
            "step": "1h",
            "horizon": "5h",
            "season": "24h",
            "lags": ["6h", "24h"],
            "means": ["12h"],
            "calendar": ["hour", "weekday"],
        },
        "train": {"window": "3 batches", "holdout": "1 batch", "metric": "mae"},
        "candidates": [{"name": "linear", "estimator": "sklearn.linear_model.LinearRegression"}],
        "gate": {"at_most": {"mae": 10}, "versus_champion": {"metric": "mae", "confidence": 0.95}},
    }
    for name, change in changes.items():
        whole = body.get(name)
        both = isinstance(whole, dict) and isinstance(change, dict)
        body[name] = {**whole, **change} if both else change
    return body


def sales_spec(**changes):
    return Spec.model_validate(sales_body(**changes))


def hourly(hours, gap=(), seed=1):
    """Return built rows of one series: hours since the start, without those of the gap."""
    random = np.random.default_rng(seed)
    places = [i for i in range(hours) if i not in set(gap)]
    day = 10 + 5 * np.sin(np.array(places) * 2 * np.pi / 24)
    return pa.table(
        {
            "at": pa.array(
                [START + timedelta(hours=i) for i in places], pa.timestamp("us", tz="UTC")
            ),
            "open": pa.array([int(8 <= i % 24 < 20) for i in places], pa.int64()),
            "sold": pa.array(day + random.normal(0, 1, len(places))),
        }
    )
