"""Signed Open Badges 2.0, endorsements and extensions of 2.0: what a stranger's library makes of them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openbadgeslib.ob2 import OB2VerificationError, OB2Verifier

from lapel.credentials.jose import base64url
from lapel.domain.credential import CredentialStatus
from lapel.domain.issuer import Issuer
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidInput, NotFound
from lapel.services.keys.key_ring import LoadedKey
from lapel.services.renditions import AssertionRevoked
from lapel.services.requests import IssuerChanges
from tests.support.badge_images import png
from tests.unit.services.full_badge import full_badge, problems
from tests.unit.services.server import BASE, OWNER, Server, read
from tests.unit.services.site import Site, failures, verify
from tests.unit.services.test_endorsements import change, endorse, signed, two_schools

APPLY_LINK = {
    "@context": "https://openbadgespec.org/extensions/applyLinkExtension/context.json",
    "type": ["Extension", "extensions:ApplyLink"],
    "applyLink": "https://school.example/apply",
}


def parts(token: str) -> tuple[Any, Any]:
    header, payload, _ = token.split(".")
    return json.loads(base64url.decode(header)), json.loads(base64url.decode(payload))


async def verified_elsewhere(server: Server, token: str, **options: Any) -> Any:
    """What an independent library says, which finds the key at the address in the badge."""
    site, loop = Site(server), asyncio.get_running_loop()

    def download(url: str) -> bytes:
        return asyncio.run_coroutine_threadsafe(site.body(url), loop).result(10)

    return await asyncio.to_thread(OB2Verifier(download=download).verify, token, **options)


@pytest.mark.parametrize("identity", ["https", "did:key"])
@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
async def test_an_independent_library_verifies_the_signed_assertion(
    server: Server, identity: str, secured: str
) -> None:
    await server.issuer(identity=identity)
    credential = await server.issue(achievement=str((await server.achievement()).id), format=secured)
    token = await server.signed_assertions.get(credential.id)
    found = await verified_elsewhere(server, token, expected_recipient="ada@example.org", check_revocation=True)
    assert found.id == f"{BASE}/v2/assertions/{credential.id}"
    await server.statuses.change(OWNER, credential.id, CredentialStatus.REVOKED, "By mistake")
    with pytest.raises(OB2VerificationError, match="By mistake"):
        await verified_elsewhere(server, token, check_revocation=True)
    with pytest.raises(AssertionRevoked):
        await server.signed_assertions.get(credential.id)


async def test_a_signed_assertion_says_what_the_hosted_one_says(server: Server) -> None:
    credential = await full_badge(server)
    token = await server.signed_assertions.get(credential.id)
    header, payload = parts(token)
    hosted = dict(await server.renditions.v2_assertion(credential.id))
    (key,) = [
        key for key in await server.key_ring.public_keys(credential.issuer_id) if key.algorithm is KeyAlgorithm.RSA
    ]
    creator = f"{BASE}/v2/issuers/{credential.issuer_id}/keys/{key.id}"
    assert header == {"alg": "RS256"}
    assert payload == {**hosted, "verification": {"type": "SignedBadge", "creator": creator}}
    assert hosted["issuedOn"] == "2026-01-30T12:00:00Z"
    assert await server.signed_assertions.get(credential.id) == token


async def test_an_issuer_lists_the_keys_that_sign_and_where_it_hosts(server: Server) -> None:
    credential = await server.badge()
    assert "publicKey" not in await server.renditions.v2_issuer(credential.issuer_id)
    await server.signed_assertions.get(credential.id)
    profile: Any = await server.renditions.v2_issuer(credential.issuer_id)
    (creator,) = profile["publicKey"]
    key: Any = await Site(server).document("v2", "issuers", credential.issuer_id, ["keys", creator.rpartition("/")[2]])
    assert (key["type"], key["id"], key["owner"]) == ("CryptographicKey", creator, profile["id"])
    assert key["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert profile["verification"] == {"type": "VerificationObject", "startsWith": [f"{BASE}/v2/assertions/"]}
    with pytest.raises(NotFound):
        await server.renditions.v2_key(credential.issuer_id, server.new_id())


async def test_an_endorsement_has_a_hosted_and_a_signed_form(server: Server) -> None:
    school, board, achievement = await two_schools(server)
    endorsement = await endorse(
        server, board, f"{BASE}/v3/achievements/{achievement.id}", comment="Seen.", validUntil="2030-01-01T00:00:00Z"
    )
    own = f"{BASE}/v2/assertions/{endorsement.id}"
    assert await server.renditions.v2_assertion(endorsement.id) == {
        "@context": "https://w3id.org/openbadges/v2",
        "type": "Endorsement",
        "id": own,
        "issuer": f"{BASE}/v2/issuers/{board.id}",
        "claim": {"id": f"{BASE}/v2/badge-classes/{achievement.id}", "endorsementComment": "Seen."},
        "issuedOn": "2026-06-01T12:00:00Z",
        "expires": "2030-01-01T00:00:00Z",
        "verification": {"type": "HostedBadge"},
    }
    compact = await server.signed_assertions.get(endorsement.id)
    assert parts(compact)[1]["verification"]["type"] == "SignedBadge"
    for given in (json.dumps(await server.renditions.v2_assertion(endorsement.id)), compact):
        report = await verify(server, given)
        assert report.valid is True, failures(report)
    with pytest.raises(NotFound):
        await server.renditions.v2_baked_image(endorsement.id)
    elsewhere = await endorse(server, board, f"{BASE}/v3/issuers/{school.id}")
    claim: Any = (await server.renditions.v2_assertion(elsewhere.id))["claim"]
    assert claim == {"id": f"{BASE}/v2/issuers/{school.id}"}


@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
async def test_what_embeds_an_endorsement_links_its_hosted_form(server: Server, secured: str) -> None:
    school, board, achievement = await two_schools(server)
    name = "endorsement" if secured == "eddsa-rdfc-2022" else "endorsementJwt"

    async def given(about: str) -> tuple[str, dict[str, Any]]:
        found = await endorse(server, board, about, format=secured)
        own = f"{BASE}/v2/assertions/{found.id}"
        return own, {name: [found.signed.decode() if secured == "vc-jwt" else signed(found)]}

    of_badge, members = await given(f"{BASE}/v3/achievements/{achievement.id}")
    await change(server, achievement, **members)
    of_school, members_of_school = await given(f"{BASE}/v3/issuers/{school.id}")
    await server.issuers.change(OWNER, school.id, read(IssuerChanges, members_of_school))
    of_both, members = await given(f"{BASE}/v3/issuers/{school.id}")
    credential = await server.issue(achievement=str(achievement.id), **members)
    assert (await server.renditions.v2_badge_class(achievement.id))["endorsement"] == [of_badge]
    assert (await server.renditions.v2_issuer(school.id))["endorsement"] == [of_school]
    assertion = await server.renditions.v2_assertion(credential.id)
    assert assertion["endorsement"] == [of_both]
    report = await verify(server, json.dumps(assertion))
    assert report.valid is True, failures(report)
    await server.issuers.change(OWNER, board.id, read(IssuerChanges, {"email": None}))
    assert "endorsement" not in await server.renditions.v2_badge_class(achievement.id)


async def test_extensions_are_shown_by_version_2_alone(server: Server) -> None:
    extensions = {"extensions:ApplyLink": APPLY_LINK}
    issuer = await server.issuer(extensions=extensions)
    achievement = await server.achievement(
        extensions=extensions,
        version="3",
        related=[{"id": f"{BASE}/v3/achievements/{server.new_id()}", "version": "2"}],
        image={"id": str((await _image(server)).id), "caption": "A knot"},
    )
    profile: Any = await server.renditions.v2_issuer(issuer.id)
    badge: Any = await server.renditions.v2_badge_class(achievement.id)
    assert profile["extensions:ApplyLink"] == badge["extensions:ApplyLink"] == APPLY_LINK
    assert badge["version"] == "3"
    assert badge["related"][0]["id"].startswith(f"{BASE}/v2/badge-classes/")
    assert badge["image"]["caption"] == "A knot"
    for document in (await server.achievements.document(achievement.id), await server.issuers.document(issuer.id)):
        assert "xtension" not in json.dumps(document)
    credential = await server.issue(achievement=str(achievement.id))
    assert "xtension" not in credential.signed.decode()
    assert (await server.issuers.change(OWNER, issuer.id, read(IssuerChanges, {"extensions": None}))).profile == {}


async def _image(server: Server) -> Any:
    return await server.images.upload(OWNER, png())


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("ApplyLink", APPLY_LINK, {"/extensions/ApplyLink": "bad_iri"}),
        ("a:b/c", {**APPLY_LINK, "@context": "context.json"}, {"/extensions/a:b~1c/@context": "bad_url"}),
        ("a:b", {**APPLY_LINK, "type": "Extension"}, {"/extensions/a:b/type": "not_allowed"}),
        ("a:b", {**APPLY_LINK, "applyLink": None}, {"/extensions/a:b": "bad_value"}),
        ("a:b", {**APPLY_LINK, "applyLink": "a" * 20_000}, {"/extensions/a:b": "too_large"}),
    ],
)
async def test_an_extension_that_nobody_could_read_is_refused(
    server: Server, name: str, value: Any, wrong: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await server.issuer(extensions={name: value})
    assert problems(caught) == wrong


async def test_what_is_erased_while_it_is_signed_is_not_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = await server.badge()
    ensure = server.key_ring.ensure

    async def late(issuer: Issuer, algorithm: KeyAlgorithm) -> LoadedKey:
        loaded = await ensure(issuer, algorithm)
        await server.erasing.erase_credential(OWNER, credential.id)
        return loaded

    monkeypatch.setattr(server.key_ring, "ensure", late)
    server.erasing.forget_in(server.signed_assertions)
    await server.signed_assertions.get(credential.id)

    assert not server.signed_assertions._cache
