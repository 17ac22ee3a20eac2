"""What the demo leaves behind: report.json for programs, report.html for people."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from pipelines.templates import fill
from pipelines.verdicts.words import plain

_TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Month:
    """What came of one window.

    `action` is deployed, refused, held_back, nothing_to_do or failed; `words` tells it in words.
    `effect` says whether the change matters and `cause` what is behind it, both in few words and
    empty where nobody could ask.
    """

    month: str
    rows: int
    champion_version: str
    live_metric: float
    frozen_metric: float
    drift_verdict: str
    effect: str
    cause: str
    action: str
    words: str
    started: bool


def report(months: list[Month], seconds: float) -> dict[str, Any]:
    """Return the report as JSON."""
    totals = {
        "retrains_started_by_drift": sum(m.started for m in months),
        "refused": sum(m.action == "refused" for m in months),
        "deployed": sum(m.action == "deployed" for m in months),
        "wall_seconds": round(seconds, 1),
        "mean_live_metric": _mean([m.live_metric for m in months]),
        "mean_frozen_metric": _mean([m.frozen_metric for m in months]),
    }
    return {
        "months": [{name: _plain(value) for name, value in asdict(m).items()} for m in months],
        "totals": totals,
    }


def _mean(values: list[float]) -> float | None:
    """Return the mean over the windows in which the metric is defined; None where there is none."""
    finite = [v for v in values if isfinite(v)]
    return round(sum(finite) / len(finite), 4) if finite else None


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def metric_text(value: float | None, digits: int = 3) -> str:
    """Return a metric as people read it; a dash where it is not defined."""
    return "-" if value is None or not isfinite(value) else f"{value:.{digits}f}"


def write_report(
    folder: Path,
    months: list[Month],
    seconds: float,
    *,
    title: str,
    description: str,
    metric: str,
    start: str,
) -> Path:
    """Write report.json and report.html into the folder and return the page's path."""
    from markupsafe import Markup

    body = report(months, seconds)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    page = folder / "report.html"
    # Drawn by matplotlib, which escapes texts in SVG.
    plot = Markup(_plot(months, metric))  # noqa: S704
    page.write_text(
        fill(
            _TEMPLATE,
            title=title,
            description=description,
            metric=metric,
            start=start,
            months=months,
            totals=body["totals"],
            plot=plot,
            metric_text=metric_text,
            plain=plain,
        ),
        encoding="utf-8",
    )
    return page


def _plot(months: list[Month], metric: str) -> str:
    """Return the live and the frozen metric by window as SVG.

    Where a version was deployed stands a line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.add_subplot()
    names = [m.month for m in months]
    axes.plot(names, [m.live_metric for m in months], "o-", color="#1a56db", label="what served")
    axes.plot(
        names, [m.frozen_metric for m in months], "s--", color="#888888", label="frozen first model"
    )
    for i, m in enumerate(months):
        if m.action == "deployed":
            axes.axvline(i + 0.5, color="#17803d", linewidth=1, linestyle=":", label="_")
            axes.annotate(
                "deployed",
                (i + 0.5, 0.02),
                xycoords=("data", "axes fraction"),
                rotation=90,
                fontsize=8,
                color="#17803d",
                ha="right",
            )
        if m.drift_verdict == "drift":
            axes.plot([i], [m.live_metric], "o", color="#b45309", markersize=9, zorder=5, label="_")
    axes.set_ylabel(metric)
    axes.set_title("orange: a window in which drift was found", fontsize=9, loc="left")
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().split("?>", 1)[-1].split('svg11.dtd">', 1)[-1]
