"""Models that are deployed to a real cluster, and somebody who keeps asking."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.deployment import releases
from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    POD,
    SERVICE,
    Cluster,
    Kind,
)
from pipelines.deployment.kubernetes.service import ServiceClient
from pipelines.deployment.kubernetes_target import KubernetesTarget, cluster_of, remove_model
from pipelines.deployment.orders import Order, carry_out
from pipelines.inference_log.reader import read_log
from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import PREFIX, Settings
from pipelines.spec.deploy import Deploy, Replicas, Requests
from pipelines.spec.resources import Limits, Resources
from pipelines.versions.memory import MemoryVersions
from tests.asking import Asked, keep_asking
from tests.buckets import ENVIRON, Endpoint, bucket_store
from tests.cluster.reaching import kubeconfig, until
from tests.serving.bundles import put_bundle
from tests.worlds import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.context import Context
    from pipelines.refs import Ref
    from tests.azurite import Azurite
    from tests.google_storage import GoogleStorage

TAG = ENVIRON.get("PERENNIAL_TEST_TAG") or "latest"
SECRET = "bucket"
DEPLOY_SECONDS = 120
GONE_SECONDS = 120
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Yard:
    """A namespace of its own, a bucket that its pods reach, and a folder for each model."""

    namespace: str
    home: Path
    endpoint: Endpoint | Azurite | GoogleStorage
    store: str
    settings: Settings

    @property
    def cluster(self) -> Cluster:
        return cluster_of(self.settings)

    def model(self, *, replicas: int = 1, task: Any = "binary", **settings: Any) -> Model:
        """Return a new model with two versions and nothing deployed."""
        name = f"sales_{next(_numbers)}"
        home = self.home / name
        world = World(make_world(home, days=0).home)
        world.respec("name: sales", f"name: {name}")
        (home / "models" / "sales").rename(home / "models" / name)
        world = World(home, model=name)
        chosen = self.settings.replace(
            home=home, state=home / "state", store_folder=home / "far", **settings
        )
        store = bucket_store(self.address(), home / "far")
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
        spec = context.spec.model_copy(
            update={
                "deploy": Deploy(
                    target="kubernetes",
                    replicas=Replicas(min=replicas, max=replicas + 2),
                    requests=Requests(memory="64m", cpus=0.02),
                )
            }
        )
        return Model(self, replace(context, settings=chosen, spec=spec), bundles)

    def address(self) -> Any:
        bucket = self.store.partition("://")[2]
        return self.endpoint.address(bucket=bucket, prefix="")

    def make(self, path: str, body: dict[str, Any]) -> None:
        """Make an object in the namespace."""
        self.cluster.ask(
            "POST", f"/api/v1/namespaces/{self.namespace}/{path}", body={"apiVersion": "v1", **body}
        )

    def lose(self, uri: str) -> None:
        """Remove an object from the bucket behind the store's back."""
        assert isinstance(self.endpoint, Endpoint)
        self.endpoint.boto().delete_object(Bucket=self.address().bucket, Key=uri)


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

    def set(self, **settings: Any) -> Model:
        """The same model, with other settings."""
        return replace(
            self,
            context=replace(self.context, settings=self.context.settings.replace(**settings)),
        )

    def limited(self, memory: str) -> Model:
        """The same model whose pods may use so much memory only."""
        spec = self.context.spec.model_copy(
            update={
                "resources": Resources(serving=Limits(memory=memory)),
                "deploy": self.context.spec.deploy.model_copy(update={"requests": Requests()}),
            }
        )
        return replace(self, context=replace(self.context, spec=spec))

    def asking(self, memory: str) -> Model:
        """The same model whose pods ask so much memory of a node."""
        deploy = self.context.spec.deploy.model_copy(update={"requests": Requests(memory=memory)})
        spec = self.context.spec.model_copy(update={"deploy": deploy})
        return replace(self, context=replace(self.context, spec=spec))

    def order(self, version: str, run: str = "") -> Order:
        return Order(
            run=run or f"run-{next(_numbers)}",
            version=version,
            bundle=self.bundles[version],
            expected=self.champion,
            reason="a test",
        )

    def deploy(self, version: str, run: str = "", target: Any = None) -> Any:
        return carry_out(self.context, self.order(version, run), target or KubernetesTarget())

    def object(self, kind: Kind) -> dict[str, Any] | None:
        return self.yard.cluster.get(kind, names.object_name(self.name))

    def deployment(self) -> dict[str, Any]:
        found = self.object(DEPLOYMENT)
        assert found is not None
        return found

    def objects(self) -> set[str]:
        kinds = (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, AUTOSCALER)
        return {kind.plural for kind in kinds if self.object(kind) is not None}

    def template_release(self) -> int:
        return names.release_number(self.deployment()["spec"]["template"])

    def pods(self) -> Counter[int]:
        """How many pods there are that are not about to end, by release."""
        chosen = names.selector(names.of_model(self.name, self.context.settings))
        return Counter(
            names.release_number(pod)
            for pod in self.yard.cluster.find(POD, labels=chosen)
            if not pod["metadata"].get("deletionTimestamp")
        )

    def says(self) -> tuple[int | None, str | None]:
        """What callers are told: release and version."""
        says = ServiceClient(self.yard.cluster).serves(self.name)
        return says.release, says.version

    @property
    def next_release(self) -> int:
        newest = releases.highest(self.context)
        return newest.number + 1 if newest else 1

    def logged(self) -> Counter[int]:
        """How many predictions the inference log holds in the bucket, by release."""
        return Counter(read_log(self.context.ports.store, self.name).rows["release"].to_pylist())

    @property
    def url(self) -> str:
        """Where the Service answers, from a node of the cluster."""
        found = self.object(SERVICE)
        assert found is not None
        return f"http://{found['spec']['clusterIP']}:8000"

    @contextlib.contextmanager
    def asked(self, askers: int = 2, pause: float = 0.05) -> Iterator[Asked]:
        """Keep asking for predictions, each asker over one connection."""
        with keep_asking(f"{self.url}/models/{self.name}/predict", askers, pause) as asked:
            yield asked

    def remove(self) -> None:
        remove_model(self.yard.cluster, self.context.settings, self.name)


