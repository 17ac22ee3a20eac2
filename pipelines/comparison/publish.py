"""The pages of comparisons: in the store, and those of a retraining in MLflow too."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.comparison import versions_page
from pipelines.comparison.figures import draw_overview
from pipelines.comparison.page import render
from pipelines.comparison.retraining import compare_candidates
from pipelines.comparison.versions import compare_versions
from pipelines.run_names import pair_name
from pipelines.store.pages import publish_page

if TYPE_CHECKING:
    from pipelines.comparison.retraining import Retraining
    from pipelines.comparison.versions import VersionComparison
    from pipelines.context import Context
    from pipelines.messages import FeaturesResult, GateResult, TrainResult
    from pipelines.refs import Ref


def publish_run_comparison(
    context: Context,
    features: FeaturesResult,
    trained: list[TrainResult],
    verdict: GateResult,
    run: str,
) -> Retraining | None:
    """Publish the comparison of a run's candidates, attach it to the run in MLflow and return it.

    A comparison decides nothing: where it cannot be made, the log says so, and the run goes on.
    None then, and where comparisons are turned off.
    """
    if not context.settings.comparison_seconds:
        return None
    retraining = None
    try:
        retraining = compare_candidates(context, features, trained, verdict, run)
        page = render(retraining).encode()
        publish_page(
            context.ports.store, model=context.spec.name, kind="comparison", run=run, page=page
        )
        _attach(context, features.parent_run, page, retraining)
    except Exception:  # data and estimators may be odd in ways that nobody thought of
        context.log.warning("the comparison of this run could not be made", exc_info=True)
    return retraining


def publish_against_champion(
    context: Context, version: str, bundle: Ref, features: FeaturesResult, run: str
) -> None:
    """Publish what differs between a packaged version and the champion, where there is one.

    It decides nothing: where it cannot be made, the log says so, and the run goes on.
    """
    champion = context.ports.ledger.champion(context.spec.name)
    if not context.settings.comparison_seconds or champion is None or champion.version == version:
        return
    try:
        found = compare_versions(
            context,
            (champion.version, champion.bundle),
            (version, bundle),
            now=features.as_of,
            features=features.version,
        )
        publish_versions(context, found, run)
    except Exception:  # the champion may be broken in ways that the gate has told already
        context.log.warning("the two versions could not be compared", exc_info=True)


def publish_versions(context: Context, found: VersionComparison, run: str | None = None) -> Ref:
    """Publish the page of two versions under their names, and as that of a run that made it."""
    page = versions_page.render(found).encode()
    for name in (run, pair_name(found.before.version, found.after.version)):
        if name is not None:
            ref = publish_page(
                context.ports.store, model=found.model, kind="versions", run=name, page=page
            )
    return ref


def _attach(context: Context, parent: str, page: bytes, retraining: Retraining) -> None:
    with tempfile.TemporaryDirectory(prefix="perennial-comparison-") as folder:
        html = Path(folder) / "comparison.html"
        html.write_bytes(page)
        for file in [html, *draw_overview(Path(folder), retraining)]:
            context.ports.registry.attach(parent, file, "comparison")
