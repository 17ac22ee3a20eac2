import json
import subprocess
import sys

import jsonschema
import pytest
import yaml

from pipelines.errors import SpecError
from pipelines.spec import json_schema, load_all, load_spec, parse_spec
from tests.conftest import ROOT
from tests.worlds import SPEC


def broken(change) -> str:
    """Return the error that the changed spec gives."""
    body = yaml.safe_load(SPEC)
    change(body)
    with pytest.raises(SpecError) as caught:
        parse_spec(yaml.safe_dump(body).encode(), "models/sales/model.yaml")
    return str(caught.value)


def set_in(*path, value):
    def change(body):
        for part in path[:-1]:
            body = body[part]
        body[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        pytest.param(set_in("targte", value=1), "targte", "did you mean 'target'", id="a typo at the top"),
        pytest.param(set_in("train", "windw", value=1), "train.windw", "did you mean 'window'", id="a typo inside"),
        pytest.param(set_in("source", "urii", value="x"), "source.urii", "did you mean 'uri'", id="a typo in the source"),
        pytest.param(lambda b: b.pop("owner"), "owner", "missing; add it", id="a missing key"),
        pytest.param(set_in("train", "folds", value="three"), "train.folds", "valid integer", id="a wrong type"),
        pytest.param(set_in("train", "window", value="6 bunches"), "train.window", "6 batches", id="a wrong unit"),
        pytest.param(set_in("features", "lookback", value="7 sleeps"), "features.lookback", "4h, 7d", id="a wrong duration"),
        pytest.param(
            set_in("candidates", 1, "estimator", value="sklearn.linear_model.LogisticRegresion"),
            "candidates.1.estimator",
            "did you mean sklearn.linear_model.LogisticRegression",
            id="an unknown estimator",
        ),
        pytest.param(set_in("candidates", 1, "estimator", value="os.system"), "candidates.1.estimator", "known:", id="a hostile estimator"),
        pytest.param(
            set_in("candidates", 1, "estimator", value="sklearn.linear_model.Ridge"), "linear", "cannot do a binary task", id="wrong task"
        ),
        pytest.param(set_in("train", "metric", value="rmse"), "train.metric", "use one of roc_auc", id="a metric of another task"),
        pytest.param(set_in("gate", "at_least", value={"log_loss": 0.5}), "gate.at_least", "put it under at_most", id="a floor for a loss"),
        pytest.param(set_in("gate", "at_least", value={}), "gate", "at least one floor", id="a gate without a threshold"),
        pytest.param(
            set_in("features", "inputs", value=["pages", "bought"]), "features.inputs", "must not see it", id="the target as an input"
        ),
        pytest.param(set_in("features", "inputs", value=["pages", "pages"]), "features.inputs", "stands twice", id="an input twice"),
        pytest.param(set_in("features", "inputs", value=["visit"]), "features.inputs", "part of the key", id="the key as an input"),
        pytest.param(lambda b: b["candidates"].pop(1), "candidates", "more than a dummy", id="only a dummy"),
        pytest.param(set_in("candidates", 0, "name", value="linear"), "candidates", "stands twice", id="a candidate's name twice"),
        pytest.param(set_in("candidates", 1, "params", value={"C": 1.0}), "candidates.1", "keep one", id="fixed and searched"),
        pytest.param(set_in("source", value={"kind": "ftp"}), "source", "'files', 'http', 'sql', 'python'", id="an unknown source"),
        pytest.param(
            set_in("source", value={"kind": "sql", "database": "shop", "query": "select 1", "first": "2024-01-01"}),
            "source",
            ":start",
            id="unbound",
        ),
        pytest.param(set_in("source", "uri", value="raw/{stop:%Y}.csv"), "source.uri", "{stop}", id="an unknown placeholder"),
        pytest.param(set_in("source", "uri", value="raw/{start.year}.csv"), "source.uri", "{start.year}", id="a placeholder's attribute"),
        pytest.param(set_in("source", "uri", value="raw/{start:%Y.csv"), "source.uri", "braces", id="an open brace"),
        pytest.param(set_in("source", "uri", value="raw/{start:%Y-%Q}.csv"), "source.uri", "strftime", id="no such directive"),
        pytest.param(set_in("source", "uri", value="raw/{start:{end}}.csv"), "source.uri", "strftime", id="a placeholder in a format"),
        pytest.param(
            set_in("gate", "at_least", value={"roc_auc": float("nan")}), "gate.at_least", "finite", id="a floor that is no number"
        ),
        pytest.param(set_in("gate", "at_most", value={"log_loss": float("inf")}), "gate.at_most", "finite", id="an infinite ceiling"),
        pytest.param(
            set_in("gate", "versus_champion", "confidence", value=float("nan")), "confidence", "number", id="a confidence that is none"
        ),
        pytest.param(
            set_in("candidates", 1, "search", value={"C": {"low": 0.1, "high": float("inf")}}), "high", "finite", id="an infinite range"
        ),
        pytest.param(set_in("name", value="Sales; rm -rf"), "name", "does not match", id="a hostile name"),
        pytest.param(set_in("version", value=2), "version", "1", id="a version from the future"),
    ],
)
def test_the_error_names_file_field_and_remedy(change, field, remedy):
    message = broken(change)
    assert message.startswith("models/sales/model.yaml: ")
    assert field in message
    assert remedy in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b"a: &x [1, 1]\nb: [*x, *x]", "aliases", id="a YAML bomb"),
        pytest.param(b"name: a\nname: b", "stands twice", id="a key twice"),
        pytest.param(b"a: [1", "not readable as YAML", id="broken YAML"),
        pytest.param(b"- 1", "keys and values", id="a list"),
        pytest.param(b"!!python/object/apply:os.system ['true']", "not readable as YAML", id="code"),
        pytest.param(b"a: " + b"x" * 1_000_001, "too many", id="a megabyte"),
        pytest.param(b"\xff\xfe\x00", "not readable as YAML", id="no text"),
        pytest.param(b"[" * 100_000, "not readable as YAML", id="deeply nested"),
    ],
)
def test_hostile_yaml_is_refused_before_anything_is_built(text, words):
    with pytest.raises(SpecError, match=words):
        parse_spec(text, "models/x/model.yaml")