@contextlib.contextmanager
def cluster_yard(
    home: Path, endpoint: Endpoint | Azurite | GoogleStorage, name: str
) -> Iterator[Yard]:
    """Yield a namespace of its own; it and all in it is gone afterwards."""
    namespace = f"{name}-{os.getpid()}-{next(_numbers)}"
    with endpoint.bucket(prefix="") as address:
        environ = endpoint.environment(address)
        key = {name: v for name, v in environ.items() if not name.startswith(PREFIX)}
        settings = Settings(
            home=home,
            target="kubernetes",
            store=address.url,
            store_endpoint=address.endpoint,
            store_account=address.account,
            kubernetes_namespace=namespace,
            kubernetes_config=kubeconfig(),
            kubernetes_deploy_seconds=DEPLOY_SECONDS,
            kubernetes_serving_secret=SECRET,
            serving_image=f"perennial/serving:{TAG}",
            serving_native_image=f"perennial/serving-native:{TAG}",
            log_send_seconds=5,
        )
        cluster = cluster_of(settings)
        cluster.ask(
            "POST",
            "/api/v1/namespaces",
            body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        )
        try:
            yard = Yard(namespace, home, endpoint, settings.store, settings)
            yard.make(
                "secrets",
                {
                    "kind": "Secret",
                    "metadata": {"name": SECRET},
                    "stringData": key,
                },
            )
            yield yard
        finally:
            cluster.ask("DELETE", f"/api/v1/namespaces/{namespace}")
            # Pods that end send what they have logged: the bucket goes after them
            until(lambda: not cluster.find(POD), GONE_SECONDS)
