"""The text of `model.yaml`, with a reason beside each line."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pipelines.onboarding.draft import Draft, Times

WIDTH = 98
COLUMN = 44
"""Where a reason begins, where the line leaves room."""
_PLACE = ("uri", "url", "sha256", "database", "query", "format")


def model_text(draft: Draft) -> str:
    """Return the YAML."""
    task = draft.target.task
    lines: list[str] = [
        f"# Written by `perennial init` from {draft.place}: {draft.rows:,} rows.",
        "# Each line says why it is there. Change what you know better; then",
        f"# `perennial check {draft.name}`.",
        _line(f"name: {draft.name}", "the folder's name"),
        _line("owner: me", "write who is asked when it breaks"),
        _line(
            f"description: {json.dumps(f'Predicts {draft.target.column}', ensure_ascii=False)}",
            "say it in a sentence",
        ),
        _line(f"task: {task}", _why_task(draft)),
        "",
        *_source(draft),
        "",
        *_time_lines(draft.times),
        _key_line(draft),
        _line(f"target: {_target(draft)}", _why_target(draft)),
        "",
        *_features(draft),
        "",
        *_train(draft),
        "",
        *_candidates(draft),
        "",
        *_gate(draft),
        "",
        *_drift(draft),
    ]
    return "\n".join(lines) + "\n"


def _line(text: str, reason: str) -> str:
    """Return a line with its reason beside it, or above it where there is no room."""
    if not reason:
        return text
    beside = f"{text.ljust(COLUMN)} # {reason}"
    if len(beside) <= WIDTH:
        return beside
    indent = text[: len(text) - len(text.lstrip())]
    return f"{_comment(reason, indent)}\n{text}"


def _comment(reason: str, indent: str) -> str:
    return textwrap.fill(
        reason, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _names(names: list[str], indent: str) -> str:
    """Return a list of plain names in YAML's flow style, on as many lines as it takes."""
    return textwrap.fill(
        ", ".join(_plain(n) for n in names), WIDTH, initial_indent=indent,
        subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _plain(name: str) -> str:
    """Return a name as YAML reads it: words with a meaning of their own, in quotes."""
    words = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan"}
    return _flow(name) if name.lower() in words or not name.isidentifier() else name


def _why_task(draft: Draft) -> str:
    return {
        "binary": f"{draft.target.column} has two values",
        "multiclass": f"{draft.target.column} has a few classes",
        "regression": f"{draft.target.column} is a number",
    }[draft.target.task]


def _source(draft: Draft) -> list[str]:
    reasons = {
        "uri": "where the data lie",
        "query": "reads the rows of one interval" if draft.times else "reads all rows",
        "database": "the setting PERENNIAL_SQL_" + str(draft.source.get("database", "")).upper()
        + " holds its URL",
        "format": "the name alone does not tell it",
        "delimiter": "between the fields",
        "encoding": "the bytes are no UTF-8",
        "decimal": "how fractions are written",
        "thousands": "between groups of three digits",
        "missing": "what stands for no value",
        "skip": "lines before the table",
        "comment": "begins lines that are no rows",
        "quote": "around texts",
        "header": "the first line holds values already",
        "names": "from left to right",
        "dates": "how times are written",
        "timezone": "of times that are written without a zone",
        "sheet": "the sheet that holds the table",
        "sha256": "the file's hash: another file under the URL is refused",
    }  # fmt: skip
    lines = ["source:", f"  kind: {draft.source['kind']}"]
    options = {k: v for k, v in draft.source.items() if k != "kind"}
    ordered = [*(k for k in _PLACE if k in options), *(k for k in options if k not in _PLACE)]
    lines += [_line(f"  {k}: {_flow(options[k])}", reasons.get(k, "")) for k in ordered]
    if draft.times:
        until = f"{draft.times.until_reason}; remove the line where more rows come"
        lines.append(_line(f"  first: {draft.times.first}", "the first batch with rows"))
        lines.append(_line(f"  until: {draft.times.until}", until))
    return lines


def _time_lines(times: Times | None) -> list[str]:
    if times is None:
        return ["# No event_time: the data have no time, so the source is a snapshot."]
    lines = [_line(f"batch: {times.batch}", "rows enough in each, and batches enough")]
    if times.gaps:
        many = "one is" if times.gaps == 1 else f"{times.gaps} are"
        lines.append(_line("empty_batches: allow", f"{many} without rows"))
    lines.append(_line(f"event_time: {_plain(times.column)}", "says to which batch a row belongs"))
    return lines


def _key_line(draft: Draft) -> str:
    if not draft.key:
        return _line("key: row", "nothing names each row: the key is made of its content")
    names = ", ".join(map(_plain, draft.key))
    return _line(f"key: [{names}]", "unique and never missing in all rows")


def _target(draft: Draft) -> str:
    parts = {"column": _plain(draft.target_built)}
    if draft.target.positive is not None:
        parts["positive"] = _flow(draft.target.positive)
    if draft.times and draft.times.step_seconds:
        parts["known_after"] = _seconds(draft.times.step_seconds)
    return "{" + ", ".join(f"{k}: {v}" for k, v in parts.items()) + "}"


def _why_target(draft: Draft) -> str:
    if draft.times and not draft.times.step_seconds:
        return "add known_after (such as 30d) where the outcome is known later than the event"
    if draft.times:
        return "the value of a step is known when it is over"
    return "`positive`: whose probability is predicted" if draft.target.positive is not None else ""


def _seconds(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _features(draft: Draft) -> list[str]:
    lines = ["features:", "  inputs: [", _names(draft.inputs, "    "), "  ]"]
    if draft.times and draft.times.step_seconds:
        lines.append(_line("  lookback: 8d", "the value of a week before, and a day to spare"))
    if draft.personal_key:
        body = ", ".join(f"{_plain(c)}: hash" for c in draft.personal_key)
        lines.append(_line(f"  personal: {{{body}}}", "the inference log keeps a hash only"))
    if draft.left_out:
        lines.append("  # Left out; to take one in, name it above and in features.py:")
        lines += [_comment(f"{n}: {reason}", "  ") for n, reason in draft.left_out.items()]
    return lines


_METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "mae"}


def _train(draft: Draft) -> list[str]:
    metric = _METRIC[draft.target.task]
    lines = ["train:"]
    if draft.times:
        lines += [
            _line(f"  window: {_batches(draft.times.window)}", "what it learns from"),
            _line(f"  holdout: {_batches(draft.times.holdout)}", "the newest ones judge it"),
        ]
    else:
        lines.append(_line("  holdout: 0.2", "a share of the rows judges it, always the same ones"))
    return [
        *lines,
        _line(f"  metric: {metric}", "what candidates are compared in"),
        _line("  seed: 17", "same data, same model"),
        _line(f"  folds: {draft.folds}", "how often a setting is tried on rows it did not see"),
    ]


def _batches(count: int) -> str:
    return how_many(count, "batch")


def _candidates(draft: Draft) -> list[str]:
    classify = draft.target.task != "regression"
    dummy = "sklearn.dummy.Dummy" + ("Classifier" if classify else "Regressor")
    linear = "sklearn.linear_model." + ("LogisticRegression" if classify else "Ridge")
    boosted = "sklearn.ensemble.HistGradientBoosting" + ("Classifier" if classify else "Regressor")
    lines = [
        "candidates:",
        _line(f"  - {{name: baseline, estimator: {dummy}}}", "the best constant"),
        "  - name: linear",
        f"    estimator: {linear}",
    ]
    if classify:
        lines.append("    params: {max_iter: 300}")
        lines.append("    search: {C: [0.01, 0.1, 1.0]}")
    else:
        lines.append("    search: {alpha: [0.1, 1.0, 10.0]}")
    leaf = max(2, min(50, draft.rows // 100))
    return [
        *lines,
        "  - name: boosted",
        f"    estimator: {boosted}",
        _line(f"    params: {{min_samples_leaf: {leaf}}}", "so that few rows decide nothing"),
        "    search: {learning_rate: [0.05, 0.1], max_leaf_nodes: [15, 31]}",
        _line("    budget: 3", "at most so many settings are tried"),
    ]


def _gate(draft: Draft) -> list[str]:
    task = draft.target.task
    if task == "binary":
        floor = _line("  at_least: {roc_auc: 0.55}", "the best constant has 0.5")
        guards = "  guards: {log_loss: 0.05}"
        why = "roc_auc sees the order alone: this sees probabilities that are untrue"
    elif task == "multiclass":
        bound = _round_down(draft.floor)
        floor = _line(f"  at_most: {{log_loss: {bound}}}", "what the best constant has")
        guards, why = "  guards: {accuracy: 0.05}", "and it must decide for the right class"
    else:
        bound = _round_down(draft.floor)
        floor = _line(f"  at_most: {{mae: {bound}}}", "what the best constant has")
        guards, why = "  guards: {rmse: 0.05}", "mae forgives a few great misses: this does not"
    metric = _METRIC[task]
    return [
        "gate:",
        floor,
        _line(f"  versus_champion: {{metric: {metric}, confidence: 0.95}}", "proven to be better"),
        _line(guards, why),
        _line(f"  min_rows: {draft.min_rows}", "held-out rows with a known outcome, at least"),
    ]


def _round_down(value: float) -> float:
    return float(f"{value:.3g}") or 1e-6


def _drift(draft: Draft) -> list[str]:
    if draft.times is None:
        return [
            "drift:",
            _line("  schedule: daily", "how often one looks at what callers ask"),
            _line("  window: 1d", "the traffic of a day"),
            _line(f"  min_rows: {draft.drift_min_rows}", "below it there is no verdict"),
        ]
    times = draft.times
    rhythm = {("hour", "day"): "a whole day", ("day", "week"): "a whole week"}
    turns = [rhythm[times.batch, r] for r in times.rhythms if (times.batch, r) in rhythm]
    why = f"{turns[-1]}, so that its rhythm is no drift" if turns else "rows enough for a verdict"
    schedule = {"hour": "daily", "day": "daily", "week": "weekly", "month": "monthly"}[times.batch]
    lines = [
        "drift:",
        _line(f"  schedule: {schedule}", "how often one looks"),
        _line(f"  window: {_batches(draft.drift_window)}", why),
        _line(f"  min_rows: {draft.drift_min_rows}", "below it there is no verdict"),
    ]
    if "year" in times.rhythms:
        lines.append(
            "  # The data follow the year: a window shorter than one calls a season drift."
        )
    return lines
