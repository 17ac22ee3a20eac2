"""Airflow's UI in a real browser: the graph of a run and the form that starts one."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_person_reads_the_verdict_and_starts_a_run_by_the_form(live, first, page):
    page.goto(f"{live.layout.airflow_url}/dags/retrain_sales/runs/first/tasks/gate")
    page.get_by_text("Verdict on linear (version 1): PROMOTE").first.wait_for(timeout=30_000)
    page.goto(f"{live.layout.airflow_url}/dags/retrain_sales")
    page.get_by_role("button", name="Trigger").first.click()
    for label in ("As of", "Reason", "Force"):
        page.get_by_text(label, exact=False).first.wait_for(timeout=30_000)
    page.get_by_role("button", name="Trigger").last.click()
    page.wait_for_timeout(3_000)
    runs = [
        r["dag_run_id"] for r in live.api._all("/api/v2/dags/retrain_sales/dagRuns", "dag_runs")
    ]
    [by_form] = [r for r in runs if r.startswith("manual__")]
    assert live.end("sales", by_form) == "success"
    assert live.result("sales", by_form, "ingest")["reason"] == "by hand"
