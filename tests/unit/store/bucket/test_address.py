"""Which bucket a URL and the settings name."""

import pytest

from pipelines.errors import RequestError
from pipelines.settings import load_settings
from pipelines.store.bucket.address import artifacts_url, bucket_address
from pipelines.store.bucket.store import BucketStore
from pipelines.store.local import folder_of
from pipelines.store.opening import open_store


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
            "s3://my_models",
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


class TestGoogle:
    def test_a_bucket_is_named(self):
        address = bucket_address("gs://my_models/team", load_settings({}))
        assert (address.scheme, address.bucket, address.prefix) == ("gs", "my_models", "team")
        assert (address.url, address.credentials) == ("gs://my_models/team", None)

    def test_its_own_variables_count_and_those_of_others_do_not(self, key_file, google_file):
        environ = {
            "PERENNIAL_STORE": "gs://models/team",
            "GOOGLE_BASE_URL": "https://storage.example.org/",
            "GOOGLE_APPLICATION_CREDENTIALS": str(google_file),
            "AWS_ENDPOINT_URL": "https://s3",
            "AWS_SHARED_CREDENTIALS_FILE": str(key_file),
            "AWS_CA_BUNDLE": "/etc/ca.pem",
        }
        address = bucket_address("gs://models/team", load_settings(environ))
        assert (address.endpoint, address.ca) == ("https://storage.example.org", None)
        assert address.credentials is not None
        assert address.credentials.key_id == "perennial@tests"
        s3 = load_settings(environ | {"PERENNIAL_STORE": "s3://models/team"})
        assert bucket_address("s3://models/team", s3).endpoint == "https://s3"
        assert s3.store_credentials == key_file

    def test_what_a_name_may_hold_is_said_as_it_is_there(self):
        for scheme, has in (("gs", True), ("s3", False)):
            with pytest.raises(RequestError) as refused:
                bucket_address(f"{scheme}://My_Models", load_settings({}))
            assert ("underscores" in refused.value.remedy) == has

    def test_settings_that_google_does_not_know_are_refused(self):
        settings = load_settings({"PERENNIAL_STORE_KMS_KEY": "key-1"})
        with pytest.raises(RequestError, match="are of S3; Google encrypts"):
            bucket_address("gs://models", settings)

    @pytest.mark.parametrize("store", ["az://models", "gs://models"])
    def test_artifacts_lie_where_they_do_beside_a_folder(self, store):
        settings = load_settings({"PERENNIAL_STORE": store, "PERENNIAL_STORE_ACCOUNT": "ours"})
        assert settings.has_bucket
        assert artifacts_url(settings) == ""
