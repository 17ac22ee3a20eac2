"""What the composed stack hands on of a store in a bucket."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml

from pipelines.settings import KEY_VARIABLES
from stack.layout import CHECKOUT

COMPOSED = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
ALL_KEYS = [name for names in KEY_VARIABLES.values() for name in names]
INIT = runpy.run_path(str(CHECKOUT / "docker" / "compose" / "init.py"))
GIVEN = "${PERENNIAL_STORE_CA:-/dev/null}:/run/store-ca.pem:ro"


@pytest.mark.parametrize("name", ["airflow", "scheduler", "worker", "perennial", "init"])
def test_a_key_to_a_bucket_of_any_service_is_handed_on_where_it_is_set(name):
    told = COMPOSED["services"][name]["environment"]
    assert {told.get(key, "none") for key in ALL_KEYS} == {None}
    assert told["PERENNIAL_STORE_ACCOUNT"] == "${PERENNIAL_STORE_ACCOUNT:-}"


def test_mlflow_s_server_holds_no_key_but_to_s3():
    told = COMPOSED["services"]["mlflow"]["environment"]
    assert {key for key in ALL_KEYS if key in told} == set(KEY_VARIABLES["AWS"])


def test_the_host_s_certificates_are_put_where_all_containers_of_steps_see_them():
    told = COMPOSED["x-airflow-environment"]["PERENNIAL_STORE_CA"]
    assert told == "${PERENNIAL_STORE_CA:+/state/store-ca.pem}"
    assert INIT["CERTIFICATES"] == Path("/state/store-ca.pem")
    for name in ("init", "mlflow"):
        assert GIVEN in COMPOSED["services"][name]["volumes"]


def test_certificates_come_and_go_with_the_host_s_file(tmp_path):
    given, kept = tmp_path / "given.pem", tmp_path / "store-ca.pem"
    put = INIT["put_certificates"]
    put(given, kept)
    assert not kept.exists()
    given.write_bytes(b"of ours")
    put(given, kept)
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (b"of ours", 0o600)
    put(Path("/dev/null"), kept)
    assert list(tmp_path.iterdir()) == [given]


def test_a_file_of_certificates_that_is_not_there_is_named_and_not_its_mode(tmp_path):
    """Docker makes a folder of it before the container starts."""
    with pytest.raises(SystemExit, match="PERENNIAL_STORE_CA names no file"):
        INIT["put_certificates"](tmp_path, tmp_path / "store-ca.pem")
