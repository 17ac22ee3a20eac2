"""The small model of the composed stack, and the images that hold it beside the shipped ones.

So does a user with models of their own: `FROM` the image, `COPY` the model's files.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from typing import TYPE_CHECKING, Any

from tests.worlds import World, as_of, make_world, visits

if TYPE_CHECKING:
    from pathlib import Path

ROOM = ("models", "expectations", "raw")
ROW = {"pages": 20, "minutes": 9.5, "channel": "mail", "trend": 0.4}
CANDIDATES = ("baseline", "linear")
SERVED = (
    "  latency: {milliseconds: 5000}\n  memory: {at_most: 800m}\n"
    "  golden: [{row: {pages: 20, minutes: 9.5, channel: mail, trend: 0.4}, answer: 1, within: 1}]"
)
"""What the gate asks of a real server, which runs where the gate runs."""
FIRST_DAY, SECOND_DAY = as_of(3), as_of(8)
"""At these moments a retraining brings a champion.

The inputs of the first three days tell the opposite of what those of the others tell: who has
learnt from the later ones is better.
"""


def sales_world(home: Path, root: Path) -> World:
    """Return the model's world, locked to the same requirements as the checkout `root`."""
    world = make_world(home)
    world.respec("  min_rows: 50\n", f"  min_rows: 50\n{SERVED}\n")
    for day in range(3):
        world.rewrite(day, visits(day, signal=-1.0))
    shutil.copy(root / "requirements.txt", home)
    return world


def image_with(engine: Any, base: str, world: World, tag: str) -> str:
    """Build the image `tag` from `base` with the world's model in it; return the tag."""
    lines = [f"FROM {base}", *(f"COPY {name} /app/{name}" for name in ROOM)]
    dockerfile = "\n".join(lines).encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        archive.addfile(entry, io.BytesIO(dockerfile))
        for name in ROOM:
            archive.add(world.home / name, name)
    stream.seek(0)
    said = list(
        engine.build(fileobj=stream, custom_context=True, tag=tag, rm=True, pull=False, decode=True)
    )
    assert any(tag in line.get("stream", "") for line in said), said
    return tag
