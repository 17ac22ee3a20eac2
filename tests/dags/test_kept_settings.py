"""The settings while DAGs are made: as the environment holds them, or looked at once."""

from __future__ import annotations

from perennial_airflow.kept_settings import current_settings, kept_settings


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
