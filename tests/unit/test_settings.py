import pytest
from sqlalchemy import make_url

from pipelines.errors import RequestError
from pipelines.settings import ODD, Settings, database_url, load_settings, without_password
from tests.conftest import ROOT


def test_every_setting_stands_in_the_documentation():
    text = (ROOT / "docs" / "settings.md").read_text()
    missing = [
        f"PERENNIAL_{name.upper()}"
        for name in Settings.model_fields
        if f"`PERENNIAL_{name.upper()}`" not in text
    ]
    assert missing == []


def test_every_documented_setting_is_there():
    import re

    text = (ROOT / "docs" / "settings.md").read_text()
    names = {f"PERENNIAL_{name.upper()}" for name in Settings.model_fields} | {
        "PERENNIAL_DATA",
        "PERENNIAL_REQUIRE_ENGINE",
        "PERENNIAL_REQUIRE_CLUSTER",
    }
    named = {
        n
        for n in re.findall(r"^- `(PERENNIAL_[A-Z_]+)`", text, flags=re.MULTILINE)
        if not n.startswith("PERENNIAL_SQL_")
    }
    assert named
    assert named - names == set()


def test_paths_count_from_home_and_urls_from_state(tmp_path):
    settings = load_settings({"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STATE": "elsewhere"})
    assert settings.store == f"{tmp_path}/elsewhere/store"
    assert settings.ledger_url == f"sqlite:///{tmp_path}/elsewhere/ledger/ledger.db"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("/big", "/big"),
        ("near", "{home}/near"),
        ("file:///big%20disk", "file:///big%20disk"),
        ("s3://bucket/models", "s3://bucket/models"),
    ],
)
def test_a_store_is_a_path_or_a_url(tmp_path, given, url):
    settings = load_settings({"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STORE": given})
    assert settings.store == settings.releases == url.format(home=tmp_path)


def test_the_folder_that_a_store_s_url_names_is_looked_at_like_any_other():
    with pytest.raises(RequestError, match=r"PERENNIAL_STORE: .*'#'"):
        load_settings({"PERENNIAL_STORE": "file:///a%23b"})
    with pytest.raises(RequestError, match="file:///absolute/path"):
        load_settings({"PERENNIAL_STORE": "file://elsewhere/folder"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERENNIAL_AIRFLOW_PORT", "99999"),
        ("PERENNIAL_THREADS", "many"),
        ("PERENNIAL_SERVING_PORT", "x"),
        ("PERENNIAL_BODY_LIMIT", "-1"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(RequestError, match=f"{name}: must be .*found '{value}'"):
        load_settings({name: value})


def test_a_wrong_one_of_another_program_is_named_by_that_program_s_variable():
    with pytest.raises(RequestError, match=r"^AWS_CA_BUNDLE: ") as refused:
        load_settings({"AWS_CA_BUNDLE": "a\x00b", "PERENNIAL_HOME": "/srv"})
    assert "PERENNIAL_STORE_CA" not in str(refused.value)


def test_a_default_that_follows_a_wrong_setting_is_no_fault_of_its_own():
    with pytest.raises(RequestError) as caught:
        load_settings({"PERENNIAL_SERVING_PORT": "x", "PERENNIAL_PLACE": "moon"})
    assert [line.split(":")[0] for line in caught.value.message.splitlines()] == [
        "PERENNIAL_SERVING_PORT",
        "PERENNIAL_PLACE",
    ]


def test_defaults_follow_a_change(tmp_path):
    settings = load_settings({"PERENNIAL_STATE": str(tmp_path / "a"), "DOCKER_HOST": "tcp://x:1"})
    changed = settings.replace(state=tmp_path / "b", serving_port=9)
    assert changed.store == changed.releases == f"{tmp_path}/b/store"
    assert (
        changed.mlflow_uri == changed.mlflow_database == f"sqlite:///{tmp_path}/b/mlflow/mlflow.db"
    )
    assert (changed.serving_url, changed.docker_host) == ("http://127.0.0.1:9", "tcp://x:1")
    assert [name for name in ("state", "store") if changed.is_set(name)] == ["state"]
    web = settings.replace(mlflow_uri="http://mlflow:5000")
    assert web.mlflow_database == f"sqlite:///{tmp_path}/a/mlflow/mlflow.db"


def test_all_wrong_settings_are_named_and_no_secret_is_shown():
    wrong = {
        "PERENNIAL_AIRFLOW_PORT": "x",
        "PERENNIAL_PLACE": "moon",
        "PERENNIAL_PROOF_TOKEN": "secret" * 30,
        "PERENNIAL_SIGNING_KEY": "secret" * 30,
    }
    with pytest.raises(RequestError) as caught:
        load_settings(wrong)
    assert caught.value.message.splitlines() == [
        "PERENNIAL_AIRFLOW_PORT: must be a whole number, found 'x'.",
        "PERENNIAL_SIGNING_KEY: must have at most 128 characters.",
        "PERENNIAL_PLACE: must be 'process', 'docker', 'kubernetes', found 'moon'.",
        "PERENNIAL_PROOF_TOKEN: must have at most 128 characters.",
    ]


@pytest.mark.parametrize("sign", [*ODD, "\n", "\t", "\x7f", "\udcff", "\u2028"])
@pytest.mark.parametrize(
    "name",
    ["HOME", "STATE", "STORE", "VERSIONS", "MLFLOW_ARTIFACTS", "GATEWAY", "RELEASES", "TRUST"],
)
def test_a_path_that_a_library_would_misread_is_refused_by_name(name, sign):
    with pytest.raises(RequestError) as refused:
        load_settings({f"PERENNIAL_{name}": f"/srv/a{sign}b/var"})
    assert refused.value.message.startswith(f"PERENNIAL_{name}: the path ")
    assert repr(sign) in refused.value.message


def test_what_lies_in_a_home_that_cannot_work_is_named_too(tmp_path):
    with pytest.raises(RequestError, match=r"PERENNIAL_HOME"):
        load_settings({"PERENNIAL_HOME": f"{tmp_path}/50%"})
    (tmp_path / "a#b").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a#b")
    with pytest.raises(RequestError, match=r"PERENNIAL_STATE: .*'#'"):
        load_settings({"PERENNIAL_STATE": f"{tmp_path}/link/var"})


@pytest.mark.parametrize(
    "path", ["/srv/my models", "/srv/Anna's", "/srv/模型/Überblick", "/srv/a&b;c,d=e+f@g~h!i^j(k)"]
)
def test_blanks_quotes_and_letters_of_any_language_work(path):
    settings = load_settings({"PERENNIAL_HOME": path})
    assert str(make_url(settings.ledger_url).database) == f"{path}/var/ledger/ledger.db"


def test_a_missing_database_names_its_setting():
    with pytest.raises(RequestError, match="PERENNIAL_SQL_SHOP"):
        database_url("shop", {})


def test_a_message_never_shows_a_password():
    assert without_password("postgresql://me:secret@db/shop") == "postgresql://db/shop"
    assert without_password("s3://bucket/key") == "s3://bucket/key"


def test_where_keys_are_trusted_signatures_are_required_unless_somebody_says_otherwise(tmp_path):
    environ = {"PERENNIAL_STATE": str(tmp_path)}
    assert not load_settings(environ).require_signature
    (tmp_path / "trust").mkdir()
    assert load_settings(environ).require_signature
    assert not load_settings({**environ, "PERENNIAL_REQUIRE_SIGNATURE": "false"}).require_signature
    elsewhere = {**environ, "PERENNIAL_TRUST": str(tmp_path / "elsewhere")}
    assert not load_settings(elsewhere).require_signature
