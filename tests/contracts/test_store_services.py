"""The store in a bucket of every service: what its endpoint and the way to it can do to it.

What every store promises is tested on them by `test_store.py`; what one service alone says, by
`test_store_bucket.py` (S3), `test_store_azure.py` and `test_store_google.py`.
"""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from pipelines.errors import RequestError, Unreachable
from pipelines.store.bucket.probe import probe
from pipelines.store.bucket.services import SERVICES
from pipelines.store.numbered import publish_next
from tests.bad_network import ALWAYS, bad_network, self_signed
from tests.buckets import LARGE, bucket_store
from tests.services import on_every_service

pytestmark = on_every_service


class TestTheBucket:
    def test_a_missing_one_is_named_by_every_call(self, endpoint, in_bucket, tmp_path):
        ref = in_bucket.put(b"rows")
        store = bucket_store(endpoint.address(), tmp_path / "other")
        word = SERVICES[store.address.scheme].bucket
        for call in (
            lambda: store.get(ref),
            lambda: store.read("k/one"),
            lambda: store.keys("k"),
            lambda: store.put(b"more"),
            lambda: store.put(LARGE),
            lambda: store.publish("k/two", b"x"),
            lambda: list(store.contents("objects")),
        ):
            with pytest.raises(RequestError, match=f"no {word} {store.address.bucket} at http"):
                call()

    def test_a_certificate_that_nobody_vouches_for_is_named_until_it_is_trusted(
        self, address, tmp_path
    ):
        with_key, public = self_signed(tmp_path)
        with bad_network(address.endpoint, with_key) as network:
            wary = replace(
                address, endpoint=network.url + urlsplit(address.endpoint).path, retry_seconds=5
            )
            with pytest.raises(RequestError, match=r"certificate of https://.* is not trusted"):
                bucket_store(wary, tmp_path / "one").put(b"rows")
            trusting = bucket_store(replace(wary, ca=public), tmp_path / "two")
            assert trusting.get(trusting.put(b"rows")) == b"rows"

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

    def test_a_listing_that_comes_late_loses_nothing(self, far, network):
        assert far.keys("pages") == []
        network.listings_come_late = True
        numbers = [publish_next(far, "pages/", data).number for data in (b"a", b"b", b"b")]
        assert (far.keys("pages"), numbers) == ([], [1, 2, 2])
        network.listings_come_late = False
        assert [far.read(key) for key in far.keys("pages")] == [b"a", b"b"]
