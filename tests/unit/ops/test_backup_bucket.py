"""Back up and restore a state whose store is in a bucket."""

from __future__ import annotations

import pytest

from pipelines.bucket_variables import bucket_variables
from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.deployment import orders
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import RequestError, Unreachable
from pipelines.ops.backup.creation import backup
from pipelines.ops.backup.restoration import restore
from pipelines.registry.mlflow import MlflowRegistry
from tests.buckets import moto
from tests.served import Watched
from tests.unit.ops.archives import members, quiet
from tests.unit.ops.lived import elsewhere, retrain
from tests.unit.steps.deployments import Following
from tests.worlds import World, make_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint():
    with moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def environ(endpoint, tmp_path_factory):
    """What names the bucket of an address, with a file that holds the key."""
    file = tmp_path_factory.mktemp("key") / "credentials"
    file.write_text(
        f"[default]\naws_access_key_id={endpoint.key_id}\naws_secret_access_key={endpoint.secret}\n"
    )
    file.chmod(0o600)

    def name(address):
        return {
            "PERENNIAL_STORE": address.url,
            "PERENNIAL_STORE_ENDPOINT": address.endpoint,
            "PERENNIAL_STORE_CREDENTIALS": str(file),
        }

    return name


@pytest.fixture(autouse=True)
def own_environment(far):
    """What MLflow reads of the bucket, in each test anew."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in bucket_variables(far.settings).items():
            patch.setenv(variable, value)
        yield


@pytest.fixture(scope="module")
def far(endpoint, environ, tmp_path_factory):
    """A world that was promoted, served and logged; one of its segments is not sent yet."""
    with endpoint.bucket(prefix="before") as address:
        home = make_world(tmp_path_factory.mktemp("far") / "home").home
        world = World(home, environ=environ(address))
        assert retrain(world, 6, "first")[0].verdict == "promote"
        served = Watched(world, world.context().ports)
        served.serve(served.rows(6))
        yield world


@pytest.fixture(scope="module")
def tar(far):
    path = far.home.parent / "backup.tar"
    backup(far.settings, path, quiet)
    return path


@pytest.fixture
def other(far, endpoint, environ, tmp_path):
    """Another host with another bucket, both empty."""
    with endpoint.bucket(prefix="after") as address:
        home = elsewhere(far, tmp_path / "home").home
        yield World(home, environ=environ(address))


def test_it_goes_on_from_another_bucket(far, tar, other):
    restore(other.settings, tar, quiet)
    before, ports = far.context().ports, other.context().ports
    assert ports.ledger.entries() == before.ledger.entries()
    assert ports.versions.files("sales") == before.versions.files("sales") != {}
    segments = ports.store.segments("inference/sales/predictions")
    assert segments == before.store.segments("inference/sales/predictions") != []
    assert ports.store.read_segment(segments[0]) == before.store.read_segment(segments[0])
    for kind in ("objects", "entries"):
        names = [item.name for item in ports.store.contents(kind)]
        assert names == [item.name for item in before.store.contents(kind)] != []
    bundle = open_bundle(ports.store, ports.ledger.champion("sales").bundle)
    assert golden_differences(bundle) == []
    assert orders.reconcile(other.context(), ProcessTarget(Following(other.context()))) == []
    judged, _ = retrain(other, 7, "second")
    assert judged.champion == "1"


def test_mlflow_s_artifacts_are_where_they_are_now(far, tar, other):
    restore(other.settings, tar, quiet)
    registry = other.context().ports.registry
    assert isinstance(registry, MlflowRegistry)
    said = (other.settings.state / "mlflow" / "mlflow.db").read_bytes()
    assert far.settings.store.encode() not in said
    assert f"{other.settings.store}/mlflow".encode() in said


def test_neither_logs_nor_probes_are_in_it(far, tar):
    store = far.context().ports.store
    store.client.put("logs/dag/task.log", b"a line")
    names = [member.name for member in members(tar)]
    assert any(name.startswith("bucket/objects/") for name in names)
    assert any(name.startswith("bucket/history/parts/") for name in names)
    assert not [name for name in names if name.startswith(("bucket/logs", "bucket/probes"))]
    assert not [name for name in names if name.startswith(("store/", "versions/"))]


def test_a_bucket_that_is_not_empty_is_never_written_to(tar, other):
    store = other.context().ports.store
    ref = store.put(b"somebody's")
    with pytest.raises(RequestError, match="is not empty") as refused:
        restore(other.settings, tar, quiet)
    assert other.settings.store in str(refused.value)
    assert [item.name for item in store.contents("objects")] == [ref.uri]


def test_a_store_in_a_folder_is_not_put_into_a_bucket_nor_the_other_way_round(tar, other, tmp_path):
    settings = other.settings.replace(store=str(tmp_path / "store"))
    with pytest.raises(RequestError, match=r"store was in a bucket, .* names a folder"):
        restore(settings, tar, quiet)
    assert not (settings.state / "ledger").exists()


def test_nothing_is_written_while_the_bucket_is_away(far, tar, other, tmp_path):
    away = {"store_endpoint": "http://127.0.0.1:1", "store_retry_seconds": 0.5}
    with pytest.raises(Unreachable):
        restore(other.settings.replace(**away), tar, quiet)
    assert not (other.settings.state / "ledger").exists()
    with pytest.raises(Unreachable):
        backup(far.settings.replace(**away), tmp_path / "never.tar", quiet)
    assert not (tmp_path / "never.tar").exists()


def test_one_that_did_not_end_says_that_the_bucket_must_be_cleared(tar, other):
    def end(text):
        if text.startswith("bucket/objects"):
            raise Unreachable("The way to the bucket broke off.")

    url = other.settings.store
    with pytest.raises(Unreachable, match=r"did not end; there already: .*") as unfinished:
        restore(other.settings, tar, end)
    assert f"remove what is below {url}" in unfinished.value.remedy
    with pytest.raises(RequestError, match="did not end") as again:
        restore(other.settings, tar, quiet)
    assert f"remove what is below {url}" in again.value.remedy
