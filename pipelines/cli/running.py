"""Run one step: read its request, call it, and turn what comes of it into a record and an exit
code.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.collector import load_for_good
from pipelines.context import Context
from pipelines.errors import PerennialError, RequestError
from pipelines.intervals import iso
from pipelines.plain_errors import in_one_line, problems
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_spec
from pipelines.step_record import record_line
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from pipelines.refs import Value
    from pipelines.settings import Settings

CRASH = 70


def set_up_logging(level: str) -> None:
    """Log to stderr, one line each: `LEVEL message`; stdout belongs to the result.

    Of libraries, only warnings are shown.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(
        lambda record: record.name.startswith("perennial") or record.levelno >= logging.WARNING
    )
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("perennial").setLevel(level.upper())


def context_for(model: str, settings: Settings | None = None) -> Context:
    """Return the context of a model's steps. Raises SpecError where its spec is wrong."""
    settings = settings or load_settings()
    return Context(
        spec=load_spec(settings.models, model), settings=settings, ports=ConfiguredPorts(settings)
    )


def run_step(context: Context, step: str, body: dict[str, Any]) -> Value:
    """Call one step with a request as JSON.

    Raises RequestError naming the field where the request is wrong.
    """
    kind = STEPS[step].request
    try:
        request = kind.model_validate(body)
    except ValidationError as error:
        raise RequestError(
            f"The request of {step} is wrong: {in_one_line(problems(error, body, kind))}"
        ) from error
    module = load_for_good(STEPS[step].module)
    begin = time.monotonic()
    result: Value = module.run(context, request)
    context.log.info(
        "%s took %.2f s; peak memory of this process %.0f MB",
        step,
        time.monotonic() - begin,
        peak_megabytes(),
    )
    return result


def log_verdict(context: Context, step: str, result: Value) -> None:
    """Log what a step decided so that someone who is woken up understands it.

    This is where the log of a task gets it from, whichever place the step runs in.
    """
    words = STEPS[step].words
    for line in words(result) if words else ():
        context.log.log(line.level, "%s", line.text)


def answer_program(context: Context, step: str, request: str) -> None:
    """Run a step for whoever runs the loop.

    The request is JSON, and the one record of its result goes to stdout.
    """
    try:
        body = json.loads(request)
    except ValueError as error:
        raise RequestError(f"--request is no JSON: {error}.") from error
    if not isinstance(body, dict):
        raise RequestError("--request must be a JSON object.")
    result = run_step(context, step, body)
    log_verdict(context, step, result)
    sys.stdout.write(record_line(step, result) + "\n")


def now() -> str:
    """Return this moment, to the second, as requests hold it."""
    return iso(datetime.now(UTC).replace(microsecond=0))


def peak_megabytes() -> float:
    """Return the most memory (resident, in MB) that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # bytes there, kilobytes here


def report(error: BaseException) -> int:
    """Print an error to stderr as a user wants to read it, and return the exit code."""
    if isinstance(error, PerennialError):
        sys.stderr.write(f"ERROR {type(error).__name__}: {error}\n")
        return error.exit_code
    traceback.print_exception(error, file=sys.stderr)
    sys.stderr.write(f"ERROR {type(error).__name__}: {error}\n")
    return CRASH
