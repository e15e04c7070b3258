"""A real helm on the chart of this repository. Knows helm's command line; knows no cluster and no test."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "modelpool"
ALL_ON = CHART / "ci" / "all-on-values.yaml"
NAMESPACE = "modelpool-system"

Object = dict[str, Any]


class HelmFailedError(Exception):
    """helm ended with an error; the message is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """One helm with a home of its own, so that no plugin or repository of the user takes part."""

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str | Path, values: Mapping[str, Any] | None = None, timeout: float = 60) -> str:
        """Run helm and return what it printed.

        Args:
            arguments: of helm.
            values: overrides, handed over as a file on stdin.
            timeout: in seconds.

        Raises:
            HelmFailedError: helm said no.
        """
        homes = {f"HELM_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        command = [str(self.program), *map(str, arguments)]
        if values is not None:
            command.append("--values=-")
        if self.kubeconfig is not None:
            command.append(f"--kubeconfig={self.kubeconfig}")
        done = subprocess.run(
            command,
            input=yaml.safe_dump(dict(values or {})),
            env={"PATH": os.defpath, "HOME": str(self.home), **homes},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise HelmFailedError(f"helm {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def template(self, values: Mapping[str, Any] | None = None, *flags: str | Path, namespace: str = NAMESPACE) -> str:
        """Render the release `modelpool` and return its manifests as one text."""
        return self("template", "modelpool", CHART, f"--namespace={namespace}", *flags, values=values)

    def objects(
        self, values: Mapping[str, Any] | None = None, *flags: str | Path, namespace: str = NAMESPACE
    ) -> list[Object]:
        """Render the release `modelpool` and return its objects."""
        return [found for found in yaml.safe_load_all(self.template(values, *flags, namespace=namespace)) if found]


def pick(objects: list[Object], kind: str, name: str) -> Object:
    """Return the one object of a kind whose name ends with `name`."""
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(name)]
    assert len(found) == 1, f"want one {kind} …{name}, got {[one['metadata']['name'] for one in found]}"
    return found[0]


def leaves(values: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every value that is set as a whole: what the schema does not list property by property."""
    for key, value in values.items():
        below = resolved(schema["properties"][key], root=schema)
        if "properties" in below and isinstance(value, dict):
            yield from ((key, *path) for path in leaves(value, {**below, "$defs": schema.get("$defs", {})}))
        else:
            yield (key,)


def resolved(part: Mapping[str, Any], *, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of a schema with its reference followed."""
    if "$ref" not in part:
        return part
    found: Mapping[str, Any] = root["$defs"][part["$ref"].rpartition("/")[2]]
    return found


def get(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return the value at a path."""
    found: Any = values
    for key in path:
        found = found[key]
    return found
