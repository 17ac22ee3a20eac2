"""Columns that look as if they held personal data, by their names or by what is written in them.

A guess: it errs towards leaving out. What is personal for certain stands in `features.personal`.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = {
    "email", "mail", "phone", "telephone", "mobile", "fax", "surname", "firstname", "lastname",
    "fullname", "forename", "address", "street", "birthday", "birthdate", "birth", "dob", "ssn",
    "passport", "iban", "bic", "creditcard", "taxid", "ip", "ipaddress", "username", "login",
    "password", "gender", "religion", "ethnicity", "nationality", "patient", "person", "imei",
    "licenceplate", "licenseplate", "telefon", "handy", "vorname", "nachname", "kundenname",
    "familienname", "adresse", "anschrift", "hausnummer", "strasse", "straße", "kontonummer",
    "geburtsdatum",
}  # fmt: skip
_PAIRS = {
    ("first", "name"), ("last", "name"), ("full", "name"), ("family", "name"), ("given", "name"),
    ("user", "name"), ("customer", "name"), ("card", "number"), ("credit", "card"), ("tax", "id"),
    ("ip", "address"), ("social", "security"), ("date", "birth"), ("license", "plate"),
    ("account", "number"), ("account", "no"), ("middle", "name"),
}  # fmt: skip
_SHAPES = {
    "addresses of e-mail": re.compile(r"[^@\s]{1,64}@[^@\s]+\.[A-Za-z]{2,}"),
    "numbers of telephones": re.compile(r"(\+|00)[1-9][0-9 ()/-]{6,18}[0-9]"),
    "IBANs": re.compile(r"[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,3})?"),
    "addresses of machines": re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}"),
    "numbers of cards": re.compile(r"[0-9]{4}([ -]?[0-9]{4}){3}"),
}
_PART = 0.3
"""The share of texts of a shape from which the column counts as such."""


def looks_personal(name: str, texts: Iterable[str] = ()) -> str | None:
    """Return why a column looks personal, in words; None where it does not."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    singular = {w.removesuffix("es") for w in words} | {w.removesuffix("s") for w in words}
    if (
        _WORDS & {*words, *singular, "".join(words)}
        or _PAIRS & set(itertools.pairwise(words))
        or words == ["name"]
    ):
        return "by its name"
    values = list(texts)
    for what, shape in _SHAPES.items():
        if values and sum(bool(shape.fullmatch(v.strip())) for v in values) >= _PART * len(values):
            return f"it holds {what}"
    return None
