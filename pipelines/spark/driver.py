"""Spark's driver: a program for a Python that has PySpark, and needs nothing else of ours.

`python driver.py ANSWERS`: questions come as lines of JSON on standard input, each is answered by a
line of JSON on the file descriptor ANSWERS. The first question says how to reach Spark. What Spark
prints goes to standard error. When the questions end, so do the session and what it had brought to
the cluster.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import time
import uuid
from pathlib import Path
from typing import IO, Any

LONGEST = 20_000
"""Characters of an error that are handed on."""
PAUSE_SECONDS = 0.1


class NoWorker(Exception):
    """No worker came within the time."""


class Driver:
    """A session, and what is done with it."""

    def __init__(self, place: dict[str, Any]) -> None:
        """Start Spark. Raises what PySpark raises, NoWorker."""
        # To start Java is to import PySpark's gateway, which reads these two.
        os.environ["PYSPARK_SUBMIT_ARGS"] = place["submit"]
        os.environ.setdefault("PYSPARK_PYTHON", "python3")
        from pyspark.sql import SparkSession

        self.session = SparkSession.builder.getOrCreate()
        self._uploaded: dict[str, str] = {}
        self._expectations: Any = None
        self._far = ""
        if place["folder"]:
            self._far = f"{place['folder'].rstrip('/')}/perennial-{uuid.uuid4().hex}"
        if place["workers"]:
            self._wait_for_a_worker(place["seconds"])

    def _wait_for_a_worker(self, seconds: float) -> None:
        """Wait until an executor runs: a master without free workers says nothing at all."""
        tracker = self.session.sparkContext._jsc.sc().statusTracker()  # noqa: SLF001 -- only there
        end = time.monotonic() + seconds
        while len(tracker.getExecutorInfos()) < 2:  # noqa: PLR2004 -- the driver, and one more
            if time.monotonic() > end:
                raise NoWorker
            time.sleep(PAUSE_SECONDS)

    def tell(self) -> dict[str, Any]:
        """Return what runs: the versions of Spark, Java and Python."""
        java = self.session._jvm.System.getProperty("java.version")  # noqa: SLF001
        return {
            "spark": self.session.version,
            "java": java,
            "python": ".".join(map(str, sys.version_info[:3])),
        }

    def run(self, question: dict[str, Any]) -> dict[str, Any]:
        """Make the views, run the SQL, and leave its rows as Parquet files in a local folder."""
        names = []
        for name, files in question["files"].items():
            where = [self._reach(file) for file in files]
            frame = self.session.read.option("mergeSchema", "true").parquet(*where)
            frame.createOrReplaceTempView(name)
            names.append(name)
        try:
            for view in question["views"]:
                self.session.sql(view)
            target = question["target"]
            far = f"{self._far}/{uuid.uuid4().hex}" if self._far else f"file://{target}"
            self.session.sql(question["sql"]).write.mode("overwrite").parquet(far)
            if self._far:
                self._fetch(far, target)
        finally:
            for name in [*names, *question["names"]]:
                self.session.catalog.dropTempView(name)
        return {"files": sorted(str(p) for p in Path(question["target"]).glob("*.parquet"))}

    def rows(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the few rows of a statement, as texts that JSON can hold."""
        return {"rows": [list(row) for row in self.session.sql(question["sql"]).collect()]}

    def judge(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return what Great Expectations finds on a file."""
        if self._expectations is None:  # seconds, which not every question needs
            path = Path(__file__).with_name("expectations.py")
            spec = importlib.util.spec_from_file_location("expectations", path)
            assert spec is not None and spec.loader is not None  # noqa: PT018, S101 -- it is there
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module  # where its models look for their types
            spec.loader.exec_module(module)
            self._expectations = module
        where = self._reach(question["file"])
        found: dict[str, Any] = self._expectations.judge(self.session, question, where)
        return found

    def _reach(self, file: str) -> str:
        """Return where the workers find a local file: brought there once, where it must be."""
        if not self._far:
            return f"file://{file}"
        if file not in self._uploaded:
            path = f"{self._far}/raw/{len(self._uploaded)}.parquet"
            system, far = self._far_path(path)
            system.copyFromLocalFile(False, True, self._path(f"file://{file}"), far)  # noqa: FBT003
            self._uploaded[file] = path
        return self._uploaded[file]

    def _fetch(self, far: str, target: str) -> None:
        """Bring the files that Spark wrote to a local folder, and take them away there."""
        system, path = self._far_path(far)
        system.copyToLocalFile(True, path, self._path(f"file://{target}"), True)  # noqa: FBT003

    def _path(self, url: str) -> Any:
        return self.session._jvm.org.apache.hadoop.fs.Path(url)  # noqa: SLF001

    def _far_path(self, url: str) -> tuple[Any, Any]:
        path = self._path(url)
        configuration = self.session._jsc.hadoopConfiguration()  # noqa: SLF001
        return path.getFileSystem(configuration), path

    def end(self) -> None:
        """Take away what was brought, and end the session."""
        if self._far:
            system, path = self._far_path(self._far)
            system.delete(path, True)  # noqa: FBT003
        self.session.stop()


def main(answers: IO[str]) -> None:
    """Answer questions until there are no more."""
    # Python's times without a zone are those of this process: of Spark's session, too.
    os.environ["TZ"] = "UTC"
    time.tzset()
    # PySpark's own word on each failed statement: a stack of a hundred lines, as one of JSON.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    driver: Driver | None = None
    try:
        for line in sys.stdin:
            question = json.loads(line)
            try:
                if driver is None:
                    driver = Driver(question)
                    answer = driver.tell()
                else:
                    answer = getattr(driver, question["what"])(question)
            # Whatever goes wrong is an answer: who asks says what it means.
            except Exception as error:  # noqa: BLE001
                answer = {"error": type(error).__name__, "text": str(error)[:LONGEST]}
            answers.write(json.dumps(answer, default=str) + "\n")
            answers.flush()
            if driver is None:
                return
    finally:
        if driver is not None:
            driver.end()


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as stream:
        main(stream)
