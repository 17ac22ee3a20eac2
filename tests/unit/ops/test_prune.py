"""`prune`: what nobody refers to goes, what the ledger refers to never does."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Corrupted, RequestError
from pipelines.ledger import Crown, GateVerdict, ReleaseIntent
from pipelines.ledger.sql import SqlLedger
from pipelines.messages import RollbackRequest
from pipelines.ops.prune.removal import find_leftovers, prune
from pipelines.ports import ConfiguredPorts
from pipelines.refs import canonical
from pipelines.replay.workroom import Workroom
from pipelines.settings import local_path
from pipelines.steps import rollback
from pipelines.store.local import LocalStore
from pipelines.store.pages import find_page
from pipelines.store.references import references
from tests.contracts.processes import flip
from tests.decisions import crown, gate_verdict, raw
from tests.unit.ops.lived import age, age_all, restored, retrain
from tests.unit.steps.deployments import Following

DAY = timedelta(days=1)


def client(world):
    from mlflow.tracking import MlflowClient

    return MlflowClient(
        tracking_uri=world.settings.mlflow_uri, registry_uri=world.settings.mlflow_uri
    )


@pytest.fixture
def lived(old, tar, tmp_path):
    """A state with several champions, all of whose files are old."""
    world = restored(old, tar, tmp_path / "home")
    ports = world.context().ports
    champion = ports.ledger.champion("sales")
    (first,) = ports.registry.versions("sales")
    for n in range(
        2, 6
    ):  # released again, as rollbacks and promotions do, with bundles of their own
        body = open_bundle(ports.store, champion.bundle).manifest.model_copy(
            update={"version": str(n)}
        )
        bundle = ports.store.put(canonical(body), ".json")
        expected = ports.ledger.champion("sales").version
        client(world).create_model_version(
            "sales", source=f"runs:/{first.run_id}/model", run_id=first.run_id, await_creation_for=0
        )
        intent = ReleaseIntent(number=n, version=str(n), bundle=bundle, reason="test")
        ports.ledger.append("sales", f"run{n}", intent)
        champion = crown(str(n), bundle, release=n)
        ports.ledger.crown("sales", expected=expected, champion=champion, key=f"run{n}")
    age_all(world)
    return world


def names(leftovers, kind):
    return sorted(leftover.name for leftover in leftovers if leftover.kind == kind)


class TestWhatStays:
    def test_every_champion_of_the_history_still_opens_and_answers(self, lived):
        ports = lived.context().ports
        gone = prune(lived.settings, ports, DAY)
        assert gone
        for entry in ports.ledger.entries("sales", "champion"):
            assert golden_differences(open_bundle(ports.store, entry.read(Crown).bundle)) == []
        for entry in ports.ledger.entries():
            for ref in references(entry.body):
                assert ports.store.get(ref)
        assert find_page(ports.store, model="sales", kind="verdict", run="first")

    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_hangs_on_the_ledger_by_any_chain_stays(self, lived, seed):
        """Random graphs of manifests: what is reached from an entry stays, everything else goes."""
        chance, ports = random.Random(seed), lived.context().ports
        made = [ports.store.put(f"leaf {seed} {n}".encode(), ".parquet") for n in range(10)]
        parts = {ref.uri: set() for ref in made}
        for n in range(20):
            below = chance.sample(made, 2)
            wrapped = [{"n": n, "deep": [{"x": {**ref.model_dump(), "rows": 3}}]} for ref in below]
            made.append(ports.store.put(canonical({"seed": seed, "parts": wrapped}), ".json"))
            parts[made[-1].uri] = {ref.uri for ref in below}
        chosen = chance.sample(made, 4)
        evidence = raw("drift", {"run": "r", "evidence": [r.model_dump() for r in chosen[:2]]})
        ports.ledger.append("sales", f"graph{seed}", evidence)
        ports.store.publish(f"batches/sales/graph/{seed}", canonical(chosen[2]))
        hand = lived.settings.state / "hand" / "sales" / "run" / "ingest.json"
        hand.parent.mkdir(parents=True, exist_ok=True)
        hand.write_bytes(canonical({"plan": chosen[3].model_dump()}))
        age_all(lived)
        stays, waiting = set(), [ref.uri for ref in chosen]
        while waiting:
            uri = waiting.pop()
            stays.add(uri)
            waiting += parts[uri] - stays
        prune(lived.settings, ports, DAY)
        assert {
            ref.uri for ref in made if (local_path(lived.settings.store) / ref.uri).exists()
        } == stays

    def test_young_objects_stay_also_old_ones_that_a_writer_has_just_put_again(self, lived):
        ports = lived.context().ports
        fresh, again, orphan = (
            ports.store.put(data, ".parquet") for data in (b"fresh", b"again", b"orphan")
        )
        age(*(local_path(lived.settings.store) / ref.uri for ref in (again, orphan)))
        listed = find_leftovers(lived.settings, ports, DAY)
        assert {again.uri, orphan.uri} <= set(names(listed, "object"))
        assert ports.store.put(b"again", ".parquet") == again
        gone = names(prune(lived.settings, ports, DAY), "object")
        assert orphan.uri in gone
        assert not {fresh.uri, again.uri} & set(gone)
        assert ports.store.get(again) == b"again"

    def test_a_result_stays_whose_bundle_the_ledger_names(self, lived):
        ports = lived.context().ports
        before = set(ports.store.keys("results/package"))
        assert before
        gone = names(prune(lived.settings, ports, DAY), "result")
        assert set(ports.store.keys("results/package")) == before
        assert any(name.startswith("results/train/") for name in gone)

    def test_batches_releases_and_the_log_stay(self, lived):
        store, keys = lived.context().ports.store, local_path(lived.settings.store) / "keys"
        kinds = ("batches", "releases", "served")
        before = {
            kind: sorted(p for p in (keys / kind).rglob("*") if p.is_file()) for kind in kinds
        }
        log = store.segments("inference/sales/predictions")
        prune(lived.settings, lived.context().ports, DAY)
        assert {
            kind: sorted(p for p in (keys / kind).rglob("*") if p.is_file()) for kind in kinds
        } == before
        assert log
        assert store.segments("inference/sales/predictions") == log

    def test_the_limit_is_never_below_a_day(self, lived):
        with pytest.raises(RequestError, match="younger than a day"):
            find_leftovers(lived.settings, lived.context().ports, timedelta(hours=23))

    @pytest.mark.parametrize("what", ["no ledger", "another one's"])
    def test_nothing_goes_by_a_ledger_that_is_not_this_stores(self, lived, tmp_path, what):
        settings = lived.settings.replace(ledger_url=f"sqlite:///{tmp_path}/other.db")
        if what != "no ledger":
            SqlLedger(settings.ledger_url).append("sales", "run", gate_verdict())
        with pytest.raises(
            RequestError,
            match=(
                "There is no ledger" if what == "no ledger" else "releases/sales/00000001, of which"
            ),
        ):
            prune(settings, ConfiguredPorts(settings), DAY)
        assert (tmp_path / "other.db").exists() == (what != "no ledger")

    def test_nothing_goes_where_a_damaged_object_hides_what_it_refers_to(self, lived):
        ports = lived.context().ports
        champion = ports.ledger.champion("sales")
        flip(local_path(lived.settings.store) / champion.bundle.uri)
        before = sorted(lived.settings.state.rglob("*"))
        with pytest.raises(Corrupted, match="nothing was removed"):
            prune(lived.settings, ports, DAY)
        assert set(before) <= {*lived.settings.state.rglob("*")}


class TestWhatGoes:
    def test_to_look_changes_nothing(self, lived):
        before = {
            p: p.stat().st_mtime_ns
            for p in local_path(lived.settings.store).rglob("*")
            if p.is_file()
        }
        listed = find_leftovers(lived.settings, lived.context().ports, DAY)
        assert {leftover.kind for leftover in listed} >= {"result", "object"}
        assert {
            p: p.stat().st_mtime_ns
            for p in local_path(lived.settings.store).rglob("*")
            if p.is_file()
        } == before
        assert find_leftovers(lived.settings, lived.context().ports, DAY)[0][:3] == listed[0][:3]

    def test_what_was_listed_is_what_goes_and_then_nothing_is_left(self, lived):
        ports = lived.context().ports
        listed = find_leftovers(lived.settings, ports, DAY)
        gone = prune(lived.settings, ports, DAY)
        assert [(g.kind, g.name, g.bytes) for g in gone] == [
            (g.kind, g.name, g.bytes) for g in listed
        ]
        assert find_leftovers(lived.settings, ports, DAY) == []

    def test_half_written_files_go_after_an_hour(self, lived):
        store = local_path(lived.settings.store)
        litter = [
            store / "objects" / "ab" / ".x1.tmp",
            store / "keys" / "batches" / ".x2.tmp",
            store / "segments" / ".x3.tmp",
        ]
        for path in litter:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
        assert (
            names(find_leftovers(lived.settings, lived.context().ports, DAY), "half-written file")
            == []
        )
        age(*litter, days=0.1)
        prune(lived.settings, lived.context().ports, DAY)
        assert not any(path.exists() for path in litter)

    def test_cached_features_go_only_where_the_remote_has_them_whole(self, lived):
        ports = lived.context().ports
        revision = (
            ports.ledger.find("sales", "verdict", "first").read(GateVerdict).features_revision
        )
        assert len(ports.versions.files("sales", revision)) > 1
        retrain(lived, 7, "more", force=True)
        age_all(lived)
        cache = [
            p
            for p in (lived.settings.versions / "repo/.dvc/cache/files/md5").rglob("*")
            if p.is_file()
        ]
        remote = lived.settings.versions / "remote" / "files" / "md5"
        broken = next(p for p in cache if not p.name.endswith(".dir"))
        flip(remote / broken.parent.name / broken.name)
        prune(lived.settings, ports, DAY)
        assert [p for p in cache if p.exists()] == [broken]
        assert len(list((lived.settings.versions / "repo" / "features").glob("*/*.parquet"))) <= 1

    def test_the_loop_goes_on_after_it(self, lived):
        prune(lived.settings, lived.context().ports, DAY)
        judged, _ = retrain(lived, 7, "after")
        assert judged.champion == "5"
        context = lived.context()
        back = rollback.run(
            context,
            RollbackRequest(run="back", now="2026-01-01T00:00:00Z", conf={"to": 1}),
            ProcessTarget(Following(context)),
        )
        assert back.version == "1"

    def test_runs_without_a_version_go_others_stay(self, lived):
        ports, mlflow = lived.context().ports, client(lived)
        experiment = mlflow.get_experiment_by_name("sales").experiment_id
        verdict = ports.ledger.find("sales", "verdict", "first").body
        ancient = 1_000_000_000_000
        forgotten = mlflow.create_run(experiment, start_time=ancient)
        mlflow.set_terminated(forgotten.info.run_id, "FAILED", end_time=ancient)
        running = mlflow.create_run(experiment, start_time=ancient)
        gone = names(prune(lived.settings, ports, DAY), "MLflow run")
        assert gone == [f"sales/{forgotten.info.run_id}"]
        left = {run.info.run_id for run in mlflow.search_runs([experiment])}
        assert {verdict["run_id"], running.info.run_id} <= left
        assert mlflow.get_run(forgotten.info.run_id).info.lifecycle_stage == "deleted"

    def test_replays_that_nobody_used_go_and_what_the_state_shares_stays(self, lived):
        ports, settings = lived.context().ports, lived.settings
        workroom = Workroom(lived.context().spec, settings)
        workroom.prepare()
        kept = settings.state / "environments" / "kept"
        kept.write_text("of all")
        result = LocalStore(workroom.root / "store")
        result.publish("results/replay-look/a", b"{}")
        age_all(lived)
        workroom.prepare()  # a replay that computes nothing anew uses what is there
        assert names(prune(settings, ports, DAY), "replays of a model") == []
        age_all(lived)
        with workroom.hold():
            assert names(prune(settings, ports, DAY), "replays of a model") == []
        [leftover] = [
            each for each in find_leftovers(settings, ports, DAY) if "replay" in each.kind
        ]
        assert (leftover.name, leftover.bytes > 0) == ("sales", True)
        assert names(prune(settings, ports, DAY), "replays of a model") == ["sales"]
        assert [path.name for path in workroom.root.iterdir()] == ["at-work.lock"]
        assert kept.read_text() == "of all"
        assert names(prune(settings, ports, DAY), "replays of a model") == []

    def test_old_logs_go_young_ones_stay(self, lived):
        logs = lived.settings.state / "airflow" / "logs" / "dag_id=x"
        logs.mkdir(parents=True)
        for name in ("old.log", "young.log"):
            (logs / name).write_text("said")
        age(logs / "old.log")
        prune(lived.settings, lived.context().ports, DAY)
        assert [p.name for p in logs.iterdir()] == ["young.log"]
