"""Every type of error that pydantic knows comes out in plain words."""

import re
from typing import Annotated, Literal, get_args

import pytest
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, core_schema

from pipelines import messages
from pipelines.ledger.port import Entry
from pipelines.plain_errors import OTHER, PATTERNS, TEXTS, in_one_line, problems
from pipelines.refs import Value
from pipelines.settings import Settings
from pipelines.spec import Spec

OF_OTHER_THINGS = {
    *(
        "no_such_attribute",
        "needs_python_object",
        "frozen_field",
        "frozen_instance",
        "get_attribute_error",
        "dataclass_exact_type",
    ),
    *(
        "named_tuple_type",
        "default_factory_not_called",
        "iteration_error",
        "missing_sentinel_error",
        "ellipsis_error",
        "is_instance_of",
    ),
    *(
        "is_subclass_of",
        "callable_type",
        "arguments_type",
        "missing_argument",
        "unexpected_keyword_argument",
        "set_item_not_hashable",
    ),
    *(
        "missing_keyword_only_argument",
        "unexpected_positional_argument",
        "missing_positional_only_argument",
        "multiple_argument_values",
    ),
    *(
        "decimal_max_digits",
        "decimal_max_places",
        "decimal_whole_digits",
        "fraction_type",
        "fraction_parsing",
        "complex_type",
    ),
    *("complex_str_parsing", "frozen_dict_type", "ordered_dict_type", "counter_type", "deque_type"),
}
"""Types of error that neither a file nor a request can cause.

They are of arguments, attributes and kinds that we do not use.
"""

CONTEXT = {
    **dict.fromkeys(
        (
            "gt",
            "ge",
            "lt",
            "le",
            "multiple_of",
            "min_length",
            "max_length",
            "actual_length",
            "expected_version",
        ),
        3,
    ),
    **dict.fromkeys(
        (
            "error",
            "class_name",
            "pattern",
            "encoding_error",
            "expected_schemes",
            "tag",
            "field_type",
            "method_name",
        ),
        "x",
    ),
    "expected": "'a', 'b' or 'c'",
    "discriminator": "'kind'",
    "expected_tags": "'files', 'sql'",
    "encoding": "utf-8",
    "tz_expected": 0,
    "tz_actual": 3,
}
FORBIDDEN = re.compile(
    r"Input|should|valid |Value error|instance|dictionary|function-|nullable|union|\{\w*\}|\w\[\w"
)


@pytest.mark.parametrize(
    "kind",
    sorted(
        set(get_args(core_schema.ErrorType)) - OF_OTHER_THINGS - {"value_error", "assertion_error"}
    ),
)
def test_every_type_of_error_has_plain_words(kind):
    assert kind in TEXTS or kind == "string_pattern_mismatch", (
        "a type of error without words: add them to TEXTS"
    )
    detail = InitErrorDetails(type=kind, ctx=CONTEXT, loc=("field",), input="bad")
    [problem] = problems(ValidationError.from_exception_data("Spec", [detail]), {"field": "bad"})
    assert problem.field == "field"
    assert not FORBIDDEN.search(problem.text), problem.text
    assert OTHER not in problem.text


def test_every_form_that_a_text_must_have_is_said_in_words():
    patterns = set()
    requests = [v for v in vars(messages).values() if isinstance(v, type) and issubclass(v, Value)]
    for model in (Spec, Settings, Entry, *requests):
        patterns |= set(
            re.findall(r"'pattern': '([^']*)'", str(model.model_json_schema(mode="validation")))
        )
    known = {p.replace("\\", "\\\\") for p in PATTERNS}
    in_validators = {
        p for p in patterns if "batch" in p or "smhdw" in p
    }  # parse_batches and parse_duration have words of their own
    assert patterns - known - in_validators == set()
    assert len(patterns & known) >= 5


class Inner(Value):
    low: float
    high: float


class Files(Value):
    kind: Literal["files"]
    uri: str


class Sql(Value):
    kind: Literal["sql"]
    query: str


class Whole(Value):
    search: dict[str, list[bool | int | str | None] | Inner] = Field(default_factory=dict)
    source: Annotated[Files | Sql, Field(discriminator="kind")] = Files(kind="files", uri="x")
    token: Annotated[str, Field(max_length=3)] = ""


def wrong(body) -> str:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(body)
    return in_one_line(problems(caught.value, body, Whole, secret=["token"])).removesuffix(".")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"search": {"a": {"low": "x", "high": 2}}}, "search.a.low: must be a number, found 'x'"),
        (
            {"search": {"a": {"low": 1, "hihg": 2}}},
            "search.a.high: missing; add it; search.a.hihg: unknown key; did you mean 'high'?",
        ),
        ({"search": {"a": 5}}, "search.a: must be a list or keys and values, found 5"),
        (
            {"search": {"a": [1, {}]}},
            "search.a.1: must be true or false, a number or a text, found keys and values",
        ),
        ({"source": {"kind": "files"}}, "source.uri: missing; add it"),
        (
            {"source": {"kind": "files", "uri": "x", "files": 1}},
            "source.files: unknown key; remove it",
        ),
        ({"source": {"kind": "ftp"}}, "source: kind must be one of 'files', 'sql'"),
        ({"source": {}}, "source: kind is missing; add it"),
        ({"token": "very secret"}, "token: must have at most 3 characters"),
        ([1], "must be keys and values, found a list"),
    ],
)
def test_of_several_forms_the_one_that_was_meant_speaks(body, words):
    assert wrong(body) == words


def test_a_long_value_is_cut_and_a_huge_one_is_not_written_out():
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[Annotated[int, Field(lt=5)]]).validate_python(["x" * 10_000, 10**5000])
    long, huge = (str(p) for p in problems(caught.value, ["x" * 10_000, 10**5000]))
    assert len(long) < 150
    assert huge == "1: must be less than 5, found a very large number"
