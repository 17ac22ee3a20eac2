"""Images and containers of releases: those of the last champions stay."""

from __future__ import annotations

from pipelines.deployment.docker.engine import Container, Image
from pipelines.deployment.docker.names import OF_ENVIRONMENTS, container_name, image_name
from pipelines.ledger import MemoryLedger, ReleaseIntent
from pipelines.ops.prune.images import unused_environment_images, unused_images
from pipelines.refs import Ref
from tests.decisions import crown


class Engine:
    """Images and containers by name; what was removed."""

    def __init__(self, images, containers):
        self.images, self.running, self.removed = images, containers, []

    def image(self, name):
        return (
            Image(f"sha256:{name}", {"perennial.kind": "release"}) if name in self.images else None
        )

    def container(self, name):
        if name not in self.running:
            return None
        labels = {"perennial.kind": "release"}
        state = {
            "running": self.running[name],
            "restarting": False,
            "restarts": 0,
            "exit_code": 0,
            "out_of_memory": False,
        }
        return Container(name, name, "", labels, {}, trouble="", **state)

    def remove(self, name):
        self.removed.append(name)

    def remove_image(self, name):
        self.removed.append(name)


def test_images_and_containers_of_the_last_three_champions_stay():
    ledger = MemoryLedger()
    for n in range(1, 8):
        bundle = Ref(uri=f"objects/ab/{n}.json", sha256="a" * 64)
        intent = ReleaseIntent(number=n, version=str(n), bundle=bundle, reason="")
        ledger.append("m", f"run{n}", intent)
        if n < 7:  # the seventh is under way
            ledger.crown(
                "m",
                expected=str(n - 1) if n > 1 else None,
                champion=crown(str(n), bundle, release=n),
                key=f"r{n}",
            )
    engine = Engine(
        images={image_name("m", n) for n in range(1, 8)},
        containers={container_name("m", n): n in {2, 6} for n in range(1, 8)},
    )
    for leftover in unused_images(engine, ledger):
        leftover.remove()
    assert engine.removed == [
        "perennial-release-m-1",
        "perennial/release-m:1",
        "perennial-release-m-3",
        "perennial/release-m:3",
    ]


class Shelf:
    """Images with packages, and the images of releases that are built on them."""

    def __init__(self, environments, bases):
        self.environments, self.bases, self.removed = environments, bases, []

    def images(self, labels):
        if labels == OF_ENVIRONMENTS:
            return self.environments
        return [Image(f"sha256:release-{b}", {"perennial.base": b}) for b in self.bases]

    def remove_image(self, name):
        self.removed.append(name)


def test_images_with_packages_go_when_no_release_is_built_on_them():
    labels = {"perennial.environment": "e" * 64}
    made = {"sha256:used": 10.0, "sha256:old": 10.0, "sha256:young": 90.0}
    shelf = Shelf([Image(name, labels, at) for name, at in made.items()], ["sha256:used"])
    (leftover,) = unused_environment_images(shelf, limit=50.0)
    assert (leftover.name, leftover.remove()) == (f"packages of environment {'e' * 12}", True)
    assert shelf.removed == ["sha256:old"]
