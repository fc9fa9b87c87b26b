"""No organisation sees, names or touches what is another's, and no role does what it may not: on every route.

The routes come from the application. Each is asked with what is another organisation's in every place for an id, and
must answer as it does where nothing is there. A new route is asked like all others; where the request that is made up
for it would not even be served to its owner, the last test says so, and `every_route` or a table here learns of it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lapel.asgi import asgi_of
from lapel.cli.running import OPERATOR
from lapel.domain.access import Role, Scope
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.http.every_route import COLLECTIONS, Route, Scene, routes_of
from tests.http.live_server import LiveServer

# What anybody may ask, beside what stands at the address of one thing (`GET …/{id}…`).
PUBLIC = {
    "GET /",
    "GET /.well-known/did.json",
    "GET /.well-known/jwks.json",
    "GET /docs",
    "GET /docs/errors",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /openapi.json",
    "GET /verify",
    "POST /v3/verify",
    "POST /vc-api/credentials/verify",
    "POST /vc-api/presentations/verify",
}
# Only the operator's owners may do these; whose organisation it is does not matter to them.
OPERATORS = re.compile(r"(POST|PATCH|DELETE) /v3/organisations\b.*|GET /v3/organisations(/\{\w+\})?")
ISSUER_MAY = re.compile(r"POST /(v3/(credentials|endorsements)|v2/assertions|vc-api/credentials)\b.*")
VIEWER_MAY = re.compile(r"(?!)")
# Members of a body that name what is public: anybody may speak of it.
NAMES_WHAT_IS_PUBLIC = {"endorsed"}
PASSED = {200, 201, 202, 204, 207, 409, 410, 412, 501}
"""Answers to a request that was found good and its sender entitled."""


def fill(server: LiveServer, scene: Scene, name: str) -> Scene:
    """Make one thing of each kind for this organisation. Each carries its name."""

    def made(path: str, **body: Any) -> dict[str, Any]:
        answer = server.ask("POST", path, key=scene.keys["owner"], json=body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        collection = path.rpartition("/")[2]
        scene.ids.setdefault(collection, answer.headers["location"].rpartition("/")[2])
        return created

    issuer = made("/v3/issuers", name=f"{name} School", url="https://school.example", email=f"{name}@school.example")
    known = server.ask("GET", f"/v3/issuers/{scene.ids['issuers']}/keys", key=scene.keys["owner"])
    scene.ids["keys"] = known.json()["items"][0]["id"].rpartition("/")[2]
    picture = f"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'><title>{name}</title></svg>"
    achievement = made(
        "/v3/achievements",
        issuer=issuer["id"],
        name=f"{name} Knots",
        description="Ties what must hold.",
        criteria={"narrative": "Tied ten knots."},
        image=f"data:image/svg+xml,{picture}".replace("#", "%23"),
        suspendable=True,
    )
    shown = server.get(f"/v3/achievements/{scene.ids['achievements']}").json()
    scene.ids["images"] = shown["image"]["id"].rpartition("/")[2]
    credential = made(
        "/v3/credentials",
        achievement=achievement["id"],
        recipient={"type": "email", "identity": scene.email, "name": name},
    )
    scene.ids["status-lists"] = credential["credentialStatus"]["statusListCredential"].rpartition("/")[2]
    for role in ("viewer", "issuer", "admin"):
        scene.keys[role] = made("/v3/api-keys", name=f"{name}'s {role}", role=role)["key"]
    scene.keys["revoked"] = made("/v3/api-keys", name=f"{name}'s former", role="admin")["key"]
    (former, *_) = server.ask("GET", "/v3/api-keys", key=scene.keys["owner"]).json()["items"]
    assert server.ask("DELETE", former["id"].removeprefix(server.url), key=scene.keys["owner"]).status_code == 200
    return scene


class World:
    """A server with the operator's organisation and another, and all that it can be asked."""

    def __init__(self, server: LiveServer, client: httpx.Client) -> None:
        self.server = server
        self.client = client
        services = server.application.services
        first = server.run(services.api_keys.create_for(DEFAULT_ORGANISATION_ID, name="Alphaville", role=Role.OWNER))
        other, others = server.run(services.organisations.create(OPERATOR, "A tenant"))
        operator = Scene(server.url, {"owner": first.secret}, "alphaville@example.org")
        self.operators = fill(server, operator, "Alphaville")
        self.operators.ids["organisations"] = str(DEFAULT_ORGANISATION_ID)
        self.others = fill(server, Scene(server.url, {"owner": others.secret}, "betatown@example.org"), "Betatown")
        self.others.ids["organisations"] = str(other.id)
        application: Any = asgi_of(server.application)
        while not hasattr(application, "routes"):  # each layer holds the next
            application = next(value for value in vars(application).values() if callable(value))
        description = server.get("/openapi.json").json()
        self.routes = list(routes_of(application, description))
        self.guarded = [route for route in self.routes if self._is_guarded(route)]
        for scene in (self.operators, self.others):
            self._learn(scene)

    def ask(self, route: Route, path: str, key: str | None, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **({"authorization": f"Bearer {key}"} if key else {})}
        return self.client.request(route.method, path, headers=headers, **options)

    def own(self, route: Route, scene: Scene) -> str:
        """The path with that organisation's own ids."""
        return route.filled(*(scene.id_in(collection) for collection in route.collections))

    def _is_guarded(self, route: Route) -> bool:
        path = route.filled(*(str(uuid4()) for _ in route.collections))
        return self.ask(route, path, None, **route.body(self.operators)).status_code == 401

    def _learn(self, scene: Scene) -> None:
        """The ids of things of kinds that are not known here, from the lists that have them."""
        for route in self.guarded:
            if len(route.collections) != 1:
                continue
            (unknown,) = route.collections
            if unknown not in {*scene.ids, *COLLECTIONS}:
                listed = self.client.get(
                    route.path.partition("/{")[0], headers={"authorization": f"Bearer {scene.keys['owner']}"}
                )
                assert listed.status_code == 200, f"{route}: say in `fill` what of this kind an organisation has"
                assert listed.json()["items"], f"{route}: let `fill` make one"
                scene.ids[unknown] = str(listed.json()["items"][0]["id"]).rpartition("/")[2]


