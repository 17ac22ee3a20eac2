"""All settings, read from the environment in this one file.

Each stands in docs/settings.md (a test compares them).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from pipelines.byte_sizes import Memory
from pipelines.errors import RequestError
from pipelines.plain_errors import problems, sentence
from pipelines.refs import Value
from pipelines.running_stack import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIX = "PERENNIAL_"
SQL_PREFIX = "PERENNIAL_SQL_"
SIGNING_KEY = f"{PREFIX}SIGNING_KEY"
Port = Annotated[int, Field(ge=1, le=65_535)]
DockerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
DockerState = Annotated[
    str, StringConstraints(pattern=r"^(/[^:\x00]+|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$")
]
Queues = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,63}(,[a-z0-9_-]{1,63}){0,62}$")]
OwnerNumbers = Annotated[
    str,
    StringConstraints(
        pattern=r"^([^,=]+=)?[1-9][0-9]{0,3}(,([^,=]+=)?[1-9][0-9]{0,3})*$", max_length=10_000
    ),
]
PoolSlots = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9_-]+=[1-9][0-9]{0,3}(,[a-z0-9_-]+=[1-9][0-9]{0,3})*$", max_length=10_000
    ),
]
Count = Annotated[int, Field(ge=1, le=9_999)]
KubernetesName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)
]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
NodeLabels = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]*=[A-Za-z0-9._-]*"
        r"(,[A-Za-z0-9][A-Za-z0-9./_-]*=[A-Za-z0-9._-]*)*$",
        max_length=2_000,
    ),
]
Tolerations = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]*(=[A-Za-z0-9._-]*)?:(NoSchedule|NoExecute)"
        r"(,[A-Za-z0-9][A-Za-z0-9./_-]*(=[A-Za-z0-9._-]*)?:(NoSchedule|NoExecute))*$",
        max_length=2_000,
    ),
]
KubernetesVolume = Annotated[
    str, StringConstraints(pattern=r"^(/[^:\x00]+|[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)$")
]
PodUser = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}(:[1-9][0-9]{0,8})?$")]
VariableNames = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(,[A-Za-z_][A-Za-z0-9_]*)*$", max_length=10_000
    ),
]
SparkMaster = Annotated[
    str,
    StringConstraints(
        pattern=r"^(local(\[([1-9][0-9]{0,2}|\*)\])?|yarn"
        r"|spark://[A-Za-z0-9._-]+(:[0-9]{1,5})?(,[A-Za-z0-9._-]+(:[0-9]{1,5})?)*"
        r"|k8s://(https?://)?[A-Za-z0-9._-]+(:[0-9]{1,5})?)$",
        max_length=1_000,
    ),
]
SparkConf = Annotated[
    str,
    StringConstraints(
        pattern=r"^spark\.[A-Za-z0-9_.-]+=[^;\x00-\x1f]*(;spark\.[A-Za-z0-9_.-]+=[^;\x00-\x1f]*)*$",
        max_length=20_000,
    ),
]
SparkFolder = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]{1,9}://[A-Za-z0-9._:/@=+-]*$", max_length=1_000),
]
BrokerUrl = Annotated[
    str,
    StringConstraints(
        pattern=(
            r"^(amqps?|rediss?)://([^\s/?#@;]*@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
            r"(/[^\s?#@;]*)?(\?[^\s#@;]*)?$"
        ),
        max_length=1_000,
        strip_whitespace=True,
    ),
]
ServingHosts = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._, -]*$", to_lower=True)]
ServingUrls = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s,;]+(, *https?://[^\s,;]+)*$", max_length=10_000)
]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")

ODD = '?#%"\\*[]{}$:`<>|'
"""Signs that no path of ours may hold.

They mean something in URLs, in configurations, in patterns or in lists of folders.
"""

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}
"""What every process of ours sets before a library is imported.

