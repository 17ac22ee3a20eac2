"""Where Spark is and how a driver reaches it, from the settings."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.refs import Value

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.spec.resources import EngineStep, Resources

PYTHON = ".venv-spark/bin/python"
"""What `make spark` makes in the checkout."""

ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
"""What rows equal to DuckDB's depend on: nobody else says it."""

LOOPBACK = "127.0.0.1"

USUAL = {
    "spark.app.name": "perennial",
    "spark.log.level": "WARN",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.adaptive.enabled": "true",
}
"""What we say where nobody else does."""


class SparkVersions(Value):
    """What runs: of Spark, and of the driver's Java and Python."""

    spark: str
    java: str
    python: str


class SparkPlace(Value):
    """Which Python runs the driver, which Spark it asks, and how.

    `folder` is a URL that driver and workers reach both, "" where they share this machine's files.
    `seconds` is how long Spark may take until it is there.
    """

    python: str
    master: str
    conf: dict[str, str]
    folder: str
    seconds: float

    @property
    def is_local(self) -> bool:
        """Whether the driver does all by itself."""
        return self.master.startswith("local")

    @property
    def hosts(self) -> list[tuple[str, int]]:
        """Where a standalone master may be; none of another kind of cluster."""
        if not self.master.startswith("spark://"):
            return []
        parts = self.master.removeprefix("spark://").split(",")
        urls = [urlsplit(f"//{part}") for part in parts]
        return [(url.hostname or "", url.port or 7077) for url in urls]

    @property
    def is_here(self) -> bool:
        """Whether all of it runs on this machine, as far as its address tells."""
        hosts = self.hosts
        return self.is_local or (bool(hosts) and all(is_here(host) for host, _ in hosts))

    def properties(self) -> dict[str, str]:
        """Return Spark's configuration in full.

        A driver whose cluster is on this machine listens here only.
        """
        listening = dict.fromkeys(("spark.driver.host", "spark.driver.bindAddress"), LOOPBACK)
        return {
            **USUAL,
            **(listening if self.is_here else {}),
            **self.conf,
            **ALWAYS,
            "spark.master": self.master,
        }


def is_here(host: str) -> bool:
    """Tell whether a host's name or address is that of this machine's inside."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def place_of(settings: Settings) -> SparkPlace:
    """Return the place that the settings name."""
    python = settings.spark_python or settings.home.absolute() / PYTHON
    return SparkPlace(
        python=str(python),
        master=settings.spark_master,
        conf=settings.spark_properties,
        folder=settings.spark_folder or "",
        seconds=settings.spark_seconds,
    )


def spark_of(resources: Resources, settings: Settings, step: EngineStep) -> SparkPlace | None:
    """Return the Spark that computes for a step of a model; None where DuckDB does."""
    return place_of(settings) if resources.engine_of(step, settings.engine) == "spark" else None
