"""What a Python is and has, as far as packages beside it must know.

`python -m pipelines.environments.interpreter` tells it of the Python that runs it, as JSON.
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from packaging.utils import canonicalize_name

from pipelines.environments.record import running_python
from pipelines.errors import Conflict, GiveUp
from pipelines.refs import Value

_GLIBC = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv knows wheels for (`--python-platform`)."""


class Interpreter(Value):
    """A Python, the platform it runs on, and the packages that it has."""

    python: str
    """As `running_python` has it, such as cpython-311-x86_64-linux-gnu."""
    version: str
    """Such as 3.11."""
    machine: str
    """Such as x86_64."""
    glibc: str = ""
    """The version of its C library, such as 2.36; empty where that is another one."""
    packages: dict[str, str]
    """The versions of its packages by their canonical names."""

    @property
    def platform(self) -> str:
        """What uv calls the platform. Raises GiveUp where wheels are made for no such thing."""
        major, _, minor = self.glibc.partition(".")
        known = [number for number in _GLIBC if minor.isdecimal() and number <= int(minor)]
        if major != "2" or not known:
            raise GiveUp(
                f"{self.python} runs on a C library ({self.glibc or 'not glibc'}) for which there"
                " are no wheels.",
                remedy="build the images on a base with glibc 2.17 or later, such as Debian's.",
            )
        return f"{self.machine}-manylinux_2_{known[-1]}"


def describe_running() -> Interpreter:
    """Return what the running Python is and has."""
    name, version = platform.libc_ver()
    return Interpreter(
        python=running_python(),
        version=f"{sys.version_info.major}.{sys.version_info.minor}",
        machine=platform.machine(),
        glibc=version if name == "glibc" else "",
        packages=installed_packages(sys.path),
    )


def installed_packages(path: list[str]) -> dict[str, str]:
    """Return the versions of the packages on a path by their canonical names."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions(path=path):
        # The first one on the path is the one that is imported.
        found.setdefault(canonicalize_name(distribution.metadata["Name"]), distribution.version)
    return found


def absent_packages(
    locked: dict[str, str], installed: dict[str, str], *, where: str, remedy: str
) -> dict[str, str]:
    """Return which of a lock's packages are not installed, by name with their versions.

    Raises Conflict, naming `where`, for one that is installed in another version.
    """
    for name, version in locked.items():
        if installed.get(name, version) != version:
            raise Conflict(
                f"The environment needs {name} {version}, but {installed[name]} is installed in"
                f" {where}.",
                remedy=remedy,
            )
    return {name: version for name, version in locked.items() if name not in installed}


if __name__ == "__main__":
    sys.stdout.write(f"{describe_running().model_dump_json()}\n")