def test_a_spec_is_frozen_and_says_the_same_again(world):
    spec = load_spec(world.settings.models, "sales")
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"
    again = parse_spec(json.dumps(spec.model_dump(mode="json")).encode(), "dumped")
    assert again == spec


def test_a_broken_spec_breaks_only_itself(world):
    other = world.home / "models" / "other"
    other.mkdir()
    (other / "model.yaml").write_text("name: other\n")
    good, broken = load_all(world.settings.models)
    assert list(good) == ["sales"]
    assert "models/other/model.yaml: owner: missing" in str(broken["other"])


def test_an_unknown_model_gets_a_suggestion(world):
    with pytest.raises(SpecError, match="did you mean 'sales'"):
        load_spec(world.settings.models, "sale")


def test_the_folder_names_the_model(world):
    world.respec("name: sales", "name: shop")
    with pytest.raises(SpecError, match="write `name: sales`"):
        load_spec(world.settings.models, "sales")


def test_the_json_schema_takes_the_shipped_models_and_refuses_a_typo():
    schema = json_schema()
    for path in (ROOT / "models").glob("*/model.yaml"):
        body = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
        jsonschema.validate(body, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**body, "typo": 1}, schema)


def test_loading_specs_imports_no_heavy_library():
    code = (
        "import sys; from pathlib import Path; from pipelines.spec import load_all; load_all(Path('models'));"
        "heavy = {'pandas', 'numpy', 'sklearn', 'mlflow', 'great_expectations', 'evidently', 'dvc', 'pyarrow', 'ibis'} & set(sys.modules);"
        "print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
