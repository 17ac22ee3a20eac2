"""`doctor`: an engine that is away, images that are missing or of other locks."""

from __future__ import annotations

from pipelines.deployment.docker.engine import Container, Image
from pipelines.deployment.docker.names import image_name
from pipelines.errors import Unreachable
from pipelines.ops.doctor import docker as engine_checks
from tests.unit.ops.diagnoses import bad, look, settings_of


class Docker:
    """An engine with these images and containers of steps."""

    def __init__(self, images=(), steps=(), *, away=False):
        self._images, self._steps, self._away = dict(images), dict(steps), away

    def containers(self, _labels):
        if self._away:
            raise Unreachable("The Docker engine does not answer.", remedy="start it.")
        return sorted(self._steps)

    def container(self, name):
        return Container(
            name,
            name,
            "",
            {},
            {},
            running=self._steps[name],
            restarting=False,
            restarts=0,
            exit_code=0,
            out_of_memory=False,
            trouble="",
        )

    def image(self, name):
        return Image(f"sha256:{name}", self._images[name]) if name in self._images else None


class TestEngine:
    def test_an_engine_that_is_away_is_one_problem(self, restored_state):
        found = bad(look(restored_state, docker=Docker(away=True), place="docker", target="docker"))
        assert list(found) == ["Docker engine"]

    def test_a_missing_image_and_a_container_that_was_left_behind(self, world):
        docker = Docker(steps={"perennial-step-m-train-1": False, "perennial-step-m-train-2": True})
        found = bad(look(world, docker=docker, place="docker"))
        assert found["image perennial/steps:latest"].remedy == "make images."
        assert (
            found["container perennial-step-m-train-1"].remedy
            == "docker rm perennial-step-m-train-1"
        )
        assert "container perennial-step-m-train-2" not in found

    def test_an_image_of_other_locks_is_a_warning(self, world):
        (world.home / "docker").mkdir()
        settings = settings_of(world, place="docker")
        (found,) = engine_checks.check_images(
            settings, Docker({"perennial/steps:latest": {"perennial.lock": "0" * 64}})
        )
        assert (found.state, "lock" in found.said) == ("warning", True)
        (lock,) = engine_checks._locks(world.home, "steps")
        (found,) = engine_checks.check_images(
            settings, Docker({"perennial/steps:latest": {"perennial.lock": lock}})
        )
        assert found.state == "ok"

    def test_the_champions_image_must_be_there_and_its_own(self, restored_state):
        context = restored_state.context()
        champion = context.ports.ledger.champion("sales")
        base = {"perennial/serving:latest": {}, "perennial/serving-native:latest": {}}
        missing = bad(look(restored_state, docker=Docker(base), target="docker"))
        assert "no image of release 1" in missing["sales: image"].said
        own = {
            "perennial": "1",
            "perennial.kind": "release",
            "perennial.model": "sales",
            "perennial.release": "1",
        }
        own |= {"perennial.version": champion.version, "perennial.bundle": champion.bundle.sha256}
        assert (
            bad(
                look(
                    restored_state,
                    docker=Docker({**base, image_name("sales", 1): own}),
                    target="docker",
                )
            )
            == {}
        )
        other = Docker({**base, image_name("sales", 1): {**own, "perennial.bundle": "0" * 64}})
        assert "sales: image" in bad(look(restored_state, docker=other, target="docker"))
