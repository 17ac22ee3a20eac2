"""Pydantic's errors in plain words.

One sentence per problem, naming the field, what is wrong and what to write instead.
"""

from __future__ import annotations

import difflib
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

SHOWN = 60
"""Characters of a wrong value that are shown."""

KEY = "[key]"
"""How pydantic marks an error in a mapping's key."""


class Problem(NamedTuple):
    """One thing that is wrong: where (keys and positions from the top), and what, in words."""

    path: Path
    text: str

    @property
    def field(self) -> str:
        """The path as it is shown: candidates.1.estimator."""
        return ".".join(_printable(str(part)[:SHOWN]) for part in self.path)

    def __str__(self) -> str:
        """Say both."""
        return f"{self.field}: {self.text}" if self.path else self.text


class Impossible(ValueError):
    """Fields that are right one by one and make no sense together.

    A validator raises it with all that it found.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep each problem apart."""
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def _printable(part: str) -> str:
    """Return a key fit for one line of a message: it may come from anybody."""
    return part if part.isprintable() else ascii(part)


_NUMBER, _WHOLE, _TEXT = "must be a number", "must be a whole number", "must be a text"
_KEYS, _LIST, _MOMENT = (
    "must be keys and values",
    "must be a list",
    "must be a date and time such as 2013-04-01T00:00:00Z",
)
_SPAN, _FLAG = "must be a span of time", "must be true or false"

TEXTS = {
    "missing": "missing; add it",
    "extra_forbidden": "unknown key; remove it",
    "invalid_key": "a key must be a text; write it in quotes",
    "string_type": _TEXT,
    "string_unicode": "holds characters that are no text",
    "string_not_ascii": "must hold ASCII characters only",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "must be a whole number of at most 4,300 digits",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "too_short": "needs at least {min_length} entries",
    "too_long": "may have at most {max_length} entries",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "dict_type": _KEYS,
    "mapping_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "dataclass_type": _KEYS,
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "none_required": "must be left empty",
    "date_type": "must be a date such as 2013-04-01",
    "date_parsing": "must be a date such as 2013-04-01",
    "date_from_datetime_parsing": "must be a date such as 2013-04-01",
    "date_from_datetime_inexact": "must be a date without a time",
    "date_past": "must lie in the past",
    "date_future": "must lie in the future",
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "datetime_past": "must lie in the past",
    "datetime_future": "must lie in the future",
    "timezone_naive": "must have no time zone",
    "timezone_aware": "must have a time zone, such as the Z in 2013-04-01T00:00:00Z",
    "timezone_offset": "has another time zone than the one that belongs here",
    "time_type": "must be a time of day such as 12:30",
    "time_parsing": "must be a time of day such as 12:30",
    "time_delta_type": _SPAN,
    "time_delta_parsing": _SPAN,
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing; add it",
    "json_invalid": "is no JSON: {error}",
    "json_type": "must be JSON",
    "bytes_type": _TEXT,
    "bytes_too_short": "must have at least {min_length} bytes",
    "bytes_too_long": "must have at most {max_length} bytes",
    "bytes_invalid_encoding": "is no text: {encoding_error}",
    "recursion_loop": "holds itself",
    "recursion_depth_exceeded": "is nested too deeply",
    "url_type": "must be an address that begins with a scheme, such as https://",
    "url_parsing": "is no address: {error}",
    "url_syntax_violation": "is no address: {error}",
    "url_scheme": "must be an address that begins with {expected_schemes}",
    "url_too_long": "must have at most {max_length} characters",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "uuid_version": "must be a UUID of version {expected_version}",
}
"""By pydantic's type of error, what is wrong.

A type that is not here gets OTHER (the rest cannot come from a file or a request).
"""

OTHER = "is not what belongs here"

BARE = frozenset(
    {"missing", "extra_forbidden", "invalid_key", "json_invalid", "union_tag_not_found"}
)
"""Types of error that do not show the value."""

_NAME = "begin with a letter or a digit; then letters, digits, dots, - and _, at most 63 characters"

