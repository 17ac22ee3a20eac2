"""The files that a new repository of features holds, and what DVC is told of the remote in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REMOTE = "store"
"""What DVC calls the remote."""

FILES = {
    ".dvcignore": "",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvc/config": (
        f"""[core]
    remote = {REMOTE}
    analytics = false
    check_update = false
[cache]
    type = "hardlink,copy"
['remote "{REMOTE}"']
    url = ../../remote
    verify = true
"""
    ),
    "features/.gitignore": "/*/\n",
}
"""What the first commit holds.

The remote's URL is made whole in it, so that a clone finds the remote wherever it lies.
"""

CONFIG = ".dvc/config"


def with_remote(config: str, options: Mapping[str, str]) -> str:
    """Return DVC's configuration with the remote's own URL, and how to reach it."""
    from configobj import ConfigObj, ConfigObjError

    configuration = ConfigObj(config.splitlines(), interpolation=False)
    section = configuration.setdefault(f'remote "{REMOTE}"', {})
    for name in [name for name in section if name not in {*options, "verify"}]:
        del section[name]  # of a remote elsewhere
    section.update(options)
    try:
        return "\n".join(configuration.write()) + "\n"
    except ConfigObjError:  # a path with both kinds of quotes has no form in such a file
        return config
