"""Issuers and their public documents."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from lapel.credentials import keys
from lapel.credentials.did import parse_did_key
from lapel.credentials.jsonld import Contexts, general_to_quads
from lapel.domain.access import Role
from lapel.domain.issuer import IdentityMethod
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import Forbidden, InvalidInput, NotFound, PreconditionFailed
from lapel.services.requests import IssuerChanges
from tests.support.badge_images import png
from tests.unit.services.server import BASE, OWNER, Server, principal, read, running


def changes(**members: Any) -> IssuerChanges:
    found: IssuerChanges = read(IssuerChanges, members)
    return found


def problems(error: pytest.ExceptionInfo[InvalidInput]) -> dict[str, str]:
    return {found.pointer: found.code for found in error.value.errors}


async def test_a_new_issuer_is_found_again(server: Server) -> None:
    issuer = await server.issuer(
        phone="+44 20 7946 0958",
        official="Grace",
        address={"type": ["Address"], "addressCountry": "GB", "geo": {"latitude": 51, "longitude": -0.12}},
        otherIdentifier=[{"identifier": "S1", "identifierType": "sourcedId"}],
    )
    assert await server.issuers.get(issuer.id) == issuer
    assert issuer.profile == {
        "official": "Grace",
        "address": {
            "type": ["Address"],
            "addressCountry": "GB",
            "geo": {"type": "GeoCoordinates", "latitude": 51, "longitude": -0.12},
        },
        "otherIdentifier": [{"type": "IdentifierEntry", "identifier": "S1", "identifierType": "sourcedId"}],
    }


async def test_all_problems_are_named_at_once(server: Server) -> None:
    with pytest.raises(InvalidInput) as caught:
        await server.issuer(
            name="\x00",
            url="school.example",
            email="office",
            phone="x",
            address={"geo": {"latitude": 99, "longitude": 0}},
        )
    assert problems(caught) == {
        "/name": "bad_text",
        "/url": "bad_url",
        "/email": "bad_email",
        "/phone": "bad_phone",
        "/address/geo": "bad_number",
    }


async def test_an_issuer_is_named_by_its_address(server: Server) -> None:
    issuer = await server.issuer()
    document = await server.issuers.document(issuer.id)
    assert document["id"] == f"{BASE}/v3/issuers/{issuer.id}"
    assert document["type"] == ["Profile"]


async def test_a_did_key_issuer_is_named_by_its_key(server: Server) -> None:
    issuer = await server.issuer(identity="did:key")
    (key,) = await server.key_ring.public_keys(issuer.id)
    assert issuer.did is not None
    assert keys.public_der(parse_did_key(issuer.did).public_key) == key.public_key
    assert (await server.issuers.document(issuer.id))["id"] == issuer.did


async def test_a_did_web_issuer_is_named_by_its_place(server: Server) -> None:
    issuer = await server.issuer(identity="did:web")
    assert issuer.did == f"did:web:badges.example.org:v3:issuers:{issuer.id}"
    document = await server.issuers.did_document(issuer.id)
    assert document["id"] == issuer.did
    assert "name" not in document


async def test_a_developers_machine_has_no_did_web() -> None:
    async with running(base="http://localhost:8000") as server:
        with pytest.raises(InvalidInput) as caught:
            await server.issuer(identity="did:web")
        assert problems(caught) == {"/identity": "not_allowed"}
        issuer = await server.issuer()
        assert (await server.issuers.default_did_document())["id"] == f"http://localhost:8000/v3/issuers/{issuer.id}"


async def test_the_document_lists_every_key_as_its_own(server: Server) -> None:
    issuer = await server.issuer()
    for algorithm in KeyAlgorithm:
        await server.key_ring.ensure(issuer, algorithm)
    document: Any = await server.issuers.document(issuer.id)
    methods = document["verificationMethod"]
    assert [method["type"] for method in methods] == ["Multikey", "Multikey", "JsonWebKey"]
    assert {method["controller"] for method in methods} == {document["id"]}
    assert document["assertionMethod"] == [method["id"] for method in methods]
    for method in methods:
        assert method["id"].startswith(f"{document['id']}#")
    for method in methods[:2]:
        assert method["id"].endswith(f"#{method['publicKeyMultibase']}")


async def test_a_key_is_found_where_a_token_says_it_is(server: Server) -> None:
    issuer = await server.issuer()
    key = (await server.key_ring.ensure(issuer, KeyAlgorithm.RSA)).key
    found = await server.issuers.key_document(issuer.id, key.id)
    assert found["kid"] == f"{BASE}/v3/issuers/{issuer.id}/keys/{key.id}"
    assert found["kty"] == "RSA"
    assert "d" not in found
    with pytest.raises(NotFound):
        await server.issuers.key_document(issuer.id, uuid4())


async def test_contexts_that_everybody_has_define_every_member(server: Server) -> None:
    """Others load none that they do not hold, and believe nothing of an issuer whose document they cannot read."""
    issuer = await server.issuer(official="Grace", description="A school.", phone="112112")
    for algorithm in KeyAlgorithm:
        await server.key_ring.ensure(issuer, algorithm)
    for document in (await server.issuers.document(issuer.id), await server.issuers.did_document(issuer.id)):
        quads = general_to_quads(document, contexts=Contexts.bundled())
        (jwk,) = [quad for quad in quads if quad[1] == "<https://w3id.org/security#publicKeyJwk>"]
        assert jwk[2].endswith("#JSON>")
        assert (jwk[0], "<https://w3id.org/security#controller>", f"<{document['id']}>", "") in quads


async def test_well_known_documents_speak_of_the_default_issuer(server: Server) -> None:
    with pytest.raises(NotFound):
        await server.issuers.default_did_document()
    assert await server.issuers.jwks() == {"keys": []}
    issuer = await server.issuer()
    document = await server.issuers.default_did_document()
    assert document["id"] == "did:web:badges.example.org"
    assert document["alsoKnownAs"] == [f"{BASE}/v3/issuers/{issuer.id}"]


async def test_the_key_set_is_of_all_issuers_of_the_default_organisation_and_tells_whose_each_key_is(
    server: Server,
) -> None:
    first, second = await server.issuer(), await server.issuer(name="Second", identity="did:key")
    hidden = await server.issuer(await server.stranger())

    jwks: Any = await server.issuers.jwks()

    assert [key["iss"] for key in jwks["keys"]] == [f"{BASE}/v3/issuers/{first.id}", second.did]
    for key in jwks["keys"]:
        issuer = first if key["iss"] != second.did else second
        assert await server.issuers.key_document(issuer.id, UUID(key["kid"].rpartition("/")[2])) == key
    assert str(hidden.id) not in str(jwks)


async def test_the_key_set_is_as_full_however_many_keys_others_have(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lapel.services.issuers._MOST_IN_JWKS", 2)
    issuers = [await server.issuer(name=name) for name in ("First", "Second", "Third", "Fourth")]
    others = await server.stranger()
    for name in ("One", "Two"):
        await server.issuer(others, name=name)

    jwks: Any = await server.issuers.jwks()

    listed = [issuers[0], issuers[3], issuers[2]]
    assert [key["iss"] for key in jwks["keys"]] == [f"{BASE}/v3/issuers/{issuer.id}" for issuer in listed]


async def test_a_change_touches_what_it_names(server: Server) -> None:
    issuer = await server.issuer(description="Old", official="Grace")
    changed = await server.issuers.change(OWNER, issuer.id, changes(name="New", description=None))
    assert (changed.name, changed.description, changed.version) == ("New", None, 2)
    assert (changed.url, changed.email, changed.profile) == (issuer.url, issuer.email, issuer.profile)
    assert await server.issuers.get(issuer.id) == changed
    assert (await server.issuers.change(OWNER, issuer.id, changes(official=None))).profile == {}


async def test_a_person_and_an_image_with_a_caption_are_changed_member_by_member(server: Server) -> None:
    image = {"id": str((await server.images.upload(OWNER, png())).id), "caption": "Arms"}
    person: dict[str, Any] = {"givenName": "Grace", "familyName": "Hopper", "dateOfBirth": "1906-12-09"}
    issuer = await server.issuer(image=image, parentOrg={"id": "https://navy.example/"}, **person)
    assert issuer.profile == {
        **person,
        "parentOrg": {"id": "https://navy.example/", "type": ["Profile"]},
        "image": {"caption": "Arms"},
    }
    changed = await server.issuers.change(
        OWNER, issuer.id, changes(familyName="Murray", dateOfBirth=None, parentOrg=None, image=image["id"])
    )
    assert changed.profile == {"givenName": "Grace", "familyName": "Murray"}
    assert changed.image_id == issuer.image_id
    with pytest.raises(InvalidInput) as caught:
        await server.issuers.change(OWNER, issuer.id, changes(givenName=" ", parentOrg={"id": "navy"}))
    assert problems(caught) == {"/givenName": "empty", "/parentOrg/id": "bad_iri"}


async def test_a_change_that_changes_nothing_makes_no_version(server: Server) -> None:
    issuer = await server.issuer()
    assert await server.issuers.change(OWNER, issuer.id, changes(name=issuer.name)) == issuer


async def test_a_change_of_an_older_version_is_refused(server: Server) -> None:
    issuer = await server.issuer()
    await server.issuers.change(OWNER, issuer.id, changes(name="New"), expected_version=1)
    with pytest.raises(PreconditionFailed):
        await server.issuers.change(OWNER, issuer.id, changes(name="Newer"), expected_version=1)


async def test_changes_at_once_all_count(server: Server) -> None:
    issuer = await server.issuer()
    members = [{"name": "New"}, {"url": "https://new.example"}, {"phone": "112112"}, {"official": "Ada"}]
    await asyncio.gather(*(server.issuers.change(OWNER, issuer.id, changes(**item)) for item in members))
    changed = await server.issuers.get(issuer.id)
    assert (changed.name, changed.url, changed.phone) == ("New", "https://new.example", "112112")
    assert (changed.profile, changed.version) == ({"official": "Ada"}, 5)


async def test_strangers_see_an_issuer_but_do_not_manage_it(server: Server) -> None:
    issuer = await server.issuer()
    stranger = await server.stranger()
    assert await server.issuers.get(issuer.id) == issuer
    with pytest.raises(NotFound):
        await server.issuers.own(stranger, issuer.id)
    with pytest.raises(NotFound):
        await server.issuers.change(stranger, issuer.id, changes(name="Mine"))
    assert (await server.issuers.page(stranger)).items == []


async def test_an_issuers_key_creates_no_issuer(server: Server) -> None:
    with pytest.raises(Forbidden):
        await server.issuer(principal(Role.ISSUER))


async def test_pages_follow_each_other(server: Server) -> None:
    made = [(await server.issuer(name=f"School {number}")).id for number in range(5)]
    first = await server.issuers.page(OWNER, limit=3)
    second = await server.issuers.page(OWNER, before=first.next, limit=3)
    assert [item.id for item in (*first.items, *second.items)] == made[::-1]
    assert second.next is None


async def test_the_identity_is_part_of_the_record(server: Server) -> None:
    assert (await server.issuer(identity="did:key")).identity is IdentityMethod.DID_KEY
