"""One worked example brought to life in the running stack: `python -m demo.example NAME`.

Its folder is copied to models/, its DAG retrains it, and the server answers a first request.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.console import Console

from demo.live import WatchedRun, watch
from pipelines.errors import PerennialError, RequestError, TryAgain
from pipelines.onboarding.folder import copy_example, find_examples
from pipelines.settings import load_settings, quiet
from pipelines.spec import load_spec
from pipelines.verdicts.words import join
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.spec import Spec

DAG_SECONDS = 120
"""How long Airflow may take to find the new model's DAGs; it looks every few seconds."""
ANSWER_SECONDS = 30
"""How long the server may take to follow the release."""
WIDTH = 160

app = typer.Typer(add_completion=False)


@app.command()
def example(
    name: Annotated[str, typer.Argument(help="An example; without one they are listed.")] = "",
) -> None:
    """Bring a worked example to life in the running stack (`make up` starts one).

    Copies its folder to models/ unless it is there, starts its DAG, watches it, and asks the
    server for a first prediction.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        bring_to_life(load_settings(), name, console)
    except PerennialError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False)
        sys.exit(error.exit_code)


def bring_to_life(settings: Settings, name: str, console: Console) -> None:
    """Copy the example, retrain it by its DAG and ask it.

    Raises RequestError where there is no such example or no stack runs, PerennialError where
    nothing was deployed.
    """
    if name not in find_examples():
        raise RequestError(
            f"There is no example {name!r}." if name else "No example was named.",
            remedy=f"make example NAME=…, one of {', '.join(sorted(find_examples()))}.",
        )
    layout = Layout(settings)
    if not all(health.is_healthy for health in control.status(layout)):
        raise RequestError("The stack is not running.", remedy="make up, and once more.")
    if not (settings.models / name).is_dir():
        paths = copy_example(settings, name, name, force=False)
        console.print("Copied:\n  " + "\n  ".join(paths), markup=False)
    spec = load_spec(settings.models, name)
    console.print(spec.description, markup=False)
    with AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api:
        for message in await_dags(api, [spec], timeout_seconds=DAG_SECONDS):
            console.print(message, markup=False)
        version = _retrain(api, layout, spec, console)
    _ask(layout.serving_url, name, _await_version(layout.serving_url, name, version), console)
    console.print(
        f"\nPages: {layout.airflow_url}/perennial/  user {USER}. Who serves and why:"
        f" .venv/bin/perennial status {name}",
        markup=False,
    )


def _retrain(api: AirflowApi, layout: Layout, spec: Spec, console: Console) -> str:
    """Run the DAG and return the version that serves then.

    A refusal leaves the one before in its place.
    """
    dag_id = f"retrain_{spec.name}"
    run_id = api.trigger(dag_id, {"reason": "make example"})
    address = f"{layout.airflow_url}/dags/{dag_id}/runs/{run_id}"
    console.print(address, markup=False)
    run = WatchedRun(api, dag_id, run_id, spec.train.metric)
    state = watch(run, console)
    deployed, judged = run.result("deploy"), run.result("gate") or {}
    if state == "success" and deployed:
        return str(deployed["version"])
    reasons = join(judged.get("reasons", [])) or f"the run ended {state}"
    if state != "success" or not judged.get("champion"):
        raise PerennialError(f"Nothing was deployed: {reasons}.", remedy=f"look at {address}")
    console.print(f"Refused: {reasons}. The champion serves on.", markup=False)
    return str(judged["champion"])


def _await_version(url: str, name: str, version: str) -> Any:
    """Return what the server says of the model once it serves that version."""
    deadline = time.monotonic() + ANSWER_SECONDS
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        while time.monotonic() < deadline:
            answer = client.get(f"/models/{name}")
            if answer.is_success and str(answer.json()["version"]) == version:
                return answer.json()
            time.sleep(0.5)
    raise TryAgain(
        f"The server does not serve version {version} of {name} after {ANSWER_SECONDS} s.",
        remedy="make status",
    )


def _ask(url: str, name: str, document: Any, console: Console) -> None:
    """Ask for the prediction of a row of training, and show how it was asked."""
    fields = document["inputs"]["properties"]
    row = {field: (known.get("examples") or [None])[0] for field, known in fields.items()}
    body = json.dumps({"row": row})
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        headers = {"content-type": "application/json"}
        answer = client.post(f"/models/{name}/predict", content=body, headers=headers)
    if not answer.is_success:
        raise RequestError(f"The server refused to answer: {answer.text[:500]}")
    address = f"{url}/models/{name}/predict"
    command = f"curl -s {address} -H 'content-type: application/json' -d {shlex.quote(body)}"
    console.print(f"\n{command}\n{answer.text}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    quiet()
    app()
