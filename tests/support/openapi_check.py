"""Checks of responses against the OpenAPI document."""

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from eventscache.server.routes.openapi import document
from tests.support.sidecar import Answer


def resolved(value: Any) -> Any:
    """Return what a reference of the document points to, or the value itself."""
    while isinstance(value, dict) and "$ref" in value:
        found: Any = document()
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, the path and the description of each operation."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def answered_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the operations whose response ends."""
    for method, path, operation in operations():
        if "text/event-stream" not in resolved(operation["responses"].get("200", {})).get("content", {}):
            yield method, path, operation


def path_with_examples(path: str, operation: dict[str, Any]) -> str:
    """Return a path whose parameters have the values of their examples."""
    for parameter in map(resolved, operation.get("parameters", [])):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    return path


def check_value(schema: dict[str, Any], value: Any) -> None:
    """Raise if a value does not match a schema."""
    Draft202012Validator({**schema, "components": document()["components"]}).validate(value)


def check_answer(method: str, path: str, answer: Answer) -> None:
    """Raise if the response of a route is not described, or not like this."""
    operation = document()["paths"][path][method.lower()]
    check_as(operation["responses"][str(answer.status)], answer)


def check_as(response: Any, answer: Answer) -> None:
    """Raise if a response does not match a response object of the document."""
    content = resolved(response).get("content")
    if content is None:
        assert answer.body == b""
        return
    kind = str(answer.headers["Content-Type"]).partition(";")[0]
    text = answer.body.decode("latin-1" if kind.startswith("image/") else "utf-8")
    check_value(content[kind].get("schema", {}), json.loads(text) if kind == "application/json" else text)
