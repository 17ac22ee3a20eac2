"""`deploy`: serving, alias and ledger agree, wherever it is cut off.

What the server refuses never becomes champion.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from pipelines.bundle.load import open_bundle
from pipelines.bundle.manifest import BundleManifest, Golden, Release, release_key
from pipelines.deployment import orders, releases
from pipelines.deployment.process_target import ProcessTarget
from pipelines.deployment.serving_client import Refusal, Serves
from pipelines.errors import Conflict, Corrupted, Refused, RequestError, Unreachable
from pipelines.ledger import MemoryLedger
from pipelines.messages import DeployRequest, GateResult, PackageRequest, PackageResult
from pipelines.refs import Ref, canonical
from pipelines.steps import deploy, gate, package
from tests.decisions import crown
from tests.unit.steps.learning import RUN, learning

MODEL = "visits"


@cache
def _template():
    """One packaged bundle, trained once; every test writes its versions from it."""
    world = learning(Path("/nonexistent"))
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained))
    packaged = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=judged)
    )
    return (
        world.context.ports.store,
        open_bundle(world.context.ports.store, packaged.bundle).manifest,
    )


class Following:
    """The server's twin: it serves the highest release that it does not refuse, as the real one
    does."""

    def __init__(self, context, refuses=()):
        self._store, self._refuses = context.ports.store, set(refuses)

    def serves(self, model):
        refused = None
        for key in reversed(self._store.keys(f"releases/{model}")):
            release = Release.model_validate_json(self._store.read(key))
            if release.version not in self._refuses:
                return Serves(release=release.number, version=release.version, refused=refused)
            refused = refused or Refusal(
                release=release.number, reason="golden request 3: expected [0.5], got [0.4]"
            )
        return Serves(refused=refused)


class Away:
    """A server that does not answer, `times` times."""

    def __init__(self, server=None, times=10**9):
        self._server, self._times = server, times

    def serves(self, model):
        self._times -= 1
        if self._times >= 0:
            raise Unreachable("connection refused")
        return self._server.serves(model)


class Crash(Exception):
    pass


class Cut:
    """A port that dies at the k-th call of all ports that share the counter, before or after the
    call has done its work."""

    def __init__(self, port, counter, at, *, after):
        self._port, self._counter, self._at, self._after = port, counter, at, after

    def __getattr__(self, name):
        method = getattr(self._port, name)

        def call(*args, **kwargs):
            self._counter.append(name)
            dies = len(self._counter) == self._at
            if dies and not self._after:
                raise Crash
            found = method(*args, **kwargs)
            if dies:
                raise Crash
            return found

        return call


def _world():
    """A context whose registry knows three versions, and the parent run."""
    world = learning(Path("/nonexistent"))
    store, _ = _template()
    world.context.ports.store.objects.update(store.objects)
    registry = world.context.ports.registry
    source = Path(__file__)
    for version in ("1", "2", "3"):
        registry.register(MODEL, world.built.parent_run, f"run{version}", source, {})
    return world


def _request(world, version, champion, run=None, **changes):
    _, manifest = _template()
    changed = manifest.model_copy(update={"version": version, **changes})
    ref = world.context.ports.store.put(canonical(changed), ".json")
    run_id = world.built.parent_run
    judged = GateResult(
        verdict="promote",
        reasons=[],
        checks=[],
        candidate="linear",
        run_id=run_id,
        version=version,
        metrics={},
        champion=champion,
    )
    packaged = PackageResult(
        bundle=ref, version=version, compiled=True, parity=0.0, why_native="", rows=1
    )
    return DeployRequest(run=run or f"run{version}", gate=judged, package=packaged)


def _deploy(world, request, server=None):
    return deploy.run(world.context, request, ProcessTarget(server or Following(world.context)))


def _reconcile(world):
    return orders.reconcile(world.context, ProcessTarget(Following(world.context)))


def _agree(world, version, server=None):
    ports = world.context.ports
    assert ports.ledger.champion(MODEL).version == version
    assert ports.registry.alias(MODEL) == version
    top = releases.newest(ports.store, MODEL)
    assert (top.version, top.bundle) == (version, ports.ledger.champion(MODEL).bundle)
    assert (server or Following(world.context)).serves(MODEL).version == version
    ports.ledger.verify()


def test_a_first_and_a_second_version_are_deployed():
    world = _world()
    first = _deploy(world, _request(world, "1", None))
    assert (first.release, first.version, first.previous) == (1, "1", None)
    _agree(world, "1")
    second = _deploy(world, _request(world, "2", "1"))
    assert (second.release, second.version, second.previous) == (2, "2", "1")
    _agree(world, "2")
    assert world.context.ports.store.keys("served") == ["served/visits"]
    assert [e.kind for e in world.context.ports.ledger.entries(MODEL)] == [
        "release",
        "champion",
    ] * 2
    assert world.context.ports.registry.runs[world.built.parent_run].tags["served_version"] == "2"


def test_a_retry_changes_nothing_even_long_after():
    world = _world()
    first = _request(world, "1", None)
    deployed = _deploy(world, first)
    _deploy(world, _request(world, "2", "1"))
    count = world.context.ports.ledger.verify()
    assert _deploy(world, first) == deployed
    assert world.context.ports.ledger.verify() == count
    _agree(world, "2")


def _calls(champion):
    """How many calls of the ports one whole deployment makes."""
    counter = []
    _cut_off(champion, at=0, after=False, counter=counter)
    return len(counter)


def _cut_off(champion, *, at, after, counter, server=Following):
    """Deploy a version over the champion, dying at call `at`.

    Return the world as it is left, the request and whether it died.
    """
    world = _world()
    if champion:
        _deploy(world, _request(world, champion, None))
    request = _request(world, "2", champion)
    ports = world.context.ports
    cut = world.with_ports(
        **{
            name: Cut(getattr(ports, name), counter, at, after=after)
            for name in ("store", "ledger", "registry")
        }
    )
    try:
        deploy.run(cut.context, request, ProcessTarget(server(world.context)))
    except Crash:
        return world, request, True
    return world, request, False


@pytest.mark.parametrize(
    "champion", [pytest.param(None, id="the first"), pytest.param("1", id="over a champion")]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_a_retry_finishes(champion, after):
    for at in range(1, _calls(champion) + 1):
        world, request, died = _cut_off(champion, at=at, after=after, counter=[])
        assert died
        deployed = _deploy(world, request)
        assert (deployed.version, deployed.previous) == ("2", champion)
        _agree(world, "2")
        assert len(world.context.ports.ledger.entries(MODEL, "champion")) == (2 if champion else 1)
        assert (
            len(
                [
                    e
                    for e in world.context.ports.ledger.entries(MODEL, "release")
                    if e.body["version"] == "2"
                ]
            )
            == 1
        ), at


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_reconciling_makes_all_agree(after):
    for at in range(1, _calls("1") + 1):
        world, _, _ = _cut_off("1", at=at, after=after, counter=[])
        _reconcile(world)
        _agree(world, world.context.ports.ledger.champion(MODEL).version)
        assert _reconcile(world) == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_the_next_run_goes_through(after):
    for at in range(1, _calls("1") + 1):
        world, _, _ = _cut_off("1", at=at, after=after, counter=[])
        champion = world.context.ports.ledger.champion(MODEL).version
        assert _deploy(world, _request(world, "3", champion)).version == "3"
        _agree(world, "3")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_retry_after_somebody_reconciled_in_between_still_finishes(after):
    for at in range(1, _calls("1") + 1):
        world, request, _ = _cut_off("1", at=at, after=after, counter=[])
        _reconcile(world)
        assert _deploy(world, request).version == "2"
        _agree(world, "2")


def test_reconciling_can_itself_be_cut_off():
    for after in (False, True):
        for at in range(1, 30):
            world, _, _ = _cut_off("1", at=0, after=False, counter=[])
            ports = world.context.ports
            ports.registry.point(MODEL, "3")
            stray = Release(
                model=MODEL,
                number=9,
                version="1",
                bundle=ports.ledger.champion(MODEL).bundle,
                reason="by hand",
            )
            ports.store.publish(release_key(MODEL, 9), canonical(stray))
            counter = []
            cut = world.with_ports(
                **{
                    n: Cut(getattr(ports, n), counter, at, after=after)
                    for n in ("store", "ledger", "registry")
                }
            )
            try:
                orders.reconcile(cut.context, ProcessTarget(Following(world.context)))
            except Crash:
                _reconcile(world)
            _agree(world, "2")
            assert releases.newest(ports.store, MODEL).number == 10


def test_what_the_server_refuses_is_taken_back():
    world = _world()
    _deploy(world, _request(world, "1", None))
    server = Following(world.context, refuses={"2"})
    request = _request(world, "2", "1")
    for _ in range(2):  # the retry hears the same
        with pytest.raises(Refused, match="golden request 3: expected"):
            _deploy(world, request, server)
        _agree(world, "1", server)
    (entry,) = world.context.ports.ledger.entries(MODEL, "release_refused")
    assert (entry.key, entry.body["number"]) == ("run2", 2)
    assert releases.newest(world.context.ports.store, MODEL).number == 3
    assert _deploy(world, _request(world, "3", "1"), server).release == 4
    _agree(world, "3", server)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_while_taking_back_the_retry_is_refused_and_the_champion_serves(after):
    def server(context):
        return Following(context, refuses={"2"})

    for at in range(1, 60):
        try:
            world, request, died = _cut_off("1", at=at, after=after, counter=[], server=server)
        except Refused:
            break
        assert died
        with pytest.raises(Refused):
            _deploy(world, request, server(world.context))
        _agree(world, "1", server(world.context))
    assert at > 10


def test_a_first_model_that_is_refused_leaves_nothing_behind_that_blocks_the_next():
    world = _world()
    server = Following(world.context, refuses={"1"})
    with pytest.raises(Refused):
        _deploy(world, _request(world, "1", None), server)
    assert world.context.ports.ledger.champion(MODEL) is None
    assert _deploy(world, _request(world, "2", None), server).release == 2
    _agree(world, "2", server)


def test_while_the_server_is_away_a_retry_may_help_and_finds_its_release():
    world = _world()
    request = _request(world, "1", None)
    with pytest.raises(Unreachable, match="connection refused"):
        _deploy(world, request, Away())
    assert world.context.ports.ledger.champion(MODEL) is None
    assert _deploy(world, request, Away(Following(world.context), times=2)).release == 1
    _agree(world, "1")


def test_a_server_that_does_not_take_the_release_in_time_is_told_from_one_that_refuses():
    world = _world()

    class Stuck:
        def serves(self, _):
            return Serves()

    with pytest.raises(Unreachable, match="has not taken release 1 of visits yet"):
        _deploy(world, _request(world, "1", None), Stuck())


def test_a_champion_that_came_meanwhile_is_not_overthrown():
    world = _world()
    _deploy(world, _request(world, "1", None))
    late = _request(world, "2", "1")
    _deploy(world, _request(world, "3", "1"))
    with pytest.raises(Conflict, match="was to replace 1, but 3 is the champion now"):
        _deploy(world, late)
    _agree(world, "3")


def test_losing_the_crown_gives_the_traffic_back():
    world = _world()
    _deploy(world, _request(world, "1", None))
    rival = _request(world, "3", "1")

    class Rival(Following):
        """While our release is taken, somebody else is crowned."""

        def serves(self, model):
            says = super().serves(model)
            champion = crown("3", rival.package.bundle, release=77)
            world.context.ports.ledger.crown(model, expected="1", champion=champion, key="rival")
            return says

    with pytest.raises(Conflict):
        _deploy(world, _request(world, "2", "1"), Rival(world.context))
    _agree(world, "3")


def test_a_newer_release_that_takes_over_while_waiting_is_a_conflict():
    world = _world()
    _deploy(world, _request(world, "1", None))

    class Overtaken(Following):
        def serves(self, model):
            _reconcile(world)  # as the command by hand would
            return super().serves(model)

    with pytest.raises(Conflict, match="took over"):
        _deploy(world, _request(world, "2", "1"), Overtaken(world.context))
    _agree(world, "1")


def test_a_number_that_somebody_took_is_given_up_for_the_next():
    world = _world()
    _deploy(world, _request(world, "1", None))
    bundle = world.context.ports.ledger.champion(MODEL).bundle

    class Faster:
        """Somebody publishes release 2 between our intent and our publishing."""

        def __getattr__(self, name):
            return getattr(world.context.ports.store, name)

        def publish(self, key, data):
            if key == release_key(MODEL, 2):
                other = Release(model=MODEL, number=2, version="1", bundle=bundle, reason="faster")
                world.context.ports.store.publish(key, canonical(other))
            return world.context.ports.store.publish(key, data)

    deployed = deploy.run(
        world.with_ports(store=Faster()).context,
        _request(world, "2", "1"),
        ProcessTarget(Following(world.context)),
    )
    assert deployed.release == 3
    assert [e.key for e in world.context.ports.ledger.entries(MODEL, "release")] == [
        "run1",
        "run2",
        "run2~2",
    ]
    _agree(world, "2")


def test_a_bundle_that_does_not_answer_as_packaged_touches_nothing():
    world = _world()
    store, manifest = world.context.ports.store, _template()[1]
    golden = Golden.model_validate_json(store.get(manifest.golden))
    wrong = golden.model_copy(update={"answers": [[0.123], *golden.answers[1:]]})
    request = _request(world, "1", None, golden=store.put(canonical(wrong), ".json"))
    with pytest.raises(Refused, match="does not answer as packaged: golden request 0"):
        _deploy(world, request)
    assert world.context.ports.ledger.entries(MODEL) == []
    assert store.keys("releases/visits") == []


def test_a_changed_bundle_touches_nothing():
    world = _world()
    request = _request(world, "1", None)
    manifest = BundleManifest.model_validate_json(
        world.context.ports.store.get(request.package.bundle)
    )
    world.context.ports.store.objects[manifest.onnx.uri] = b"changed"
    with pytest.raises(Corrupted):
        _deploy(world, request)
    assert world.context.ports.ledger.entries(MODEL) == []


def test_a_bundle_of_another_version_is_refused():
    world = _world()
    request = _request(world, "1", None)
    other = request.package.model_copy(update={"version": "2"})
    judged = request.gate.model_copy(update={"version": "2"})
    with pytest.raises(Refused, match="is of visits 1, not of visits 2"):
        _deploy(world, request.model_copy(update={"package": other, "gate": judged}))


@pytest.mark.parametrize(
    "change",
    [{"verdict": "refuse"}, {"version": "9"}],
    ids=["refused by the gate", "a verdict on another version"],
)
def test_what_was_not_promoted_is_not_deployed(change):
    world = _world()
    request = _request(world, "1", None)
    with pytest.raises(RequestError, match="was not promoted"):
        _deploy(world, request.model_copy(update={"gate": request.gate.model_copy(update=change)}))


def test_an_alias_moved_by_hand_is_put_back_and_written_down():
    world = _world()
    _deploy(world, _request(world, "1", None))
    world.context.ports.registry.point(MODEL, "3")
    (words,) = _reconcile(world)
    assert words == "the alias named 3, the champion is 1"
    _agree(world, "1")
    assert world.context.ports.ledger.entries(MODEL, "reconciled")[-1].body["reason"] == words


def test_a_release_written_by_hand_is_taken_back():
    world = _world()
    _deploy(world, _request(world, "1", None))
    stray = Release(
        model=MODEL,
        number=5,
        version="2",
        bundle=Ref(uri="objects/x", sha256="0" * 64),
        reason="by hand",
    )
    world.context.ports.store.publish(release_key(MODEL, 5), canonical(stray))
    assert "release 6 points back" in _reconcile(world)[0]
    _agree(world, "1")


def test_before_the_first_champion_there_is_nothing_to_reconcile():
    world = _world()
    assert _reconcile(world) == []
    assert isinstance(world.context.ports.ledger, MemoryLedger)
    assert world.context.ports.ledger.entries() == []


def test_deploy_and_close_import_neither_pandas_nor_scikit_learn():
    code = (
        "import sys, pipelines.steps.deploy, pipelines.steps.close; print({'pandas', 'sklearn',"
        " 'pyarrow', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert done.stdout.strip() == "set()"