PATTERNS = {
    r"^[a-z][a-z0-9_]{0,47}$": (
        "begin with a lower-case letter; then lower-case letters, digits and _, at most 48"
        " characters"
    ),
    r"^[A-Za-z_][A-Za-z0-9_]{0,62}$": (
        "begin with a letter or _; then letters, digits and _, at most 63 characters"
    ),
    r"^[0-9a-f]{64}$": "write the 64 digits (0 to 9, a to f) that `sha256sum` prints",
    r"^[1-9][0-9]{0,5}[mg]$": "write a whole number with m or g, such as 512m or 4g",
    r"^[1-9][0-9]{0,5}[kmg]$": "write a whole number with k, m or g, such as 500k or 50m",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$": _NAME,
    r"^https?://[^\s]+$": "write an address that begins with http:// or https:// and has no blanks",
    r"^https?://[^\s,;]+(, *https?://[^\s,;]+)*$": (
        "write an address that begins with http:// or https://, or several with commas between them"
    ),
    r"^(/[^:\x00]+|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$": (
        f"write an absolute path without colons, or a volume's name ({_NAME})"
    ),
    r"^(/[^:\x00]+|[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)$": (
        "write an absolute path without colons, or the name of a PersistentVolumeClaim"
    ),
    r"^[1-9][0-9]{0,8}(:[1-9][0-9]{0,8})?$": (
        "write the number of a user, not root's, or user:group"
    ),
    r"^[A-Za-z_][A-Za-z0-9_]*(,[A-Za-z_][A-Za-z0-9_]*)*$": (
        "write names of variables with commas between them, without blanks"
    ),
    r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$": 'write hours and minutes in quotes, such as "22:00"',
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "begin with a letter or digit; then also _, . and -",
    r"^[A-Za-z0-9._, -]*$": "write host names with commas between them, without ports",
    r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.onnx$": (
        "write a path within the model's folder that ends in .onnx, of letters, digits, _, . and -"
    ),
    r"^[a-z][a-z0-9_]{0,39}$": (
        "begin with a lower-case letter; then lower-case letters, digits and _, at most 40"
        " characters"
    ),
    r"^[A-Za-z0-9_.@+-]+$": "write a log-in of Airflow: letters, digits, _, ., @, + and -",
    r"^[^\s\x00-\x1f<>&]{1,20}$": "write at most 20 characters, without blanks, <, > and &",
    r"^(amqps?|rediss?)://([^\s/?#@;]*@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
    r"(/[^\s?#@;]*)?(\?[^\s#@;]*)?$": (
        "write amqp://user:password@host:5672/vhost, or redis://:password@host:6379/0, and escape"
        " signs that mean something in a URL"
    ),
    r"^[a-z0-9_-]{1,63}$": "write at most 63 lower-case letters, digits, _ and -",
    r"^[a-z0-9_-]{1,63}(,[a-z0-9_-]{1,63}){0,62}$": (
        "write names of queues with commas between them, without blanks"
    ),
    r"^([^,=]+=)?[1-9][0-9]{0,3}(,([^,=]+=)?[1-9][0-9]{0,3})*$": (
        "write a number for each owner, such as 2, and others behind it: 2,pricing=4"
    ),
    r"^[a-z0-9_-]+=[1-9][0-9]{0,3}(,[a-z0-9_-]+=[1-9][0-9]{0,3})*$": (
        "write pools with their slots, and commas between them: warehouse=2,gpu=1"
    ),
    r"^(local(\[([1-9][0-9]{0,2}|\*)\])?|yarn"
    r"|spark://[A-Za-z0-9._-]+(:[0-9]{1,5})?(,[A-Za-z0-9._-]+(:[0-9]{1,5})?)*"
    r"|k8s://(https?://)?[A-Za-z0-9._-]+(:[0-9]{1,5})?)$": (
        "write local[2], spark://host:7077, k8s://https://host:6443 or yarn"
    ),
    r"^spark\.[A-Za-z0-9_.-]+=[^;\x00-\x1f]*(;spark\.[A-Za-z0-9_.-]+=[^;\x00-\x1f]*)*$": (
        "write names of Spark's with values, and semicolons between them:"
        " spark.executor.memory=4g;spark.executor.cores=2"
    ),
    r"^[a-z][a-z0-9]{1,9}://[A-Za-z0-9._:/@=+-]*$": (
        "write a folder's URL: hdfs://host/folder, s3a://bucket/folder or file:///folder"
    ),
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": (
        "write a name of Kubernetes: at most 63 lower-case letters, digits and hyphens"
    ),
    r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$": (
        "write a name of Kubernetes: lower-case letters, digits, hyphens and dots"
    ),
    r"^[A-Za-z0-9][A-Za-z0-9./_-]*=[A-Za-z0-9._-]*"
    r"(,[A-Za-z0-9][A-Za-z0-9./_-]*=[A-Za-z0-9._-]*)*$": (
        "write labels of nodes with commas between them: pool=serving,disk=ssd"
    ),
    r"^[A-Za-z0-9][A-Za-z0-9./_-]*(=[A-Za-z0-9._-]*)?:(NoSchedule|NoExecute)"
    r"(,[A-Za-z0-9][A-Za-z0-9./_-]*(=[A-Za-z0-9._-]*)?:(NoSchedule|NoExecute))*$": (
        "write taints with commas between them: serving=only:NoSchedule,gpu:NoExecute"
    ),
    r"^[^\x00-\x1f\x7f]+$": "leave out control characters, such as line ends and tabs",
}
"""What to write where a text must have a form.

A test compares these with the forms that specs, settings and requests ask for.
"""

