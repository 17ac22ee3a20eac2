"""A standalone cluster of Spark on this machine: a master and workers, each a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

from pipelines.spark.place import SparkPlace

if TYPE_CHECKING:
    from pathlib import Path

START_SECONDS = 120
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java for what takes seconds: it compiles once, and not twice."""
EXECUTOR = "CoarseGrainedExecutorBackend"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Cluster:
    """A master and its workers. Nobody's Python is found by them."""

    python: Path
    folder: Path
    port: int = field(default_factory=free_port)
    memory: str = "1g"
    """What a worker may give to executors."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start(self, workers: int = 2) -> Cluster:
        options = ("--host", "127.0.0.1", "--port", str(self.port), "--webui-port", "0")
        self._run("master", "org.apache.spark.deploy.master.Master", *options)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end, self.log("master")
                time.sleep(0.2)
        for number in range(workers):
            self._run(
                f"worker-{number}",
                "org.apache.spark.deploy.worker.Worker",
                *("--host", "127.0.0.1", "--cores", "1", "--memory", self.memory),
                *("--webui-port", "0"),
                *("--work-dir", str(self.folder / f"work-{number}"), self.master),
            )
        return self

    def _run(self, name: str, program: str, *options: str) -> None:
        home = next(self.python.parents[1].glob("lib/python3*/site-packages/pyspark"))
        environment = {
            "PATH": os.environ["PATH"],
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_HOME": str(home),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": QUICK,
            "PYSPARK_PYTHON": "/nowhere/python",
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(home / "bin" / "spark-class"), program, *options],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                process_group=0,
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2_000:]

    def executors(self) -> list[psutil.Process]:
        """The executors that run now, below our own workers."""
        found = []
        for name, process in self.processes.items():
            if name.startswith("worker") and process.poll() is None:
                below = psutil.Process(process.pid).children(recursive=True)
                found += [p for p in below if _is_executor(p)]
        return found

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        if process.poll() is None:
            below = psutil.Process(process.pid).children(recursive=True)
            os.killpg(process.pid, signal.SIGKILL)
            for one in below:
                if one.is_running():
                    one.kill()
        process.wait()

    def end(self) -> None:
        for name in sorted(self.processes, reverse=True):
            self.kill(name)

    def place(self, **changes: Any) -> SparkPlace:
        conf = {
            "spark.executor.memory": "512m",
            "spark.executor.cores": "1",
            "spark.sql.shuffle.partitions": "4",
            "spark.driver.memory": "512m",
            "spark.driver.extraJavaOptions": QUICK,
            "spark.executor.extraJavaOptions": QUICK,
        } | changes.pop("conf", {})
        fields = {"master": self.master, "folder": "", "seconds": 120} | changes
        return SparkPlace(python=str(self.python), conf=conf, **fields)


def _is_executor(process: psutil.Process) -> bool:
    try:
        return any(EXECUTOR in word for word in process.cmdline())
    except psutil.Error:
        return False
