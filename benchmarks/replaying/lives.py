"""Models whose past is lived through by benchmarks: where their data are, and a home for each."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.context import Context
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_spec

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PERENNIAL_DATA") or ROOT.parent / "shared" / "data")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Life:
    """A model, the month at whose start it is trained first, and how its data come to it."""

    model: str
    folder: str
    first: datetime
    file: str = ""
    variable: str = ""
    """The variable of the environment that names the file; without one it is put in the cache."""

    @property
    def data(self) -> Path | None:
        """Where the file is; None where none is needed. It may not be there."""
        return DATA / self.file if self.file else None


BIKES = Life(
    "bike_demand", "models", datetime(2011, 3, 1, tzinfo=UTC), file="bike_sharing/hour.csv"
)
LIVES = (
    BIKES,
    Life(
        "hotel_bookings",
        "examples",
        datetime(2015, 9, 1, tzinfo=UTC),
        file="hotel_bookings/hotel_bookings.csv.zip",
        variable="HOTEL_BOOKINGS",
    ),
    Life("flight_delays", "models", datetime(2013, 3, 1, tzinfo=UTC)),
    Life(
        "metro_traffic",
        "examples",
        datetime(2013, 10, 1, tzinfo=UTC),
        file="metro_traffic/Metro_Interstate_Traffic_Volume.csv",
        variable="METRO_TRAFFIC",
    ),
)


def lay_out(life: Life, home: Path, **changes: str) -> Context:
    """Return the context of a model whose folder, suites and data are laid below `home`.

    `changes` are texts of its model.yaml by what they are to be replaced with, in pairs of
    `old_…` and `new_…`.
    """
    folder = home / "models" / life.model
    shutil.copytree(ROOT / life.folder / life.model, folder)
    spec_file = folder / "model.yaml"
    for name, old in changes.items():
        if name.startswith("old_"):
            text = spec_file.read_text(encoding="utf-8")
            new = changes[f"new_{name.removeprefix('old_')}"]
            spec_file.write_text(text.replace(old, new), encoding="utf-8")
    suites = ROOT / ("expectations" if life.folder == "models" else "examples/expectations")
    (home / "expectations").mkdir()
    for suite in suites.glob(f"{life.model}*.json"):
        shutil.copy(suite, home / "expectations")
    shutil.copy(ROOT / "requirements.txt", home)
    settings = load_settings({"PERENNIAL_HOME": str(home), "PERENNIAL_STATE": str(home / "var")})
    spec = load_spec(settings.models, life.model)
    if life.data is not None and life.variable:
        os.environ[life.variable] = str(life.data)
    elif life.data is not None:
        cache = settings.state / "cache" / "http"
        cache.mkdir(parents=True)
        shutil.copy(life.data, cache / spec.source.member_sha256)
    log = logging.getLogger("perennial.replay")
    return Context(spec, settings, ConfiguredPorts(settings), log)
