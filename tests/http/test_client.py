"""The Python client against a real server: blocking and awaited, from an issuer to a verified badge."""

from __future__ import annotations

import httpx
import pytest

from lapel.client import (
    AchievementChanges,
    AsyncClient,
    Client,
    Criteria,
    Gone,
    Invalid,
    IssuerChanges,
    NewAchievement,
    NewCredential,
    NewEndorsement,
    NewIssuer,
    NewKeyState,
    NewStatus,
    NotFound,
    PreconditionFailed,
    RecipientInput,
    Unauthorized,
)
from lapel.domain.credential import CredentialFormat, CredentialStatus
from lapel.domain.signing_key import KeyState
from tests.http.live_server import ADMIN_KEY, LiveServer
from tests.support.badge_images import png

ADA = RecipientInput(type="email", identity="ada@school.example")


@pytest.fixture(scope="module")
def award(lapel: Client) -> NewCredential:
    school = NewIssuer(name="Riverside School", url="https://school.example", email="badges@school.example")
    issuer = lapel.create_issuer(school)
    achievement = lapel.create_achievement(
        NewAchievement(
            issuer=issuer.value.id, name="Knots", description="Ties knots.", criteria=Criteria(narrative="Tie ten.")
        )
    )
    return NewCredential(achievement=achievement.value.id, recipient=ADA)


def test_from_an_issuer_to_a_verified_badge(lapel: Client, award: NewCredential) -> None:
    badge = lapel.issue_credential(award)

    assert badge.location == badge.value.id
    assert lapel.get_credential(badge.value.id).content == badge.content
    report = lapel.verify(badge.content, recipient="ada@school.example")
    assert (report.valid, report.credential.id) == (True, badge.value.id)
    assert lapel.verify_url(badge.value.id).valid is True
    assert lapel.verify(lapel.get_credential_image(badge.value.id).content).valid is True
    assert lapel.v2_assertion(badge.value.id).value.type == "Assertion"


def test_a_token_is_read_like_json(lapel: Client, award: NewCredential) -> None:
    token = lapel.issue_credential(
        NewCredential(achievement=award.achievement, recipient=ADA, format=CredentialFormat.VC_JWT)
    )

    assert token.media_type == "application/vc+jwt"
    assert token.value.id == token.location == token.json["id"]
    assert lapel.verify(token.content).valid is True


def test_a_revoked_badge_is_gone(lapel: Client, award: NewCredential) -> None:
    badge = lapel.issue_credential(award).value.id
    shown = lapel.change_credential_status(badge, NewStatus(status=CredentialStatus.REVOKED, reason="Untied."))

    assert (shown.status, shown.status_reason) == (CredentialStatus.REVOKED, "Untied.")
    with pytest.raises(Gone):
        lapel.v2_assertion(badge)
    assert lapel.verify_url(badge).valid is False
    assert len(lapel.v2_revocations(shown.issuer).json["revokedAssertions"]) >= 1  # type: ignore[arg-type]  # a list


def test_changes_are_guarded_by_etags(lapel: Client, award: NewCredential) -> None:
    before = lapel.get_achievement(award.achievement)
    changed = lapel.change_achievement(award.achievement, AchievementChanges(name="Splices"), if_match=before.etag)

    assert lapel.get_achievement(award.achievement).etag == changed.etag != before.etag
    assert lapel.get_achievement(award.achievement, version=1).value.name == "Knots"
    with pytest.raises(PreconditionFailed) as caught:
        lapel.change_achievement(award.achievement, AchievementChanges(name="Lost"), if_match=before.etag)
    assert caught.value.code == "precondition_failed"
    pictured = lapel.put_achievement_image(award.achievement, png(), if_match=changed.etag).value.image
    assert pictured is not None
    assert lapel.get_image(pictured.id).content == lapel.get_achievement_image(award.achievement).content == png()


def test_lists_go_on_by_themselves(lapel: Client) -> None:
    issuer = lapel.create_issuer(NewIssuer(name="Awards much")).value.id
    for number in range(5):
        criteria = Criteria(narrative="Be there.")
        lapel.create_achievement(NewAchievement(issuer=issuer, name=f"{number}", description="-", criteria=criteria))

    assert [item.name for item in lapel.list_achievements(issuer=issuer, limit=2)] == ["4", "3", "2", "1", "0"]
    assert [len(page.items) for page in lapel.list_issuer_achievements(issuer, limit=2).pages()] == [2, 2, 1]
    assert issuer in {item.id for item in lapel.list_issuers()}


def test_keys_are_rotated_and_given_up(lapel: Client, award: NewCredential) -> None:
    issuer = lapel.create_issuer(NewIssuer(name="Rotates")).value.id
    first = lapel.list_keys(issuer)[0]
    second = lapel.rotate_key(issuer)

    assert [key.state for key in lapel.list_keys(issuer)] == [KeyState.RETIRED, KeyState.ACTIVE]
    assert lapel.issuer_key(issuer, second.id).value.kty == "OKP"
    given_up = lapel.change_key_state(issuer, first.id, NewKeyState(state=KeyState.COMPROMISED))
    assert given_up.state is KeyState.COMPROMISED
    assert len(lapel.issuer_did(issuer).value.verification_method) >= 1


def test_what_is_wrong_is_pointed_at(lapel: Client) -> None:
    with pytest.raises(Invalid) as caught:
        lapel.create_issuer(NewIssuer(name="", url="nowhere"))

    assert {entry.pointer for entry in caught.value.errors} == {"/name", "/url"}
    assert caught.value.request_id
    with pytest.raises(NotFound):
        lapel.get_issuer("01980c7e-5d6f-7a31-9c2e-4b8d1f60a2ff")


def test_without_a_key_only_what_is_public_answers(server: LiveServer, award: NewCredential) -> None:
    with server.client as http:
        anybody = Client(server.url, http=http)
        assert anybody.get_achievement(award.achievement).value.criteria == {"narrative": "Tie ten."}
        with pytest.raises(Unauthorized) as caught:
            anybody.issue_credential(award)
    assert "apikey create" in str(caught.value.hint)
    assert str(caught.value).endswith(str(caught.value.hint))


def test_endorsements_and_the_server_itself(lapel: Client, award: NewCredential) -> None:
    issuer = lapel.get_credential(lapel.issue_credential(award).value.id).json["issuer"]
    assert isinstance(issuer, dict)
    words = NewEndorsement(endorsed=award.achievement, issuer=str(issuer["id"]), comment="Good.")

    assert "EndorsementCredential" in lapel.issue_endorsement(words).value.type
    assert lapel.live().status == "live"
    assert lapel.ready().status == "ready"
    assert "lapel_http_requests_total" in lapel.metrics()
    assert lapel.default_jwks().keys


async def test_awaited_it_does_the_same(server: LiveServer, award: NewCredential) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:  # noqa: S501 - plain http
        lapel = AsyncClient(server.url, key=ADMIN_KEY, http=http)
        badges = [(await lapel.issue_credential(award)).value.id for _ in range(3)]

        found = [item.id async for item in lapel.list_credentials(achievement=award.achievement, limit=2)]
        assert found[:3] == badges[::-1]
        assert (await lapel.verify((await lapel.get_credential(badges[0])).content)).valid is True
        issuer = (await lapel.create_issuer(NewIssuer(name="Awaited"))).value.id
        changed = await lapel.change_issuer(issuer, IssuerChanges(description="Wet."))
        assert changed.value.description == "Wet."
        with pytest.raises(NotFound):
            await lapel.get_issuer("nobody")
