"""Which bucket a URL and the settings name."""

import pytest

from pipelines.errors import RequestError
from pipelines.settings import load_settings
from pipelines.store.bucket.address import bucket_address, read_credentials
from pipelines.store.bucket.store import BucketStore
from pipelines.store.local import folder_of
from pipelines.store.opening import open_store

KEYS = """[default]
aws_access_key_id = id-of-default
aws_secret_access_key = secret-of-default

[other]
aws_access_key_id = id-of-other
aws_secret_access_key = secret%of-other
aws_session_token = token-of-other
"""


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "credentials"
    file.write_text(KEYS)
    file.chmod(0o600)
    return file


class TestTheURL:
    @pytest.mark.parametrize(
        ("url", "bucket", "prefix"),
        [
            ("s3://models", "models", ""),
            ("s3://models/", "models", ""),
            ("s3://my.models-2/a/b/", "my.models-2", "a/b"),
            ("s3://models/a%20team/state", "models", "a team/state"),
        ],
    )
    def test_it_names_a_bucket_and_a_folder_in_it(self, url, bucket, prefix):
        address = bucket_address(url, load_settings({}))
        assert (address.bucket, address.prefix) == (bucket, prefix)
        assert address.url == f"s3://{bucket}/{prefix}".rstrip("/")

    @pytest.mark.parametrize(
        "url",
        [
            "s3://",
            "s3:///prefix",
            "s3://AB/prefix",
            "s3://ab",
            "s3://models/../other",
            "s3://models/a//b",
            "s3://models/.hidden",
            "s3://models?versionId=1",
            "s3://models:443/a",
            "s3://me:hidden@models/a",
        ],
    )
    def test_what_names_none_is_refused_without_its_password(self, url):
        with pytest.raises(RequestError, match="names no bucket") as refused:
            bucket_address(url, load_settings({}))
        assert "hidden@" not in str(refused.value)

    def test_arns_are_those_of_a_policy(self):
        address = bucket_address("s3://models/team", load_settings({}))
        assert address.arn() == "arn:aws:s3:::models"
        assert address.arn("*") == "arn:aws:s3:::models/team/*"
        whole = bucket_address("s3://models", load_settings({}))
        assert whole.arn("*") == "arn:aws:s3:::models/*"


class TestTheSettings:
    def test_those_of_other_programs_count_where_ours_are_not_set(self, key_file):
        environ = {
            "AWS_ENDPOINT_URL": "https://objects.example.org/",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_SHARED_CREDENTIALS_FILE": str(key_file),
            "AWS_CA_BUNDLE": "/etc/ca.pem",
        }
        address = bucket_address("s3://models", load_settings(environ))
        assert (address.endpoint, address.region) == (
            "https://objects.example.org",
            "eu-central-1",
        )
        assert address.credentials is not None
        assert address.credentials.key_id == "id-of-default"
        assert str(address.ca) == "/etc/ca.pem"
        ours = {**environ, "PERENNIAL_STORE_ENDPOINT": "https://other.example.org"}
        address = bucket_address("s3://models", load_settings(ours))
        assert address.endpoint == "https://other.example.org"

    def test_an_unknown_encryption_is_refused(self):
        with pytest.raises(RequestError, match="PERENNIAL_STORE_ENCRYPTION"):
            load_settings({"PERENNIAL_STORE_ENCRYPTION": "rot13"})

    def test_a_bucket_is_opened_without_being_asked(self, tmp_path):
        environ = {
            "PERENNIAL_STATE": str(tmp_path),
            "PERENNIAL_STORE": "s3://models/team",
            "PERENNIAL_STORE_ENDPOINT": "http://127.0.0.1:1",
        }
        settings = load_settings(environ)
        store = open_store(settings.store, settings)
        assert isinstance(store, BucketStore)
        assert store.folder == tmp_path / "bucket"
        assert folder_of(store) is None
        assert not store.folder.exists()


class TestCredentials:
    def test_they_are_of_the_profile_that_is_named(self, key_file, monkeypatch):
        assert read_credentials(key_file).key_id == "id-of-default"
        monkeypatch.setenv("AWS_PROFILE", "other")
        found = read_credentials(key_file)
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
            read_credentials(key_file)

    @pytest.mark.parametrize("text", ["", "secret-of-default", "[default]\nregion = x", "\x00"])
    def test_a_file_without_a_key_is_refused_and_not_shown(self, key_file, text):
        key_file.write_text(text)
        with pytest.raises(RequestError, match="PERENNIAL_STORE_CREDENTIALS") as refused:
            read_credentials(key_file)
        assert "secret-of" not in str(refused.value)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(RequestError, match="cannot be read"):
            read_credentials(tmp_path / "none")


AZURE = {"PERENNIAL_STORE": "az://models/team", "PERENNIAL_STORE_ACCOUNT": "ours"}


class TestAzure:
    def test_a_container_of_an_account_is_named(self):
        address = bucket_address("az://models/team", load_settings(AZURE))
        assert (address.scheme, address.account, address.url) == ("az", "ours", "az://models/team")
        theirs = {"PERENNIAL_STORE": "az://models", "AZURE_STORAGE_ACCOUNT_NAME": "theirs"}
        assert bucket_address("az://models", load_settings(theirs)).account == "theirs"

    def test_what_is_set_for_aws_is_not_taken_for_azure(self, key_file):
        aws = {"AWS_ENDPOINT_URL": "https://s3", "AWS_SHARED_CREDENTIALS_FILE": str(key_file)}
        address = bucket_address("az://models/team", load_settings(AZURE | aws))
        assert (address.endpoint, address.credentials) == ("", None)

    def test_a_key_is_read_from_a_file(self, tmp_path):
        file = tmp_path / "azure"
        file.write_text("[default]\nazure_storage_account_key = a2V5\n")
        file.chmod(0o600)
        assert read_credentials(file, "az").secret == "a2V5"
        file.write_text(KEYS)
        with pytest.raises(RequestError, match="holds no azure_storage_account_key"):
            read_credentials(file, "az")

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"PERENNIAL_STORE_ACCOUNT": ""}, "no account is named"),
            ({"PERENNIAL_STORE_ENCRYPTION": "AES256"}, "are of S3"),
        ],
    )
    def test_settings_that_azure_lacks_or_does_not_know_are_refused(self, more, words):
        with pytest.raises(RequestError, match=words):
            bucket_address("az://models", load_settings(AZURE | more))