_BRANCHES = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "a text",
    "none": "nothing",
}


def problems(
    error: ValidationError,
    body: Any,
    model: type[BaseModel] | None = None,
    *,
    secret: Iterable[str] = (),
) -> list[Problem]:
    """Return what is wrong with `body`, in the order of its fields, each thing once.

    `body` is what was read (None: not known), `model` what it was to be, with whose keys an unknown
    one is compared. Values of the `secret` fields at the top are never shown. Where a value may
    have one of several forms, the form that was meant speaks alone.
    """
    hidden, words = frozenset(secret), _known_keys(model) if model is not None else []
    problems_by_place: dict[tuple[Path, str], list[Problem]] = {}
    unions: dict[Path, dict[str, list[ErrorDetails]]] = {}
    for detail in error.errors(include_url=False):
        path, branch, place = _path(detail["loc"], body)
        if branch is None:
            problems_by_place.setdefault((path, ""), []).extend(
                _in_words(detail, path, words, hidden)
            )
        else:
            unions.setdefault(place, {}).setdefault(branch, []).append(detail)
            problems_by_place.setdefault((place, "union"), [])
    for place, branches in unions.items():
        problems_by_place[place, "union"] = _explain_forms(place, branches, body, words, hidden)
    return list(
        dict.fromkeys(problem for faults in problems_by_place.values() for problem in faults)
    )


def in_one_line(faults: Sequence[Problem]) -> str:
    """Return the problems as one sentence, for errors that have one line."""
    return sentence("; ".join(map(str, faults)))


def sentence(text: str) -> str:
    """Return a text with its full stop."""
    return text if text.endswith("?") else f"{text}."


