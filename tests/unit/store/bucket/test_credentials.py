"""Which key a file holds."""

import json

import pytest

from pipelines.errors import RequestError
from pipelines.store.bucket.credentials import read_credentials
from tests.unit.store.bucket.conftest import KEYS

OURS = "PERENNIAL_STORE_CREDENTIALS"


class TestCredentials:
    def test_they_are_of_the_profile_that_is_named(self, key_file, monkeypatch):
        assert read_credentials(key_file, OURS).key_id == "id-of-default"
        monkeypatch.setenv("AWS_PROFILE", "other")
        found = read_credentials(key_file, OURS)
        assert (found.key_id, found.secret, found.token) == (
            "id-of-other",
            "secret%of-other",
            "token-of-other",
        )
        assert "secret" not in repr(found)
        assert "token-of" not in repr(found)

    def test_a_file_that_others_can_read_is_refused(self, key_file):
        key_file.chmod(0o640)
        with pytest.raises(RequestError, match="others can read the file"):
            read_credentials(key_file, OURS)

    @pytest.mark.parametrize("text", ["", "secret-of-default", "[default]\nregion = x", "\x00"])
    def test_a_file_without_a_key_is_refused_and_not_shown(self, key_file, text):
        key_file.write_text(text)
        with pytest.raises(RequestError, match="PERENNIAL_STORE_CREDENTIALS") as refused:
            read_credentials(key_file, OURS)
        assert "secret-of" not in str(refused.value)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(RequestError, match="cannot be read"):
            read_credentials(tmp_path / "none", OURS)


class TestAzure:
    def test_a_key_is_read_from_a_file(self, tmp_path):
        file = tmp_path / "azure"
        file.write_text("[default]\nazure_storage_account_key = a2V5\n")
        file.chmod(0o600)
        assert read_credentials(file, OURS, "az").secret == "a2V5"
        file.write_text(KEYS)
        with pytest.raises(RequestError, match="holds no azure_storage_account_key"):
            read_credentials(file, OURS, "az")


class TestGoogle:
    def test_the_key_is_a_service_account_s_whole_file(self, google_file):
        found = read_credentials(google_file, OURS, "gs")
        assert found is not None
        assert (found.key_id, found.secret) == ("perennial@tests", google_file.read_text())
        assert "PRIVATE" not in repr(found)

    def test_a_person_s_login_is_no_key(self, google_file):
        google_file.write_text('{"type": "authorized_user", "refresh_token": "hidden"}')
        assert read_credentials(google_file, OURS, "gs") is None

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("hidden", "cannot be read"),
            ("[]", "no service account's file"),
            ('{"type": "external_account", "audience": "hidden"}', "no service account's file"),
            ('{"type": "service_account", "private_key": "hidden"}', "no service account's file"),
            (KEYS, "cannot be read"),
        ],
    )
    def test_another_file_is_refused_and_not_shown(self, google_file, text, words):
        google_file.write_text(text)
        with pytest.raises(RequestError, match=words) as refused:
            read_credentials(google_file, OURS, "gs")
        shown = str(refused.value) + refused.value.remedy
        assert "hidden" not in shown
        assert "secret-of" not in shown

    def test_one_that_others_can_read_is_refused(self, google_file):
        google_file.chmod(0o644)
        with pytest.raises(RequestError, match="others can read the file"):
            read_credentials(google_file, OURS, "gs")

    def test_whole_keys_alone_are_taken(self, google_file):
        held = json.loads(google_file.read_text())
        for name in ("client_email", "private_key", "private_key_id"):
            google_file.write_text(json.dumps({**held, name: ""}))
            with pytest.raises(RequestError, match=name):
                read_credentials(google_file, OURS, "gs")
