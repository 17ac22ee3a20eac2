"""Two versions as lines of words, for the table in the terminal, the page and JSON alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.comparison.trial_plots import parameter_text
from pipelines.comparison.versions import parameters
from pipelines.intervals import iso

if TYPE_CHECKING:
    from pipelines.comparison.version_facts import VersionFacts
    from pipelines.comparison.versions import VersionComparison

NONE = "-"


@dataclass(frozen=True)
class Line:
    """One thing of both versions in words."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.before != self.after


def origin(found: VersionComparison) -> list[Line]:
    """Return what both are and where they come from."""
    titles = [title for title, _ in _origin(found.before)]
    return _lines(titles, dict(_origin(found.before)), dict(_origin(found.after)))


def parameter_lines(found: VersionComparison) -> list[Line]:
    """Return the parameters of both, those that differ first."""
    one, other = (parameters(v.manifest) for v in (found.before, found.after))
    texts = [{k: parameter_text(v) for k, v in p.items()} for p in (one, other)]
    lines = _lines(list({**one, **other}), *texts)
    return sorted(lines, key=lambda line: not line.differs)


def input_lines(found: VersionComparison) -> list[Line]:
    """Return the inputs that only one of them has, or of another kind."""
    kinds: list[dict[str, str]] = [
        {c.name: c.kind for c in v.manifest.inputs.columns} for v in (found.before, found.after)
    ]
    return [line for line in _lines(list({**kinds[0], **kinds[1]}), *kinds) if line.differs]


def ancestors(found: VersionComparison) -> list[Line]:
    """Return the scores that each had on its own held-out rows, before it was fitted again."""
    scores = [
        {m: NONE if s is None else f"{s:.4g}" for m, s in v.manifest.metrics.items()}
        for v in (found.before, found.after)
    ]
    return _lines(list({**scores[0], **scores[1]}), *scores)


def metrics_changed(found: VersionComparison) -> str:
    """Return in words that both count their own metrics by different functions; "" where not.

    Nothing is said of a version that has none, or of which no hash was written down.
    """
    one, other = found.before.metrics_code, found.after.metrics_code
    if not one or not other or one == other:
        return ""
    return (
        "metrics.py changed between the two: what each scored before the final fit was counted by"
        " its own; on common rows both are counted by the one that the folder holds now"
    )


def figures(found: VersionComparison) -> dict[str, Any]:
    """Return everything as plain JSON; what is not finite is null."""
    return {
        "format": 1,
        "model": found.model,
        "versions": [found.before.version, found.after.version],
        "origin": [asdict(line) for line in origin(found)],
        "parameters": [asdict(line) for line in parameter_lines(found)],
        "inputs": [asdict(line) for line in input_lines(found)],
        "scores_before_the_final_fit": [asdict(line) for line in ancestors(found)],
        "metrics_changed": metrics_changed(found) or None,
        "schema_changes": found.schema_changes,
        "rows": found.rows.words if found.rows else None,
        "metrics": [_plain(asdict(pair)) for pair in found.metrics],
        "metrics_on": found.metric_words,
        "differences": _plain(asdict(found.differences)) if found.differences else None,
        "contingency": _plain(asdict(found.contingency)) if found.contingency else None,
        "not_compared": found.why or None,
        "hidden": found.hidden,
    }


def _lines(names: list[str], one: dict[str, str], other: dict[str, str]) -> list[Line]:
    return [Line(n, one.get(n, NONE), other.get(n, NONE)) for n in names]


def _origin(facts: VersionFacts) -> list[tuple[str, str]]:
    m, verdict = facts.manifest, facts.verdict
    snapshot = m.sides is not None
    return [
        ("candidate", m.candidate),
        ("estimator", m.settings.estimator if m.settings else NONE),
        ("texts", (m.settings.encode or "by estimator") if m.settings else NONE),
        ("run", m.run),
        ("as of", iso(verdict.as_of) if verdict else NONE),
        ("started because", (verdict.started_because if verdict else "") or NONE),
        ("first served", f"{facts.served_since:%Y-%m-%d %H:%M}" if facts.served_since else NONE),
        ("a person said", facts.mark or NONE),
        ("fitted on", "the snapshot" if snapshot else m.fitted_on.text),
        ("batches", str(facts.batches) if facts.batches else "not known"),
        ("rows", f"{m.rows:,}"),
        ("inputs", str(len(m.inputs.columns))),
        ("features revision", m.features_revision[:12]),
        ("code", facts.code[:12] or "not written down"),
        ("metrics.py", _metrics_code(facts)),
        ("threshold", f"{m.threshold.value:g}" if m.threshold else NONE),
        ("served", "compiled" if m.compiled else f"natively ({m.why_native})"),
        ("size", _sizes(facts)),
        ("one row here", _speeds(facts)),
    ]


def _metrics_code(facts: VersionFacts) -> str:
    if facts.metrics_code is None:
        return "not written down"
    return facts.metrics_code[:12] or NONE


def _sizes(facts: VersionFacts) -> str:
    return ", ".join(f"{form} {size / 1000:,.1f} kB" for form, size in facts.sizes.items())


def _speeds(facts: VersionFacts) -> str:
    return ", ".join(f"{form} {ms:,.3g} ms" for form, ms in facts.milliseconds.items())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value
