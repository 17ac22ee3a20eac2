"""The work of one `retrain_flight_delays` run as one plain script in one process, with the same
libraries and none of Perennial's code.

It reads the same flights (the model's own source.py), holds them against the same suites with Great
Expectations, builds the features with the model's own features.py on DuckDB, versions them with
DVC, searches the same candidates over the same folds with scikit-learn, logs to MLflow with plots
and the winner's model, judges with a bootstrap, fits again, compiles to ONNX and proves parity. It
has no retries, no ledger, no quarantine, no server; that is the point of the comparison.

    python -m benchmarks.plain_script FOLDER 2013-08-01
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "flight_delays"
NUMBERS_THAT_ARE_TEXT = ("origin", "dest", "carrier")


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def months(as_of: datetime, count: int) -> list[tuple[datetime, datetime]]:
    spans, end = [], as_of
    while len(spans) < count and end.year == as_of.year and end.month > 1:
        start = end.replace(month=end.month - 1)
        spans.append((start, end))
        end = start
    return spans[::-1]


def validate(name: str, frame, suite: list[dict]) -> None:
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    expectations = [ExpectationConfiguration(**e).to_domain_obj() for e in suite]
    stored_suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    batch = (
        context.data_sources.add_pandas(name)
        .add_dataframe_asset(name)
        .add_batch_definition_whole_dataframe("all")
    )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=batch, suite=stored_suite)
    )
    results = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
    )
    bad = [
        r
        for r in results.results
        if not r.success and r.expectation_config.severity.value == "critical"
    ]
    if bad:
        raise SystemExit(f"{name}: {bad[0]}")


def ingest(folder: Path, spans: list[tuple[datetime, datetime]]) -> dict[str, dict[str, object]]:
    read_rows = load(MODEL / "source.py").read
    raw = {}
    for start, end in spans:
        tables = read_rows(start, end)
        for name, table in tables.items():
            target = folder / "raw" / f"{start:%Y-%m}"
            target.mkdir(parents=True, exist_ok=True)
            table.to_parquet(target / f"{name}.parquet", compression="zstd")
        raw[f"{start:%Y-%m}"] = tables
    return raw


def check(raw: dict[str, dict[str, object]]) -> None:
    suites = {
        "flights": "flight_delays",
        "weather": "flight_delays.weather",
        "planes": "flight_delays.planes",
    }
    for month, tables in raw.items():
        for name, file in suites.items():
            frame = tables[name].copy()
            for column in frame.columns:
                if str(frame[column].dtype).endswith("UTC]"):
                    frame[column] = frame[column].dt.tz_localize(None).astype("datetime64[us]")
            validate(
                f"{month}-{name}",
                frame,
                json.loads((ROOT / "expectations" / f"{file}.json").read_bytes())["expectations"],
            )


def build(
    folder: Path, raw: dict[str, dict[str, object]], spans: list[tuple[datetime, datetime]]
) -> dict[str, object]:
    import ibis
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    builder, features, before = load(MODEL / "features.py").build, {}, None
    (folder / "repo" / "features").mkdir(parents=True)
    for start, end in spans:
        tables = raw[f"{start:%Y-%m}"]
        connection = ibis.duckdb.connect(":memory:", threads=1)
        for name, column in (
            ("flights", "scheduled_departure"),
            ("weather", "observed_at"),
            ("planes", None),
        ):
            parts = (
                [before[name], tables[name]] if before is not None and column else [tables[name]]
            )
            frame = pd.concat(parts)
            if column:
                frame = frame[frame[column] >= start - timedelta(days=8)]
            connection.con.register(name, pa.Table.from_pandas(frame, preserve_index=False))
        rows = connection.to_pyarrow(builder({n: connection.table(n) for n in tables})).to_pandas()
        rows = rows[(rows["scheduled_departure"] >= start) & (rows["scheduled_departure"] < end)]
        rows = rows.sort_values(["scheduled_departure", "flight_id"]).reset_index(drop=True)
        pq.write_table(
            pa.Table.from_pandas(rows),
            folder / "repo" / "features" / f"{start:%Y-%m}.parquet",
            compression="zstd",
        )
        features[f"{start:%Y-%m}"] = rows
        before = tables
        connection.disconnect()
    return features


def version(folder: Path) -> str:
    from dvc.repo import Repo

    repo = folder / "repo"

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=plain", "-c", "user.email=plain@localhost", *words],
            cwd=repo,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    git("init", "-q")
    dvc = Repo.init(str(repo))
    with dvc.config.edit() as config:
        config["core"] |= {"remote": "store", "analytics": False}
        config["remote"]["store"] = {"url": str(folder / "remote"), "verify": True}
    dvc.close()
    dvc = Repo(str(repo))
    dvc.add(str(repo / "features"))
    dvc.push()
    dvc.close()
    git("add", "-A")
    git("commit", "-q", "-m", "features")
    return git("rev-parse", "HEAD").strip()


def pipeline(candidate: dict, inputs: list[str], seed: int):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    module, name = candidate["estimator"].rsplit(".", 1)
    kind = getattr(importlib.import_module(module), name)
    params = dict(candidate.get("params", {}))
    if "random_state" in kind().get_params():
        params["random_state"] = seed
    texts = [c for c in inputs if c in NUMBERS_THAT_ARE_TEXT]
    numbers = [c for c in inputs if c not in texts]
    linear = "linear_model" in candidate["estimator"]
    encode = (
        OneHotEncoder(handle_unknown="ignore")
        if linear
        else OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    )
    scale = (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        if linear
        else "passthrough"
    )
    return Pipeline(
        [
            ("encode", ColumnTransformer([("n", scale, numbers), ("t", encode, texts)])),
            ("estimator", kind(**params)),
        ]
    )


def folds(times, count: int):
    import numpy as np

    edges = np.quantile(times, np.linspace(0, 1, count + 2))[1:]
    return [
        (np.flatnonzero(times < a), np.flatnonzero((times >= a) & (times < b)))
        for a, b in itertools.pairwise(edges)
    ]


def plots(folder: Path, y, p) -> list[Path]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import roc_curve

    figure = Figure(figsize=(13, 4))
    FigureCanvasAgg(figure)
    roc, calibration, histogram = figure.subplots(1, 3)
    roc.plot(*roc_curve(y, p)[:2])
    calibration.plot(*calibration_curve(y, p, n_bins=10)[::-1])
    histogram.hist(p, bins=40)
    figure.savefig(folder / "holdout.png", dpi=100)
    return [folder / "holdout.png"]


def train(folder: Path, spec: dict, revision: str, learn, judge) -> dict:
    import mlflow

    inputs, seed = spec["features"]["inputs"], spec["train"]["seed"]
    x, y = learn[inputs], learn["late"].astype(int).to_numpy()
    hx, hy = judge[inputs], judge["late"].astype(int).to_numpy()
    cv = folds(learn["scheduled_departure"].astype("int64").to_numpy(), spec["train"]["folds"])
    mlflow.create_experiment("flight_delays", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("flight_delays")
    best = None
    with mlflow.start_run(run_name="plain"):
        mlflow.set_tags({"features": revision, "seed": str(seed)})
        for candidate in spec["candidates"]:
            with mlflow.start_run(run_name=candidate["name"], nested=True) as run:
                search = make_search(candidate, inputs, seed, cv)
                search.fit(x, y)
                p = search.best_estimator_.predict_proba(hx)[:, 1]
                log_search(search, hy, p)
                measure_importance(search.best_estimator_, hx, hy, seed)
                for plot in plots(folder, hy, p):
                    mlflow.log_artifact(str(plot))
                if "dummy" not in candidate["estimator"] and (
                    best is None or search.best_score_ > best["cv"]
                ):
                    best = {
                        "cv": search.best_score_,
                        "model": search.best_estimator_,
                        "p": p,
                        "run": run.info.run_id,
                    }
    return {**best, "y": hy}


def make_search(candidate: dict, inputs: list[str], seed: int, cv):
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    model = pipeline(candidate, inputs, seed)
    grid = {f"estimator__{k}": v for k, v in candidate.get("search", {}).items()}
    size = 1
    for values in grid.values():
        size *= len(values)
    if size <= candidate.get("budget", 20):
        return GridSearchCV(model, grid, scoring="roc_auc", cv=cv)
    return RandomizedSearchCV(
        model, grid, n_iter=candidate["budget"], scoring="roc_auc", cv=cv, random_state=seed
    )


def log_search(search, y, p) -> None:
    import mlflow
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    mlflow.log_params(search.best_params_)
    mlflow.log_metrics(
        {
            "roc_auc": roc_auc_score(y, p),
            "average_precision": average_precision_score(y, p),
            "brier": brier_score_loss(y, p),
            "log_loss": log_loss(y, p),
            "cv": search.best_score_,
        }
    )
    mlflow.log_table(
        {k: [str(v) for v in vs] for k, vs in search.cv_results_.items()}, "search.json"
    )


def measure_importance(model, x, y, seed: int) -> None:
    from sklearn.inspection import permutation_importance

    sample = x.sample(min(len(x), 1_000), random_state=seed)
    permutation_importance(
        model, sample, y[sample.index], scoring="roc_auc", n_repeats=2, random_state=seed
    )


def judge_and_register(best: dict) -> None:
    import mlflow
    import numpy as np
    import sklearn
    import skops
    from mlflow.models import infer_signature
    from sklearn.metrics import roc_auc_score

    rng, y, p = np.random.default_rng(17), best["y"], best["p"]
    floor = 0.58
    gains = []
    for _ in range(200):  # the plain way is slow; a fifth of the gate's resamples
        rows = rng.integers(0, len(y), len(y))
        gains.append(roc_auc_score(y[rows], p[rows]) - 0.5)
    if roc_auc_score(y, p) < floor or np.quantile(gains, 0.05) <= 0:
        raise SystemExit("refused")
    with mlflow.start_run(run_id=best["run"]):
        mlflow.sklearn.log_model(
            best["model"],
            name="model",
            serialization_format="skops",
            signature=infer_signature(best["inputs"], p[: len(best["inputs"])]),
            pip_requirements=[
                f"scikit-learn=={sklearn.__version__}",
                f"skops=={skops.__version__}",
            ],
            registered_model_name="flight_delays",
            skops_trusted_types=[
                "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
                "sklearn._loss.loss.HalfBinomialLoss",
            ],
        )


def package(folder: Path, spec: dict, best: dict, rows) -> float:
    import numpy as np
    import onnxruntime
    import skops.io
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.base import clone

    inputs = spec["features"]["inputs"]
    x = rows[inputs].copy()
    texts = [c for c in inputs if c in NUMBERS_THAT_ARE_TEXT]
    for c in inputs:
        x[c] = x[c].astype(object) if c in texts else x[c].astype("float32")
    model = clone(best["model"]).fit(x, rows["late"].astype(int).to_numpy())
    types = [
        (c, StringTensorType([None, 1]) if c in texts else FloatTensorType([None, 1]))
        for c in inputs
    ]
    onnx = convert_sklearn(
        model, initial_types=types, options={id(model): {"zipmap": False}}, target_opset=18
    ).SerializeToString()
    (folder / "model.onnx").write_bytes(onnx)
    (folder / "model.skops").write_bytes(skops.io.dumps(model))
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    sample = x.iloc[-27_000:]
    inputs_of_onnx = {
        c: sample[[c]].to_numpy(dtype=object if c in texts else np.float32) for c in inputs
    }
    return float(
        np.abs(
            session.run(["probabilities"], inputs_of_onnx)[0][:, 1]
            - model.predict_proba(sample)[:, 1]
        ).max()
    )


def main() -> None:
    """Do it all, and print the results with the seconds of each part."""
    folder, as_of = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]).replace(tzinfo=UTC)
    folder.mkdir(parents=True, exist_ok=True)
    spec = yaml.safe_load((MODEL / "model.yaml").read_text())
    spans, seconds = months(as_of, 7), {}

    def measure(name: str, work, *arguments):
        begin = time.monotonic()
        result = work(*arguments)
        seconds[name] = round(time.monotonic() - begin, 2)
        return result

    raw = measure("ingest", ingest, folder, spans)
    measure("validate", check, raw)
    tables = measure("features", build, folder, raw, spans)
    revision = measure("version", version, folder)
    import pandas as pd

    tables_with_labels = {name: rows[rows["late"].notna()] for name, rows in tables.items()}
    *train_tables, test_rows = tables_with_labels.values()
    learn, judge = pd.concat(train_tables, ignore_index=True), test_rows.reset_index(drop=True)
    best = measure("train", train, folder, spec, revision, learn, judge)
    best["inputs"] = judge[spec["features"]["inputs"]].head(5)
    measure("gate", judge_and_register, best)
    parity = measure(
        "package", package, folder, spec, best, pd.concat([learn, judge], ignore_index=True)
    )
    print(
        json.dumps(
            {
                "rows": len(learn),
                "holdout": len(judge),
                "cv": best["cv"],
                "parity": parity,
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
