"""A real gateway on a network of its own, models that are deployed behind it, and somebody who
keeps asking."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import docker
import httpx

from pipelines.deployment import releases
from pipelines.deployment.docker.names import of_model
from pipelines.deployment.docker_target import DockerTarget
from pipelines.deployment.orders import Order, carry_out
from pipelines.inference_log.reader import read_log
from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import Settings, local_path
from pipelines.spec.resources import Limits, Resources
from pipelines.store.local import LocalStore
from pipelines.versions.memory import MemoryVersions
from tests.asking import keep_asking
from tests.docker.ports import free_port
from tests.serving.bundles import put_bundle
from tests.worlds import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.context import Context
    from pipelines.refs import Ref
    from tests.asking import Asked

GATEWAY_IMAGE = os.environ.get("PERENNIAL_GATEWAY_IMAGE") or "perennial/gateway:latest"
ENGINE = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Yard:
    """The network, the gateway's folder and container, and where the public finds it."""

    api: Any
    home: Path
    name: str
    url: str

    @property
    def folder(self) -> Path:
        return self.home / "gateway"

    def restarted(self, *, running: bool) -> None:
        """Stop the gateway, or start it and wait until it answers."""
        if not running:
            self.api.stop(self.name, timeout=2)
            return
        self.api.start(self.name)
        _answers(self.url)

    def model(self, task: Any = "binary", **settings: Any) -> Model:
        """Return a new model of a name that nobody else has, with two versions and nothing
        deployed."""
        name = f"{self.name.replace('-', '_')}_{next(_numbers)}"
        home = self.home / name
        world = World(make_world(home, days=0).home)
        world.respec("name: sales", f"name: {name}")
        (home / "models" / "sales").rename(home / "models" / name)
        world = World(home, model=name)
        known = {
            "target": "docker",
            "docker_host": ENGINE,
            "gateway": self.folder,
            "release_network": self.name,
            "serving_url": self.url,
        }
        chosen = Settings(home=home, deploy_timeout_seconds=60, **{**known, **settings})
        store = LocalStore(local_path(chosen.store))
        ports = Ports(store, MemoryVersions(), MemoryRegistry(), MemoryLedger())
        bundles = {
            v: put_bundle(store, model=name, version=v, seed=int(v), task=task) for v in ("1", "2")
        }
        file = home / "model.skops"
        file.write_bytes(b"a model")
        run = ports.registry.parent(name, "run", {})
        for version in bundles:
            ports.registry.register(name, run, version, file, {})
        context = world.context(ports)
        return Model(self, replace(context, settings=chosen), bundles)


class State(NamedTuple):
    """What the public is told (release and version), and what ledger and engine know."""

    says: tuple[int | None, str | None]
    champion: str | None
    containers: dict[int, str]
    images: list[str]


@dataclass(frozen=True)
class Model:
    """A model with two versions, and what is seen of its deployments."""

    yard: Yard
    context: Context
    bundles: dict[str, Ref]

    @property
    def name(self) -> str:
        return self.context.spec.name

    @property
    def champion(self) -> str | None:
        found = self.context.ports.ledger.champion(self.name)
        return found.version if found else None

    def limited(self, memory: str) -> Model:
        """The same model whose releases may use so much memory only."""
        spec = self.context.spec.model_copy(
            update={"resources": Resources(serving=Limits(memory=memory))}
        )
        return replace(self, context=replace(self.context, spec=spec))

    def set(self, **settings: Any) -> Model:
        """The same model, with other settings."""
        return replace(
            self,
            context=replace(self.context, settings=self.context.settings.replace(**settings)),
        )

    def with_ledger(self, ledger: Any) -> Model:
        """The same model, whose decisions go to this ledger."""
        return replace(
            self, context=replace(self.context, ports=replace(self.context.ports, ledger=ledger))
        )

    def order(self, version: str, run: str) -> Order:
        return Order(
            run=run,
            version=version,
            bundle=self.bundles[version],
            expected=self.champion,
            reason="a test",
        )

    def deploy(self, version: str, run: str = "", target: Any = None) -> Any:
        order = self.order(version, run or f"run-{next(_numbers)}")
        return carry_out(self.context, order, target or DockerTarget())

    def says(self) -> tuple[int | None, str | None]:
        """What the public is told: release and version."""
        body = httpx.get(f"{self.yard.url}/models/{self.name}").json()
        return body.get("release"), body.get("version")

    def containers(self) -> dict[int, str]:
        """By release, the state of its container in the engine's word."""
        found = self.yard.api.containers(
            all=True, filters={"label": [f"{k}={v}" for k, v in of_model(self.name).items()]}
        )
        return {int(c["Labels"]["perennial.release"]): c["State"] for c in found}

    def images(self) -> list[str]:
        """Every image of the model's, by tag; "" for one that has none."""
        found = self.yard.api.images(
            filters={"label": [f"{k}={v}" for k, v in of_model(self.name).items()]}
        )
        return sorted(tag for image in found for tag in image["RepoTags"] or [""])

    @property
    def other(self) -> str:
        """The version that is not the champion."""
        return "1" if self.champion == "2" else "2"

    @property
    def next_release(self) -> int:
        """The number that the next release gets."""
        newest = releases.highest(self.context)
        return newest.number + 1 if newest else 1

    def state(self) -> State:
        """What can be seen of the model: equal before and after what changed nothing."""
        return State(self.says(), self.champion, self.containers(), self.images())

    def logged(self) -> Counter[int]:
        """How many predictions the inference log holds, by release."""
        return Counter(read_log(self.context.ports.store, self.name).rows["release"].to_pylist())

    def remove(self) -> None:
        filters = {"label": [f"{k}={v}" for k, v in of_model(self.name).items()]}
        for container in self.yard.api.containers(all=True, filters=filters):
            self.yard.api.remove_container(container["Id"], force=True, v=True)
        for image in self.yard.api.images(filters=filters):
            self.yard.api.remove_image(image["Id"], force=True)

    @contextlib.contextmanager
    def asked(self, askers: int = 2, pause: float = 0.05) -> Iterator[Asked]:
        """Keep asking for predictions, each asker over one connection.

        Yield what was answered so far.
        """
        with keep_asking(f"{self.yard.url}/models/{self.name}/predict", askers, pause) as asked:
            yield asked


@contextlib.contextmanager
def gateway_yard(api: Any, home: Path) -> Iterator[Yard]:
    """Run a gateway on a network of its own, its folder bind-mounted.

    Everything is gone afterwards.
    """
    name = f"test{os.getpid()}-{next(_numbers)}"
    folder = home / "gateway"
    folder.mkdir()
    port = free_port()
    api.create_network(name, labels={"perennial.test": name})
    try:
        host = api.create_host_config(
            mounts=[docker.types.Mount("/gateway", str(folder), type="bind")],
            port_bindings={
                8000: ("127.0.0.1", port)
            },  # a fixed one: another would be chosen when it starts anew
            network_mode=name,
            restart_policy={"Name": "no"},
        )
        api.create_container(
            GATEWAY_IMAGE,
            name=name,
            host_config=host,
            ports=[8000],
            user=f"{os.getuid()}:{os.getgid()}",
        )
        api.start(name)
        url = f"http://127.0.0.1:{port}"
        _answers(url)
        yield Yard(api, home, name, url)
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            api.remove_container(name, force=True, v=True)
        api.remove_network(name)


def _answers(url: str) -> None:
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health").status_code == 200:
                return
        if time.monotonic() > end:
            raise TimeoutError(f"The gateway does not answer at {url}.")
        time.sleep(0.05)
