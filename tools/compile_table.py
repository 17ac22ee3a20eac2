"""Make docs/compiled.md: which estimators are served compiled, which natively, which not, and why.

`python -m tools.compile_table` fits each of them on small data, stores it, compiles it and has the
proof ask it; it takes some minutes. Tests compare a sample of the page with the code, `make
test-all` all of it.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.training.threads import limit_threads
from tools.compile_cases import KINDS, REFUSED, build, classes_of_kind, table, target_of, task_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "compiled.md"
_WIDTH = 100
_NO_PROBABILITIES = "has no probabilities"
HEAD = """# What is served compiled

Made by `python -m tools.compile_table`, which fits each estimator in a small pipeline over mixed
columns with nulls, stores it, compiles it and has the proof ask it; a test compares them.

- **compiled**: answers by ONNX Runtime, after a proof that it answers as the fitted one does.
- **native**: answers by the library that fitted it, from a skops file; slower, and the same.
- **refused**: `check` says so before anything is trained; the way out stands beside it.

What is said here is said of the settings that an estimator has by itself.
With other settings, other data or another encoding the proof may end otherwise;
each bundle says how its own ended, and at how many of the thresholds of its trees was asked.
What the proof asks, and what it does not claim, is told in
[decision 53](decisions/0053-compiled-where-proven.md).

Packages that a model requires are not tried here.
CatBoost is compiled by its own exporter, where its trees grow as they do by themselves;
with another `grow_policy` it is native, as is whatever no converter knows.
"""


@dataclass(frozen=True)
class Outcome:
    """How one estimator is served, and why not compiled."""

    how: str
    why: str = ""

    @property
    def text(self) -> str:
        """Both in words."""
        return f"**{self.how}**" + (f": {self.why}" if self.why else "")


def main() -> int:
    """Write the page and say where it is."""
    PAGE.write_text(make_page(), encoding="utf-8")
    print(PAGE)  # noqa: T201
    return 0


def make_page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    with limit_threads(1):
        for kind, title in KINDS.items():
            lines = [entry(name, look_at(kind, name)) for name in classes_of_kind(kind)]
            parts.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def entry(name: str, outcome: Outcome) -> str:
    """Return one item of the page's lists."""
    return textwrap.fill(
        f"- `{name}`: {outcome.text}",
        _WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def look_at(kind: str, name: str) -> Outcome:
    """Fit, store and compile one estimator; return how it would be served."""
    if name in REFUSED:
        return Outcome("refused", REFUSED[name])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = _look_at(kind, name)
        if found.why != _NO_PROBABILITIES:
            return found
        calibrated = _look_at(kind, name, calibrate=True)
        if calibrated.how == "refused":
            return found
        why = [
            calibrated.why,
            "with `calibrate: sigmoid`; without it refused, for want of probabilities",
        ]
        return Outcome(calibrated.how, "; ".join(filter(None, why)))


def _look_at(kind: str, name: str, *, calibrate: bool = False) -> Outcome:
    from pipelines.bundle.rows import feed_from_table, frame_from_feed, rows_from_table, schema_of
    from pipelines.training.onnx.answers import native_answers
    from pipelines.training.onnx.edges import edge_rows
    from pipelines.training.onnx.export import compile_pipeline

    rows = table()
    task = task_of(kind, name)
    schema = schema_of(rows, rows.column_names, task, None)
    feed = feed_from_table(schema.columns, rows)
    frame = frame_from_feed(feed)
    pipeline = build(kind, name, calibrate=calibrate)
    try:
        pipeline.fit(frame, target_of(rows, task))
    except Exception as error:  # noqa: BLE001 -- whatever it raises is why it is refused
        return Outcome("refused", f"cannot be fitted: {_short(error)}")
    if task == "cluster":
        found_classes = [str(place) for place in pipeline[-1].classes_]
        schema = schema.model_copy(update={"classes": found_classes})
    if task == "binary" and not hasattr(pipeline, "predict_proba"):
        return Outcome("refused", _NO_PROBABILITIES)
    if why := _why_not_stored(pipeline, schema, feed):
        return Outcome("refused", why)
    if not np.isfinite(native_answers(pipeline, schema, feed)).all():
        return Outcome("refused", "answers NaN")
    whole, single = edge_rows(schema, rows_from_table(schema.columns, rows))
    held_out = feed_from_table(schema.columns, rows.slice(0, 100))
    found = compile_pipeline(pipeline, schema, held_out, [*whole, *single])
    return Outcome("compiled") if found.model else Outcome("native", _plain(found.why_not))


def _why_not_stored(pipeline: Any, schema: Any, feed: Any) -> str:
    """Return why a fitted pipeline cannot be stored, or is another one when it is loaded again."""
    from skops import io

    from pipelines.bundle.predictor import NativePredictor
    from pipelines.training.onnx.answers import difference, native_answers
    from pipelines.training.onnx.export import TOLERANCE

    try:
        loaded = NativePredictor(schema, io.dumps(pipeline))
    except Exception as error:  # noqa: BLE001 -- whatever it raises is why it cannot be stored
        return f"cannot be stored without pickle: {_short(error)}"
    gap = difference(native_answers(pipeline, schema, feed), loaded.predict_feed(feed), schema.task)
    return "" if gap <= TOLERANCE[schema.task] else "answers otherwise once it is loaded again"


def _plain(why: str) -> str:
    """Return a reason without the numbers that another machine may have others of."""
    why = why.removeprefix("not compiled: ")
    why = re.sub(r"differs by \S+ on (.*), more than \S+", r"differs on \1", why)
    if why.startswith("there is no converter") or "no conversion" in why:
        return "there is no converter for it"
    if "BadData: The compiled model cannot be loaded" in why:
        return "what the converter writes cannot be loaded"
    if "['label', 'scores']" in why:
        return "the converter writes labels too, where the step gives distances"
    return _cut(re.sub(r"^\w+(Error|Exception): ", "", why))


def _short(error: Exception) -> str:
    return _cut(" ".join(str(error).split()) or type(error).__name__)


def _cut(text: str) -> str:
    """Return the first sentence of a library's message, on one line and without addresses."""
    text = re.sub(r"0x[0-9a-f]+", "…", text.split(". ", maxsplit=1)[0].rstrip("."))
    return text if len(text) <= 2 * _WIDTH else text[: 2 * _WIDTH].rsplit(" ", 1)[0] + " …"


if __name__ == "__main__":
    raise SystemExit(main())
