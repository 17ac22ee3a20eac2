"""The Registry port: what both implementations promise."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipelines.errors import BadData, Conflict, RequestError
from pipelines.registry import MemoryRegistry

pytestmark = [
    # MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 deprecates, and warns of its own type
    # hints when it is imported.
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy is deprecated:sqlalchemy.exc.SADeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

RUN = "manual__2026-01-01T00:00:00+00:00"
ROWS = np.arange(40.0).reshape(20, 2)


@pytest.fixture(params=["mlflow", "memory"])
def registry(request):
    return request.getfixturevalue("real") if request.param == "mlflow" else MemoryRegistry()


def described(registry, version):
    """Return what is said of a version of the model m, as whoever looks at it sees it."""
    if isinstance(registry, MemoryRegistry):
        return registry.descriptions["m", version]
    return registry._client.get_model_version("m", version).description


class TestRegistry:
    def test_a_dag_run_has_one_parent_run(self, registry):
        first = registry.parent("m", RUN, {"reason": "drift"})
        assert registry.parent("m", RUN, {"reason": "again"}) == first
        assert registry.parent("m", "another", {}) != first
        assert registry.parent("n", RUN, {}) != first
        assert registry.state(first) == "RUNNING"

    def test_a_key_has_one_child_per_parent(self, registry):
        parent, other = registry.parent("m", RUN, {}), registry.parent("m", "another", {})
        first = registry.child("m", parent, "a" * 64, "linear", {})
        assert registry.child("m", parent, "a" * 64, "linear", {}) == first
        assert (
            len(
                {
                    parent,
                    first,
                    registry.child("m", parent, "b" * 64, "linear", {}),
                    registry.child("m", other, "a" * 64, "linear", {}),
                }
            )
            == 4
        )

    @pytest.mark.parametrize(
        "run", ["it's", 'a "b" `c`', "x' OR 1=1 --", "ü\n", "../../up", "x" * 250]
    )
    def test_any_run_id_is_taken_as_it_is(self, registry, run):
        first = registry.parent("m", run, {})
        assert registry.parent("m", run, {}) == first
        assert registry.parent("m", f"{run}.", {}) != first
        child = registry.child("m", first, run, run, {})
        assert registry.child("m", first, run, run, {}) == child

    def test_the_newest_value_of_a_metric_counts(self, registry):
        run = registry.parent("m", RUN, {})
        for value in (0.5, 0.9, 0.1):
            registry.log(run, params={}, metrics={"auc": value, "rows": 7}, tags={})
        assert registry.metrics(run) == {"auc": 0.1, "rows": 7.0}

    def test_the_same_again_changes_nothing(self, registry):
        run = registry.parent("m", RUN, {})
        for _ in range(2):
            registry.log(run, params={"C": "1"}, metrics={"auc": 0.5}, tags={"a": "b"})
        assert registry.metrics(run) == {"auc": 0.5}

    def test_a_parameter_cannot_change(self, registry):
        run = registry.parent("m", RUN, {})
        registry.log(run, params={"C": "1"}, metrics={}, tags={})
        with pytest.raises(Conflict, match="parameter C"):
            registry.log(run, params={"C": "2"}, metrics={}, tags={})

    def test_metrics_that_are_not_finite_are_not_metrics(self, registry):
        run = registry.parent("m", RUN, {})
        registry.log(
            run,
            params={},
            metrics={"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1e300},
            tags={},
        )
        assert registry.metrics(run) == {"d": 1e300}

    def test_long_texts_and_many_of_them_fit(self, registry):
        run = registry.parent("m", RUN, {"long": "x" * 20_000})
        params = {f"p{n}": "y" * 10_000 for n in range(250)}
        for _ in range(2):
            registry.log(
                run,
                params=params,
                metrics={f"m{n}": n for n in range(250)},
                tags={f"t{n}": "z" * 10_000 for n in range(250)},
            )
        assert len(registry.metrics(run)) == 250

    @pytest.mark.parametrize("name", ["", "../up", "a/b", "a\x00b", "a\n", "x" * 251, "a'b", "a`b"])
    def test_hostile_names_are_refused(self, registry, name):
        run = registry.parent("m", RUN, {})
        for params, metrics, tags in (
            ({name: "x"}, {}, {}),
            ({}, {name: 1.0}, {}),
            ({}, {}, {name: "x"}),
        ):
            with pytest.raises(RequestError):
                registry.log(run, params=params, metrics=metrics, tags=tags)

    @pytest.mark.parametrize("model", ["", "../m", "M", "m'", "m/n", "x" * 49, "m\n"])
    def test_hostile_models_are_refused(self, registry, model, model_file):
        run = registry.parent("m", RUN, {})
        for call in (
            lambda: registry.parent(model, RUN, {}),
            lambda: registry.child(model, run, "k", "n", {}),
            lambda: registry.register(model, run, "k", model_file, {}),
            lambda: registry.versions(model),
            lambda: registry.alias(model),
            lambda: registry.point(model, "1"),
        ):
            with pytest.raises(RequestError):
                call()

    @pytest.mark.parametrize("run", ["0" * 32, "", "../x", "a'b"])
    def test_an_unknown_run_is_named(self, registry, run, model_file, tmp_path):
        (tmp_path / "page.html").write_text("page")
        for call in (
            lambda: registry.log(run, params={}, metrics={}, tags={}),
            lambda: registry.attach(run, tmp_path / "page.html", "plots"),
            lambda: registry.find_artifact(run, "plots/page.html"),
            lambda: registry.detach(run, "plots/page.html"),
            lambda: registry.close(run, "FINISHED"),
            lambda: registry.state(run),
            lambda: registry.metrics(run),
            lambda: registry.page(run),
            lambda: registry.child("m", run, "k", "n", {}),
            lambda: registry.register("m", run, "k", model_file, {}),
        ):
            with pytest.raises(RequestError, match="run"):
                call()

    def test_a_run_ends_as_it_is_told(self, registry):
        run = registry.parent("m", RUN, {})
        child = registry.child("m", run, "k", "linear", {})
        registry.close(child, "FINISHED")
        assert (registry.state(run), registry.state(child)) == ("RUNNING", "FINISHED")
        registry.close(run, "FAILED")
        registry.close(run, "FAILED")
        assert registry.state(run) == "FAILED"

    def test_versions_count_up_and_a_key_makes_one(self, registry, model_file):
        run = registry.parent("m", RUN, {})
        assert registry.versions("m") == []
        first = registry.register("m", run, "k1", model_file, {"verdict": "promote"})
        assert registry.register("m", run, "k1", model_file, {"verdict": "refuse"}) == first
        second = registry.register("m", run, "k2", model_file, {})
        assert (first.version, second.version, first.run_id) == ("1", "2", run)
        assert first.tags["verdict"] == "promote"
        assert registry.versions("m") == [first, second]
        assert registry.register("n", run, "k1", model_file, {}).version == "1"

    def test_more_than_nine_versions_stay_in_order(self, registry, model_file):
        run = registry.parent("m", RUN, {})
        for n in range(11):
            registry.register("m", run, f"k{n}", model_file, {})
        assert [v.version for v in registry.versions("m")] == [str(n) for n in range(1, 12)]

    def test_a_version_is_described_and_described_anew(self, registry, model_file):
        run = registry.parent("m", RUN, {})
        version = registry.register("m", run, "one", model_file, {}).version
        for text in ("first", "# then\n" + "x" * 6_000):
            registry.describe("m", version, text)
        assert described(registry, version) == "# then\n" + "x" * 4_993
        with pytest.raises(RequestError, match="no version 9"):
            registry.describe("m", "9", "text")

    def test_the_alias_is_set_moved_and_removed(self, registry, model_file):
        run = registry.parent("m", RUN, {})
        assert registry.alias("m") is None
        registry.point("m", None)
        for key in ("k1", "k2"):
            registry.register("m", run, key, model_file, {})
        assert registry.alias("m") is None
        registry.point("m", "1")
        registry.point("m", "2")
        registry.point("m", "2")
        assert registry.alias("m") == "2"
        registry.point("m", None)
        assert registry.alias("m") is None

    def test_the_alias_cannot_name_what_is_not_there(self, registry, model_file):
        registry.register("m", registry.parent("m", RUN, {}), "k1", model_file, {})
        with pytest.raises(RequestError, match="7"):
            registry.point("m", "7")

    @pytest.mark.parametrize("folder", ["", "..", "../up", "/etc", "a/b", ".hidden"])
    def test_artifacts_stay_in_their_run(self, registry, folder, tmp_path):
        (tmp_path / "page.html").write_text("page")
        with pytest.raises(RequestError, match="folder"):
            registry.attach(registry.parent("m", RUN, {}), tmp_path / "page.html", folder)
        for path in (f"{folder}/page.html", f"plots/{folder}"):
            with pytest.raises(RequestError, match="folder"):
                registry.detach(registry.parent("m", RUN, {}), path)

    def test_an_artifact_is_found_and_taken_away_and_its_neighbours_stay(self, registry, tmp_path):
        run = registry.parent("m", RUN, {})
        for name in ("page.html", "page.html.gz"):
            (tmp_path / name).write_text("page")
            registry.attach(run, tmp_path / name, "plots")
        assert registry.find_artifact(run, "plots/page.html") == 4
        assert registry.find_artifact(run, "plots/other.html") is None
        assert registry.find_artifact(run, "nowhere/page.html") is None
        for _ in range(2):
            registry.detach(run, "plots/page.html")
            assert registry.find_artifact(run, "plots/page.html") is None
        assert registry.find_artifact(run, "plots/page.html.gz") == 4

    def test_an_empty_model_file_is_refused(self, registry, tmp_path):
        run = registry.parent("m", RUN, {})
        (tmp_path / "empty.skops").touch()
        with pytest.raises(BadData, match=r"empty\.skops"):
            registry.register("m", run, "k", tmp_path / "empty.skops", {})
        assert registry.versions("m") == []

    def test_many_threads_open_one_run(self, registry):
        with ThreadPoolExecutor(4) as pool:
            parents = set(pool.map(lambda _: registry.parent("m", RUN, {}), range(8)))
            children = set(
                pool.map(
                    lambda n: registry.child("m", min(parents), f"k{n % 2}", "n", {}), range(8)
                )
            )
        assert (len(parents), len(children)) == (1, 2)
