"""Which bucket a URL and the settings name."""

import pytest
from obstore.exceptions import GenericError

from pipelines.errors import RequestError
from pipelines.settings import load_settings
from pipelines.store.bucket.address import artifacts_url, bucket_address
from pipelines.store.bucket.client import Client
from pipelines.store.bucket.failures import name_failure
from pipelines.store.bucket.store import BucketStore
from pipelines.store.local import folder_of
from pipelines.store.opening import open_store

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
"""What begins and ends as one."""


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


class TestWhereTheKeyWasReadFrom:
    """A message names the variable that counts: ours, or the cloud's own."""

    @pytest.mark.parametrize(
        ("store", "theirs"),
        [
            ("s3://models", "AWS_SHARED_CREDENTIALS_FILE"),
            ("gs://models", "GOOGLE_APPLICATION_CREDENTIALS"),
        ],
    )
    def test_a_file_without_a_key_is_named_with_its_variable(self, tmp_path, store, theirs):
        ours, file = "PERENNIAL_STORE_CREDENTIALS", tmp_path / "key"
        file.write_text("hidden")
        for mode, words in ((0o644, "others can read"), (0o600, "cannot be read")):
            file.chmod(mode)
            for given, not_given in ((theirs, ours), (ours, theirs)):
                settings = load_settings({"PERENNIAL_STORE": store, given: str(file)})
                with pytest.raises(RequestError, match=words) as refused:
                    bucket_address(store, settings)
                assert f"{given}={file}" in refused.value.message
                assert not_given not in str(refused.value)

    def test_ours_counts_first_and_is_named(self, tmp_path, key_file):
        environ = {
            "PERENNIAL_STORE": "s3://models",
            "AWS_SHARED_CREDENTIALS_FILE": str(key_file),
            "PERENNIAL_STORE_CREDENTIALS": str(tmp_path / "none"),
        }
        with pytest.raises(RequestError, match=r"PERENNIAL_STORE_CREDENTIALS=.*none"):
            bucket_address("s3://models", load_settings(environ))

    @pytest.mark.parametrize("variable", ["PERENNIAL_STORE_CA", "AWS_CA_BUNDLE"])
    @pytest.mark.parametrize("text", [None, "", "no certificate", CERTIFICATE])
    def test_certificates_that_cannot_be_read_are_named(self, tmp_path, variable, text):
        file = tmp_path / "ca.pem"
        if text is not None:
            file.write_text(text)
        settings = load_settings({"PERENNIAL_STORE": "s3://models", variable: str(file)})
        with pytest.raises(RequestError, match=rf"{variable}=.*ca\.pem: no certificates"):
            Client(bucket_address("s3://models", settings))

    def test_settings_that_were_changed_know_it_still(self, key_file):
        settings = load_settings({"AWS_SHARED_CREDENTIALS_FILE": str(key_file)})
        assert settings.replace(store_region="x").variable("store_credentials") == (
            "AWS_SHARED_CREDENTIALS_FILE"
        )
        other = settings.replace(store_credentials=key_file)
        assert other.variable("store_credentials") == "PERENNIAL_STORE_CREDENTIALS"

    def test_keys_that_are_not_taken_are_named_as_well(self, key_file, monkeypatch):
        refused = GenericError("status code: 403 <Code>InvalidAccessKeyId</Code>")
        held = load_settings({"AWS_SHARED_CREDENTIALS_FILE": str(key_file)})
        by_file = bucket_address("s3://models", held)
        found = name_failure(refused, by_file, "read", "x")
        assert found.remedy == f"correct or renew them: AWS_SHARED_CREDENTIALS_FILE={key_file}."
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hidden")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
        by_variables = bucket_address("s3://models", load_settings({}))
        found = name_failure(refused, by_variables, "read", "x")
        assert found.remedy == ("correct or renew them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.")


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
