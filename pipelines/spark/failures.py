"""What Spark's errors mean: the named error, and what to do."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, NamedTuple

from pipelines.errors import GiveUp, PerennialError, SpecError, StorageFull, TryAgain, Unreachable

if TYPE_CHECKING:
    from pipelines.spark.place import SparkPlace

LONGEST = 400
_CONF = "PERENNIAL_SPARK_CONF"
_STACK = re.compile(r"\n\s+at .*|\nJVM stacktrace:.*", re.DOTALL)


class Failure(NamedTuple):
    """A named error, and whether the session is of no use any more."""

    error: PerennialError
    ends_session: bool = False


class _Meaning(NamedTuple):
    pattern: str
    kind: type[PerennialError]
    words: str
    remedy: str
    ends_session: bool = False


_MEANINGS = (
    _Meaning(
        r"ModuleNotFoundError.*pyspark|No module named 'pyspark'",
        GiveUp,
        "{python} has no PySpark",
        "run `make spark`, or name a Python that has it: PERENNIAL_SPARK_PYTHON.",
        ends_session=True,
    ),
    _Meaning(
        r"No module named 'great_expectations'",
        GiveUp,
        "{python} has no Great Expectations, which judges batches on Spark",
        "run `make spark`, or install the version of requirements.txt there; or leave it to DuckDB:"
        " `resources: {engines: {validate: duckdb}}`.",
    ),
    _Meaning(
        r"JAVA_GATEWAY_EXITED|JAVA_HOME is not set|Java gateway process exited",
        GiveUp,
        "Java did not start for Spark's driver",
        "install Java 17 or 21 (Debian: openjdk-17-jre-headless), or mend JAVA_HOME, and"
        f" `spark.driver.memory` in {_CONF}.",
        ends_session=True,
    ),
    _Meaning(
        r"^NoWorker",
        Unreachable,
        "{master} gave no worker within {seconds:g} s",
        "start workers, or ask for less than one has: `spark.executor.memory`,"
        f" `spark.executor.cores`, `spark.cores.max` in {_CONF}; another application may hold all.",
        ends_session=True,
    ),
    _Meaning(
        r"All masters are unresponsive|Master removed our application|CONNECTION_CLOSED"
        r"|SparkContext was shut down|stopped SparkContext",
        Unreachable,
        "Spark at {master} went away in the middle",
        "see what its master says; the task is tried again.",
        ends_session=True,
    ),
    _Meaning(
        r"InvalidClassException|serialVersionUID|StreamCorruptedException",
        GiveUp,
        "the cluster at {master} is of another version of Spark than the driver's PySpark",
        "let PERENNIAL_SPARK_PYTHON have PySpark of the cluster's version.",
        ends_session=True,
    ),
    _Meaning(
        r"PYTHON_VERSION_MISMATCH|Python in worker has different version",
        GiveUp,
        "the workers' Python is of another version than the driver's",
        f"let `spark.pyspark.python` in {_CONF} name a Python of one version everywhere.",
    ),
    _Meaning(
        r"ExecutorLostFailure|exited caused by one of the running tasks|Max number of executor"
        r"|Job aborted due to stage failure.*(exit(ed with)? code|OutOfMemory)"
        r"|executor .*OutOfMemoryError",
        TryAgain,
        "Spark lost its executors more often than it tries again",
        f"see the workers' logs; memory of one: `spark.executor.memory` in {_CONF}, or more parts:"
        " `spark.sql.shuffle.partitions`.",
        ends_session=True,
    ),
    _Meaning(
        r"OutOfMemoryError|Not enough memory to build and broadcast|maxResultSize"
        r"|GC overhead limit",
        SpecError,
        "Spark's driver has too little memory",
        f"give it more: `spark.driver.memory=4g` in {_CONF}; or let it join by sorting:"
        " `spark.sql.autoBroadcastJoinThreshold=-1`.",
        ends_session=True,
    ),
    _Meaning(
        r"No space left on device",
        StorageFull,
        "no space is left where Spark spills",
        f"make room, or let `spark.local.dir` in {_CONF} be another folder.",
    ),
    _Meaning(
        r"FAILED_READ_FILE|PATH_NOT_FOUND|FileNotFoundException|AccessControlException"
        r"|Mkdirs failed to create|Permission denied|UnsupportedFileSystemException"
        r"|ClassNotFoundException.*FileSystem|No FileSystem for scheme",
        GiveUp,
        "a worker cannot read or write the files of this step",
        "let driver and workers run as one user on one file system, or name a folder that both"
        f" reach: PERENNIAL_SPARK_FOLDER (what its URL needs goes into {_CONF}).",
    ),
)


def failure_of(kind: str, text: str, place: SparkPlace, what: str = "run") -> Failure:
    """Return what an error of the driver means, by its class and its text.

    `what` it was asked to do: run SQL, or judge.
    """
    failure = known_failure(text, place, kind)
    if failure is not None:
        return failure
    if what == "judge":
        words = f"Great Expectations failed on Spark: {kind}: {shorten(text)}"
        remedy = "leave it to DuckDB: `resources: {engines: {validate: duckdb}}`."
        return Failure(GiveUp(words, remedy=remedy))
    return Failure(
        SpecError(
            f"build failed on Spark: {shorten(text)}",
            remedy="mend build (`perennial check` says what Spark cannot); rows on which Spark"
            " stops stop DuckDB too, or came out infinite.",
        )
    )


def known_failure(text: str, place: SparkPlace, kind: str = "Error") -> Failure | None:
    """Return what befell Spark itself; None where class and text of an error tell of nothing."""
    said = f"{kind}: {text}"
    for meaning in _MEANINGS:
        if re.search(meaning.pattern, said, re.DOTALL):
            words = meaning.words.format(
                python=place.python, master=place.master, seconds=place.seconds
            )
            return Failure(
                meaning.kind(f"{words}: {shorten(text)}", remedy=meaning.remedy),
                meaning.ends_session,
            )
    return None


def say_ended(code: int | None, last_words: str) -> PerennialError:
    """Return the error of a driver that ended without an answer."""
    if code is not None and -code == signal.SIGKILL:
        return TryAgain(
            f"Spark's driver was killed: memory was short, or a person did it.{last_words}",
            remedy=f"give the step more memory, or the driver less: `spark.driver.memory` in"
            f" {_CONF}.",
        )
    return TryAgain(
        f"Spark's driver ended with exit code {code}.{last_words}",
        remedy="see its last words above.",
    )


def shorten(text: str) -> str:
    """Return the first lines of an error's text, without the stack trace."""
    lines = [line.strip() for line in _STACK.sub("", text).splitlines() if line.strip()]
    return " ".join(lines)[:LONGEST].rstrip(". ") + "."
