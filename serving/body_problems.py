"""What is wrong with a body, in words for whoever sent it.

The decoder's own messages never reach a caller.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.inference_log.format import KEY_LIMIT
from pipelines.tasks import learns_named_classes
from serving.problems import Problem

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema

_PLACE = re.compile(r" - at `\$\.(\w+)`$")
_FIELD = re.compile(
    r"^Object (?P<what>contains unknown|missing required) field `(?P<field>.*?)`(?: - at |$)",
    re.DOTALL,
)
_GOT = re.compile(r"got `(\w+)`")
_BYTE = re.compile(r"\(byte (\d+)\)")
_NO_NUMBER = re.compile(rb"\b(NaN|Infinity)\b")
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_THINGS = {
    "object": "an object",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
}
_EXAMPLES = {"number": "1.5", "integer": "3", "boolean": "true", "string": '"text"'}
KEY = f"a text of 1 to {KEY_LIMIT} characters"
TIME = 'a time with a zone (RFC 3339) between 1900 and 2200, such as "2013-03-01T09:30:00Z"'
EXAMPLE_LIMIT = 60
"""Characters of an example's column name."""


def describe_value(message: str) -> str:
    """Return what the decoder met, such as ", not a list"; "" where its message does not say."""
    match = _GOT.search(message)
    return f", not {_THINGS[match[1]]}" if match and match[1] in _THINGS else ""


def quotes_hint(message: str) -> str:
    """Return the hint for a number where a text belongs."""
    return (
        ': write it in quotes, like "17"'
        if "got `int`" in message or "got `float`" in message
        else ""
    )


def row_example(schema: InputSchema) -> str:
    """Return the beginning of a row, such as {"distance": 1.5, …}."""
    if not schema.columns:  # of a forecast whose inputs are all made
        return "{}"
    first = schema.columns[0]
    more = ", …" if len(schema.columns) > 1 else ""
    return f'{{"{first.name[:EXAMPLE_LIMIT]}": {_EXAMPLES[first.kind]}{more}}}'


def label_example(schema: InputSchema) -> str:
    """Return a label as it stands in JSON."""
    if learns_named_classes(schema.task):
        return f'"{(schema.classes or ["text"])[0][:EXAMPLE_LIMIT]}"'
    if schema.binary_classes:
        return f'"{schema.binary_classes[1][:EXAMPLE_LIMIT]}"'
    return "true" if schema.task in {"binary", "anomaly"} else "1.5"


def explain_json_error(error: Exception, body: bytes | None) -> str:
    """Return why a body is no JSON.

    `error` is what a decoder raised, `body` what it read, where that is at hand.
    """
    if isinstance(error, UnicodeDecodeError):
        return f"The body is no UTF-8: byte {error.start} of a text."
    if isinstance(error, RecursionError):
        return "The body is nested too deeply."
    if body is not None and not body.strip():
        return "The body is empty; send a JSON object."
    return f"The body is no JSON: {_explain_malformed(str(error), body or b'')}."


def _explain_malformed(message: str, body: bytes) -> str:
    if _NO_NUMBER.search(body):
        return "NaN and Infinity are no numbers there; null stands for what is not known"
    if _HALF_A_PAIR.search(body):
        return "a text in it holds half a character (an unpaired surrogate such as \\ud800)"
    place = _BYTE.search(message)
    return f"byte {place[1]} cannot stand there" if place else "it ends too early"


def label_problem(message: str, schema: InputSchema) -> Problem:
    """Return the problem 422 for what the decoder said of a label, or of a body with one or more of
    them.
    """
    example = label_example(schema)
    key = _FIELD.match(message)
    place = _PLACE.search(message)
    field = key["field"] if key else place[1] if place else None
    if key and key["what"] == "missing required":
        words = (
            f'{field} is missing: say what happened, like {{"request_id": "…", "label":'
            f" {example}}}."
        )
    elif key:
        words = (
            f'The field {field} is unknown: a label has "label", and either "request_id" (with'
            ' "row") or "key".'
        )
    elif "out of range" in message:
        words = f"{field} must be a finite number."
    elif field in (must := _label_parts(example)):
        hint = quotes_hint(message) if field in {"key", "request_id"} else ""
        words = f"{field} must be {must[field]}{describe_value(message)}{hint}."
    else:
        shape = f'{{"request_id": "…", "label": {example}}}'
        words = (
            f"A label must be an object like {shape}{describe_value(message)};"
            ' several stand in {"labels": [ … ]}.'
        )
    return Problem(422, "invalid_input", words, field=field)


def _label_parts(example: str) -> dict[str, str]:
    return {
        "label": f"what happened, like {example}",
        "labels": f'a list of labels, each like {{"request_id": "…", "label": {example}}}',
        "request_id": (
            "the text that the answer to the prediction gave as its request_id, of 1 to 64"
            " characters"
        ),
        "row": "the row's place in its request, a whole number from 0 to 1000000",
        "key": KEY,
    }