@pytest.fixture(scope="module")
def world(server: LiveServer) -> Iterator[World]:
    with server.client as client:
        yield World(server, client)


def normal(answer: httpx.Response, given: dict[str, str]) -> tuple[int, str]:
    """Status and body, with a word in the place of each id that was given, and of the request's own."""
    text = answer.text
    for id_, word in given.items():
        text = text.replace(id_, word)
    return answer.status_code, re.sub(r'"request_id":"[^"]*"', "", text)


def replaced(value: Any, ids: dict[str, str]) -> Any:
    """`value` with each of these ids replaced."""
    text = json.dumps(value)
    for old, new in ids.items():
        text = text.replace(old, new)
    return json.loads(text)


def without_public_names(body: dict[str, Any], victim: Scene, stranger: Scene) -> dict[str, Any]:
    """The body with the stranger's own things in the places where anybody's may stand."""
    content = body.get("json")
    if isinstance(content, dict):
        for member in NAMES_WHAT_IS_PUBLIC & content.keys():
            content[member] = replaced(content[member], {victim.ids[kind]: id_ for kind, id_ in stranger.ids.items()})
    return body


def variants(route: Route, victim: Scene, stranger: Scene) -> Iterator[tuple[str, dict[str, Any]]]:
    """The route asked with another's id in each place where there can be one."""
    choices = [(victim.id_in(name), stranger.id_in(name)) for name in route.collections]
    for ids in itertools.product(*choices):
        for whose in (victim, stranger):
            yield route.filled(*ids), without_public_names(route.body(whose), victim, stranger)
    # That there is the organisation, the operator who made it knows.
    theirs = (id_ for kind, id_ in victim.ids.items() if kind != "organisations")
    for name, id_ in itertools.product(route.query, (*theirs, victim.email)):
        if name not in {"limit", "cursor"}:
            yield route.filled(*(stranger.id_in(kind) for kind in route.collections)) + f"?{name}={id_}", {}


