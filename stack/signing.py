"""The key that signs bundles: `make up` makes it, and makes it known to the server as trusted."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from pipelines.errors import PerennialError
from pipelines.signing.keys import read_signing_key
from pipelines.signing.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.settings import Settings
    from stack.layout import Layout


def requires_signatures(settings: Settings) -> bool:
    """Tell whether the stack asks for signatures: it makes the keys, so it does by default."""
    return settings.require_signature or not settings.is_set("require_signature")


def make_signing_key(
    layout: Layout, environ: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Make the key where there is none, and trust it; what the ledger has crowned is signed then.

    Nothing is made where somebody wants no signatures. It is made by a command, because it reads
    the ledger, which the stack does not know. Raises PerennialError with what the command said.
    """
    if not requires_signatures(layout.settings):
        return
    key = read_signing_key(layout.settings)
    if key is not None and Trust(layout.settings.trust).find(key.id) is not None:
        return
    process = subprocess.run(
        [sys.executable, "-m", "pipelines", "keys", "begin"],
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise PerennialError(
            f"The key that signs bundles could not be made:\n{process.stderr.strip()[-2_000:]}",
            remedy="mend what it names (docs/signing.md), then: make up.",
        )
    say(process.stdout.strip())
