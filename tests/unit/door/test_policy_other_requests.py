"""What is not a new container: the stack's own things are touched and seen, all others refused."""

from __future__ import annotations

import json

import pytest

from door import creation, policy
from door.__main__ import read_options, read_rules
from door.rules import Denied
from tests.unit.door.container_requests import OWN, RULES, created_body

BUILD = "/v1.41/build?t=perennial/release-bikes:1&networkmode=none"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1.41/containers/x/start"),
        ("POST", "/containers/x/stop?t=3"),
        ("POST", "/v1.41/containers/x/kill?signal=SIGTERM"),
        ("POST", "/v1.41/containers/x/wait"),
        ("POST", "/v1.41/containers/x/attach?logs=0&stdout=1&stderr=1&stream=1"),
        ("GET", "/v1.41/containers/x/logs?stderr=1&stdout=1&timestamps=0&follow=0&tail=20"),
        ("GET", "/v1.41/containers/x/json"),
        ("DELETE", "/v1.41/containers/x?v=True&link=False&force=True"),
    ],
)
def test_a_container_is_touched_by_its_id_and_only_if_it_is_the_stacks(method, target):
    judgement = policy.judge(RULES, method, target)
    assert judgement.subject == policy.Subject("containers", "x", "touch")
    assert "/containers/ID" in judgement.target("ID")
    assert (
        policy.judge_description(RULES, judgement.subject, {"Id": "i", "Config": {"Labels": OWN}})
        == "i"
    )
    for labels in (None, {}, {"perennial": "1"}, {"perennial": "1", "perennial.stack": "yours"}):
        with pytest.raises(Denied):
            policy.judge_description(
                RULES, judgement.subject, {"Id": "i", "Config": {"Labels": labels}}
            )


REFUSED = [
    ("POST", "/v1.41/containers/x/exec"),
    ("POST", "/v1.41/exec/x/start"),
    ("GET", "/v1.41/containers/x/archive?path=/"),
    ("PUT", "/v1.41/containers/x/archive?path=/"),
    ("HEAD", "/v1.41/containers/x/archive?path=/"),
    ("GET", "/v1.41/containers/x/export"),
    ("POST", "/v1.41/containers/x/update"),
    ("POST", "/v1.41/containers/x/rename?name=y"),
    ("POST", "/v1.41/containers/x/attach?stdin=1"),
    ("GET", "/v1.41/containers/x/attach/ws"),
    ("POST", "/v1.41/containers/prune"),
    ("POST", "/v1.41/images/create?fromImage=alpine"),
    ("POST", "/v1.41/images/load"),
    ("POST", "/v1.41/images/perennial/steps/push"),
    ("POST", "/v1.41/images/perennial/steps/tag?repo=x"),
    ("GET", "/v1.41/images/postgres/json"),
    ("DELETE", "/v1.41/images/postgres"),
    ("GET", "/v1.41/images/perennial/steps/get"),
    ("POST", "/v1.41/volumes/create"),
    ("GET", "/v1.41/volumes"),
    ("POST", "/v1.41/networks/create"),
    ("POST", "/v1.41/networks/perennial/connect"),
    ("POST", "/v1.41/swarm/init"),
    ("GET", "/v1.41/plugins"),
    ("POST", "/v1.41/plugins/pull?remote=x"),
    ("GET", "/v1.41/secrets"),
    ("GET", "/v1.41/info"),
    ("GET", "/v1.41/events"),
    ("POST", "/v1.41/session"),
    ("POST", "/v1.41/grpc"),
    ("POST", "/v1.41/commit?container=x"),
    ("POST", "/v1.23/containers/x/start"),
    ("GET", "/v1.41/../v1.41/info"),
    ("GET", "/v1.41/containers/../info"),
    ("GET", "/v1.41//info"),
    ("GET", "//v1.41/_ping"),
    ("GET", "/v1.41/containers/%2e%2e/json"),
    ("GET", "/v1.41/images/perennial%2Fsteps/json"),
    ("GET", "/v1.41/containers/x/json%00"),
    ("GET", "/v1.41/containers/x/json?size=1&size=0"),
    ("GET", "/v1.41/containers/x/json?size=1;x=1"),
    ("GET", "/v1.41/containers/x/json#x"),
    ("GET", "http://elsewhere/v1.41/_ping"),
    ("GET", "_ping"),
    ("OPTIONS", "*"),
    ("get", "/_ping"),
    ("CONNECT", "postgres:5432"),
    ("GET", '/v1.41/containers/json?filters={"label":{"a":true}}'),
    ("GET", "/v1.41/containers/json?filters=[]"),
    ("POST", "/v1.41/build"),
    ("POST", "/v1.41/build?t=perennial/release-x:1"),
    ("POST", "/v1.41/build?t=perennial/release-x:1&networkmode=host"),
    ("POST", "/v1.41/build?t=perennial/release-x:1&networkmode=container:postgres"),
    ("POST", "/v1.41/build?t=perennial/steps&networkmode=none"),
    ("POST", BUILD + "&pull=1"),
    ("POST", BUILD + "&remote=http://elsewhere"),
    ("POST", BUILD + "&version=2"),
    ("POST", BUILD + "&session=x"),
    ("POST", BUILD + "&extrahosts=a:1"),
    ("POST", BUILD + "&dockerfile=../x"),
    ("POST", BUILD + "&buildargs={}"),
    ("POST", BUILD + "&t=perennial/steps"),
    ("POST", BUILD + '&labels={"perennial.stack":"yours"}'),
    ("POST", BUILD + '&labels={"perennial.stack":"mine"}'),
    ("POST", BUILD + '&labels={"perennial.kept":"mine"}'),
    ("POST", BUILD + '&labels={"perennial":"0"}'),
    ("POST", BUILD + '&labels={"com.docker.compose.project":"mine"}'),
]


