"""The store in a bucket: what only an endpoint and the way to it can do to it."""

import json
from dataclasses import replace

import pytest

from pipelines.errors import Denied, RequestError, Unreachable
from pipelines.store.bucket.client import PART_BYTES
from pipelines.store.bucket.probe import probe
from tests.bad_network import ALWAYS, bad_network, self_signed
from tests.buckets import bucket_store, real_endpoint

LARGE = bytes(range(256)) * (PART_BYTES // 256 * 5 // 2)
"""Two and a half parts."""


@pytest.fixture
def impatient(far, tmp_path):
    return bucket_store(replace(far.address, retry_seconds=0.5), tmp_path / "impatient")


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
    def test_a_missing_bucket_is_named_by_every_call(self, endpoint, in_bucket, tmp_path):
        ref = in_bucket.put(b"rows")
        store = bucket_store(endpoint.address(), tmp_path / "other")
        for call in (
            lambda: store.get(ref),
            lambda: store.read("k/one"),
            lambda: store.keys("k"),
            lambda: store.put(b"more"),
            lambda: store.put(LARGE),
            lambda: store.publish("k/two", b"x"),
            lambda: list(store.contents("objects")),
        ):
            with pytest.raises(RequestError, match=f"no bucket {store.address.bucket} at http"):
                call()

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

    def test_a_certificate_that_nobody_vouches_for_is_named_until_it_is_trusted(
        self, address, tmp_path
    ):
        with_key, public = self_signed(tmp_path)
        with bad_network(address.endpoint, with_key) as network:
            wary = replace(address, endpoint=network.url, retry_seconds=5)
            with pytest.raises(RequestError, match=r"certificate of https://.* is not trusted"):
                bucket_store(wary, tmp_path / "one").put(b"rows")
            trusting = bucket_store(replace(wary, ca=public), tmp_path / "two")
            assert trusting.get(trusting.put(b"rows")) == b"rows"

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

    def test_a_probe_leaves_nothing_behind(self, in_bucket):
        probe(in_bucket.client)
        assert list(in_bucket.client.all("probes")) == []


class TestABadWay:
    def test_what_is_throttled_is_tried_again(self, far, network):
        ref = far.put(b"rows")
        for method in ("PUT", "GET"):
            network.refuse(method, 503, "SlowDown", times=4)
        assert far.put(b"more")
        assert far.get(ref) == b"rows"
        assert network.answers["PUT", 503] == network.answers["GET", 503] == 4

    def test_what_is_throttled_for_ever_is_named(self, impatient, network):
        network.refuse("PUT", 503, "SlowDown")
        with pytest.raises(Unreachable, match="it answered SlowDown"):
            impatient.put(b"rows")

    def test_an_endpoint_that_is_away_is_named(self, address, tmp_path):
        away = replace(address, endpoint="http://127.0.0.1:1", retry_seconds=0.5)
        with pytest.raises(Unreachable, match="no answer came"):
            bucket_store(away, tmp_path / "away").put(b"rows")

    def test_an_upload_that_is_cut_is_begun_again(self, far, network, in_bucket):
        network.cut_uploads = 3
        ref = far.put(LARGE)
        assert network.cut_uploads == 0
        assert in_bucket.get(ref) == LARGE

    @pytest.mark.parametrize("data", [b"rows" * 1000, LARGE], ids=["one piece", "parts"])
    def test_an_upload_that_is_always_cut_leaves_no_half_object(
        self, impatient, network, in_bucket, data
    ):
        network.cut_uploads = ALWAYS
        with pytest.raises(Unreachable, match=r"nothing was half-written"):
            impatient.put(data)
        assert list(in_bucket.contents("objects")) == []

    def test_a_download_that_is_cut_is_begun_again(self, far, network, in_bucket):
        ref = in_bucket.put(LARGE)
        network.cut_downloads = 2
        assert far.get(ref) == LARGE
        assert network.cut_downloads == 0

    def test_a_write_whose_answer_was_lost_is_known_as_ones_own(self, far, network, in_bucket):
        assert far.publish("results/other", b"{}")
        network.lost_answers = 1
        assert far.publish("results/k", b"first")
        assert network.lost_answers == 0
        assert not far.publish("results/k", b"first")
        assert in_bucket.read("results/k") == b"first"
