"""Our requests against the vendors' own descriptions of their APIs, as a transport in front of another one."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPECS = Path(__file__).parents[2] / ".." / "shared" / "openapi"


def spec_files(*names):
    """Skips the test where the vendors' files, which are not ours to ship, are not at hand."""
    files = [SPECS / name for name in names]
    missing = [str(file.name) for file in files if not file.exists()]
    if missing:
        pytest.skip(f"the vendor's API description is not beside the project: {', '.join(missing)}")
    return files


class Checked(httpx.AsyncBaseTransport):
    """Raises AssertionError for a request that the descriptions do not allow; counts what it has checked."""

    def __init__(self, inner, files, prefix, also=frozenset()):
        """`also`: method and path of what the vendor has and the file at hand leaves out."""
        self.inner = inner
        self.also = also
        self.prefix = prefix
        self.specs = [Spec(json.loads(file.read_text())) for file in files]
        self.checked = set()

    async def handle_async_request(self, request):
        path = request.url.raw_path.decode().partition("?")[0]
        assert path.startswith(self.prefix), path
        self.check(request.method, path.removeprefix(self.prefix), request)
        return await self.inner.handle_async_request(request)

    def check(self, method, path, request):
        if (method, path) in self.also:
            return
        for spec in self.specs:
            found = spec.operation(method, path)
            if found:
                template, operation = found
                spec.check(template, method, operation, request)
                self.checked.add((method, template))
                return
        raise AssertionError(f"the vendor describes no {method} {path}")


class Spec:
    def __init__(self, document):
        self.document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:spec", resource)

    def operation(self, method, path):
        for template, operations in self.document["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method.lower() in operations:
                # A fixed path wins over one with a variable part, and stands first in these files.
                return template, operations[method.lower()]
        return None

    def check(self, template, method, operation, request):
        self.check_parameters(template, operation, request)
        body = request.content
        described = self.resolved(operation.get("requestBody", {}))
        if not described:
            assert not body, f"{method} {template} takes no body"
            return
        assert request.headers["content-type"] == "application/json"
        schema = described["content"]["application/json"]["schema"]
        self.validate(json.loads(body), schema)

    def check_parameters(self, template, operation, request):
        described = [
            self.resolved(each)
            for each in [
                *operation.get("parameters", []),
                *self.document["paths"][template].get("parameters", []),
            ]
        ]
        known = {each["name"]: each for each in described if each["in"] == "query"}
        for name in request.url.params:
            assert name in known, f"{template} has no parameter {name}"
            schema = self.resolved(known[name].get("schema", {}))
            values = request.url.params.get_list(name)
            if schema.get("type") == "array":
                self.validate(values, schema)
            else:
                assert len(values) == 1, name
                self.validate(_typed(unquote(values[0]), schema), schema)

    def resolved(self, part):
        while "$ref" in part:
            node = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                node = node[step]
            part = node
        return part

    def validate(self, value, schema):
        rebased = json.loads(json.dumps(schema).replace('"#/', '"urn:spec#/'))
        Draft202012Validator(rebased, registry=self.registry).validate(value)


def _typed(text, schema):
    if schema.get("type") == "integer":
        return int(text)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}[text]
    return text
