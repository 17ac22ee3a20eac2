"""Pictures of a retraining for MLflow, which shows PNG beside its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison.trial_plots import best_spread, candidate_colour
from pipelines.training.plots import new_figure, save_figure

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.comparison.retraining import Retraining


def draw_overview(folder: Path, retraining: Retraining) -> list[Path]:
    """Draw the trials against their seconds, and the learning curves; return the files."""
    metric = retraining.judged.spec.train.metric
    looks = [c for c in retraining.candidates if not c.dummy]
    figure, (trials, curves) = new_figure(2)
    for place, look in enumerate(looks):
        paint: dict[str, Any] = {"color": candidate_colour(place), "label": look.name}
        drawn = best_spread(look.trials, metric)
        if drawn:
            trials.plot(
                [t.seconds for t in drawn], [t.score for t in drawn], "o", alpha=0.6, **paint
            )
        points = look.learning.points if look.learning else []
        if len(points) > 1 and np.isfinite([p.held for p in points]).all():
            curves.plot([p.rows for p in points], [p.held for p in points], "o-", **paint)
    trials.set(title="trials", xlabel="seconds of one fit", ylabel=f"{metric} over the folds")
    curves.set(title="learning curves", xlabel="rows learnt from", ylabel=f"{metric}, held out")
    for axis in (trials, curves):
        if axis.get_legend_handles_labels()[0]:
            axis.legend(loc="upper right")
    return [save_figure(figure, folder / "candidates.png")]