def quote_value(value: Any) -> str:
    """Return a value as a message shows it: short, and as one writes it in YAML or JSON."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN else value[:SHOWN] + "…")
    if isinstance(value, int):
        return str(value) if value.bit_length() <= SHOWN * 3 else "a very large number"
    if isinstance(value, date):
        return f"the date {value.isoformat()}"
    if isinstance(value, float):
        return repr(value)
    forms: dict[type, str] = {dict: "keys and values", list: "a list", tuple: "a list"}
    return forms.get(type(value), f"a value of the type {type(value).__name__}")


def _path(loc: tuple[str | int, ...], body: Any) -> tuple[Path, str | None, Path]:
    """Return where an error is, without the names that pydantic gives to the forms of a value.

    Further the first such form (None: there is none but those that `kind` tells apart), and where
    it begins.
    """
    path: list[str | int] = []
    branch: str | None = None
    place: Path = ()
    inside, at = body is not None, body
    for position, part in enumerate(loc):
        if (part == KEY and not _holds(at, part)) or (
            path
            and path[-1] == loc[position - 1]
            and isinstance(at, dict)
            and at.get("kind") == part
        ):
            continue
        if (
            (not inside and not _is_form(part))
            or _holds(at, part)
            or (position == len(loc) - 1 and isinstance(at, dict) and not _is_form(part))
        ):
            path.append(part)
            inside = inside and _holds(at, part)
            at = at[part] if inside else None
        elif inside and branch is None:
            branch, place = str(part), tuple(path)
    return tuple(path), branch, place


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)


def _is_form(part: str | int) -> bool:
    return isinstance(part, str) and (part in _BRANCHES or "[" in part)


def _explain_forms(
    place: Path,
    branches: dict[str, list[ErrorDetails]],
    body: Any,
    words: list[str],
    hidden: frozenset[str],
) -> list[Problem]:
    """Return what is wrong with a value that may have several forms.

    That of the form which it has, else the list of forms.
    """
    value = body
    for part in place:
        value = value[part]
    for branch, details in branches.items():
        fits = (
            isinstance(value, list)
            if branch.startswith("list[")
            else isinstance(value, dict) and branch not in _BRANCHES
        )
        if fits:
            inner: dict[Path, list[ErrorDetails]] = {}
            for detail in details:
                inner.setdefault(_path(detail["loc"], body)[0], []).append(detail)
            return [
                p for path, those in inner.items() for p in _one_place(path, those, words, hidden)
            ]
    forms = list(dict.fromkeys(_form(branch) for branch in branches))
    return [Problem(place, f"must be {_or(forms)}, found {quote_value(value)}")]


def _one_place(
    path: Path, details: list[ErrorDetails], words: list[str], hidden: frozenset[str]
) -> list[Problem]:
    """Return what is wrong at one place.

    Several errors there are those of the several forms of a plain value.
    """
    if len(details) == 1:
        return _in_words(details[0], path, words, hidden)
    forms = list(dict.fromkeys(_form(str(detail["loc"][-1])) for detail in details))
    return [Problem(path, f"must be {_or(forms)}, found {quote_value(details[0]['input'])}")]


def _form(branch: str) -> str:
    return "a list" if branch.startswith("list[") else _BRANCHES.get(branch, "keys and values")


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _in_words(
    detail: ErrorDetails, path: Path, words: list[str], hidden: frozenset[str]
) -> list[Problem]:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    cause = context.get("error")
    if isinstance(cause, Impossible):
        return [Problem((*path, *problem.path), problem.text) for problem in cause.problems]
    text = _sentence(kind, context, cause, path, words)
    whole = isinstance(value, dict | list) and not kind.endswith("_type")
    if kind in BARE or whole or (path and path[0] in hidden):
        return [Problem(path, text)]
    head, mark, tail = text.partition("; ")
    return [Problem(path, f"{head}, found {quote_value(value)}{mark}{tail}")]


def _sentence(kind: str, context: dict[str, Any], cause: Any, path: Path, words: list[str]) -> str:
    if kind in {"value_error", "assertion_error"}:
        return str(cause)
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(path[-1])[:SHOWN], words, n=1)
        return f"unknown key; did you mean {close[0]!r}?" if close else TEXTS[kind]
    if kind == "string_pattern_mismatch":
        return (
            "does not have the right form;"
            f" {PATTERNS.get(context['pattern'], 'see the documentation')}"
        )
    plain = {
        name: str(value).replace(" or ", ", ") if name == "expected" else value
        for name, value in context.items()
    }
    return TEXTS.get(kind, OTHER).format_map(
        {**plain, "discriminator": str(context.get("discriminator", "")).strip("'")}
    )


@cache
def _known_keys(model: type[BaseModel]) -> list[str]:
    """Return every key that the model and the models in it know."""
    schema = model.model_json_schema()
    return sorted(
        {
            key
            for part in (schema, *schema.get("$defs", {}).values())
            for key in part.get("properties", {})
        }
    )
