"""The settings while DAGs are made: as the environment holds them, or looked at once."""

from __future__ import annotations

from perennial_airflow.kept_settings import current_settings, kept_settings

from pipelines.settings import load_settings


def test_they_follow_the_environment_but_while_they_are_kept(tmp_path, monkeypatch):
    def move(home: str) -> None:
        monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path / home))

    move("first")
    with kept_settings():
        move("second")
        assert current_settings().home == tmp_path / "first"
    assert current_settings().home == tmp_path / "second"
    move("third")
    assert current_settings().home == tmp_path / "third"


def test_they_are_those_that_load_settings_finds_by_other_programs_variables_too(monkeypatch):
    """A step's container is on the engine of DOCKER_HOST, and its store at Google's endpoint."""
    monkeypatch.delenv("PERENNIAL_DOCKER_HOST", raising=False)
    monkeypatch.setenv("PERENNIAL_STORE", "gs://models/team")
    for number in (1, 2):
        monkeypatch.setenv("DOCKER_HOST", f"tcp://engine-{number}:2375")
        monkeypatch.setenv("GOOGLE_BASE_URL", f"https://storage-{number}.example.org")
        found = current_settings()
        assert found == load_settings()
        assert found.docker_host == f"tcp://engine-{number}:2375"
        assert found.store_endpoint == f"https://storage-{number}.example.org"