No telemetry, short waits for a tracking server that is away.
"""


SECRET = frozenset(
    {
        "ledger_url",
        "mlflow_uri",
        "mlflow_database",
        "proof_token",
        "signing_key",
        "docker_host",
        "broker_url",
        "serving_url",
        "mlflow_public_url",
        "airflow_public_url",
        "spark_conf",
    }
)
"""Settings whose values may hold a password: no message shows them."""


ELSEWHERE = {
    "airflow_public_url": ("AIRFLOW__API__BASE_URL",),
    "docker_host": ("DOCKER_HOST",),
    "store_endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "GOOGLE_BASE_URL"),
    "store_region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "store_credentials": ("AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS"),
    "store_ca": ("AWS_CA_BUNDLE",),
    "store_account": ("AZURE_STORAGE_ACCOUNT_NAME",),
}
"""Settings that other programs' variables give, where ours is not set.

Those of one service say nothing of a store on another.
"""
_SERVICES = {"az": "AZURE", "gs": "GOOGLE"}
"""How the variables of a store's service begin; those of any other store do with AWS."""
_KEYS = {
    "AWS": (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SESSION_TOKEN",)),
    "AZURE": (
        ("AZURE_STORAGE_ACCOUNT_KEY",),
        ("AZURE_STORAGE_SAS_TOKEN",),
        ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    ),
    "GOOGLE": (("GOOGLE_SERVICE_ACCOUNT_KEY",),),
}
"""What a service's client reads a key from where no file holds it; each row says something whole.

An id without its secret is no key: a pod with an identity of Azure's has such, of its own.
"""
KEY_VARIABLES = {
    service: tuple(name for row in rows for name in row) for service, rows in _KEYS.items()
}
"""The same, by service: AWS, AZURE, GOOGLE."""
WITHOUT_CHOICE = frozenset(
    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_SERVICE_ACCOUNT_KEY"}
)
"""Those of them that are there wherever there is a key; each other one is another way, or more."""


PORTS = ("airflow_port", "mlflow_port", "serving_port")
TURN_LIMITS = (
    "retrainings_at_once",
    "retrainings_at_once_per_owner",
    "retrainings_per_day",
    "retrainings_per_day_per_owner",
)
"""Settings by which a retraining waits for its turn, or is declined."""
OF_THE_STACK = (*PORTS, "executor", "celery_workers", "broker_url", "broker_ca")
"""Where the environment does not name them, those of the stack that runs on the state folder are
taken."""


def _sqlite(state: Path, name: str) -> str:
    return f"sqlite:///{state / name / f'{name}.db'}"


def _mlflow_database(known: dict[str, Any]) -> str:
    uri: str = known["mlflow_uri"]
    return _sqlite(known["state"], "mlflow") if is_web(uri) else uri


class Settings(Value):
    """The product's settings, complete: what nobody has set has its default, folders are absolute.

    The name in the environment is PERENNIAL_ and the field in capitals.
    """

    home: Path = Path(__file__).resolve().parents[1]
    """The checkout: holds models/ and expectations/."""
    state: Annotated[Path, Field(validate_default=True)] = Path("var")
    """Where all state lives; relative paths count from `home`."""
    store: str = Field(default_factory=lambda known: str(known["state"] / "store"))
    """The store: a folder's path, or a URL such as file:///path, s3://bucket/prefix,
    gs://bucket/prefix or az://container/prefix.

    Default <state>/store.
    """
    store_endpoint: str = ""
    """URL of the endpoint; empty: AWS's, Google's or Azure's own.

    Where the environment does not name it, its AWS_ENDPOINT_URL or GOOGLE_BASE_URL is taken.
    """
    store_region: str = "us-east-1"
    """The bucket's region; else AWS_REGION or AWS_DEFAULT_REGION."""
    store_account: str = ""
    """The account of Azure's that az:// is in; else AZURE_STORAGE_ACCOUNT_NAME."""
    store_credentials: Path | None = None
    """A file (mode 600) with the key, of AWS's form or a service account's of Google; else
    AWS_SHARED_CREDENTIALS_FILE or GOOGLE_APPLICATION_CREDENTIALS.

    None: the key is in the environment, or it is the machine's role.
    """
    store_encryption: Literal["", "AES256", "aws:kms"] = ""
    """How the endpoint encrypts what is written; empty: as the bucket says."""
    store_kms_key: str = ""
    """The KMS key of `aws:kms`; empty: AWS's own."""
    store_ca: Path | None = None
    """A file of certificates that the endpoint's is checked against; else AWS_CA_BUNDLE."""
    store_folder: Path = Field(default_factory=lambda known: known["state"] / "bucket")
    """What this host keeps of a store in a bucket: a read cache, and segments that are not rotated;
    default <state>/bucket."""
    store_cache_bytes: Annotated[int, Field(ge=0)] = 5_368_709_120
    """Bytes that the read cache of a bucket may have; 0: none."""
    store_retry_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60
    """How long a request to a bucket is tried again."""
    versions: Path = Field(default_factory=lambda known: known["state"] / "versions")
    """The folder of the features' git and DVC repository and its remote; default <state>/versions.
    """
    ledger_url: str = Field(default_factory=lambda known: _sqlite(known["state"], "ledger"))
    """SQLAlchemy URL of the ledger; default SQLite in <state>/ledger."""
    ledger_anchor: str | None = None
    """A second place for the head of the ledger's chain: file:///path, mlflow, or an http(s) URL.

    Default none.
    """
    mlflow_uri: str = Field(default_factory=lambda known: _sqlite(known["state"], "mlflow"))
    """MLflow tracking URI; default SQLite in <state>/mlflow."""
    mlflow_proxied: bool = False
    """Artifacts go through the tracking server (started with --serve-artifacts).

    Else steps write them below their state folder.
    """
    mlflow_public_url: str = Field(default_factory=lambda known: known["mlflow_uri"])
    """Where people's browsers find MLflow, for links; default the tracking URI."""
    mlflow_database: str = Field(default_factory=_mlflow_database)
    """SQLAlchemy URL of the tracking server's database, for `backup`.

    Default the tracking URI, where that is a database; else SQLite in <state>/mlflow.
    """
    mlflow_artifacts: Path = Field(
        default_factory=lambda known: known["state"] / "mlflow" / "artifacts"
    )
    """The folder of the tracking server's artifacts, for `backup`.

    Default <state>/mlflow/artifacts.
    """
    airflow_port: Port = 8080
    airflow_public_url: str = Field(
        default_factory=lambda known: f"http://127.0.0.1:{known['airflow_port']}"
    )
    """Where people's browsers find Airflow, for links in MLflow and in messages; else
    AIRFLOW__API__BASE_URL, default http://127.0.0.1:<airflow_port>."""
    mlflow_port: Port = 5000
    serving_port: Port = 8000
    serving_hosts: ServingHosts = ""
    """Names, apart by commas, under which callers reach the server or the gateway, beside localhost
    and 127.0.0.1."""
    serving_url: ServingUrls = Field(
        default_factory=lambda known: f"http://127.0.0.1:{known['serving_port']}"
    )
    """Where `deploy` finds the server, or several apart by commas; default
    http://127.0.0.1:<serving_port>."""
    serving_poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    """How often the server looks for a new release."""
    serving_idle_seconds: Annotated[float, Field(ge=0)] = 0
    """A model that nobody has asked for so long is dropped from memory, and opened again by the
    next request; 0: never."""
    deploy_timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60
    """How long `deploy` waits for the server to answer for a release."""
    body_limit: Annotated[int, Field(ge=1_024)] = 1_048_576
    """Bytes that the body of a request may have."""
    max_rows: Annotated[int, Field(ge=1)] = 1_000
    """Rows that one prediction request may have."""
    body_timeout_seconds: Annotated[float, Field(gt=0)] = 10
    """How long the server waits for the rest of a body."""
    serving_workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that answer predictions."""
    log_sync_seconds: Annotated[float, Field(gt=0, le=60)] = 0.1
    """The inference log is flushed to the disk at least this often.

    So much a power cut may cost (a killed process costs nothing).
    """
    log_send_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60
    """How long what was logged may be on this host only, where the store is in a bucket.

    So much a lost host may cost.
    """
    log_when_full: Literal["refuse", "serve"] = "refuse"
    """What the server does when the inference log cannot be written.

    Refuse predictions (503), or serve and count what it lost.
    """
    log_segment_bytes: Annotated[int, Field(ge=4_096)] = 67_108_864
    """Bytes after which the inference log begins a new segment."""
    lock_timeout_seconds: Annotated[float, Field(gt=0)] = 300
    """How long a writer waits for another one."""
    source_timeout_seconds: Annotated[float, Field(gt=0, le=604_800)] = 900
    """How long the read of one interval from a source may take, unless the spec's `source.timeout`
    says otherwise."""
    require_signature: bool = False
    """A bundle is packaged with a signature, and served only with one of a trusted key.

    Where the environment does not say it: true once the folder `trust` is there.
    """
    trust: Path = Field(default_factory=lambda known: known["state"] / "trust")
    """The folder of the public keys whose signatures count; default <state>/trust."""
    signing_key: Annotated[str, Field(max_length=128, repr=False)] = ""
    """The key that signs bundles, where it is not in its file: 32 bytes in base64."""
    place: Literal["process", "docker", "kubernetes"] = "process"
    """Where steps run: as a child process of the Airflow worker, or in a container of the steps
    image, which is the Docker engine's or a pod of Kubernetes."""
    executor: Literal["local", "celery"] = "local"
    """What the embedded stack does tasks with: processes of its scheduler, or workers that take
    them from a broker."""
    celery_workers: Annotated[int, Field(ge=1, le=64)] = 2
    """How many workers the embedded stack runs, each with two tasks at a time."""
    broker_url: Annotated[BrokerUrl | None, Field(repr=False)] = None
    """A broker of one's own for these workers: RabbitMQ (amqp://user:password@host/vhost) or Redis.

    None: the stack runs Redis for itself.
    """
    broker_ca: Path | None = None
    """A file of certificates, against which that broker's is checked (amqps, rediss).

    None: the system's.
    """
    queues: Queues = "default"
    """Which queues these workers take tasks from, with commas between them."""
    retrainings_at_once: Count | None = None
    """How many retrainings are under way at once, of all models; the others wait in line.

    Default: as many as are started.
    """
    retrainings_at_once_per_owner: OwnerNumbers | None = None
    """The same of each owner: `2`, or `2,pricing=4` where one has another number."""
    retrainings_per_day: Count | None = None
    """How many retrainings begin on one day (UTC), of all models; the others are declined."""
    retrainings_per_day_per_owner: OwnerNumbers | None = None
    """The same of each owner."""
    pools: PoolSlots | None = None
    """Airflow's pools that models may name in `resources.pool`, with their slots: `warehouse=2`.

    They are made, or changed to this, when the stack starts.
    """
    target: Literal["process", "docker", "kubernetes"] = "process"
    """How a release is deployed, unless a model's spec says it (`deploy.target`).

    The running server follows the store, a container per release behind the gateway, or the pods of
    a Deployment per model.
    """
    kubernetes_namespace: Namespace = "perennial"
    """The namespace of pods and of all else that we make in a cluster."""
    kubernetes_config: Path | None = None
    """A kubeconfig file. None: the cluster that we run in, else the user's own file."""
    kubernetes_deploy_seconds: Annotated[float, Field(ge=10, le=7_200)] = 600
    """How long the pods of a release may take to come up, each image pulled; then it is given up.
    """
    kubernetes_serving_volume: DockerState | None = None
    """What serving pods see as the state folder: a volume claim, or a folder of the nodes.

    None where the store is in a bucket: then each pod has a folder of its own.
    """
    kubernetes_serving_secret: KubernetesName | None = None
    """The Secret with the key to the bucket: serving pods get the variables of its service."""
    kubernetes_serving_personal_key: KubernetesName | None = None
    """A Secret with the entry `personal_key`, by which all pods hash personal data alike."""
    kubernetes_serving_trust: KubernetesName | None = None
    """A ConfigMap with the public keys whose signatures count, as files."""
    kubernetes_serving_ca: KubernetesName | None = None
    """A ConfigMap with the entry `ca.pem`: certificates that the bucket's is checked against."""
    kubernetes_serving_account: KubernetesName | None = None
    """The service account of serving pods; its token is never mounted. None: the default one."""
    kubernetes_serving_pull_secret: KubernetesName | None = None
    """The Secret by which the serving images are pulled."""
    kubernetes_serving_nodes: NodeLabels | None = None
    """Labels of the nodes that serving pods may run on: `pool=serving,disk=ssd`."""
    kubernetes_serving_tolerations: Tolerations | None = None
    """Taints of nodes that serving pods bear: `serving=only:NoSchedule`."""
    docker_host: str = "unix:///var/run/docker.sock"
    """Where the Docker engine (or the door to it) listens.

    Where the environment does not name it, its DOCKER_HOST is taken.
    """
    docker_state: DockerState | None = None
    """What containers see as their state folder.

    A volume's name, or an absolute folder of the engine's host; default: the state folder.
    """
    docker_gateway: DockerState = "perennial_gateway"
    """What containers that deploy see as the folder shared with the gateway, where the state is a
    volume: a volume's name."""
    docker_trust: DockerName | None = None
    """A volume with the trusted keys, which containers see and cannot change.

    Default: they see the folder in their state.
    """
    docker_network: DockerName = "perennial"
    """The network of the steps' containers, unless a model's spec names another one."""
    release_network: DockerName = "perennial-edge"
    """The network of the releases' containers, where only the gateway reaches them."""
    kubernetes_steps_volume: KubernetesVolume | None = None
    """What the steps' pods see as the state folder: a volume claim, or a folder of the node, where
    there is one node.

    None: an empty folder, which goes with the pod; the state is then in a bucket and servers.
    """
    kubernetes_steps_user: PodUser = "10001"
    """The user of the steps' pods and, after a colon, its group; never root."""
    kubernetes_steps_secret: KubernetesName | None = None
    """The Secret with the secret settings of steps, each under its own name."""
    kubernetes_steps_secret_keys: VariableNames | None = None
    """Keys of that Secret that steps get although whoever starts them does not know them."""
    kubernetes_steps_trust: KubernetesName | None = None
    """A ConfigMap with the public keys whose signatures count, as files; None: those of the state.
    """
    kubernetes_steps_ca: KubernetesName | None = None
    """A ConfigMap with the entry `ca.pem`: certificates that the bucket's is checked against."""
    kubernetes_steps_account: KubernetesName | None = None
    """The service account of the steps' pods; its token is not mounted. None: the default one."""
    kubernetes_deploy_account: KubernetesName | None = None
    """The service account of the pods that deploy to the cluster; its token is mounted there."""
    kubernetes_steps_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When a node pulls the steps' image."""
    kubernetes_steps_pull_secret: KubernetesName | None = None
    """The Secret by which the steps' image is pulled."""
    kubernetes_steps_nodes: NodeLabels | None = None
    """Labels of the nodes that steps may run on: `pool=training,disk=ssd`."""
    kubernetes_steps_tolerations: Tolerations | None = None
    """Taints of nodes that steps bear: `training=only:NoSchedule`."""
    kubernetes_steps_pending_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300
    """How long a step's pod may take to begin."""
    kubernetes_away_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300
    """How long the cluster, or the node of a step's pod, may be away."""
    steps_image: str = "perennial/steps:latest"
    """The image that steps run in."""
    serving_image: str = "perennial/serving:latest"
    """The image that releases of compiled bundles are built from."""
    serving_native_image: str = "perennial/serving-native:latest"
    """The image that releases of bundles without parity are built from."""
    image: str = ""
    """Set inside containers: the id of the image that the process runs in.

    It stands in MLflow beside the run.
    """
    packages: Path | None = None
    """Set inside serving images: where an image brings the packages that its release requires.

    Then nothing is installed.
    """
    gateway: Path = Field(default_factory=lambda known: known["state"] / "gateway")
    """The folder that is shared with the gateway: its routes and sockets; default <state>/gateway.
    """
    # For containers, which have a network of their own.
    serving_host: Literal["127.0.0.1", "0.0.0.0"] = "127.0.0.1"  # noqa: S104
    """Where the server listens: 0.0.0.0 inside a container only."""
    releases: str = Field(default_factory=lambda known: known["store"])
    """The store (a path or a URL) that the server reads its releases from.

    Where that is not the one it logs to: a release's image brings its own.
    """
    proof_token: Annotated[str, Field(max_length=128)] = ""
    """Set inside a release's container.

    Requests that carry it are answered, but are no traffic and are not logged.
    """
    release: Annotated[str, Field(max_length=10_000)] = ""
    """Set inside a release's pod: the release as JSON, with the hash of its bundle."""
    draining: Path | None = None
    """Set inside a release's pod: once this file is there, each answer is its connection's last."""
    personal_key_from: Path | None = None
    """Set inside a release's pod: the file that the key for personal data is copied from."""
    user_code_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 1_800
    """How long one run of a model's own code may take (`build` or `read` for one batch), unless its
    spec says otherwise."""
    own_code_answer_seconds: Annotated[float, Field(gt=0, le=3_600)] = 10
    """How long the server waits for an answer of a model's own code.

    Then its process is ended and started anew.
    """
    memory: Memory | None = None
    """Memory of one step where its model's spec names none (`resources.memory`).

    Default: what machine and container have free.
    """
    engine_threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """Threads of DuckDB in one step.

    Default: the cores that it may use, and no more than `resources.cpus`.
    """
    spill: Path = Field(default_factory=lambda known: known["state"] / "spill")
    """The folder for what does not fit into a step's memory; default <state>/spill."""
    engine: Literal["duckdb", "spark"] = "duckdb"
    """What runs the steps that rows are many in, unless a model's spec says it (`resources.engine`,
    `resources.engines`)."""
    spark_master: SparkMaster = "local[*]"
    """Which Spark: `spark://host:7077`, `k8s://https://host:6443`, `yarn`; `local[2]` is this
    machine with two threads."""
    spark_conf: SparkConf | None = None
    """More of Spark's configuration, with semicolons between:
    `spark.executor.memory=4g;spark.executor.cores=2`."""
    spark_python: Path | None = None
    """The Python that has PySpark, of the cluster's version; default what `make spark` makes:
    <home>/.venv-spark/bin/python."""
    spark_folder: SparkFolder | None = None
    """A folder's URL that driver and workers reach both, such as hdfs://host/perennial.

    None: they see the same files under the same paths.
    """
    spark_seconds: Annotated[float, Field(ge=5, le=3_600)] = 120
    """How long Spark may take until its master has answered and a worker is there."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of one training task (OpenMP); predictions do not depend on it."""
    plots: bool = True
    """Whether a candidate's plots are drawn for its run."""
    evidently: bool = True
    """Whether a look makes Evidently's page beside its own."""
    evidently_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    """How long Evidently's page of a look is kept before `prune` removes it; 0: for ever."""
    comparison_seconds: Annotated[float, Field(ge=0, le=3_600)] = 6
    """How long the refits and shufflings of a comparison's page may take; 0: no such page."""
    alerts: Path | None = None
    """The file with the routes of alerts (mode 600): whom to tell of what. None: nobody is told."""
    alert_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 20
    """How long one service may take for one alert."""
    log_level: str = "INFO"
    _elsewhere: dict[str, str] = PrivateAttr(default_factory=dict)
    """The variables of other programs that settings were read from, by field."""

    @field_validator(
        "state", "versions", "gateway", "mlflow_artifacts", "trust", "store_folder", "spill"
    )
    @classmethod
    def _count_from_home(cls, folder: Path, info: ValidationInfo) -> Path:
        """Return a folder's absolute path."""
        home: Path = info.data["home"]
        return (home / folder).resolve()

    @field_validator("spark_python")
    @classmethod
    def _count_python_from_home(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        """Return the interpreter's absolute path; a link stays one, or it were another Python."""
        home: Path = info.data["home"]
        return None if file is None else (home / file).absolute()

    @field_validator("alerts", "store_credentials", "store_ca", "broker_ca", "kubernetes_config")
    @classmethod
    def _count_a_file_from_home(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        """Return the file's absolute path."""
        home: Path = info.data["home"]
        return None if file is None else (home / file).resolve()

    @field_validator("store", "releases")
    @classmethod
    def _count_a_store_from_home(cls, store: str, info: ValidationInfo) -> str:
        """Return a store's URL as it is, a path as an absolute one."""
        return store if scheme_of(store) else str((info.data["home"] / store).resolve())

    @property
    def has_bucket(self) -> bool:
        """Tell whether the store is in a bucket; features are then in it, too.

        So are MLflow's artifacts where it is one of S3.
        """
        return scheme_of(self.store) in {"s3", "az", "gs"}

    @property
    def serving_urls(self) -> list[str]:
        """The base URL of each host that serves."""
        return [url.strip().rstrip("/") for url in self.serving_url.split(",")]

    @property
    def has_line(self) -> bool:
        """Tell whether a retraining may have to wait for its turn: some limit is set."""
        return any(getattr(self, name) is not None for name in TURN_LIMITS)

    @property
    def pool_slots(self) -> dict[str, int]:
        """The slots of each of Airflow's pools that models may name."""
        parts = [part.split("=") for part in (self.pools or "").split(",") if part]
        return {name: int(slots) for name, slots in parts}

    @property
    def spark_properties(self) -> dict[str, str]:
        """What `spark_conf` says, by name."""
        parts = [part.partition("=") for part in (self.spark_conf or "").split(";") if part]
        return {name: value for name, _, value in parts}

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.home / "models"

    @property
    def expectations(self) -> Path:
        """The folder of the Great Expectations suites."""
        return self.home / "expectations"

    @property
    def personal_key(self) -> Path:
        """The file with the key by which personal data are hashed in the inference log.

        Made (mode 600) when first needed.
        """
        return self.state / "secrets" / "personal_key"

    @property
    def signing_key_file(self) -> Path:
        """The file of the key that signs bundles (mode 600); no backup has it."""
        return self.state / "secrets" / "signing_key"

    def is_set(self, field: str) -> bool:
        """Tell whether somebody has set this setting: it is not the default."""
        return field in self.model_fields_set

    def variable(self, field: str) -> str:
        """Return the variable that a setting is read from: ours, or another program's."""
        return self._elsewhere.get(field, f"{PREFIX}{field.upper()}")

    def replace(self, **changes: Any) -> Settings:
        """Return the settings with these changes; defaults follow them."""
        changed = Settings.model_validate({**self.model_dump(exclude_unset=True), **changes})
        kept = {f: name for f, name in self._elsewhere.items() if f not in changes}
        changed._elsewhere.update(kept)  # noqa: SLF001 -- of its own class
        return changed


def is_web(url: str) -> bool:
    """Tell whether this is a server's address, and no database's."""
    return scheme_of(url) in {"http", "https"}


def load_settings(environ: dict[str, str] | None = None) -> Settings:
    """Return the settings that the environment holds. Raises RequestError naming the variable."""
    source = dict(os.environ) if environ is None else environ
    fields = {PREFIX + field.upper(): field for field in Settings.model_fields}
    variables = {field: source[name] for name, field in fields.items() if source.get(name)}
    elsewhere = _find_elsewhere(source, variables)
    variables |= {field: source[name] for field, name in elsewhere.items()}
    try:
        settings = Settings.model_validate(variables)
    except ValidationError as error:
        faults = problems(error, variables, Settings, secret=SECRET)
        # A default that cannot be told, because of a wrong setting, is no fault of its own.
        faults = [problem for problem in faults if problem.path[0] in variables] or faults
        text = "\n".join(
            f"{elsewhere.get(problem.field, PREFIX + problem.field.upper())}:"
            f" {sentence(problem.text)}"
            for problem in faults
        )
        raise RequestError(text, remedy="see docs/settings.md.") from error
    settings._elsewhere.update(elsewhere)  # noqa: SLF001 -- whoever reads them knows from where
    _refuse_odd_paths(settings, variables)
    running: dict[str, Any] = {
        name: value
        for name, value in settings_of(settings.state, OF_THE_STACK).items()
        if name not in variables
    }
    if "require_signature" not in variables and os.path.lexists(settings.trust):
        running["require_signature"] = True
    return settings.replace(**running)


def _find_elsewhere(source: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of other programs that count, by field: where ours is not set."""
    foreign = {"AWS", *_SERVICES.values()} - {service_of(variables.get("store", ""))}
    found: dict[str, str] = {}
    for field, names in ELSEWHERE.items():
        own = [n for n in names if n.partition("_")[0] not in foreign and source.get(n)]
        if own and field not in variables:
            found[field] = own[0]
    return found


def _refuse_odd_paths(settings: Settings, variables: Mapping[str, str]) -> None:
    """Raise RequestError, naming setting and character, for a folder whose path a library would
    read as something else.
    """
    paths = {
        "home": settings.home.absolute(),
        "state": settings.state,
        **_folders_of_stores(settings),
        "versions": settings.versions,
        "mlflow_artifacts": settings.mlflow_artifacts,
        "gateway": settings.gateway,
        "trust": settings.trust,
        "store_folder": settings.store_folder,
        "spill": settings.spill,
    }
    for field, path in {"": Path(__file__).resolve().parents[1], **paths}.items():
        odd = next((c for c in str(path) if c in ODD or not c.isprintable()), None)
        if odd is None:
            continue
        name = f"{PREFIX}{field.upper()}" + ("" if field in variables else " (by default)")
        raise RequestError(
            f"{name if field else 'The checkout'}: the path {str(path)!r} holds {odd!r}, which a"
            " library would take for a sign.",
            remedy=(
                f"name a folder without any of {ODD} and without what cannot be printed; blanks,"
                " quotes ' and letters of any language do."
            ),
        )


def _folders_of_stores(settings: Settings) -> dict[str, Path]:
    """Return the folders of the stores that are folders, by their settings."""
    urls = {"store": settings.store, "releases": settings.releases}
    return {field: local_path(url) for field, url in urls.items() if scheme_of(url) in {"", "file"}}


def scheme_of(url: str) -> str:
    """Return a URL's scheme in small letters, nothing of a path."""
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator and _SCHEME.fullmatch(scheme) else ""


def service_of(store: str) -> str:
    """Return how the variables of a store's service begin: AWS, AZURE or GOOGLE."""
    return _SERVICES.get(scheme_of(store), "AWS")


def keys_in(environ: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the variables with keys to a service (AWS, AZURE, GOOGLE) that an environment has."""
    rows = [row for row in _KEYS[service] if all(environ.get(name) for name in row)]
    return {name: environ[name] for row in rows for name in row}


def local_path(url: str) -> Path:
    """Return the absolute path that a path or a file:// URL names.

    Raises RequestError for a file:// URL of another machine.
    """
    if not scheme_of(url):
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return Path(unquote(parts.path))
    raise RequestError(
        f"{url!r} names no folder of this machine.", remedy="write it as file:///absolute/path."
    )


def database_url(name: str, environ: dict[str, str] | None = None) -> str:
    """Return the SQLAlchemy URL of a `sql` source's database.

    Raises RequestError naming the variable.
    """
    source = dict(os.environ) if environ is None else environ
    variable = SQL_PREFIX + name.upper()
    if not source.get(variable):
        raise RequestError(
            f"The setting {variable} is not there.",
            remedy=f"set {variable} to the database's SQLAlchemy URL.",
        )
    return source[variable]


def airflow_database(settings: Settings, environ: dict[str, str] | None = None) -> str:
    """Return the SQLAlchemy URL of Airflow's database.

    Where Airflow's own setting points, else the embedded stack's.
    """
    source = dict(os.environ) if environ is None else environ
    return (
        source.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
        or f"sqlite:///{settings.state / 'airflow' / 'airflow.db'}"
    )


def airflow_logs(settings: Settings, environ: dict[str, str] | None = None) -> Path:
    """Return the folder of Airflow's task logs.

    Where Airflow's own setting points, else the embedded stack's.
    """
    source = dict(os.environ) if environ is None else environ
    return Path(
        source.get("AIRFLOW__LOGGING__BASE_LOG_FOLDER") or settings.state / "airflow" / "logs"
    )


def without_password(url: str) -> str:
    """Return the URL fit for a message: its user and password left out."""
    parts = urlsplit(url)
    return (
        parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]).geturl()
        if "@" in parts.netloc
        else url
    )


def quiet() -> None:
    """Turn telemetry off and waits down, unless the environment says otherwise."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