@pytest.mark.parametrize(
    ("method", "target"), REFUSED, ids=[f"{method} {target}" for method, target in REFUSED]
)
def test_everything_else_is_refused(method, target):
    with pytest.raises(Denied):
        policy.judge(RULES, method, target)


def test_a_request_without_a_body_has_none():
    with pytest.raises(Denied):
        policy.judge(RULES, "POST", "/v1.41/containers/x/start", b'{"Privileged": true}')


@pytest.mark.parametrize("what", ["containers", "images"])
def test_a_list_shows_the_stacks_own_alone(what):
    query = policy.judge(
        RULES, "GET", f'/v1.41/{what}/json?all=1&filters={{"label":["perennial.model=bikes"]}}'
    ).query
    assert json.loads(query["filters"]) == {
        "label": ["perennial.model=bikes", "perennial=1", "perennial.stack=mine"]
    }
    assert json.loads(policy.judge(RULES, "GET", f"/{what}/json").query["filters"])["label"] == [
        "perennial=1",
        "perennial.stack=mine",
    ]


def test_a_build_is_of_the_classic_kind_without_network_or_pull():
    query = policy.judge(
        RULES, "POST", BUILD + '&rm=True&pull=False&labels={"perennial.run":"é"}'
    ).query
    assert query["networkmode"] == "none"
    assert query["pull"] == "0"
    assert query["version"] == "1"
    assert json.loads(query["labels"]) == {"perennial.run": "é", **OWN}


def test_a_release_image_is_removed_only_if_it_was_built_here():
    subject = policy.judge(
        RULES, "DELETE", "/v1.41/images/perennial/release-bikes:1?force=False&noprune=False"
    ).subject
    assert (
        policy.judge_description(
            RULES,
            subject,
            {"Id": "i", "RepoTags": ["perennial/release-bikes:1"], "Config": {"Labels": OWN}},
        )
        == "i"
    )
    for other in (
        {
            "Id": "i",
            "RepoTags": ["perennial/release-bikes:1", "postgres:15"],
            "Config": {"Labels": OWN},
        },
        {
            "Id": "i",
            "RepoTags": ["perennial/release-bikes:1"],
            "Config": {"Labels": {"perennial": "1"}},
        },
    ):
        with pytest.raises(Denied):
            policy.judge_description(RULES, subject, other)


def test_only_the_listed_fields_reach_the_engine():
    body = created_body()
    assert set(body) <= set(creation.CONTAINER) | {"HostConfig"}
    assert set(body["HostConfig"]) <= set(creation.HOST) | {"Privileged"}


def test_images_of_releases_and_with_packages_may_be_built_and_none_that_containers_run_of():
    rules = read_rules(read_options([]))
    for tag in ("perennial/release-bikes:1", "perennial/environment:0123456789ab-0123456789ab"):
        assert rules.may_build(tag)
    for tag in ("perennial/environment-x:1", "perennial/serving:latest", "perennial/steps:latest"):
        assert not rules.may_build(tag)
