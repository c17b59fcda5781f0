"""Manifests: whether Kubernetes takes them, and a container of one as a process of this machine."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.missing import DEPLOY_TOOLS, module

VERSIONS = ("1.29", "1.37")  # the oldest and the newest that are checked


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def check(document: dict[str, Any]) -> None:
    """Raise an error that names the field if it is none of Kubernetes, or has the wrong type."""
    kubernetes_validate = module("kubernetes_validate", DEPLOY_TOOLS)
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


def of_kind(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (document,) = [document for document in found if document["kind"] == kind]
    return document


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the container of eventscache."""
    found: list[dict[str, Any]] = deployment["spec"]["template"]["spec"]["containers"]
    return next(one for one in found if one["name"] == "eventscache")


def content(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return what a secret holds."""
    return dict(secret["stringData"])


def environ(deployment: dict[str, Any], secrets: Mapping[str, Mapping[str, str]], folder: Path) -> dict[str, str]:
    """Return the variables of eventscache's container, whose volumes become folders in `folder`."""
    found = dict(_mount(deployment, secrets, folder))
    variables = {}
    for variable in container(deployment).get("env", []):
        value = variable.get("value")
        if value is None:
            key = variable["valueFrom"]["secretKeyRef"]
            value = secrets[key["name"]][key["key"]]
        for path, place in found.items():
            value = value.replace(path, str(place))
        variables[variable["name"]] = value
    return variables


def _mount(
    deployment: dict[str, Any], secrets: Mapping[str, Mapping[str, str]], folder: Path
) -> Iterator[tuple[str, Path]]:
    volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    for mount in container(deployment)["volumeMounts"]:
        place = folder / mount["name"]
        place.mkdir()
        for name, text in secrets[volumes[mount["name"]]["secret"]["secretName"]].items():
            (place / name).write_text(text, encoding="utf-8")
        yield mount["mountPath"], place