def snapshot(world: World, victim: Scene) -> dict[str, tuple[int, str]]:
    """All that the organisation can read of its own, as it stands."""
    found = {}
    for route in world.routes:
        if route.method == "GET" and not re.search("health|metrics|audit|log", route.path):
            answer = world.ask(route, world.own(route, victim), victim.keys["owner"])
            found[str(route)] = normal(answer, {})
    return found


@pytest.mark.parametrize("roles_change", [False, True], ids=["of the operator", "of another"])
def test_what_is_anothers_is_as_if_it_were_not_there(world: World, roles_change: bool) -> None:
    victim, stranger = (world.others, world.operators) if roles_change else (world.operators, world.others)
    secret = "Betatown" if roles_change else "Alphaville"
    before, asked, wrong = snapshot(world, victim), 0, []
    for route in world.guarded:
        if roles_change and OPERATORS.fullmatch(str(route)):
            continue
        for path, body in variants(route, victim, stranger):
            ids = {id_: str(uuid4()) for id_ in victim.ids.values()} | {victim.email: "nobody@example.org"}
            other_path, other_body = replaced(path, ids), {**body, **replaced({"json": body.get("json")}, ids)}
            if "json" not in body:
                del other_body["json"]
            if (other_path, other_body) == (path, body):
                continue
            asked += 1
            words = {id_: f"<{kind}>" for kind, id_ in victim.ids.items()} | {victim.email: "<email>"}
            answer = world.ask(route, path, stranger.keys["owner"], **body)
            there = normal(answer, words)
            not_there = normal(
                world.ask(route, other_path, stranger.keys["owner"], **other_body),
                {ids[id_]: word for id_, word in words.items()},
            )
            if there != not_there:
                wrong.append(f"{route}: {path} {body}: {there}, where nothing is there {not_there}")
            # Of somebody's address alone anybody may speak, who then finds what is his own.
            named = any(id_ in path + json.dumps(body.get("json")) for id_ in victim.ids.values())
            if secret in there[1] or (named and answer.status_code < 300 and route.method != "GET"):
                wrong.append(f"{route}: {path} {body}: {there}")
    assert wrong == []
    assert asked > 20
    assert snapshot(world, victim) == before


def test_no_list_holds_what_is_anothers(world: World) -> None:
    lists = [route for route in world.guarded if route.method == "GET" and not route.collections]
    assert len(lists) >= 5
    for route in lists:
        mine = world.ask(route, route.path, world.operators.keys["owner"]).json()
        theirs = world.ask(route, route.path, world.others.keys["owner"])
        assert "Alphaville" not in theirs.text, route
        assert not any(id_ in theirs.text for id_ in world.operators.ids.values()), route
        if not OPERATORS.fullmatch(str(route)):
            assert "Betatown" not in json.dumps(mine), route
        following = world.ask(route, f"{route.path}?limit=1", world.operators.keys["owner"]).json()
        if isinstance(following, dict) and following.get("next"):
            path = following["next"].removeprefix(world.server.url)
            assert "Alphaville" not in world.ask(route, path, world.others.keys["owner"]).text, route


def test_a_key_of_a_request_is_the_organisations_own(world: World) -> None:
    key = {"idempotency-key": str(uuid4())}
    for path in ("/v3/issuers", "/v3/api-keys"):
        route = next(one for one in world.guarded if str(one) == f"POST {path}")
        for scene, name in ((world.operators, "Alphaville"), (world.others, "Betatown")):
            body = {"role": "viewer"} if path == "/v3/api-keys" else {}
            body["name"] = f"{name} again"
            answer = world.ask(route, path, scene.keys["owner"], json=body, headers=key)
            assert answer.status_code == 201, answer.text
            assert answer.json()["name"] == f"{name} again"


