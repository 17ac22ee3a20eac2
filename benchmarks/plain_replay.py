"""*Every batch* replayed by a plain script with scikit-learn, beside the engine's figures.

`python -m benchmarks.plain_replay [--tiny]` from the checkout. `replay_plainly` knows nothing of
Perennial: for each batch it takes the rows of the batches before, fits, and scores the batch. The
model is bike_demand with one candidate of fixed settings, so that nothing has to be searched.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

from benchmarks.replaying.lives import BIKES, NOW, lay_out
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.replay.contenders import ALWAYS, NEVER
from pipelines.replay.replaying import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TINY_MONTHS, WINDOW = 2, 7
NUMBERS = ["hr", "weekday", "workingday", "holiday", "season", "weathersit"]
NUMBERS += ["temp", "hum", "windspeed", "rentals_day_before", "rentals_week_before"]
CANDIDATE = """candidates:
  - name: boosted
    estimator: sklearn.ensemble.HistGradientBoostingRegressor
    params: {learning_rate: 0.1, max_iter: 60}

gate:"""


def replay_plainly(
    rows: pd.DataFrame,
    starts: Sequence[pd.Timestamp],
    window: int,
    make_model: Callable[[], Any],
    *,
    wait: pd.Timedelta,
) -> tuple[list[float], list[float]]:
    """Return the mean absolute error of each batch: under *every batch*, and under *never*.

    `rows` hold `time`, the inputs and `y`, in order. `starts` are where batches begin, and the last
    one where they end; of the first `window` at most a model learns. The first one that is scored
    is the third: one to learn from and one to judge on come before it.
    """
    inputs = [name for name in rows if name not in {"time", "y"}]

    def fit(place: int) -> Any:
        begin, end = starts[max(0, place - window)], starts[place]
        known = rows[(rows.time >= begin) & (rows.time + wait <= end)]
        return make_model().fit(known[inputs].to_numpy(np.float32), known.y)

    def score(model: Any, place: int) -> float:
        batch = rows[(rows.time >= starts[place]) & (rows.time < starts[place + 1])]
        batch = batch[batch.time + wait <= starts[-1]]
        answers = model.predict(batch[inputs].to_numpy(np.float32))
        return float(mean_absolute_error(batch.y, answers))

    places = range(2, len(starts) - 1)
    first = fit(2)
    return [score(fit(place), place) for place in places], [score(first, p) for p in places]


def bike_rows(file: Path) -> pd.DataFrame:
    """Return the hours of bike_sharing with what was known before each."""
    hours = pd.read_csv(file)
    hours["time"] = pd.to_datetime(hours.dteday) + pd.to_timedelta(hours.hr, unit="h")
    rented = hours.set_index("time").cnt
    for name, days in (("rentals_day_before", 1), ("rentals_week_before", 7)):
        hours[name] = rented.reindex(hours.time - pd.Timedelta(days=days)).to_numpy()
    ordered = hours.sort_values(["time", "instant"], ignore_index=True)
    return ordered[["time", *NUMBERS]].assign(y=ordered.cnt.astype(float))


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a figure differs."""
    tiny = is_tiny(__doc__, argv)
    if BIKES.data is None or not BIKES.data.is_file():
        print("The data of bike_sharing are not at hand (PERENNIAL_DATA).")
        return 0
    months = pd.date_range("2011-01-01", "2013-01-01", freq="MS")
    months = months[: TINY_MONTHS + 3] if tiny else months
    with tempfile.TemporaryDirectory(prefix="perennial-replay-") as home:
        text = (Path("models") / BIKES.model / "model.yaml").read_text(encoding="utf-8")
        old = text[text.index("candidates:") : text.index("gate:") + len("gate:")]
        context = lay_out(BIKES, Path(home), old_candidates=old, new_candidates=CANDIDATE)
        end = months[-1].to_pydatetime().replace(tzinfo=NOW.tzinfo)
        found = replay(context, (ALWAYS, NEVER), span=(BIKES.first, end), now=NOW).outcome
    plain = replay_plainly(
        bike_rows(BIKES.data),
        list(months),
        WINDOW,
        lambda: HistGradientBoostingRegressor(learning_rate=0.1, max_iter=60, random_state=7),
        wait=pd.Timedelta(hours=1),
    )
    ours = [[batch.score or np.nan for batch in policy.batches] for policy in found.policies]
    apart = float(np.abs(np.array(ours) - np.array(plain)).max())
    name = f"{len(plain[0])} months of bike_sharing, every batch and never: greatest difference"
    rows: list[Measure] = [
        {"measure": name, "value": apart, "unit": "mae", "asked": "" if tiny else "<= 1e-9"}
    ]
    show("Replay beside a plain script", rows)
    if not tiny:
        write("plain_replay", rows)
    return int(not apart <= 1e-9)


if __name__ == "__main__":
    sys.exit(main())
