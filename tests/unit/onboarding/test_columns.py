"""What columns are good for."""

import numpy as np
import pandas as pd
import pytest

from pipelines.onboarding.columns import roles_of
from pipelines.onboarding.personal import is_iban, personal_data

ROWS = 200


@pytest.fixture
def frame():
    random = np.random.default_rng(5)
    value = random.normal(size=ROWS)
    return pd.DataFrame(
        {
            "order_id": np.arange(ROWS) + 1_000,
            "mail": [f"p{i}@example.org" for i in range(ROWS)],
            "empty": [None] * ROWS,
            "always": "x",
            "value": value,
            "value_in_cents": value * 100,
            "city": random.choice(["A", "B", "C"], ROWS),
            "target": random.integers(0, 2, ROWS),
        }
    )


def test_inputs_are_what_can_be_learnt_from_and_the_rest_has_a_reason(frame):
    frame["city_code"] = frame["city"].map({"A": "k1", "B": "k2", "C": "k3"})
    roles = roles_of(frame, ["target"])
    assert roles.inputs == ["value", "city"]
    assert roles.identifiers == {"order_id"}
    assert roles.personal == {"mail": "e-mail addresses"}
    assert {n: r.split(":")[0] for n, r in roles.left_out.items()} == {
        "order_id": "an identifier",
        "mail": "personal data",
        "empty": "empty in all rows",
        "always": "the same in all rows",
        "value_in_cents": "says the same as value",
        "city_code": "says the same as city",
    }


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("contact", ["+49 221 123456", "0043 1 5331234"], "phone numbers"),
        ("x", ["DE89370400440532013000", "GB82WEST12345698765432"], "account numbers (IBAN)"),
        ("x", ["10.0.0.1", "2001:db8::1"], "IP addresses"),
        ("x", ["Hauptstraße 5", "Gartenweg 12"], ""),
        ("x", ["12 Baker Street", "5 Park Avenue"], "addresses"),
        ("firstName", ["Ada", "Grace", "Edsger"], "names of people"),
        ("date_of_birth", ["1815-12-10", "1906-12-09", "1930-05-11"], "dates of birth"),
        ("city", ["Köln", "Graz", "Bern"], ""),
        ("email_sent", ["yes", "no"], ""),
        ("version", ["1.2.3", "4.5.6"], ""),
    ],
)
def test_personal_data_are_known_by_name_and_by_value(name, values, what):
    assert personal_data(name, pd.Series(values)) == what


def test_an_iban_is_known_by_its_check_digits():
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("DE88 3704 0044 0532 0130 00")
