"""`python -m door`: the door's options.

They name what may pass, so they are the operator's, not the environment's.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import signal
import sys
from pathlib import Path

from door.engine import GuardedEngine
from door.keeper import Keeper
from door.limits import read_size
from door.proxy import Door, serve
from door.rules import Rules


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m door", description="A narrow door to the Docker engine."
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="where to listen; another address only in a network of the stack's own",
    )
    parser.add_argument("--port", type=int, default=2375)
    parser.add_argument("--engine", default="/var/run/docker.sock", help="the engine's socket")
    parser.add_argument(
        "--stack",
        default="perennial",
        help="label of all that is made through the door; what bears another is not touched",
    )
    parser.add_argument(
        "--image",
        action="append",
        help="containers may be made from it (a reference, or its beginning and *)",
    )
    parser.add_argument("--build", action="append", help="tags that may be built, run and removed")
    parser.add_argument("--volume", action="append", help="volumes that may be mounted")
    parser.add_argument(
        "--read-only-volume",
        action="append",
        help="volumes that may be mounted only to be read",
    )
    parser.add_argument("--network", action="append", help="networks that containers may join")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="start the stack's containers again when they were killed (docker kill)",
    )
    parser.add_argument(
        "--stopped",
        type=Path,
        help="file in which --keep remembers, across its own ends, what was stopped",
    )
    parser.add_argument(
        "--most-memory",
        type=read_size,
        default=16 * 2**30,
        help="the most that a container may have, like 16g",
    )
    parser.add_argument(
        "--most-pids", type=int, default=2_048, help="the most processes of a container"
    )
    parser.add_argument(
        "--context-bytes", type=int, default=2**30, help="the most that a build's context may have"
    )
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", options.stack):
        parser.error("--stack must be a plain name: small letters, numbers, _ and -")
    if options.most_pids < 1:
        parser.error("--most-pids must be at least 1: 0 is no limit to the engine")
    return options


def read_rules(options: argparse.Namespace) -> Rules:
    """Return the rules that the options name."""
    return Rules(
        stack=options.stack,
        images=tuple(
            options.image or ["perennial/steps", "perennial/serving", "perennial/serving-native"]
        ),
        builds=tuple(options.build or ["perennial/release-*", "perennial/environment:*"]),
        volumes=tuple(options.volume or ["perennial_state", "perennial_gateway"]),
        read_only=tuple(options.read_only_volume or []),
        networks=tuple(options.network or ["perennial", "perennial-edge"]),
        most_memory=options.most_memory,
        most_pids=options.most_pids,
    )


async def main(arguments: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = read_options(arguments)
    until = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, until.set)
    engine = GuardedEngine(options.engine)
    keeper_task = (
        asyncio.create_task(Keeper(engine, options.stack, options.stopped).keep())
        if options.keep
        else None
    )
    await serve(
        Door(read_rules(options), engine, options.context_bytes), options.host, options.port, until
    )
    if keeper_task is not None:
        keeper_task.cancel()


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    asyncio.run(main(sys.argv[1:]))
