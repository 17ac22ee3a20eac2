"""A registry with three versions, what asks to deploy them, and the twins of servers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipelines.bundle.load import open_bundle
from pipelines.bundle.manifest import Release
from pipelines.deployment import orders, releases
from pipelines.deployment.process_target import ProcessTarget
from pipelines.deployment.serving_client import Refusal, Serves
from pipelines.errors import Unreachable
from pipelines.messages import DeployRequest, GateResult, PackageRequest, PackageResult
from pipelines.refs import canonical
from pipelines.steps import deploy, gate, package
from tests.unit.steps.learning import RUN, learning

MODEL = "visits"


@cache
def packaged_once():
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


def world_to_deploy():
    """A context whose registry knows three versions, and the parent run."""
    world = learning(Path("/nonexistent"))
    store, _ = packaged_once()
    world.context.ports.store.objects.update(store.objects)
    registry = world.context.ports.registry
    source = Path(__file__)
    for version in ("1", "2", "3"):
        registry.register(MODEL, world.built.parent_run, f"run{version}", source, {})
    return world


def deploy_request(world, version, champion, run=None, **changes):
    _, manifest = packaged_once()
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


def deploy_version(world, request, server=None):
    return deploy.run(world.context, request, ProcessTarget(server or Following(world.context)))


def reconcile(world):
    return orders.reconcile(world.context, ProcessTarget(Following(world.context)))


def assert_all_agree(world, version, server=None):
    ports = world.context.ports
    assert ports.ledger.champion(MODEL).version == version
    assert ports.registry.alias(MODEL) == version
    top = releases.newest(ports.store, MODEL)
    assert (top.version, top.bundle) == (version, ports.ledger.champion(MODEL).bundle)
    assert (server or Following(world.context)).serves(MODEL).version == version
    ports.ledger.verify()


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
