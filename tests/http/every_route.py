"""Every route of the application, taken from the application itself, and requests that fill in what it asks for.

A route that is new is here by itself. Where nothing can be known of what it asks for, the tests that use this say so.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec import inspect

from tests.support.badge_images import png

__all__ = ["COLLECTIONS", "Route", "Scene", "routes_of"]

_PARAMETER = re.compile(r"\{(\w+)[^}]*\}")

# Where a path's collection and a body's member take their ids from.
COLLECTIONS = {"badge-classes": "achievements", "assertions": "credentials"}
_MEMBERS = {
    "issuer": "issuers",
    "achievement": "achievements",
    "achievements": "achievements",
    "credential": "credentials",
    "credentials": "credentials",
    "credentialId": "credentials",
    "ids": "credentials",
    "badgeclass": "badge-classes",
    "endorsed": "achievements",
}
_TEXTS = {"identity": "ada@example.org", "type": "email", "narrative": "Tied ten knots.", "status": "revoked"}
_TEXTS |= {"state": "retired", "role": "viewer", "recipient": "ada@example.org"}


@dataclass
class Scene:
    """An organisation: who may act for it, and the id of one thing of each kind that it has.

    Attributes:
        keys: an API key for each role, and one that is revoked.
        ids: by the collection in whose path they stand.
    """

    url: str
    keys: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def id_in(self, collection: str) -> str:
        """Raises KeyError where this organisation has nothing there."""
        return self.ids[COLLECTIONS.get(collection, collection)]


@dataclass(frozen=True)
class Route:
    """One method of one address.

    Attributes:
        path: such as ``/v3/issuers/{issuer_id}``.
        query: names of the query parameters that it says it takes.
    """

    method: str
    path: str
    handler: HTTPRouteHandler
    query: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def collections(self) -> list[str]:
        """For each parameter of the path what stands before it: ``issuers``."""
        parts = self.path.split("/")
        return [before for before, part in itertools.pairwise(parts) if _PARAMETER.fullmatch(part)]

    def filled(self, *ids: str) -> str:
        """The path with these ids."""
        given = iter(ids)
        return _PARAMETER.sub(lambda _: next(given), self.path)

    def body(self, scene: Scene) -> dict[str, Any]:
        """What is to be sent, as options of a request: what its type requires, and whatever can be named of `scene`."""
        if self.method not in {"POST", "PUT", "PATCH"}:
            return {}
        data = self.handler.parsed_fn_signature.parameters.get("data")
        if data is None:
            return {"content": png(), "headers": {"content-type": "image/png"}}
        return {"json": _value(inspect.type_info(data.annotation), "", scene)}


def routes_of(app: Litestar, description: dict[str, Any]) -> Iterator[Route]:
    """Every route but HEAD and OPTIONS, which the framework answers by itself.

    Args:
        description: ``/openapi.json``.
    """
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        path = _PARAMETER.sub(r"{\1}", route.path_format)
        for method, (handler, _) in route.route_handler_map.items():
            if method in {"HEAD", "OPTIONS"}:
                continue
            operation = description["paths"].get(path, {}).get(method.lower(), {})
            query = tuple(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
            yield Route(str(method), path, handler, query)


def _value(kind: inspect.Type, name: str, scene: Scene) -> Any:
    """A value of that type for the member of that name."""
    match kind:
        case inspect.Metadata():
            return _value(kind.type, name, scene)
        case inspect.UnionType():
            wanted = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
            texts = [one for one in wanted if isinstance(one, inspect.StrType)]
            return _value((texts or wanted)[0], name, scene)
        case inspect.StructType():
            return {
                member.encode_name: _value(member.type, member.encode_name, scene)
                for member in kind.fields
                if member.required
                or member.encode_name in {*_MEMBERS, "narrative", "items"}
                or (member.encode_name == "name" and kind.cls.__name__.endswith("Changes"))
            }
        case inspect.ListType() | inspect.VarTupleType():
            return [_value(kind.item_type, name, scene)]
        case inspect.EnumType():
            values = [member.value for member in kind.cls]
            return _TEXTS[name] if _TEXTS.get(name) in values else values[-1]
        case inspect.LiteralType():
            return _TEXTS[name] if _TEXTS.get(name) in kind.values else kind.values[0]
        case inspect.StrType():
            if name in _MEMBERS:
                collection = _MEMBERS[name]
                return f"{scene.url}/v3/{COLLECTIONS.get(collection, collection)}/{scene.id_in(collection)}"
            return _TEXTS.get(name, "Given by the test")
        case inspect.IntType() | inspect.FloatType():
            return 1
        case inspect.BoolType():
            return True
        case inspect.DateTimeType():
            return "2036-01-01T00:00:00Z"
        case inspect.DictType():
            return {}
    return msgspec.json.decode(b'"Given by the test"')
