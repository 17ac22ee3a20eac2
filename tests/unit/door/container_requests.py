"""Rules of a door, and requests for containers as a step makes them."""

from __future__ import annotations

import json

from door import policy
from door.rules import Rules

RULES = Rules(
    stack="mine",
    images=("perennial/steps", "registry.example:5000/perennial/serving:1.2"),
    builds=("perennial/release-*",),
    volumes=("perennial_state", "perennial_gateway"),
    networks=("perennial", "perennial-edge"),
    read_only=("perennial_trust",),
)
HEX = "0123456789abcdef" * 4
OWN = {"perennial": "1", "perennial.stack": "mine"}
NAME = "perennial-step-bikes-train-0123456789ab"
CREATE = f"/v1.41/containers/create?name={NAME}"


def step_container(**changes):
    """A container as a step asks for it, with these fields of HostConfig changed."""
    mounts = [
        {"Type": "volume", "Source": "perennial_state", "Target": "/state", "ReadOnly": False}
    ]
    host = {
        "NetworkMode": "perennial",
        "Mounts": mounts,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Memory": 1 << 30,
    }
    return {
        "Image": "perennial/steps:latest",
        "Cmd": ["train"],
        "Env": ["A=b"],
        "Labels": {"perennial.model": "b"},
        "HostConfig": {**host, **changes},
    }


def create(body, target=CREATE):
    return policy.judge(
        RULES, "POST", target, body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def created_body(**changes):
    """What the engine gets of such a container, from the image that it has."""
    return json.loads(create(step_container(**changes)).body(f"sha256:{HEX}"))
