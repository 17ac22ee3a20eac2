"""The chart with a broker of one's own, whose certificate is checked."""

from __future__ import annotations

import pytest

from tests.chart.rendering import BUCKET, CHART, HELM, NAMED, helm, render, write_values

pytestmark = pytest.mark.skipif(HELM is None, reason="Helm is not here")

OURS = {"executor": "celery", "broker": "external", "brokerCa": "authorities"}
FILE = "/broker-ca/ca.pem"


def pods(made):
    return [
        body["spec"]["template"]["spec"]
        for body in made
        if body["kind"] in {"Deployment", "Job"}
        and any(c["image"].startswith("perennial/airflow") for c in _all(body))
    ]


def _all(body):
    return body["spec"]["template"]["spec"]["containers"]


def told(made):
    (settings,) = [
        body["data"]
        for body in made
        if body["kind"] == "ConfigMap" and body["metadata"]["name"] == "perennial-settings"
    ]
    return settings


def test_every_part_of_airflow_sees_the_certificates_that_are_named(tmp_path):
    made = render(tmp_path, {**NAMED, **BUCKET, "airflow": OURS})
    assert told(made)["PERENNIAL_BROKER_CA"] == FILE
    found = pods(made)
    assert len(found) == 6  # API server, scheduler, DAG processor, triggerer, workers and init
    for pod in found:
        names = {v["name"]: v.get("configMap", {}).get("name") for v in pod["volumes"]}
        assert names["broker-ca"] == "authorities"
        for container in pod["containers"]:
            assert "/broker-ca" in {m["mountPath"] for m in container["volumeMounts"]}


def test_without_them_the_image_s_authorities_count(tmp_path):
    made = render(tmp_path, {**NAMED, **BUCKET, "airflow": {**OURS, "brokerCa": ""}})
    assert "PERENNIAL_BROKER_CA" not in told(made)
    assert all("broker-ca" not in {v["name"] for v in pod["volumes"]} for pod in pods(made))


@pytest.mark.parametrize("changed", [{"broker": "inside"}, {"executor": "local"}])
def test_certificates_for_a_broker_that_is_not_one_s_own_are_refused(tmp_path, changed):
    file = write_values(tmp_path, {**NAMED, **BUCKET, "airflow": {**OURS, **changed}})
    done = helm("template", "perennial", str(CHART), "-f", file)
    assert done.returncode != 0
    assert "airflow.brokerCa: it is for a broker of your own" in done.stderr
