"""Hostile bodies: many come close to what the schema allows, some are no JSON at all."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.serving.conftest import ROW

NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from(
        [
            10**309,
            -(10**400),
            3.4028234e38,
            3.5e38,
            2**53 + 1,
            -0.0,
            5e-324,
            1e-46,
            float("nan"),
            float("inf"),
        ]
    ),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["NaN", "null", "\x00", "\u202e", "🜁" * 9, "\ud800", "' or 1=1", "{{7*7}}", "A" * 5000]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
VALUES = st.one_of(SCALARS, ANYTHING)
# Each `map` keeps hypothesis from flattening the alternatives, so that most bodies come close to
# what is allowed.
NEARLY = st.builds(
    lambda name, value: {**ROW, name: value}, st.sampled_from([*ROW, "other"]), VALUES
)
PARTLY = st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in ROW.items()})
CLOSE = st.fixed_dictionaries(
    {
        "distance": st.one_of(NUMBERS, st.none()),
        "seats": NUMBERS,
        "weekend": st.booleans(),
        "carrier": st.one_of(TEXTS, st.none()),
    }
)
ROWS = st.one_of(CLOSE, NEARLY, PARTLY, st.just(ROW), VALUES.map(lambda value: value))
BODIES = st.one_of(
    st.builds(lambda rows: {"rows": rows}, st.lists(ROWS, max_size=3)),
    st.builds(lambda row: {"row": row}, ROWS),
    st.builds(lambda row, rows: {"row": row, "rows": rows}, ROWS, ANYTHING),
    ANYTHING.map(lambda value: value),
)


MOMENTS = st.one_of(
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.sampled_from(
        [
            "2013-03-01T12:00:00Z",
            "2013-03-01 12:00:00+00:00",
            "2013-03-01T12:00:60Z",
            "0001-01-01T00:00:00+23:59",
            "-1-01-01",
        ]
    ),
    SCALARS,
)
KEYS = st.one_of(TEXTS, st.none(), SCALARS)
BESIDE = st.builds(
    lambda whole, beside: {**whole, **beside},
    st.sampled_from([{"row": ROW}, {"rows": [ROW]}, {"rows": [ROW, ROW]}]),
    st.fixed_dictionaries(
        {},
        optional={
            "key": KEYS,
            "event_time": MOMENTS,
            "keys": st.one_of(st.lists(KEYS, min_size=1, max_size=2), ANYTHING),
            "event_times": st.one_of(st.lists(MOMENTS, min_size=1, max_size=2), ANYTHING),
        },
    ),
)
LABEL = st.fixed_dictionaries(
    {},
    optional={
        "label": st.one_of(st.sampled_from([0, 1, True, False]), VALUES),
        "key": st.one_of(st.just("known"), KEYS),
        "request_id": st.one_of(st.just("known"), SCALARS),
        "row": st.one_of(st.just(0), SCALARS),
        "more": SCALARS,
    },
)
TOLD = st.one_of(
    LABEL,
    st.builds(lambda labels: {"labels": labels}, st.lists(LABEL, max_size=4)),
    ANYTHING.map(lambda value: value),
)


def torn(text: str, at: int, put: str) -> str:
    at %= len(text) + 1
    return text[:at] + put + text[at + 1 :]


SENT = st.one_of(
    BODIES.map(json.dumps),
    st.builds(
        torn,
        BODIES.map(json.dumps),
        st.integers(0, 10_000),
        st.sampled_from(["", "\x00", '"', "\\", "{", "]", ",", "1e999", "NaN", "é"]),
    ),
    st.integers(1, 9_000).map(lambda depth: '{"rows":' + "[" * depth),
    st.integers(1, 2_500).map(lambda depth: '{"row":' + '{"a":' * depth),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
BYTES = st.one_of(SENT, st.binary(max_size=200))
