"""A cluster that is played: Deployments, their controller, a kubelet and the endpoints, each taking its step when told.

Only what a status may depend on: pods are made from the template that their Deployment has at that moment, whoever put
it there, and the hash in it says nothing of that. Steps are small, so that a pass may come between any two of them.
"""

import itertools
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.planning.pools import stored

NO_SUCH_IMAGE = "example.com/absent:1"


def essence(template: Manifest) -> str:
    """Return all of a pod template that a pod is made from, as text."""
    return json.dumps(template, sort_keys=True)


@dataclass(slots=True)
class Pod:
    """A pod of a Deployment."""

    name: str
    deployment: str
    template: Manifest
    ready: bool = False
    deleting: bool = False

    def manifest(self) -> Manifest:
        """Return it as the API server would."""
        engine = self.template["spec"]["containers"][0]
        absent = engine["image"] == NO_SUCH_IMAGE
        state = {"waiting": {"reason": "ImagePullBackOff"}} if absent else {"running": {}}
        metadata = {**self.template["metadata"], "name": self.name, "creationTimestamp": self.name}
        return {
            "metadata": {**metadata, **({"deletionTimestamp": "now"} if self.deleting else {})},
            "spec": {"nodeName": "gpu-1"},
            "status": {
                "phase": "Pending" if absent else "Running",
                "conditions": [{"type": "Ready", "status": str(self.ready)}],
                "containerStatuses": [{"name": engine["name"], "ready": self.ready, "state": state}],
            },
        }


@dataclass(slots=True)
class PlayedCluster:
    """What is there."""

    children: dict[ChildRef, Manifest] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    endpoints: dict[str, frozenset[str]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def observed(self) -> Observed:
        """Return what the operator sees."""
        slices = [
            {
                "metadata": {"labels": {names.SERVICE_LABEL: service}},
                "endpoints": [{"targetRef": {"kind": "Pod", "name": pod}} for pod in sorted(pods)],
            }
            for service, pods in self.endpoints.items()
        ]
        return Observed.from_manifests(
            children=[deepcopy(one) for one in self.children.values()],
            pods=[pod.manifest() for pod in self.pods],
            slices=slices,
        )

    def carry_out(self, plan: Plan, denied: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Apply and delete as the API server would, but for objects of denied kinds; return what was refused."""
        refused = []
        for manifest in plan.apply:
            ref = ref_of(manifest)
            if ref.kind in denied:
                refused.append(f"Could not apply {ref}: denied")
                continue
            self._put(ref, manifest)
        for ref in plan.delete:
            self.children.pop(ref, None)
            for pod in self.pods:
                pod.deleting |= ref.kind == "Deployment" and pod.deployment == ref.name
        return tuple(refused)

    def _put(self, ref: ChildRef, manifest: Manifest) -> None:
        before, live = self.children.get(ref), stored(manifest)
        generation = 1
        if before is not None:
            live["status"] = before.get("status", {})
            generation = before["metadata"]["generation"] + (_spec(before) != _spec(live))
            if before["spec"].get("paused") if "spec" in before else False:
                live["spec"]["paused"] = True  # A field of somebody else's stays.
        live["metadata"]["generation"] = generation
        self.children[ref] = live

    def deployments(self) -> list[Manifest]:
        """Return the Deployments in order of their names."""
        return [one for ref, one in sorted(self.children.items()) if ref.kind == "Deployment"]

    def roll(self) -> None:
        """Let the Deployment controller take its step: old pods end before new ones begin."""
        for live in self.deployments():
            name, spec = live["metadata"]["name"], live["spec"]
            mine = [pod for pod in self.pods if pod.deployment == name]
            current = [pod for pod in mine if essence(pod.template) == essence(spec["template"])]
            others = [pod for pod in mine if pod not in current]
            if not spec.get("paused"):
                for pod in [*others, *current[spec["replicas"] :]]:
                    pod.deleting = True
                living = [pod for pod in current if not pod.deleting]
                if not others:
                    self.pods += [self._new(live) for _ in range(spec["replicas"] - len(living))]
            mine = [pod for pod in self.pods if pod.deployment == name and not pod.deleting]
            updated = [pod for pod in mine if essence(pod.template) == essence(spec["template"])]
            live["status"] = {
                "observedGeneration": live["metadata"]["generation"],
                "replicas": len(mine),
                "updatedReplicas": len(updated),
                "readyReplicas": sum(pod.ready for pod in mine),
                "availableReplicas": sum(pod.ready for pod in mine),
            }

    def _new(self, live: Manifest) -> Pod:
        name = f"{live['metadata']['name']}-{next(self._numbers)}"
        return Pod(name, live["metadata"]["name"], deepcopy(live["spec"]["template"]))

    def start(self) -> None:
        """Let the kubelet take its step: what ends is gone, and what can run is ready."""
        self.pods = [pod for pod in self.pods if not pod.deleting]
        for pod in self.pods:
            pod.ready = pod.template["spec"]["containers"][0]["image"] != NO_SUCH_IMAGE

    def reach(self) -> None:
        """Let the endpoints follow the pods."""
        services = {live["metadata"]["name"]: live["spec"]["selector"] for live in self._services()}
        self.endpoints = {
            name: frozenset(
                pod.name
                for pod in self.pods
                if pod.ready and not pod.deleting and selector.items() <= pod.template["metadata"]["labels"].items()
            )
            for name, selector in services.items()
        }

    def _services(self) -> list[Manifest]:
        return [one for ref, one in self.children.items() if ref.kind == "Service"]


def _spec(manifest: Manifest) -> Any:
    return json.dumps(manifest.get("spec"), sort_keys=True)
