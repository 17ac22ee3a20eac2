"""Which column is the event time, the target, the key; and what is asked."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import RequestError
from pipelines.onboarding.choices import Target, choose_key, choose_target, choose_time
from pipelines.onboarding.talk import Talk

ROWS = 60


@pytest.fixture
def frame():
    random = np.random.default_rng(1)
    created = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    return pd.DataFrame(
        {
            "customer": [f"c{i % 20}" for i in range(ROWS)],
            "created": created,
            "closed_at": created + pd.Timedelta(days=2),
            "shipped": created.where(created.index % 2 == 0),
            "stars": random.integers(1, 6, ROWS),
            "answer": random.choice(["yes", "no"], ROWS),
            "grade": random.choice(["a", "b", "c"], ROWS),
            "amount": random.normal(size=ROWS),
        }
    )


def test_the_earliest_column_of_times_that_is_always_filled_is_the_event_time(frame):
    talk = Talk()
    assert choose_time(frame, None, talk) == "created"
    assert "Which column says when a row happened: created, closed_at?" in talk.assumptions[0]
    assert "shipped: no event time, since it is empty in some rows" in talk.findings[0]


def test_a_person_is_asked_and_nothing_is_assumed(frame):
    asked = []
    talk = Talk(lambda *words: asked.append(words[2]) or "closed_at")
    assert choose_time(frame, None, talk) == "closed_at"
    assert asked == [["created", "closed_at", "none"]]
    assert talk.assumptions == []


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("answer", Target("answer", "binary", "yes")),
        ("grade", Target("grade", "multiclass")),
        ("amount", Target("amount", "regression")),
        ("stars", Target("stars", "regression")),
    ],
)
def test_the_task_follows_from_the_values(frame, column, target):
    assert choose_target(frame, column, "created", Talk()) == target


def test_of_two_unknown_words_the_rarer_one_is_positive_and_that_is_said(frame):
    frame["end"] = ["red" if i < 10 else "blue" for i in range(ROWS)]
    talk = Talk()
    assert choose_target(frame, "end", None, talk).positive == "red"
    assert "Else pass --positive VALUE." in talk.assumptions[0]


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda f: f.assign(ticket_id=[f"t{i}" for i in range(ROWS)]), ["ticket_id"]),
        (lambda f: f, ["created"]),
        (lambda f: f.assign(created=f["created"].dt.floor("20h")), ["customer", "created"]),
        (lambda f: f.assign(created=f["created"].dt.floor("30D")), []),
    ],
    ids=["an identifier", "the time", "one in the time", "none"],
)
def test_the_key_is_what_is_unique_in_all_rows(frame, make, key):
    frame = make(frame)[
        ["customer", "created", "amount", *(["ticket_id"] if key == ["ticket_id"] else [])]
    ]
    assert choose_key(frame, [], "created", "amount", Talk()) == key  # fmt: skip


def test_a_name_that_is_nearly_one_gets_a_suggestion(frame):
    with pytest.raises(RequestError) as caught:
        choose_target(frame, "amont", None, Talk())
    assert caught.value.remedy == "did you mean 'amount'?"
