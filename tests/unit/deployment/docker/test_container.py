"""The container of a release, as the engine is asked for it."""

from __future__ import annotations

from typing import Any

from pipelines.bundle.manifest import Release
from pipelines.deployment.docker.container import start_container
from pipelines.deployment.docker.engine import Container, Image
from pipelines.refs import Ref
from pipelines.settings import load_settings
from pipelines.spec.resources import Limits

RELEASE = Release(
    model="sales",
    number=1,
    version="1",
    bundle=Ref(uri="objects/ab/ab.json", sha256="ab" * 32),
    reason="a test",
)


class Engine:
    """An engine that remembers what it was asked to create."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.running: Container | None = None

    def container(self, _: str) -> Container | None:
        return self.running

    def create(self, *_: Any, environment: dict[str, str], **__: Any) -> None:
        self.environment = environment

    def start(self, name: str) -> None:
        self.running = Container(
            id=name,
            name=name,
            image="image",
            labels={},
            environment=self.environment,
            running=True,
            restarting=False,
            restarts=0,
            exit_code=0,
            out_of_memory=False,
            trouble="",
        )


def test_its_server_logs_to_the_store_that_the_steps_read(tmp_path):
    settings = load_settings(
        {
            "PERENNIAL_HOME": str(tmp_path),
            "PERENNIAL_STATE": str(tmp_path / "var"),
            "PERENNIAL_STORE": str(tmp_path / "var" / "other"),
        }
    )
    engine = Engine()
    start_container(engine, settings, RELEASE, Image("image", {}), Limits())
    assert engine.environment["PERENNIAL_STORE"] == "/state/other"
