"""The verdict's page, log and tags."""

from __future__ import annotations

from pipelines.steps import gate
from pipelines.store.pages import find_page
from pipelines.verdicts import page as verdict_page
from tests.unit.steps.candidates import TWO
from tests.unit.steps.learning import RUN, learning, spec_text


def test_the_verdict_has_a_page(tmp_path):
    world = learning(tmp_path)
    request = world.gate_request(world.train_all())
    judged = gate.run(world.context, request)
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    said = [
        "Promoted",
        "the challenger linear (version 1)",
        "the best constant",
        f"{judged.metrics['roc_auc']:.6g}",
        "because: a test",
    ]
    assert [
        words for words in [*said, *(check.name for check in judged.checks)] if words not in page
    ] == []
    assert "<script" not in page
    gate.run(world.context, request)
    assert len(world.context.ports.store.keys(f"pages/visits/verdict/{RUN}")) == 1


def test_page_log_and_tags_show_both_scores_of_each_candidate_and_which_one_chose(tmp_path, caplog):
    """Held-out scores alone would make the chosen candidate look like the worse one."""
    world = learning(tmp_path, spec_text(candidates=TWO))
    dummy, linear, bayes = world.train_all()
    linear = linear.model_copy(update={"cv_score": 0.8123})
    held_out = {**bayes.metrics, "roc_auc": 0.9987}
    bayes = bayes.model_copy(update={"cv_score": 0.7456, "metrics": held_out})
    with caplog.at_level("INFO"):
        judged = gate.run(world.context, world.gate_request([dummy, linear, bayes]))
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    row = {t: page[page.index(f"<td>{t}</td>") :].split("</tr>")[0] for t in ("linear", "bayes")}
    assert judged.candidate == "linear"
    assert "0.8123" in row["linear"]
    assert f"{linear.metrics['roc_auc']:.6g}" in row["linear"]
    assert "chosen by cross-validation" in row["linear"]
    assert "0.7456" in row["bayes"]
    assert "0.9987" in row["bayes"]
    assert "chosen" not in row["bayes"]
    assert "bayes: 0.7456 in cross-validation, 0.9987 held out\n" in f"{caplog.text}\n"
    assert f"{linear.metrics['roc_auc']:.4f} held out  <- chosen" in caplog.text
    assert world.context.ports.registry.runs[judged.run_id].tags["chosen_by"] == "cv_roc_auc"


def test_the_page_of_a_refusal_gives_the_reasons_and_escapes_them(tmp_path):
    gates = "gate: {at_least: {roc_auc: 0.999}, versus_champion: {metric: roc_auc}, min_rows: 50}"
    world = learning(tmp_path, spec_text(gate=gates))
    judged = gate.run(world.context, world.gate_request(world.train_all()))
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    assert "Refused" in page
    assert "Nothing serves." in page
    hostile = judged.model_copy(
        update={
            "reasons": ["<script>alert(1)</script>"],
            "champion": "<b>7",
            "metrics": {"roc_auc": None},
        }
    )
    shown = verdict_page.render(
        "visits",
        "<i>run",
        hostile,
        [],
        metric="roc_auc",
        as_of=world.built.as_of,
        because="<u>because",
    )
    assert not [word for word in ("<script>", "<b>7", "<i>run", "<u>because") if word in shown]
    assert "&lt;script&gt;alert(1)" in shown
    assert "not finite" in shown
    assert "The champion serves on." in shown
