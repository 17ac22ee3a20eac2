"""`make secrets`: made once, at random, private; what is there stays.

A file that others may read is refused.
"""

from __future__ import annotations

import base64
import re
import stat
from pathlib import Path

import pytest
import yaml

from pipelines.signing.keys import SigningKey
from stack import compose_secrets
from stack.compose_secrets import SECRETS, SecretsError, check, main, make

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".env"


def values(file):
    return dict(
        line.split("=", 1)
        for line in file.read_text().splitlines()
        if line.startswith("PERENNIAL_SECRET_")
    )


def test_all_secrets_are_made_private_and_different(file, tmp_path):
    assert make(file) == list(SECRETS)
    make(tmp_path / "other")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first, other = values(file), values(tmp_path / "other")
    assert len({*first.values(), *other.values()}) == 2 * len(SECRETS)
    assert all(
        len(value) >= 32 and re.fullmatch(r"[A-Za-z0-9_=-]+", value) for value in first.values()
    )
    check(file)


def test_what_is_there_is_kept_and_what_is_missing_added(file):
    file.write_text(
        "PERENNIAL_BIND=0.0.0.0\nPERENNIAL_SECRET_MLFLOW=mine\nPERENNIAL_SECRET_AIRFLOW=\n# a word"
    )
    file.chmod(0o600)
    names = make(file)
    assert "PERENNIAL_SECRET_MLFLOW" not in names
    assert "PERENNIAL_SECRET_AIRFLOW" in names
    assert file.read_text().startswith("PERENNIAL_BIND=0.0.0.0\nPERENNIAL_SECRET_MLFLOW=mine\n")
    assert "\n# a word\n" in file.read_text()
    before = file.read_bytes()
    assert make(file) == []
    assert file.read_bytes() == before
    check(file)


@pytest.mark.parametrize("value", ["", " ", "''", '""', "  # later", "'' # later", "#later"])
def test_a_secret_that_is_only_a_comment_is_missing(file, value):
    file.write_text(f"PERENNIAL_SECRET_MLFLOW={value}\n")
    file.chmod(0o600)
    with pytest.raises(SecretsError, match="lacks"):
        check(file)
    assert "PERENNIAL_SECRET_MLFLOW" in make(file)
    check(file)


def test_a_file_elsewhere_names_itself_so_that_compose_looks_at_the_right_one(tmp_path):
    file = tmp_path / "a folder" / "mine.env"
    file.parent.mkdir()
    make(file)
    assert f"PERENNIAL_SECRETS_FILE='{file}'\n" in file.read_text()
    check(file)
    file.write_text(file.read_text().replace("mine.env", "other.env"))
    for command in (make, check):
        with pytest.raises(SecretsError, match="another file"):
            command(file)
    file.write_text(
        "".join(
            line
            for line in file.read_text().splitlines(keepends=True)
            if "SECRETS_FILE" not in line
        )
    )
    with pytest.raises(SecretsError, match="PERENNIAL_SECRETS_FILE"):
        check(file)
    assert make(file) == []
    check(file)


def test_the_default_file_needs_no_name(file, monkeypatch):
    monkeypatch.setattr(compose_secrets, "FILE", file)
    make(file)
    assert "SECRETS_FILE" not in file.read_text()
    check(file)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o606, 0o620])
def test_a_file_that_others_may_read_is_refused_with_the_command_that_mends_it(file, mode):
    make(file)
    before = file.read_bytes()
    file.chmod(mode)
    for command in (make, check):
        with pytest.raises(SecretsError, match=f"chmod 600 {file}"):
            command(file)
    assert file.read_bytes() == before
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_is_refused(file, tmp_path):
    make(tmp_path / "real")
    file.symlink_to(tmp_path / "real")
    with pytest.raises(SecretsError, match="make secrets"):
        make(file)


def test_the_check_names_what_is_missing(file, capsys):
    assert main(["--check", str(file)]) == 1
    assert "make secrets" in capsys.readouterr().err
    assert not file.exists()
    assert main([str(file)]) == 0
    output = capsys.readouterr().out
    assert not any(value in output for value in values(file).values())
    assert main(["--check", str(file)]) == 0


def test_compose_asks_for_every_secret_and_for_no_other():
    text = (ROOT / "docker-compose.yml").read_text()
    references = re.findall(r"\$\{(PERENNIAL_SECRET_[A-Z_]+)(.*?)\}", text)
    assert {name for name, _ in references if name != "PERENNIAL_SECRETS_FILE"} == set(SECRETS)
    assert {how for name, how in references if name in SECRETS} == {
        ":?is not set. Run `make secrets`"
    }


def test_git_and_the_builds_ignore_the_file():
    assert {".env", ".env.*"} <= set((ROOT / ".gitignore").read_text().splitlines())
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert compose_secrets.FILE == ROOT / ".env"


def test_a_new_signing_key_takes_the_place_of_the_old_one_and_all_else_stays(file, capsys):
    file.write_text("# mine\nPERENNIAL_BIND=0.0.0.0\n")
    file.chmod(0o600)
    make(file)
    before = file.read_text().splitlines()
    file.write_text("\n".join(before))  # as editors leave it
    assert main(["--new-signing-key", str(file)]) == 0
    after = file.read_text().splitlines()
    assert len(after) == len(before)
    old, new = set(before) - set(after), set(after) - set(before)
    assert [line.split("=")[0] for line in (*old, *new)] == ["PERENNIAL_SECRET_SIGNING"] * 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    check(file)
    key = values(file)["PERENNIAL_SECRET_SIGNING"]
    assert len(SigningKey(base64.urlsafe_b64decode(key)).public) == 32
    assert key not in capsys.readouterr().out


def test_a_new_signing_key_is_refused_where_compose_would_refuse_the_file(file, capsys):
    assert main(["--new-signing-key", str(file)]) == 1
    make(file)
    file.chmod(0o644)
    before = file.read_bytes()
    assert main(["--new-signing-key", str(file)]) == 1
    assert file.read_bytes() == before
    assert "chmod 600" in capsys.readouterr().err


def test_compose_hands_the_signing_key_to_those_alone_who_sign():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    holders = {
        name
        for name, service in services.items()
        if "PERENNIAL_SIGNING_KEY" in (service.get("environment") or {})
    }
    assert holders == {"init", "scheduler", "worker", "perennial"}
    mounts = {
        name
        for name, service in services.items()
        if any(str(volume).startswith("trust:") for volume in service.get("volumes", []))
    }
    assert mounts == {"init", "perennial"}
