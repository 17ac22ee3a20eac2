"""A cluster in memory, as far as a deployment sees one: it keeps objects, and moves pods on."""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import DEPLOYMENT, POD, REPLICA_SET, Kind
from pipelines.errors import Conflict

Object = dict[str, Any]


@dataclass
class Pods:
    """What becomes of the pods of a template: they come up, unless `broken` says otherwise."""

    broken: dict[str, Object] = field(default_factory=dict)
    """By release, the status of each of its pods."""
    messages: dict[str, str] = field(default_factory=dict)
    """By release, what the event of a failed probe says."""


class MemoryCluster:
    """Keeps objects with versions, generations and uids; a Deployment makes its pods at once."""

    namespace = "test"

    def __init__(self, pods: Pods | None = None, policy: str = "policy/v1") -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.pods = pods or Pods()
        self.answers: dict[str, tuple[int, str]] = {}
        self.rivals: list[Any] = []
        """Called before a swap, once each: what somebody else does in between."""
        self._policy = policy
        self._numbers = itertools.count(1)

    def version_of(self, kind: Kind) -> str:
        return self._policy if self._policy in kind.groups else kind.groups[0]

    def get(self, kind: Kind, name: str) -> Object | None:
        found = self.objects.get((kind.plural, name))
        return copy.deepcopy(found) if found else None

    def find(self, kind: Kind, *, labels: str = "", fields: str = "") -> list[Object]:
        assert not fields
        wanted = dict(pair.split("=", 1) for pair in labels.split(",") if pair)
        return [
            copy.deepcopy(found)
            for (plural, _), found in self.objects.items()
            if plural == kind.plural
            and wanted.items() <= (found["metadata"].get("labels") or {}).items()
        ]

    def create(self, kind: Kind, body: Object) -> Object:
        name = body["metadata"]["name"]
        if (kind.plural, name) in self.objects:
            raise Conflict(f"{kind.plural} {name} already exists.")
        number = next(self._numbers)
        made = copy.deepcopy(body)
        made["metadata"] |= {
            "resourceVersion": str(number),
            "uid": f"uid-{number}",
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:00:{number:02d}Z",
        }
        self.objects[kind.plural, name] = made
        self._move_on(kind, name)
        return copy.deepcopy(self.objects[kind.plural, name])

    def swap(self, kind: Kind, body: Object) -> Object:
        name = body["metadata"]["name"]
        if self.rivals:
            self.rivals.pop(0)()
        old = self.objects[kind.plural, name]
        if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified.")
        new = copy.deepcopy(body)
        new["metadata"]["resourceVersion"] = str(next(self._numbers))
        if new["spec"] != old["spec"]:
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self.objects[kind.plural, name] = new
        self._move_on(kind, name)
        return copy.deepcopy(self.objects[kind.plural, name])

    def change(self, kind: Kind, name: str, edit: Any) -> Object | None:
        from pipelines.deployment.kubernetes.api import Cluster

        return Cluster.change(self, kind, name, edit)

    def remove(self, kind: Kind, name: str) -> bool:
        return self.objects.pop((kind.plural, name), None) is not None

    def ask_service(self, name: str, port: str, path: str) -> tuple[int, str]:
        assert port == names.PORT
        assert path.startswith("/models/")
        if name in self.answers:
            return self.answers[name]
        found = self.objects[DEPLOYMENT.plural, name]
        told = found["spec"]["template"]["metadata"]["annotations"]
        number = names.release_number(found["spec"]["template"])
        return 200, json.dumps({"release": number, "version": told[names.VERSION]})

    def _move_on(self, kind: Kind, name: str) -> None:
        if kind is not DEPLOYMENT:
            return
        found = self.objects[kind.plural, name]
        template, wanted = found["spec"]["template"], found["spec"]["replicas"]
        release = template["metadata"]["labels"][names.RELEASE]
        mark = f"{abs(hash(json.dumps(template, sort_keys=True))):x}"[:8]
        labelled = copy.deepcopy(template)
        labelled["metadata"]["labels"]["pod-template-hash"] = mark
        key = (REPLICA_SET.plural, f"{name}-{mark}")
        if key not in self.objects:
            self.objects[key] = {
                "metadata": {
                    "name": key[1],
                    "labels": labelled["metadata"]["labels"],
                    "creationTimestamp": f"2026-01-01T00:00:{next(self._numbers):02d}Z",
                    "ownerReferences": [{"uid": found["metadata"]["uid"]}],
                },
                "spec": {"template": labelled},
                "status": {},
            }
        broken = release in self.pods.broken
        up = 0 if broken else wanted
        found["status"] = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": wanted + broken,
            "updatedReplicas": 1 if broken else wanted,
            "availableReplicas": wanted if broken else up,
        }
        self.objects[POD.plural, f"{name}-{mark}-1"] = {
            "metadata": {"name": f"{name}-{mark}-1", "labels": labelled["metadata"]["labels"]},
            "spec": {"nodeName": "node1"},
            "status": self.pods.broken.get(
                release,
                {
                    "startTime": "2026-01-01T00:00:00Z",
                    "containerStatuses": [
                        {"name": "server", "image": "i", "imageID": "docker://sha256:1"}
                    ],
                },
            ),
        }
        if release in self.pods.messages:
            self.objects["events", f"{name}-{mark}-1.event"] = {
                "type": "Warning",
                "reason": "Unhealthy",
                "message": self.pods.messages[release],
                "metadata": {"name": "event"},
                "involvedObject": {"name": f"{name}-{mark}-1"},
            }
