"""What looks personal is told by its name or its values, and what does not is left alone."""

import pytest

from pipelines.profiling.personal import looks_personal


@pytest.mark.parametrize(
    "name",
    ["email", "customer_email", "E-Mail", "phoneNumber", "first_name", "LastName", "name",
     "date_of_birth", "iban", "home_address", "ip_address", "client_ip", "emails", "user_name",
     "Straße", "kunde_vorname", "account_number"],
)  # fmt: skip
def test_names_that_look_personal(name):
    assert looks_personal(name) == "by its name"


@pytest.mark.parametrize(
    "name",
    ["price", "shop", "product_name", "carrier", "mailbox_count", "trip", "zip_code", "shipment",
     "district", "file_name", "description", "tip", "hour", "station"],
)  # fmt: skip
def test_names_that_do_not(name):
    assert looks_personal(name, ["a", "b"]) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["ann@example.org", "bob@shop.de", "?"], "addresses of e-mail"),
        (["+49 30 901820", "0049-30-901821"], "numbers of telephones"),
        (["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"], "IBANs"),
        (["10.0.0.1", "192.168.1.20"], "addresses of machines"),
        (["4111 1111 1111 1111"], "numbers of cards"),
    ],
)
def test_values_that_look_personal(values, words):
    assert looks_personal("contact", values) == f"it holds {words}"


def test_values_that_do_not():
    assert looks_personal("code", ["2024-01-01", "01234", "N725MQ", "EWR", "12:30"]) is None
