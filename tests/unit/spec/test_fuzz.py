"""Whatever a `model.yaml` holds, only SpecError comes out, with the file in each line."""

import random

import pytest
import yaml

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.worlds import SPEC

BODY = yaml.safe_load(SPEC)
SHOWN = "models/sales/model.yaml"

VALUES = [
    None, True, False, 0, -1, 1, 10**30, 1.5, float("nan"), float("inf"),
    "", " ", "x" * 3_000, "é\u202e\U0001f600", "{start:%Y", "%", "\0",
    "2024-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "1 batch", "999999w", "0 0 30 2 *", "*/0 * * * *", "٣ * * * *", "files", "kind",
    [], [[]], [None], {}, {"": 1}, {"kind": "files"}, {"kind": "python", "first": "x"},
    {"low": 1, "high": 0}, [{"x": 1}],
]  # fmt: skip
MARKS = [
    "\t",
    "\n",
    ":",
    "- ",
    "*a",
    "&a ",
    "!!set ",
    "{",
    "[",
    "}",
    "'",
    '"',
    "|",
    ">",
    "<<: ",
    "? ",
    "%",
    "#",
    "\x00",
    "\ufeff",
    "0o7",
    "1:30",
    "---\n",
]


def _places(value, path=()):
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from _places(inner, (*path, key))


PLACES = [path for path in _places(BODY) if path]


def _changed(rng):
    """Return a spec with one to three values (or keys) changed to hostile ones."""
    body = yaml.safe_load(SPEC)
    for _ in range(rng.randint(1, 3)):
        *way, last = rng.choice(PLACES)
        inner = body
        try:
            for part in way:
                inner = inner[part]
            if rng.random() < 0.2 and isinstance(inner, dict):
                inner[rng.choice(["files", "kind", "x", "", "inputs", "[key]", "a.b"])] = (
                    rng.choice(VALUES)
                )
            else:
                inner[last] = rng.choice(VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    return yaml.safe_dump(body, allow_unicode=True).encode("utf-8", "surrogatepass")


def _torn(rng):
    """Return a spec's text with pieces put in, taken out or turned into other bytes."""
    text = bytearray(SPEC.encode())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(text))
        way = rng.random()
        if way < 0.5:
            text[at:at] = rng.choice(MARKS).encode()
        elif way < 0.8:
            del text[at : at + rng.randint(1, 20)]
        else:
            text[at] = rng.randrange(256)
    return bytes(text)


def _refusals(count, seed):
    """Return the texts that were refused with what was said.

    Whatever else is raised fails the test.
    """
    rng = random.Random(seed)
    for _ in range(count):
        text = rng.choice([_changed, _torn])(rng)
        try:
            parse_spec(text, SHOWN)
        except SpecError as error:
            yield text, error.message


def _hold(count, seed):
    refusals = list(_refusals(count, seed))
    for text, message in refusals:
        assert message.startswith(f"{SHOWN}:"), text
        assert "function-" not in message, text
        assert "Input should" not in message, text
    return len(refusals)


def test_only_a_spec_error_comes_out_of_hostile_specs():
    assert _hold(300, seed=1) > 180


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_only_a_spec_error_comes_out_of_very_many_hostile_specs(seed):
    assert _hold(5_000, seed=100 + seed) > 3_000
