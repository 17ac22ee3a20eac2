"""What is remembered of an environment: what was asked for, and what that was resolved to."""

from __future__ import annotations

import sysconfig

from pipelines.refs import Ref, Sha256, Value


class EnvironmentRecord(Value):
    """The packages that a model has beside the lock: resolved once, the same ever after."""

    sha256: Sha256
    """The SHA-256 of the lock text: the environment's name."""
    requirements: list[str]
    """What model.yaml asked for, sorted."""
    lock: Ref
    """The lock text: every package of the closure with its version and its files' hashes."""
    python: str
    """The Python and the platform it was resolved for, such as cpython-311-x86_64-linux-gnu."""

    @property
    def tags(self) -> dict[str, str]:
        """How a run and a version in the registry name it."""
        return {
            "environment_sha256": self.sha256,
            "environment_python": self.python,
            "requirements": ", ".join(self.requirements),
        }


def running_python() -> str:
    """Return the Python and the platform that this process runs on; wheels are made for these."""
    name = sysconfig.get_config_var("SOABI")
    return str(name) if name else f"{sysconfig.get_python_version()}-{sysconfig.get_platform()}"
