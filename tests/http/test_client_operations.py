"""What the Python client does beside the way of one badge: many at once, erasing, keys and people, 2.0, the VC API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lapel.client import (
    Assertion,
    BadgeClass,
    Client,
    Conflict,
    CredentialToIssue,
    CredentialToVerify,
    Criteria,
    Document,
    ErasedIdentity,
    Gone,
    IdentityObject,
    Invalid,
    NewAchievement,
    NewApiKey,
    NewCredential,
    NewIssuer,
    NewOrganisation,
    NewStatus,
    NewStatuses,
    NotFound,
    OrganisationChanges,
    ProblemDocument,
    RecipientInput,
    Replacement,
    StatusEntry,
    StatusToSet,
    UnsecuredPresentation,
    Version2Profile,
)
from lapel.domain.access import Role
from lapel.domain.audit import Action
from lapel.domain.credential import CredentialFormat, CredentialStatus
from tests.http.live_server import LiveServer
from tests.support.described_answers import operations

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def achievement(lapel: Client) -> str:
    school = NewIssuer(name="Harbour School", url="https://school.example", email="badges@school.example")
    knots = NewAchievement(
        issuer=lapel.create_issuer(school).value.id,
        name="Knots",
        description="Ties knots.",
        criteria=Criteria(narrative="Tie ten."),
        suspendable=True,
    )
    return lapel.create_achievement(knots).value.id


def award(achievement: str, who: str, kind: CredentialFormat = CredentialFormat.EDDSA_RDFC_2022) -> NewCredential:
    return NewCredential(achievement=achievement, recipient=RecipientInput(type="email", identity=who), format=kind)


def test_every_operation_is_tried_against_a_server() -> None:
    programs = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_client*.py"))
    assert operations().keys() <= set(re.findall(r"\.(\w+)\(", programs))


@pytest.mark.parametrize("kind", CredentialFormat)
def test_many_come_back_as_they_were_signed(lapel: Client, achievement: str, kind: CredentialFormat) -> None:
    badges = lapel.issue_batch([award(achievement, who, kind) for who in ("a@school.example", "b@school.example")])

    assert len(badges) == 2
    for badge in badges:
        assert isinstance(badge, Document)
        assert badge.location == badge.value.id
        stored = lapel.get_credential(badge.value.id)
        assert (badge.content, badge.media_type) == (stored.content, stored.media_type)
        assert lapel.verify(badge.content).valid is True


def test_of_many_each_for_itself_or_none(lapel: Client, achievement: str) -> None:
    two = [award(achievement, "c@school.example"), award(achievement, "nobody")]

    badge, problem = lapel.issue_batch(two, atomic=False)
    assert isinstance(badge, Document)
    assert isinstance(problem, ProblemDocument)
    assert [entry.pointer for entry in problem.errors] == ["/1/recipient/identity"]
    with pytest.raises(Invalid):
        lapel.issue_batch(two)

    ids = [badge.value.id, "01980c7e-5d6f-7a31-9c2e-4b8d1f60a2ff"]
    suspended, unknown = lapel.change_statuses(NewStatuses(ids=ids, status=CredentialStatus.SUSPENDED), atomic=False)
    assert not isinstance(suspended, ProblemDocument)
    assert suspended.status is CredentialStatus.SUSPENDED
    assert isinstance(unknown, ProblemDocument)
    status = badge.json["credentialStatus"]
    assert isinstance(status, dict)
    listed = str(status["statusListCredential"])
    for document in (lapel.get_status_list(listed), lapel.get_revocations_among(listed)):
        assert "BitstringStatusListCredential" in document.value.type


def test_a_wrong_badge_is_replaced_and_what_is_known_of_people_erased(lapel: Client, achievement: str) -> None:
    wrong = lapel.issue_credential(award(achievement, "d@school.example")).value.id
    dora = RecipientInput(type="email", identity="dora@school.example")
    right = lapel.replace_credential(wrong, Replacement(recipient=dora, reason="A typing error.")).value.id
    (found,) = lapel.list_credentials(recipient="dora@school.example")
    assert (found.id, found.replaces) == (right, wrong)

    lapel.erase_credential(wrong)
    erased = lapel.erase_recipient(ErasedIdentity(type="email", identity="dora@school.example"))
    assert (erased.erased, erased.credentials) == (1, [right])
    for gone in (wrong, right):
        with pytest.raises(Gone):
            lapel.get_credential(gone)
    assert {item.entity for item in lapel.list_audit_log(action=Action.CREDENTIAL_ERASED)} >= {wrong, right}


def test_only_what_was_never_used_is_removed(lapel: Client, achievement: str) -> None:
    issuer = lapel.create_issuer(NewIssuer(name="Not for long")).value.id
    unused = NewAchievement(issuer=issuer, name="-", description="-", criteria=Criteria(narrative="-"))
    made = lapel.create_achievement(unused).value.id

    with pytest.raises(Conflict):
        lapel.delete_issuer(issuer)
    lapel.delete_achievement(made)
    lapel.delete_issuer(issuer)
    with pytest.raises(NotFound):
        lapel.get_issuer(issuer)
    assert lapel.default_did().value.id


def test_organisations_and_their_keys(owner: str, server: LiveServer) -> None:
    with server.client as http:
        operator = Client(server.url, key=owner, http=http)
        made = operator.create_organisation(NewOrganisation(name="Riverside"))
        renamed = operator.change_organisation(made.id, OrganisationChanges(name="Riverside School"))
        assert [item for item in operator.list_organisations() if item.id == made.id] == [renamed]

        theirs = Client(server.url, key=made.owner_key.key, http=http)
        assert theirs.current_organisation() == theirs.get_organisation(made.id) == renamed
        key = theirs.create_api_key(NewApiKey(name="award script", role=Role.ISSUER))
        assert theirs.get_api_key(key.id).name == "award script"
        assert theirs.revoke_api_key(key.id).revoked_at is not None
        assert [item.id for item in theirs.list_api_keys()] == [key.id, made.owner_key.id]


def test_open_badges_2(lapel: Client) -> None:
    profile = Version2Profile(name="Old School", url="https://old.example", email="badges@old.example")
    issuer = lapel.create_v2_issuer(profile).value.id
    assert lapel.v2_issuer(issuer).json["email"] == "badges@old.example"
    old = BadgeClass(name="Knots", description="Ties knots.", criteria="https://old.example/knots", issuer=issuer)
    badge_class = lapel.create_badge_class(old).value.id
    assert lapel.v2_badge_class(badge_class).json["issuer"] == issuer

    ada = IdentityObject(type="email", hashed=True, identity="ada@old.example")
    assertion = lapel.create_assertion(Assertion(recipient=ada, badge=badge_class))
    assert lapel.verify(assertion.content, recipient="ada@old.example").valid is True
    assert lapel.verify(lapel.v2_assertion_image(assertion.value.id).content).valid is True
    assert lapel.v2_badge_class_image(badge_class).media_type == "image/svg+xml"
    with pytest.raises(NotFound):
        lapel.v2_key(issuer, "01980c7e-5d6f-7a31-9c2e-4b8d1f60a2ff")


def test_any_credential_and_presentations(lapel: Client) -> None:
    issuer = lapel.create_issuer(NewIssuer(name="Workshop")).value.id
    ticket: dict[str, object] = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "issuer": issuer,
        "credentialSubject": {"description": "may enter"},
    }
    issued = lapel.vc_issue(CredentialToIssue(credential=ticket))
    assert lapel.vc_verify_credential(CredentialToVerify(verifiable_credential=dict(issued.json))).verified is True
    shown = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [issued.json],
    }
    assert lapel.vc_verify_presentation(UnsecuredPresentation(presentation=shown)).verified is True

    bit = StatusEntry(type="BitstringStatusListEntry", status_purpose="revocation")
    lapel.vc_change_status(StatusToSet(credential_id=issued.value.id, credential_status=bit, status=True))
    assert lapel.vc_verify_credential(CredentialToVerify(verifiable_credential=dict(issued.json))).verified is False
    with pytest.raises(Conflict):
        lapel.change_credential_status(issued.value.id, NewStatus(status=CredentialStatus.ACTIVE))
