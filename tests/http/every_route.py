"""Every route of the application, taken from the application itself, and requests that fill in what it asks for.

A route that is new is here by itself. Where nothing can be known of what it asks for, the tests that use this say so.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
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
    "image": "images",
}
_TEXTS = {"type": "email", "narrative": "Tied ten knots.", "status": "revoked"}
_TEXTS |= {"state": "retired", "role": "viewer", "recipient": "ada@example.org"}


def _foreign_credential(scene: Scene) -> dict[str, Any]:
    credential = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "issuer": f"{scene.url}/v3/issuers/{scene.id_in('issuers')}",
        "credentialSubject": {"id": "did:example:ada"},
    }
    return {"credential": credential}


def _foreign_status(scene: Scene) -> dict[str, Any]:
    return {
        "credentialId": f"{scene.url}/v3/credentials/{scene.id_in('credentials')}",
        "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"},
        "status": True,
    }


def _award(scene: Scene) -> dict[str, Any]:
    achievement = f"{scene.url}/v3/achievements/{scene.id_in('achievements')}"
    return {"achievement": achievement, "recipient": {"type": "email", "identity": scene.email}}


def _profile(_: Scene) -> dict[str, Any]:
    return {"type": "Profile", "name": "Given by the test", "url": "https://a.example", "email": "a@a.example"}


def _badge_class(scene: Scene) -> dict[str, Any]:
    return {
        "type": "BadgeClass",
        "issuer": f"{scene.url}/v2/issuers/{scene.id_in('issuers')}",
        "name": "Given by the test",
        "description": "Given by the test.",
        "criteria": {"narrative": "Tied ten knots."},
        "image": f"{scene.url}/v3/images/{scene.id_in('images')}",
    }


def _assertion(scene: Scene) -> dict[str, Any]:
    return {
        "type": "Assertion",
        "badge": f"{scene.url}/v2/badge-classes/{scene.id_in('badge-classes')}",
        "recipient": {"type": "email", "hashed": False, "identity": scene.email},
        "issuedOn": "2026-01-01T00:00:00Z",
    }


_WRITTEN: dict[str, Callable[[Scene], object]] = {
    "POST /v2/assertions": _assertion,
    "POST /v2/badge-classes": _badge_class,
    "POST /v2/issuers": _profile,
    "POST /v3/credentials/batch": lambda scene: [_award(scene), _award(scene)],
    "POST /vc-api/credentials/issue": _foreign_credential,
    "POST /vc-api/credentials/status": _foreign_status,
}
"""The bodies whose type says nothing of what is in them."""


@dataclass
class Scene:
    """An organisation: who may act for it, and the id of one thing of each kind that it has.

    Attributes:
        keys: an API key for each role, and one that is revoked.
        email: of the recipient of its credential.
        ids: by the collection in whose path they stand.
    """

    url: str
    keys: dict[str, str]
    email: str
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
        if (written := _WRITTEN.get(str(self))) is not None:
            return {"json": written(scene)}
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


def _names_something(member: inspect.Field, *, changes: bool) -> bool:
    """Whether a member that need not be there is worth giving."""
    if member.encode_name == "image":  # as a text it is one that is here, as an object anybody's
        return isinstance(member.type, inspect.UnionType) and any(
            isinstance(one, inspect.StrType) for one in member.type.types
        )
    return member.encode_name in {*_MEMBERS, "narrative", "items", *(["name"] if changes else [])}


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
            changes = kind.cls.__name__.endswith("Changes")
            return {
                member.encode_name: _value(member.type, member.encode_name, scene)
                for member in kind.fields
                if member.required or _names_something(member, changes=changes)
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
            return scene.email if name == "identity" else _TEXTS.get(name, "Given by the test")
        case inspect.IntType() | inspect.FloatType():
            return 1
        case inspect.BoolType():
            return True
        case inspect.DateTimeType():
            return "2036-01-01T00:00:00Z"
        case inspect.DictType():
            return {}
    return msgspec.json.decode(b'"Given by the test"')
