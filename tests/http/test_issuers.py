"""``/v3/issuers`` over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.client import Client, IssuerChanges, NewIssuer, PreconditionFailed
from tests.http.live_server import LiveServer


def test_a_created_issuer_is_where_location_says(server: LiveServer, lapel: Client) -> None:
    issuer = lapel.create_issuer(NewIssuer(name="Harbour Museum"))

    assert issuer.location is not None
    assert issuer.location.startswith(f"{server.url}/v3/issuers/")
    assert lapel.get_issuer(issuer.location).json == issuer.json


def test_the_public_issuer_is_profile_and_controller_document(server: LiveServer, issuer: dict[str, Any]) -> None:
    response = server.get(issuer["id"])

    document = response.json()
    assert response.headers["content-type"] == "application/ld+json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "max-age" in response.headers["cache-control"]
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert "Profile" in document["type"]
    assert document["name"] == "Riverside School"
    assert document["verificationMethod"][0]["controller"] == document["id"] == issuer["id"]
    assert document["assertionMethod"]


def test_an_id_may_be_written_as_a_urn(server: LiveServer, issuer: dict[str, Any]) -> None:
    uuid = issuer["id"].rpartition("/")[2]

    assert (
        server.get(f"/v3/issuers/urn:uuid:{uuid}").json() == issuer == server.get(f"/v3/issuers/{uuid.upper()}").json()
    )


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", "application/json"),
        ("*/*", "application/ld+json"),
        ("text/*, application/*", "application/ld+json"),
    ],
)
def test_the_client_chooses_what_the_json_is_called(
    server: LiveServer, issuer: dict[str, Any], accept: str, media_type: str
) -> None:
    assert server.get(issuer["id"], accept=accept).headers["content-type"] == media_type


def test_a_form_that_there_is_not_is_a_406(server: LiveServer, issuer: dict[str, Any]) -> None:
    response = server.get(issuer["id"], accept="image/png")

    assert response.status_code == 406
    assert "application/ld+json" in response.json()["hint"]


def test_who_has_the_document_is_told_so(server: LiveServer, issuer: dict[str, Any]) -> None:
    etag = server.get(issuer["id"]).headers["etag"]

    for header in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = server.get(issuer["id"], if_none_match=header)
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == etag
    assert server.get(issuer["id"], if_none_match='"other"').status_code == 200


def test_a_change_is_guarded_by_if_match(lapel: Client) -> None:
    url = lapel.create_issuer(NewIssuer(name="Before")).value.id
    etag = lapel.get_issuer(url).etag

    changed = lapel.change_issuer(url, IssuerChanges(name="After"), if_match=etag)
    assert changed.value.name == "After"
    assert changed.etag == lapel.get_issuer(url).etag != etag

    with pytest.raises(PreconditionFailed):
        lapel.change_issuer(url, IssuerChanges(name="Lost"), if_match=etag)
    assert lapel.get_issuer(url).value.name == "After"


def test_a_change_without_if_match_goes_through(lapel: Client) -> None:
    url = lapel.create_issuer(NewIssuer(name="Before", description="Told")).value.id

    changed = lapel.change_issuer(url, IssuerChanges(description=None))

    assert "description" not in changed.json
    assert changed.value.name == "Before"


@pytest.mark.parametrize(
    "tag",
    [
        '"nonsense"',
        "",
        "1",
        '"1"',
        '"0-0123456789abcdef01234567"',
        '"1-0123456789abcdef01234567"',
        '"x", "y"',
        "\u00e9",
    ],
)
def test_an_if_match_that_is_no_etag_of_ours_is_a_412(server: LiveServer, issuer: dict[str, Any], tag: str) -> None:
    response = server.ask("PATCH", issuer["id"], json={}, headers={"if-match": tag.encode("latin-1")})

    assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")


def test_one_good_etag_among_several_is_enough(server: LiveServer, issuer: dict[str, Any]) -> None:
    tags = f'"other", {server.get(issuer["id"]).headers["etag"]}'

    assert server.ask("PATCH", issuer["id"], json={}, headers={"if-match": tags}).status_code == 200


def test_every_problem_of_a_body_is_named(server: LiveServer) -> None:
    response = server.ask("POST", "/v3/issuers", json={"name": "", "url": "not a url", "email": "nobody"})

    assert response.status_code == 422
    assert {entry["pointer"] for entry in response.json()["errors"]} == {"/name", "/url", "/email"}


def test_a_key_of_the_issuer_is_a_jwk(server: LiveServer, achievement: dict[str, Any]) -> None:
    keys = server.get("/.well-known/jwks.json")
    assert keys.headers["content-type"] == "application/jwk-set+json"
    for key in keys.json()["keys"]:
        found = server.get(key["kid"]) if key["kid"].startswith(server.url) else None
        if found is not None:
            assert found.json()["kty"] == key["kty"]
            assert "d" not in found.json()


def test_the_did_documents_are_public(server: LiveServer, issuer: dict[str, Any]) -> None:
    own = server.get(f"{issuer['id']}/did.json")
    default = server.get("/.well-known/did.json")

    assert own.status_code == default.status_code == 200
    assert own.headers["content-type"] == "application/did+json"
    assert own.json()["verificationMethod"]


@pytest.mark.parametrize(
    "media_type",
    [
        *("application/did+json", "application/did+ld+json", "application/did"),
        *("application/cid", "application/ld+json"),
    ],
)
def test_a_did_document_is_there_under_every_media_type_of_one(
    server: LiveServer, issuer: dict[str, Any], media_type: str
) -> None:
    """DID 1.0, 6; DID 1.1, 6; Controlled Identifiers 1.0, appendix A."""
    for address in (f"{issuer['id']}/did.json", "/.well-known/did.json"):
        response = server.get(address, accept=media_type)
        assert (response.status_code, response.headers["content-type"]) == (200, media_type), address


def test_an_issuer_is_there_as_a_controlled_identifier_document(server: LiveServer, issuer: dict[str, Any]) -> None:
    """Controlled Identifiers 1.0, appendix A."""
    response = server.get(issuer["id"], accept="application/cid")

    assert (response.status_code, response.headers["content-type"]) == (200, "application/cid")
    assert response.json()["assertionMethod"]


def test_a_did_key_issuer_is_named_by_its_did_and_found_by_its_url(server: LiveServer) -> None:
    response = server.ask("POST", "/v3/issuers", json={"name": "By DID", "identity": "did:key"})

    assert response.json()["id"].startswith("did:key:z6Mk")
    assert server.get(response.headers["location"]).json() == response.json()


def test_a_did_key_issuer_is_reached_by_its_did(server: LiveServer) -> None:
    did = server.ask("POST", "/v3/issuers", json={"name": "By DID", "identity": "did:key"}).json()["id"]
    url = f"/v3/issuers/{did}"

    changed = server.ask("PATCH", url, json={"name": "Still by DID", "email": "badges@did.example"})
    assert (changed.status_code, server.get(url).json()) == (200, changed.json())
    assert server.get(f"{url}/did.json").json()["id"] == did
    assert server.get(f"{url}/achievements").json()["items"] == []
    assert len(server.ask("GET", f"{url}/keys").json()["items"]) == 1
    assert server.get(f"/v2/issuers/{did}").json()["name"] == "Still by DID"
    assert server.ask("DELETE", url).status_code == 204
    gone = server.get(url)
    assert (gone.status_code, gone.json()["code"], "GET /v3/issuers" in gone.json()["hint"]) == (404, "not_found", True)


def test_what_is_new_says_which_version_its_first_change_is_of(server: LiveServer) -> None:
    issuer = server.ask("POST", "/v3/issuers", json={"name": "Tagged"})
    described = {"name": "Knots", "description": "Ties.", "criteria": {"narrative": "Tie ten."}}
    achievement = server.ask("POST", "/v3/achievements", json={"issuer": issuer.json()["id"], **described})

    for made in (issuer, achievement):
        assert made.headers["etag"] == server.get(made.headers["location"]).headers["etag"]
        first = server.ask(
            "PATCH", made.headers["location"], json={"name": "New"}, headers={"if-match": made.headers["etag"]}
        )
        assert first.status_code == 200


def test_the_achievements_of_an_issuer_are_public(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]
) -> None:
    response = server.get(f"{issuer['id']}/achievements")

    assert response.headers["access-control-allow-origin"] == "*"
    assert [item["id"] for item in response.json()["items"]] == [achievement["id"]]
