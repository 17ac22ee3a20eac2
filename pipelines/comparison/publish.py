"""The page of a retraining's candidates: in the store, and among the artifacts in MLflow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.comparison.figures import draw_overview
from pipelines.comparison.page import render
from pipelines.comparison.retraining import compare_candidates
from pipelines.store.pages import publish_page

if TYPE_CHECKING:
    from pipelines.comparison.retraining import Retraining
    from pipelines.context import Context
    from pipelines.messages import FeaturesResult, GateResult, TrainResult


def publish_run_comparison(
    context: Context,
    features: FeaturesResult,
    trained: list[TrainResult],
    verdict: GateResult,
    run: str,
) -> None:
    """Publish the comparison of a run's candidates, and attach it to the run in MLflow.

    A comparison decides nothing: where it cannot be made, the log says so, and the run goes on.
    """
    if not context.settings.comparison_seconds:
        return
    try:
        retraining = compare_candidates(context, features, trained, verdict, run)
        page = render(retraining).encode()
        publish_page(
            context.ports.store, model=context.spec.name, kind="comparison", run=run, page=page
        )
        _attach(context, features.parent_run, page, retraining)
    except Exception:  # data and estimators may be odd in ways that nobody thought of
        context.log.warning("the comparison of this run could not be made", exc_info=True)


def _attach(context: Context, parent: str, page: bytes, retraining: Retraining) -> None:
    with tempfile.TemporaryDirectory(prefix="perennial-comparison-") as folder:
        html = Path(folder) / "comparison.html"
        html.write_bytes(page)
        for file in [html, *draw_overview(Path(folder), retraining)]:
            context.ports.registry.attach(parent, file, "comparison")