def test_without_a_key_there_is_what_is_public(world: World) -> None:
    for route in world.routes:
        path = world.own(route, world.operators) if route not in world.guarded else ""
        if route not in world.guarded:
            documents = route.method == "GET" and bool(route.collections)
            assert documents or str(route) in PUBLIC, f"{route} asks for no key: is it public? Then say so here"
            if documents:
                bare = world.ask(route, path, None)
                assert bare.status_code in {200, 410}, f"{route}: {bare.text}"
                assert normal(world.ask(route, path, world.others.keys["owner"]), {}) == normal(bare, {})
            continue
        for key in (world.operators.keys["revoked"], "lapel_" + "A" * 43):
            answer = world.ask(route, world.own(route, world.operators), key, **route.body(world.operators))
            assert answer.status_code == 401, route
            assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("role", ["viewer", "issuer", "admin"])
def test_a_lesser_role_does_what_it_may(world: World, role: str) -> None:
    may = {"viewer": VIEWER_MAY, "issuer": ISSUER_MAY, "admin": re.compile(".*")}[role]
    refused = 0
    for route in world.guarded:
        path, body = world.own(route, world.operators), route.body(world.operators)
        operators = OPERATORS.fullmatch(str(route)) and not (route.method == "GET" and route.collections)
        if route.method != "GET" and (operators or not may.fullmatch(str(route))):
            answer = world.ask(route, path, world.operators.keys[role], **body)
            assert answer.status_code == 403, f"{route}: {answer.text}"
            assert re.search(r"scope [a-z0-9_.:-]+", answer.json()["detail"]), answer.text
            refused += 1
        elif route.method == "GET":
            answer = world.ask(route, path, world.operators.keys[role])
            assert answer.status_code in {200, 403}, f"{route}: {answer.text}"
            assert (answer.status_code == 403) == bool(answer.text.count('"code":"forbidden"'))
    assert refused >= {"viewer": 8, "issuer": 5, "admin": 2}[role]


def test_the_owner_can_do_all_of_it(world: World) -> None:
    """The others' refusals mean something: the same requests are served to whom they belong."""
    takes_away = {route: route.method == "DELETE" or "erase" in route.path for route in world.guarded}
    wrong = []
    # What a request takes away, the ones after it do not find: what is further down goes first.
    for route in sorted(world.guarded, key=lambda one: (one.method != "GET", takes_away[one], -one.path.count("/"))):
        path, body = world.own(route, world.operators), route.body(world.operators)
        answer = world.ask(route, path, world.operators.keys["owner"], **body)
        if answer.status_code not in PASSED:
            wrong.append(f"{route} with {body}: {answer.status_code} {answer.text[:300]}")
    assert wrong == [], "tell tests/http/every_route.py what these ask for"


def test_a_route_asks_for_the_scopes_that_it_names_before_it_reads_anything(world: World) -> None:
    def key(scopes: Collection[str]) -> str:
        body = {"name": "-", "role": "owner", "scopes": sorted(scopes)}
        made = world.server.ask("POST", "/v3/api-keys", key=world.operators.keys["owner"], json=body)
        return str(made.json()["key"])

    without = {scope.value: key(set(Scope) - {scope}) for scope in Scope}
    unnamed = []
    for route in world.guarded:
        named = (route.handler.security or [{}])[0]["bearer"]
        if not named:
            unnamed.append(str(route))
            continue
        path = world.own(route, world.operators)
        for scope in named:
            refused = world.ask(route, path, without[scope], content=b"{", headers={"content-type": "text/plain"})
            assert (refused.status_code, scope in refused.json()["detail"]) == (403, True), f"{route}: {refused.text}"
        answer = world.ask(route, path, key(named), **route.body(world.operators))
        assert "needs the scope" not in answer.text, f"{route} asks for more than {named}: {answer.text}"
    assert unnamed == ["GET /v3/organisations/{organisation_id}"]  # it asks for more where that is another's
