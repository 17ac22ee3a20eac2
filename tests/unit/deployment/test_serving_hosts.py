"""Several hosts that serve all models: a release serves when each of them serves it."""

from __future__ import annotations

import pytest

from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment.process_target import ProcessTarget
from pipelines.deployment.serving_client import Refusal, Serves
from pipelines.deployment.serving_hosts import Hosts, serving_hosts
from pipelines.errors import Refused, RequestError, Unreachable
from pipelines.settings import load_settings
from pipelines.store.sealing import read_entry
from tests.unit.steps.deployments import (
    MODEL,
    assert_all_agree,
    deploy_request,
    deploy_version,
    world_to_deploy,
)


class Host:
    """A host that follows the store as far as it has come, but for what it refuses."""

    def __init__(self, context, until=10**6, refuses=()):
        self.store, self.until, self.refuses = context.ports.store, until, refuses

    def model(self, name):
        numbers = [int(k.rpartition("/")[2]) for k in self.store.keys(f"releases/{name}")]
        numbers = [n for n in numbers if n <= self.until]
        good = [n for n in numbers if n not in self.refuses]
        bad = [{"release": n, "reason": "it differs", "since": "now"} for n in self.refuses]
        refused = [
            body for body in bad if body["release"] in numbers and body["release"] > good[-1]
        ]
        return {
            "release": good[-1] if good else None,
            "version": self._version(name, good[-1]) if good else None,
            "refused": refused[-1] if refused else None,
        }

    def _version(self, name, number):
        return read_entry(self.store, release_key(name, number), Release).version


class Away:
    def model(self, name):
        raise Unreachable(f"The server does not answer at http://b/models/{name}.")


@pytest.fixture
def world():
    """A world whose version 1 serves everywhere."""
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None), Hosts([Host(world.context)]))
    return world


def test_where_one_lags_behind_the_release_is_not_served_yet(world):
    slow = Host(world.context, until=1)
    hosts = Hosts([Host(world.context), slow])
    with pytest.raises(Unreachable, match=r"has not taken release 2 .* \(it serves 1\)"):
        deploy_version(world, deploy_request(world, "2", "1"), hosts)
    assert world.context.ports.ledger.champion(MODEL).version == "1"
    slow.until = 2
    deploy_version(world, deploy_request(world, "2", "1"), hosts)
    assert_all_agree(world, "2", hosts)


def test_what_one_refuses_none_serves(world):
    hosts = Hosts([Host(world.context), Host(world.context, refuses=(2,))])
    with pytest.raises(Refused, match="it differs"):
        deploy_version(world, deploy_request(world, "2", "1"), hosts)
    assert_all_agree(world, "1", hosts)


def test_one_that_is_away_is_named_and_nothing_is_crowned(world):
    hosts = Hosts([Host(world.context), Away()])
    with pytest.raises(Unreachable, match="http://b/models") as failure:
        deploy_version(world, deploy_request(world, "2", "1"), hosts)
    assert "take it out of PERENNIAL_SERVING_URL" in failure.value.remedy
    assert world.context.ports.ledger.champion(MODEL).version == "1"


def test_what_hosts_serve_that_is_not_crowned_is_taken_back_by_the_next_run(world):
    up = Host(world.context)
    with pytest.raises(Unreachable):
        deploy_version(world, deploy_request(world, "2", "1"), Hosts([up, Away()]))
    assert up.model(MODEL)["version"] == "2"
    ProcessTarget(Hosts([up])).follow(
        world.context, world.context.ports.ledger.champion(MODEL), under_way=""
    )
    assert up.model(MODEL)["version"] == "1"


def test_it_says_what_the_last_one_says_and_what_any_has_refused(world):
    deploy_version(world, deploy_request(world, "2", "1"), Hosts([Host(world.context)]))
    first, last = Host(world.context), Host(world.context, refuses=(2,))
    for order in ([first, last], [last, first]):
        refusal = Refusal(release=2, reason="it differs")
        assert Hosts(order).serves(MODEL) == Serves(release=1, version="1", refused=refusal)
        assert Hosts(order).model(MODEL)["release"] == 1


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("http://a:8000", ["http://a:8000"]),
        ("http://a:8000/, https://b", ["http://a:8000", "https://b"]),
    ],
)
def test_the_settings_name_one_or_several(text, urls):
    assert load_settings({"PERENNIAL_SERVING_URL": text}).serving_urls == urls


@pytest.mark.parametrize("text", ["a:8000", "http://a;http://b", "http://a,", "http://a b"])
def test_what_is_no_address_is_refused_by_name(text):
    with pytest.raises(RequestError, match="PERENNIAL_SERVING_URL"):
        load_settings({"PERENNIAL_SERVING_URL": text})


def test_no_message_shows_a_password():
    settings = load_settings({"PERENNIAL_SERVING_URL": "http://me:geheim@127.0.0.1:9"})
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9/models") as caught:
        serving_hosts(settings).serves(MODEL)
    assert "geheim" not in str(caught.value)
