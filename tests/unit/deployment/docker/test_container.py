"""The container of a release, as the engine is asked for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipelines.bundle.manifest import Release
from pipelines.deployment.docker.container import start_container
from pipelines.deployment.docker.engine import Container, Image
from pipelines.refs import Ref
from pipelines.settings import load_settings
from pipelines.spec.resources import Limits
from tests.conftest import ROOT

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
        self.mounts: list[dict[str, Any]] = []
        self.running: Container | None = None

    def container(self, _: str) -> Container | None:
        return self.running

    def create(
        self,
        _name: str,
        _image: str,
        _network: str,
        host: dict[str, Any],
        *,
        environment: dict[str, str],
        **_: Any,
    ) -> None:
        self.environment = environment
        self.mounts = host["mounts"]

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


OWN = {
    "draining",  # of a pod alone, like the next ones
    "personal_key_from",
    "release",
    "packages",  # its image
    "personal_key",  # below the state
    "proof_token",
    "releases",
    "serving_host",
    "serving_port",
    "state",
    "store",
    # those of a bucket are handed on where the store is one
    "store_ca",
    "store_cache_bytes",
    "store_account",
    "store_credentials",
    "store_encryption",
    "store_endpoint",
    "store_folder",
    "store_kms_key",
    "store_region",
    "store_retry_seconds",
}
"""What a release's container has of its own: its image, or `start_container`, names it."""


def test_it_is_told_every_setting_that_its_server_reads(tmp_path):
    settings = load_settings({"PERENNIAL_HOME": str(tmp_path)})
    read = {
        name
        for room in ("serving", "pipelines/inference_log", "pipelines/store")
        for file in (ROOT / room).rglob("*.py")
        for name in re.findall(r"\bsettings\.([a-z_]+)", file.read_text(encoding="utf-8"))
        if name in type(settings).model_fields
    }
    engine = Engine()
    start_container(engine, settings, RELEASE, Image("image", {}), Limits())
    assert len(read) > len(OWN)
    assert {f"PERENNIAL_{name.upper()}" for name in read - OWN} <= set(engine.environment)


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


@pytest.mark.parametrize("required", [True, False])
def test_its_server_asks_for_signatures_as_the_settings_say_and_sees_no_key_that_signs(
    tmp_path, required
):
    settings = load_settings(
        {
            "PERENNIAL_HOME": str(tmp_path),
            "PERENNIAL_REQUIRE_SIGNATURE": str(required),
            "PERENNIAL_SIGNING_KEY": "secret",
            "PERENNIAL_TRUST": "/trust",
            "PERENNIAL_DOCKER_TRUST": "perennial_trust",
        }
    )
    engine = Engine()
    start_container(engine, settings, RELEASE, Image("image", {}), Limits())
    assert "secret" not in engine.environment.values()
    served = load_settings(engine.environment)
    assert (served.require_signature, str(served.trust)) == (required, "/trust")
    (mount,) = (mount for mount in engine.mounts if mount["Target"] == "/trust")
    assert (mount["Source"], mount["ReadOnly"]) == ("perennial_trust", True)
