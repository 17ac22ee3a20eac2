"""Columns that hold personal data, by their names and by their values."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

_EMAIL = re.compile(r"^[^@\s]{1,64}@[\w-]+(\.[\w-]+)+$")
_PHONE = re.compile(r"^(\+|00)\d[\d\s()/.-]{6,18}\d$|^\(?0\d{2,5}\)?[\s/-]+[\d\s-]{5,12}$")
_IBAN = re.compile(r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$")
_STREET = re.compile(
    r"\b(street|avenue|road|lane|drive|boulevard|straße|strasse|str\.|weg|platz|gasse|rue|via"
    r"|calle)"
    r"\b.*\d|\d+\s+\w+.*\b(st|ave|rd|street|avenue|road|lane|drive|blvd)\b",
    re.IGNORECASE,
)
_BY_NAME: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(rf"(^|[^a-z])({words})([^a-z]|$)"))
    for what, words in (
        ("e-mail addresses", "e[-_ ]?mail|mail[-_ ]?address"),
        ("phone numbers", "phone|telephone|telefon|mobile|handy|fax|cell[-_ ]?phone"),
        ("names of people", "(first|last|sur|full|family|given|middle|customer|patient)[-_ ]?name"),
        ("names of people", "vorname|nachname|kundenname|familienname"),
        ("account numbers", "iban|bic|account[-_ ]?(no|number|nr)|kontonummer|credit[-_ ]?card"),
        ("IP addresses", "ip|ip[-_ ]?addr(ess)?|client[-_ ]?ip"),
        ("addresses", "address|street|stra(ss|ß)e|adresse|anschrift|hausnummer"),
        ("dates of birth", "birth[-_ ]?(date|day)|date[-_ ]?of[-_ ]?birth|dob|geburtsdatum"),
        ("numbers of identity", "ssn|social[-_ ]?security|passport|tax[-_ ]?id|steuer[-_ ]?id"),
    )
)  # fmt: skip
SHARE = 0.6
"""Share of a sample's values from which a column is what they are."""
SAMPLE = 500


def personal_data(name: str, column: pd.Series[Any]) -> str:
    """Return what personal data a column holds, in words; "" where it seems to hold none."""
    if pd.api.types.is_string_dtype(column):
        values = column.dropna().astype(str).drop_duplicates().head(SAMPLE)
        for what, test in _BY_VALUE:
            if len(values) and values.map(test).mean() >= SHARE:
                return what
    if pd.api.types.is_bool_dtype(column) or column.nunique() <= 2:  # noqa: PLR2004 -- a flag
        return ""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return next((what for what, pattern in _BY_NAME if pattern.search(words)), "")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True


def is_iban(text: str) -> bool:
    """Tell whether a text is an IBAN by its check digits (ISO 13616: modulo 97 is 1)."""
    plain = text.replace(" ", "").upper()
    if not _IBAN.match(plain):
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


_BY_VALUE: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("e-mail addresses", lambda v: bool(_EMAIL.match(v.strip()))),
    ("account numbers (IBAN)", is_iban),
    ("IP addresses", _is_ip),
    ("phone numbers", lambda v: bool(_PHONE.match(v.strip()))),
    ("addresses", lambda v: bool(_STREET.search(v))),
)
