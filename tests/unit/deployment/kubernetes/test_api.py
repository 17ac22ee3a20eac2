"""The API server's answers become objects, None, or errors in its own words."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from pipelines.deployment.kubernetes.api import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    SERVICE,
    Cluster,
)
from pipelines.errors import Conflict, Denied, GiveUp, Unreachable
from pipelines.kubernetes_client import api_client
from pipelines.settings import Settings

OLD = {
    "groups": [
        {"versions": [{"groupVersion": "policy/v1beta1"}]},
        {
            "versions": [
                {"groupVersion": "autoscaling/v1"},
                {"groupVersion": "autoscaling/v2beta2"},
            ]
        },
    ]
}


class Client:
    """An ApiClient whose server answers in turn."""

    configuration = SimpleNamespace(host="https://cluster:6443")

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def call_api(self, path, method, **more):
        self.asked.append((method, path, more.get("body")))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        text = body if isinstance(body, str) else json.dumps(body)
        if status >= 300:
            error = ApiException(status=status)
            error.body = text
            raise error
        return SimpleNamespace(status=status, data=text.encode())


def said(status, message):
    return status, {"kind": "Status", "message": message}


def test_an_object_is_found_or_none():
    client = Client((200, {"metadata": {"name": "x"}}), said(404, "not found"))
    cluster = Cluster(client, "models")
    assert cluster.get(DEPLOYMENT, "x") == {"metadata": {"name": "x"}}
    assert cluster.get(DEPLOYMENT, "y") is None
    assert client.asked[0][1] == "/apis/apps/v1/namespaces/models/deployments/x"


def test_the_newest_version_that_the_cluster_has_is_used():
    cluster = Cluster(Client((200, OLD)), "models")
    assert cluster.version_of(DISRUPTION_BUDGET) == "policy/v1beta1"
    assert cluster.version_of(AUTOSCALER) == "autoscaling/v2beta2"
    with pytest.raises(GiveUp, match="serves horizontalpodautoscalers in none of the versions"):
        Cluster(Client((200, {"groups": []})), "models").version_of(AUTOSCALER)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (said(403, 'cannot create resource "services"'), Denied, 'create resource "services"'),
        (said(401, "Unauthorized"), Denied, "Unauthorized"),
        (said(403, "forbidden: exceeded quota: few"), Unreachable, "exceeded quota: few"),
        (said(409, "already exists"), Conflict, "already exists"),
        (said(404, 'namespaces "models" not found'), GiveUp, 'namespaces "models" not found'),
        (said(422, "spec.replicas: Invalid value"), GiveUp, "spec.replicas: Invalid value"),
        (said(500, "etcd is away"), Unreachable, "etcd is away"),
        ((503, "<html>no JSON</html>"), Unreachable, "no JSON"),
        (urllib3.exceptions.HTTPError("refused"), Unreachable, "https://cluster:6443"),
    ],
)
def test_what_fails_is_told_in_the_cluster_s_words(answer, error, words):
    with pytest.raises(error) as caught:
        Cluster(Client(answer), "models").create(SERVICE, {"metadata": {"name": "x"}})
    assert words in caught.value.message
    assert type(caught.value) is error or error is GiveUp


def test_a_question_is_asked_again_and_a_change_is_not():
    away = urllib3.exceptions.HTTPError("reset")
    client = Client(away, said(503, "busy"), (200, {"metadata": {}}))
    assert Cluster(client, "models").get(SERVICE, "x") == {"metadata": {}}
    client = Client(away, (200, {}))
    with pytest.raises(Unreachable):
        Cluster(client, "models").create(SERVICE, {"metadata": {}})
    assert len(client.asked) == 1


def test_a_change_is_made_anew_where_another_was_faster():
    found = {"metadata": {"name": "x", "resourceVersion": "1"}, "spec": {}}
    client = Client(
        (200, found), said(409, "modified"), (200, found), (200, {"metadata": {}, "spec": {"a": 1}})
    )
    changed = Cluster(client, "models").change(SERVICE, "x", lambda f: {**f, "spec": {"a": 1}})
    assert changed["spec"] == {"a": 1}
    assert [method for method, *_ in client.asked] == ["GET", "PUT", "GET", "PUT"]


def test_a_cluster_that_nobody_named(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(GiveUp, match="No cluster is known") as caught:
        api_client(Settings(kubernetes_config=tmp_path / "absent"))
    assert "PERENNIAL_KUBERNETES_CONFIG" in caught.value.remedy
    broken = tmp_path / "broken"
    broken.write_text("clusters: {")
    with pytest.raises(GiveUp, match="No cluster is known"):
        api_client(Settings(kubernetes_config=broken))
