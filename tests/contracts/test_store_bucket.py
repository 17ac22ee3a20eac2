"""The store in a bucket of S3: its rights, policies, clock and encryption.

What every service can do to a store is in `test_store_services.py`.
"""

import json
from dataclasses import replace

import pytest

from pipelines.errors import Denied, RequestError
from tests.bad_network import bad_network
from tests.buckets import LARGE, bucket_store, real_endpoint


def calls(store):
    ref = store.put(b"rows")
    return {
        "get": lambda: store.get(ref),
        "read": lambda: store.read("k/one"),
        "keys": lambda: store.keys("k"),
        "put": lambda: store.put(b"more"),
        "publish": lambda: store.publish("k/two", b"x"),
        "contents": lambda: list(store.contents("objects")),
    }


class TestTheBucket:
    @pytest.mark.parametrize(
        ("call", "method", "right", "resource"),
        [
            ("get", "GET", "s3:GetObject", "/*"),
            ("put", "PUT", "s3:PutObject", "/*"),
            ("keys", "GET", "s3:ListBucket", ""),
            ("contents", "GET", "s3:ListBucket", ""),
        ],
    )
    def test_a_right_that_is_missing_is_named_with_its_resource(
        self, far, network, call, method, right, resource
    ):
        asked = calls(far)[call]
        network.refuse(method, 403, "AccessDenied")
        bucket, prefix = far.address.bucket, far.address.prefix
        arn = f"arn:aws:s3:::{bucket}/{prefix}/*" if resource else f"arn:aws:s3:::{bucket}"
        with pytest.raises(Denied, match=rf"the right {right} is missing") as denied:
            asked()
        assert arn in denied.value.remedy

    @pytest.mark.cluster
    def test_what_a_policy_forbids_is_named(self, tmp_path):
        endpoint = real_endpoint()  # moto keeps no policies
        with endpoint.bucket() as address:
            self.forbid_to_write(endpoint, bucket_store(address, tmp_path))

    def forbid_to_write(self, endpoint, in_bucket):
        ref = in_bucket.put(b"rows")
        bucket = in_bucket.address.bucket
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        endpoint.boto().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        try:
            with pytest.raises(Denied, match="the right s3:PutObject is missing"):
                in_bucket.put(b"more")
            assert in_bucket.get(ref) == b"rows"
        finally:
            endpoint.boto().delete_bucket_policy(Bucket=bucket)

    @pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
    def test_wrong_credentials_are_named_and_never_shown(self, far, network, code):
        network.refuse("PUT", 403, code)
        with pytest.raises(Denied, match=rf"does not take the credentials \({code}\)") as denied:
            far.put(b"rows")
        assert far.address.credentials.secret not in str(denied.value)
        assert far.address.credentials.secret not in repr(far.address)

    def test_a_clock_that_is_wrong_is_named(self, far, network):
        network.refuse("PUT", 403, "RequestTimeTooSkewed")
        with pytest.raises(RequestError, match="the clock of this machine"):
            far.put(b"rows")

    @pytest.mark.slow
    def test_an_endpoint_that_lets_the_second_writer_win_is_refused(self, moto_endpoint, tmp_path):
        # of a real endpoint the condition cannot be taken away: it is signed
        with moto_endpoint.bucket() as address, bad_network(address.endpoint) as network:
            far = bucket_store(replace(address, endpoint=network.url), tmp_path / "far")
            network.ignores_conditions = True
            with pytest.raises(RequestError, match="ignores If-None-Match"):
                far.publish("results/k", b"one")
            assert far.read("results/k") is None
            network.ignores_conditions = False
            assert far.publish("results/k", b"one")

    @pytest.mark.slow
    def test_what_is_written_is_encrypted_as_the_settings_say(self, moto_endpoint, tmp_path):
        with moto_endpoint.bucket(encryption="aws:kms", kms_key="key-1") as address:
            store = bucket_store(address, tmp_path)
            store.publish("k/one", b"{}")
            for path in (store.put(b"rows").uri, store.put(LARGE).uri, "keys/k/one"):
                head = moto_endpoint.boto().head_object(
                    Bucket=address.bucket, Key=f"{address.prefix}/{path}"
                )
                assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "key-1")

    def test_an_encryption_that_the_endpoint_lacks_is_named(self, far, network):
        network.refuse("PUT", 400, "InvalidRequest")
        with pytest.raises(RequestError, match="InvalidRequest") as refused:
            far.put(b"rows")
        assert "PERENNIAL_STORE_ENCRYPTION" in refused.value.remedy
