"""What is wrong in a spec is named with its file, its line, its field and a remedy."""

import re

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.unit.spec.broken_specs import broken
from tests.worlds import SPEC

FORBIDDEN = re.compile(
    r"\w\[\w|function-|Input should|Value error|nullable|union|\(found|\{'\w+':|\^\["
)
"""What only a reader of pydantic's source understands."""


def set_in(*path, value):
    def change(body):
        for part in path[:-1]:
            body = body[part]
        body[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        pytest.param(
            set_in("targte", value=1), "targte", "did you mean 'target'", id="a typo at the top"
        ),
        pytest.param(
            set_in("train", "windw", value=1),
            "train.windw",
            "did you mean 'window'",
            id="a typo inside",
        ),
        pytest.param(
            set_in("source", "urii", value="x"),
            "source.urii",
            "did you mean 'uri'",
            id="a typo in the source",
        ),
        pytest.param(lambda b: b.pop("owner"), "owner", "missing; add it", id="a missing key"),
        pytest.param(
            set_in("train", "folds", value="three"),
            "train.folds",
            "must be a whole number, found 'three'",
            id="a wrong type",
        ),
        pytest.param(
            set_in("train", "window", value="6 bunches"),
            "train.window",
            "6 batches",
            id="a wrong unit",
        ),
        pytest.param(
            set_in("features", "lookback", value="7 sleeps"),
            "features.lookback",
            "4h, 7d",
            id="a wrong duration",
        ),
        pytest.param(
            set_in("candidates", 1, "estimator", value="sklearn.linear_model.LogisticRegresion"),
            "candidates.1.estimator",
            "did you mean sklearn.linear_model.LogisticRegression",
            id="an unknown estimator",
        ),
        pytest.param(
            set_in("candidates", 1, "estimator", value="os.system"),
            "candidates.1.estimator",
            "known:",
            id="a hostile estimator",
        ),
        pytest.param(
            set_in("candidates", 1, "estimator", value="sklearn.linear_model.Ridge"),
            "linear",
            "cannot do a binary task",
            id="wrong task",
        ),
        pytest.param(
            set_in("train", "metric", value="rmse"),
            "train.metric",
            "use one of roc_auc",
            id="a metric of another task",
        ),
        pytest.param(
            set_in("gate", "at_least", value={"log_loss": 0.5}),
            "gate.at_least",
            "put it under at_most",
            id="a floor for a loss",
        ),
        pytest.param(
            set_in("gate", "at_least", value={}),
            "gate",
            "at least one floor",
            id="a gate without a threshold",
        ),
        pytest.param(
            set_in("features", "inputs", value=["pages", "bought"]),
            "features.inputs",
            "must not see it",
            id="the target as an input",
        ),
        pytest.param(
            set_in("features", "inputs", value=["pages", "pages"]),
            "features.inputs",
            "stands twice",
            id="an input twice",
        ),
        pytest.param(
            set_in("features", "inputs", value=["visit"]),
            "features.inputs",
            "part of the key",
            id="the key as an input",
        ),
        pytest.param(
            lambda b: b["candidates"].pop(1), "candidates", "more than a dummy", id="only a dummy"
        ),
        pytest.param(
            set_in("candidates", 0, "name", value="linear"),
            "candidates",
            "stands twice",
            id="a candidate's name twice",
        ),
        pytest.param(
            set_in("candidates", 1, "params", value={"C": 1.0}),
            "candidates.1",
            "keep one",
            id="fixed and searched",
        ),
        pytest.param(
            set_in("source", value={"kind": "ftp"}),
            "source",
            "'files', 'http', 'sql', 'python'",
            id="an unknown source",
        ),
        pytest.param(
            set_in(
                "source",
                value={
                    "kind": "sql",
                    "database": "shop",
                    "query": "select 1",
                    "first": "2024-01-01",
                },
            ),
            "source",
            ":start",
            id="unbound",
        ),
        pytest.param(
            set_in("source", "uri", value="raw/{stop:%Y}.csv"),
            "source.uri",
            "{stop}",
            id="an unknown placeholder",
        ),
        pytest.param(
            set_in("source", "uri", value="raw/{start.year}.csv"),
            "source.uri",
            "{start.year}",
            id="a placeholder's attribute",
        ),
        pytest.param(
            set_in("source", "uri", value="raw/{start:%Y.csv"),
            "source.uri",
            "braces",
            id="an open brace",
        ),
        pytest.param(
            set_in("source", "uri", value="raw/{start:%Y-%Q}.csv"),
            "source.uri",
            "strftime",
            id="no such directive",
        ),
        pytest.param(
            set_in("source", "uri", value="raw/{start:{end}}.csv"),
            "source.uri",
            "strftime",
            id="a placeholder in a format",
        ),
        pytest.param(
            set_in("gate", "at_least", value={"roc_auc": float("nan")}),
            "gate.at_least",
            "finite",
            id="a floor that is no number",
        ),
        pytest.param(
            set_in("gate", "at_most", value={"log_loss": float("inf")}),
            "gate.at_most",
            "finite",
            id="an infinite ceiling",
        ),
        pytest.param(
            set_in("gate", "versus_champion", "confidence", value=float("nan")),
            "confidence",
            "finite",
            id="a confidence that is none",
        ),
        pytest.param(
            set_in("candidates", 1, "search", value={"C": {"low": 0.1, "high": float("inf")}}),
            "high",
            "finite",
            id="an infinite range",
        ),
        pytest.param(
            set_in("name", value="Sales; rm -rf"),
            "name",
            "begin with a lower-case letter",
            id="a hostile name",
        ),
        pytest.param(set_in("version", value=2), "version", "1", id="a version from the future"),
    ],
)
def test_the_error_names_file_field_and_remedy(change, field, remedy):
    message = broken(change)
    for line in message.splitlines():
        assert re.match(r"models/sales/model\.yaml:\d+: ", line)
        assert not FORBIDDEN.search(line), line
    assert field in message
    assert remedy in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b"a: &x [1, 1]\nb: [*x, *x]", "aliases", id="a YAML bomb"),
        pytest.param(b"name: a\nname: b", "stands twice", id="a key twice"),
        pytest.param(b"a: [1", "not readable as YAML", id="broken YAML"),
        pytest.param(b"- 1", "keys and values", id="a list"),
        pytest.param(
            b"!!python/object/apply:os.system ['true']", "not readable as YAML", id="code"
        ),
        pytest.param(b"a: " + b"x" * 1_000_001, "too many", id="a megabyte"),
        pytest.param(b"\xff\xfe\x00", "yaml:1: .*0xff is no UTF-8", id="no text"),
        pytest.param(b"a: 1\nb: \xe9", "yaml:2: .*save the file as UTF-8", id="another encoding"),
        pytest.param(b"[" * 100_000, "within one another", id="deeply nested"),
        pytest.param(b"a:\n" + b"- " * 100_000, "within one another", id="deeply nested blocks"),
        pytest.param(b"x:\n" + b"- 1\n" * 60_000, "too many", id="very many values"),
        pytest.param(b"a: 1\nb:\n\t- 1", "yaml:3: .*holds a tab", id="a tab"),
        pytest.param(
            b"a: 1\n? {b: 2}\n: 3",
            "yaml:2: .*is no text; write it in quotes",
            id="a mapping as a key",
        ),
        pytest.param(b"a: 1\n.nan: 3", "yaml:2: .*the key '.nan' is no text", id="a NaN as a key"),
        pytest.param(
            b"a: 1\non: 3", "yaml:2: .*the key 'on' is no text", id="a key that YAML reads as true"
        ),
        pytest.param(b"a: 1\n<<: {b: 1}", "yaml:2: .*merging", id="merging"),
        pytest.param(b"a: !!set {b}", "yaml:1: .*tags", id="a set"),
        pytest.param(
            b"a: " + b"9" * 100_000,
            "yaml:1: .*a: a number of 100000 characters",
            id="a huge number",
        ),
        pytest.param(
            b"a: 0b" + b"1" * 100_000, "a number of 100002 characters", id="a huge binary number"
        ),
        pytest.param(
            b"a: 1" + b":59" * 100_000, "a number of 300001 characters", id="a huge number of hours"
        ),
        pytest.param(b"a: 010", "yaml:1: .*'010' as another number", id="octal"),
        pytest.param(b"a: 4:00", "yaml:1: .*'4:00' as another number", id="minutes"),
        pytest.param(
            b"a: 2024-02-30", "yaml:1: .*a: '2024-02-30' is no timestamp", id="a day that is not"
        ),
        pytest.param(
            b"a: [1, {b: .inf}]",
            "a.1.b: must be a finite number, found .inf",
            id="no finite number",
        ),
        pytest.param(b"a: \x07", "not readable as YAML", id="a control character"),
        pytest.param(b"--- 1\n--- 2", "not readable as YAML", id="two documents"),
        pytest.param(b"", "keys and values", id="nothing"),
    ],
)
def test_hostile_yaml_is_refused_before_anything_is_built(text, words):
    with pytest.raises(SpecError, match=words):
        parse_spec(text, "models/x/model.yaml")


def test_each_problem_has_a_line_of_its_own_with_the_line_of_the_file():
    text = (
        SPEC.replace("owner: shop\n", "")
        .replace("folds: 2", "folds: two")
        .replace("C: [0.1, 1.0]", "C: {low: 3, high: 1}")
    )
    with pytest.raises(SpecError) as caught:
        parse_spec(text.encode(), "models/sales/model.yaml")
    assert str(caught.value).splitlines() == [
        "models/sales/model.yaml:2: owner: missing; add it.",
        "models/sales/model.yaml:12: train.folds: must be a whole number, found 'two'.",
        "models/sales/model.yaml:15: candidates.1.search.C: `low` must lie below `high`.",
    ]
