"""What a spec may say of the target and of the key, and what is refused with its line."""

from __future__ import annotations

import json

import pytest

from pipelines.errors import SpecError
from pipelines.spec import json_schema, parse_spec
from pipelines.spec.expressions import FUNCTIONS, NotAllowed, judge_expression
from tests.worlds import SPEC

KEY, TARGET = "key: [visit]", "{column: bought, known_after: 1h}"


def parse(*changes: tuple[str, str]):
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_spec(text.encode(), "models/x/model.yaml")


@pytest.mark.parametrize(
    ("key", "columns", "made"),
    [
        pytest.param("[at]", ["at"], False, id="the event time alone"),
        pytest.param("[visit, at]", ["visit", "at"], False, id="with the event time"),
        pytest.param("row", ["row_key"], True, id="made"),
        pytest.param("[row_key]", ["row_key"], False, id="a column of that name"),
    ],
)
def test_a_key_may_hold_the_event_time_or_be_made(key, columns, made):
    spec = parse((KEY, f"key: {key}"))
    assert (spec.key, spec.makes_key) == (columns, made)
    assert len(set(spec.built_columns)) == len(spec.built_columns)
    again = parse_spec(json.dumps(spec.model_dump(mode="json")).encode(), "dumped")
    assert again == spec


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (KEY, "key: rows", "10: key: must be a list of columns such as [customer, seen_at], or"),
        (KEY, "key: [visit, visit]", "10: key.0: 'visit' stands twice; remove one"),
        (KEY, "key: [visit, 3]", "10: key.1: must be a text, found 3"),
        (TARGET, "{known_after: 1h}", "11: target.column: missing; add it (or `expression`"),
        (TARGET, "{column: bought, positive: [1]}", "11: target.positive: must be a text, a num"),
        (
            TARGET,
            '{expression: "pages > 3"}',
            "11: target.expression: is made from 'pages', which is also an input",
        ),
        (TARGET, '{expression: "target > 3"}', "11: target.expression: names 'target', which is"),
        (TARGET, '{column: late, expression: "a >"}', "11: target.expression: is no expression"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(old, new, words):
    with pytest.raises(SpecError) as caught:
        parse((old, new))
    assert f"models/x/model.yaml:{words}" in str(caught.value)


def test_a_leak_is_found_whatever_its_capitals():
    with pytest.raises(SpecError, match="is made from 'pages', which is also an input"):
        parse((TARGET, "{expression: 'PAGES > 3'}"))


def test_positive_belongs_to_a_binary_task():
    with pytest.raises(SpecError, match="belongs to a binary task, this one is multiclass"):
        parse(
            (TARGET, "{column: bought, positive: 2}"),
            ("task: binary", "task: multiclass"),
            ("roc_auc", "log_loss"),
            ("at_least", "at_most"),
        )


@pytest.mark.parametrize(
    "text",
    [
        "arr_delay > 15",
        "CASE WHEN a > 1 THEN 'late' WHEN a IS NULL THEN NULL ELSE 'ok' END",
        "a BETWEEN 1 AND 2 OR NOT b",
        "a IN (1, 2) AND lower(trim(b)) LIKE 'x%'",
        "coalesce(a, 0) / nullif(b, 0) > 0.5",
        "date_diff('minute', planned, arrived) > 15",
        "TRY_CAST(a AS DOUBLE) >= 1e3",
        "a::decimal(10, 2) <> 1.5",
        "extract(hour FROM at) < 6",
        "planned + INTERVAL 15 MINUTE < arrived",
        "if(a > 1, 1, 0) = least(abs(a), 1)",
    ],
)
def test_plain_expressions_are_taken(text):
    judged = judge_expression(text)
    assert judge_expression(judged.sql) == judged


@pytest.mark.parametrize(
    "text",
    [
        "(SELECT 1)",
        "a IN (SELECT b FROM c)",
        "a > ALL (SELECT 1)",
        "EXISTS (SELECT 1)",
        "a > INTERVAL (SELECT 1) DAY",
        "read_csv('/etc/passwd') IS NULL",
        "read_text('/etc/passwd') = a",
        "a > 1 FROM read_parquet('x')",
        "getenv('HOME') = a",
        "query('DROP TABLE x')",
        "nextval('s') > a",
        "now() > a",
        "current_timestamp > a",
        "random() > a",
        "uuid() = a",
        "sum(a) > 1",
        "a > avg(a) OVER ()",
        "unnest([1]) = a",
        "COLUMNS('x') > 1",
        "* EXCLUDE (a)",
        "a > 1; DROP TABLE x",
        "a AS b",
        "t.a > 1",
        "$1 > a",
        "? > a",
        "a[1] = 2",
        "{'x': a} = 1",
        "a::STRUCT(b INT) IS NULL",
        "a::INT[] IS NULL",
        "list_transform([1], x -> x) = a",
        "1 = 1",
        "",
        ";",
        "(" * 300 + "a" + ")" * 300 + ")",
        "a > 1 UNION SELECT 1",
        "COPY x TO 'y'",
        "ATTACH 'x'",
        "PRAGMA x",
        "SET x = a",
        "INSTALL httpfs",
        "a > 'x' COLLATE nocase",
        "pg_sleep(a) > 1",
        "repeat(a, 1000000000) = 'x'",
        "a ** 400 > 1",
    ],
)
def test_what_reaches_beyond_the_row_is_refused(text):
    with pytest.raises(NotAllowed):
        judge_expression(text)


def test_the_functions_that_are_named_are_those_that_are_taken():
    calls = {
        "date_diff": "date_diff('day', a, b)",
        "extract": "extract(year FROM a)",
        "if": "if(a, 1, 2)",
        "nullif": "nullif(a, 1)",
        "coalesce": "coalesce(a, 1)",
        "greatest": "greatest(a, b)",
        "least": "least(a, b)",
    }
    for name in FUNCTIONS:
        assert "a" in judge_expression(f"{calls.get(name, f'{name}(a)')} = 1").columns


def test_the_json_schema_explains_key_and_target():
    schema = json_schema()
    assert "row_key" in schema["properties"]["key"]["description"]
    target = schema["$defs"]["Target"]["properties"]
    assert all(target[name]["description"] for name in target)
