"""Open Badges 2.0 documents are taken in, hosted, and Open Badges 3.0 as well."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from tests.http.live_server import LiveServer
from tests.support.badge_images import png

CONTEXT = "https://w3id.org/openbadges/v2"
PROFILE = {
    "@context": CONTEXT,
    "type": "Issuer",
    "id": "https://elsewhere.example/issuer",
    "name": "Harbour University",
    "url": "https://harbour.example",
    "email": "badges@harbour.example",
    "telephone": "+442079460999",
    "description": "Teaches by the sea.",
    "verification": {"startsWith": "https://elsewhere.example/"},
    "extensions:Ext": {"@context": "https://x.example/c.json", "type": ["Extension", "extensions:Ext"], "a": 1},
}
BADGE = {
    "@context": CONTEXT,
    "type": "BadgeClass",
    "name": "Night Sailing",
    "description": "Sails safely by night.",
    "criteria": {"type": "Criteria", "narrative": "Three nights."},
    "tags": ["sailing", "night"],
    "alignment": [{"type": "AlignmentObject", "targetName": "CCSS", "targetUrl": "https://core.example/1"}],
    "version": "1.0",
}


@pytest.fixture(scope="module")
def profile(server: LiveServer) -> dict[str, Any]:
    return server.create("/v2/issuers", **PROFILE)


@pytest.fixture(scope="module")
def badge(server: LiveServer, profile: dict[str, Any]) -> dict[str, Any]:
    return server.create("/v2/badge-classes", **BADGE, issuer=profile["id"])


def assertion(badge: dict[str, Any], **members: object) -> dict[str, Any]:
    recipient = {"type": "email", "hashed": False, "identity": "ada@school.example"}
    return {"@context": CONTEXT, "type": "Assertion", "recipient": recipient, "badge": badge["id"], **members}


def post(server: LiveServer, path: str, body: object) -> Any:
    return server.ask("POST", path, json=body)


def test_what_is_taken_in_is_what_is_hosted(server: LiveServer, profile: dict[str, Any], badge: dict[str, Any]) -> None:
    for made, given in ((profile, PROFILE), (badge, BADGE)):
        assert server.get(made["id"]).json() == made
        assert made["id"].startswith(f"{server.url}/v2/")
        for name in given.keys() - {"id", "verification", "extensions:Ext"}:
            assert made[name] == given[name]
    assert profile["extensions:Ext"]["a"] == 1
    assert badge["issuer"] == profile["id"]
    # The same issuer and achievement in 3.0.
    assert server.get(profile["id"].replace("/v2/", "/v3/")).json()["phone"] == PROFILE["telephone"]
    assert server.get(badge["id"].replace("/v2/badge-classes", "/v3/achievements")).json()["tag"] == BADGE["tags"]


def test_an_assertion_is_a_credential_too(server: LiveServer, badge: dict[str, Any]) -> None:
    body = assertion(
        badge,
        issuedOn="2020-05-06T07:08:09Z",
        expires="2999-01-01T00:00:00Z",
        evidence=["https://x.example/1", {"type": "Evidence", "narrative": "Seen."}],
        narrative="Well done.",
        verification={"type": "HostedBadge"},
    )

    answer = post(server, "/v2/assertions", body)

    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == made["id"]
    assert answer.headers["content-type"] == "application/ld+json"
    assert server.get(made["id"]).json() == made
    for name in ("recipient", "badge", "issuedOn", "expires", "narrative", "verification"):
        assert made[name] == body[name]
    assert made["evidence"] == [
        {"type": "Evidence", "id": "https://x.example/1"},
        {"type": "Evidence", "narrative": "Seen."},
    ]
    credential = server.get(made["id"].replace("/v2/assertions", "/v3/credentials")).json()
    assert credential["validFrom"] == body["issuedOn"]
    assert server.ask("POST", "/v3/verify", json=credential).json()["valid"] is True
    assert server.ask("POST", "/v3/verify", json={"url": made["id"], "recipient": "ada@school.example"}).json()["valid"]


@pytest.mark.parametrize("evidence", ["urn:uuid:a953081a-4bbd-4927-9653-7219bca00e3b", "data:text/plain,Seen."])
def test_evidence_need_not_be_a_page(server: LiveServer, badge: dict[str, Any], evidence: str) -> None:
    """OB 2.0, "Evidence": "outside the HTTP scheme may be used"; OB 3.0, Evidence: "encoded as a Data URI"."""
    made = server.create("/v2/assertions", **assertion(badge, evidence={"id": evidence, "narrative": "Seen."}))

    assert made["evidence"] == [{"type": "Evidence", "id": evidence, "narrative": "Seen."}]
    credential = server.get(made["id"].replace("/v2/assertions", "/v3/credentials")).json()
    assert server.ask("POST", "/v3/verify", json=credential).json()["valid"] is True


@pytest.mark.parametrize("salt", ["deadsea", None])
def test_an_identity_that_is_given_as_a_hash_stays_one(
    server: LiveServer, badge: dict[str, Any], salt: str | None
) -> None:
    hash_ = "sha256$" + hashlib.sha256(("bea@school.example" + (salt or "")).encode()).hexdigest()
    recipient = {"type": "email", "hashed": True, "identity": hash_} | ({"salt": salt} if salt else {})

    made = server.create("/v2/assertions", **assertion(badge, recipient=recipient))

    assert made["recipient"] == recipient
    credential = server.get(made["id"].replace("/v2/assertions", "/v3/credentials")).json()
    assert credential["credentialSubject"]["identifier"][0]["identityHash"] == hash_
    question = {"url": made["id"], "recipient": "bea@school.example"}
    assert server.ask("POST", "/v3/verify", json=question).json()["valid"] is True
    assert (
        server.ask("POST", "/v3/verify", json={**question, "recipient": "cyd@school.example"}).json()["valid"] is False
    )


def test_a_plain_identity_is_hashed_where_that_is_asked_for(server: LiveServer, badge: dict[str, Any]) -> None:
    recipient = {"type": "email", "hashed": True, "identity": "dan@school.example"}

    made = server.create("/v2/assertions", **assertion(badge, recipient=recipient))

    assert made["recipient"]["identity"].startswith("sha256$")
    found = server.ask("GET", "/v3/credentials", params={"recipient": "dan@school.example"}).json()["items"]
    assert [item["id"].rpartition("/")[2] for item in found] == [made["id"].rpartition("/")[2]]


def test_a_badge_class_may_name_its_issuer_in_every_way(server: LiveServer, profile: dict[str, Any]) -> None:
    uuid = profile["id"].rpartition("/")[2]
    for issuer in (uuid, f"{server.url}/v3/issuers/{uuid}", {"id": profile["id"], "type": "Issuer", "name": "x"}):
        body = {**BADGE, "issuer": issuer, "criteria": "https://harbour.example/night"}
        assert server.create("/v2/badge-classes", **body)["criteria"]["id"] == body["criteria"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"tags": "sailing"}, {"tags": ["sailing"]}),
        ({"version": 2}, {"version": "2"}),
        ({"related": "https://x.example/1"}, {"related": [{"type": "BadgeClass", "id": "https://x.example/1"}]}),
        (
            {"@language": "en-us", "related": {"id": "https://x.example/1", "version": 1.5, "@language": "es"}},
            {
                "@language": "en-US",
                "related": [{"type": "BadgeClass", "version": "1.5", "@language": "es", "id": "https://x.example/1"}],
            },
        ),
    ],
)
def test_one_value_needs_no_array_and_a_version_may_be_a_number(
    server: LiveServer, profile: dict[str, Any], given: dict[str, Any], shown: dict[str, Any]
) -> None:
    """OB 2.0, "Properties"; OB 2.0 Examples, "BadgeClass Versioning" and "Internationalization Examples"."""
    made = server.create("/v2/badge-classes", **{**BADGE, "issuer": profile["id"], **given})

    assert made | shown == made


@pytest.mark.parametrize("kind", ["Image", "ImageObject", "schema:ImageObject"])
def test_an_image_may_be_called_what_version_2_calls_it(server: LiveServer, profile: dict[str, Any], kind: str) -> None:
    """OB 2.0, "Image": its type "defaults to schema:ImageObject"."""
    image = {"type": kind, "id": "data:image/png;base64," + base64.b64encode(png()).decode(), "caption": "A sail"}

    made = server.create("/v2/badge-classes", **BADGE, issuer=profile["id"], image=image)

    assert (made["image"]["type"], made["image"]["caption"]) == ("schema:ImageObject", "A sail")


@pytest.mark.parametrize("author", ["https://artist.example/", {"id": "https://artist.example/", "type": "Profile"}])
def test_an_image_keeps_its_author_for_version_2(server: LiveServer, profile: dict[str, Any], author: object) -> None:
    """OB 2.0, "Image". Open Badges 3.0 has no place for it."""
    image = {"id": "data:image/png;base64," + base64.b64encode(png()).decode(), "author": author}
    made = server.create("/v2/badge-classes", **BADGE, issuer=profile["id"], image=image)
    issuer = server.create("/v2/issuers", **PROFILE, image=image)

    for document in (made, issuer):
        assert document["image"]["author"] == "https://artist.example/"
        version_3 = server.get(
            document["id"].replace("/v2/badge-classes/", "/v3/achievements/").replace("/v2/", "/v3/")
        )
        assert "author" not in version_3.json()["image"]

    server.create("/v2/assertions", **assertion(made))
    path = issuer["id"].replace("/v2/", "/v3/")
    assert server.ask("PATCH", path, json={"image": {"caption": "A sail"}}).status_code == 200
    changed = server.get(issuer["id"]).json()["image"]
    assert (changed["caption"], changed["author"]) == ("A sail", "https://artist.example/")


@pytest.mark.parametrize("author", ["nobody", {"name": "Bob"}])
def test_an_author_without_an_address_is_refused(server: LiveServer, profile: dict[str, Any], author: object) -> None:
    image = {"id": "data:image/png;base64," + base64.b64encode(png()).decode(), "author": author}
    refused = server.ask("POST", "/v2/badge-classes", json={**BADGE, "issuer": profile["id"], "image": image})

    assert [error["pointer"] for error in refused.json()["errors"]] == ["/image/author"]


def test_an_assertion_may_say_that_it_is_not_revoked(server: LiveServer, badge: dict[str, Any]) -> None:
    """OB 2.0, "Assertion": what it is anyhow."""
    assert server.ask("POST", "/v2/assertions", json=assertion(badge, revoked=False)).status_code == 201
    assert server.ask("POST", "/v2/assertions", json=assertion(badge, revoked=True)).status_code == 422


@pytest.mark.parametrize("moment", ["2016-12-31T23:59Z", "20161231T235900Z", "2017-01-01T00:59+01:00"])
def test_a_time_may_be_written_in_every_way_of_iso_8601(server: LiveServer, badge: dict[str, Any], moment: str) -> None:
    """OB 2.0, "DateTime": seconds are optional."""
    made = server.create("/v2/assertions", **assertion(badge, issuedOn=moment))

    assert made["issuedOn"] == "2016-12-31T23:59:00Z"


def test_an_empty_salt_is_none_and_how_it_is_verified_has_an_older_name(
    server: LiveServer, badge: dict[str, Any]
) -> None:
    recipient = {"type": "email", "hashed": True, "identity": "sha256$" + "0" * 64, "salt": ""}

    made = server.create("/v2/assertions", **assertion(badge, recipient=recipient, verify={"type": "hosted"}))

    assert "salt" not in made["recipient"]
    assert made["verification"] == {"type": "HostedBadge"}


@pytest.mark.parametrize(
    ("path", "change", "pointers"),
    [
        ("/v2/issuers", {"email": None, "url": 1}, {"/email", "/url"}),
        ("/v2/issuers", {"telephone": "x", "email": "x"}, {"/telephone", "/email"}),
        ("/v2/issuers", {"type": "BadgeClass"}, {"/type"}),
        ("/v2/issuers", {"extensions:Ext": 1}, {"/extensions:Ext"}),
        ("/v2/issuers", {"extensions:Ext": {"type": "x"}}, {"/extensions:Ext/@context", "/extensions:Ext/type"}),
        ("/v2/issuers", {"nickname": "x"}, {"/nickname"}),
        ("/v2/badge-classes", {"issuer": "x", "tags": 7}, {"/tags"}),
        (
            "/v2/badge-classes",
            {"@language": "mother tongue", "related": {"id": "https://x.example/1", "@language": "no tongue"}},
            {"/@language", "/related/0/@language"},
        ),
        ("/v2/badge-classes", {"issuer": "x"}, {"/issuer"}),
        ("/v2/badge-classes", {"tags": [""], "criteria": "x"}, {"/tags/0", "/criteria/id"}),
        ("/v2/assertions", {"badge": "x"}, {"/badge"}),
        ("/v2/assertions", {"recipient": {"type": "did", "hashed": False, "identity": "did:x:y"}}, {"/recipient/type"}),
        ("/v2/assertions", {"recipient": {"type": "email", "identity": "a@b.example"}}, {"/recipient/hashed"}),
        (
            "/v2/assertions",
            {"recipient": {"type": "email", "hashed": True, "identity": "md5$0123"}},
            {"/recipient/identity"},
        ),
        (
            "/v2/assertions",
            {"recipient": {"type": "email", "hashed": True, "identity": "a@b.example", "salt": "x"}},
            {"/recipient/salt"},
        ),
        ("/v2/assertions", {"expires": "2001-01-01T00:00:00Z"}, {"/expires"}),
        ("/v2/assertions", {"extensions:Ext": {}}, {"/extensions:Ext"}),
        ("/v2/assertions", {"revoked": True}, {"/revoked"}),
    ],
)
def test_what_is_wrong_is_named_as_it_was_given(
    server: LiveServer,
    profile: dict[str, Any],
    badge: dict[str, Any],
    path: str,
    change: dict[str, Any],
    pointers: set[str],
) -> None:
    body = {
        "/v2/issuers": PROFILE,
        "/v2/badge-classes": {**BADGE, "issuer": profile["id"]},
        "/v2/assertions": assertion(badge),
    }[path]

    answer = post(server, path, {**body, **change})

    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.json()["errors"]} == pointers


def test_what_would_have_no_version_2_form_is_not_made(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name="Without an address")
    words = {"name": "x", "description": "x", "criteria": {"narrative": "x"}}
    achievement = server.create("/v3/achievements", issuer=issuer["id"], **words)

    badge = post(server, "/v2/badge-classes", {**BADGE, "issuer": issuer["id"]})
    awarded = post(server, "/v2/assertions", assertion(achievement))

    for answer, pointer in ((badge, "/issuer"), (awarded, "/badge")):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no_ob2_form")
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert server.ask("GET", "/v3/credentials", params={"achievement": achievement["id"]}).json()["items"] == []


@pytest.mark.parametrize("path", ["/v2/issuers", "/v2/badge-classes", "/v2/assertions"])
def test_it_needs_a_key_and_an_object(server: LiveServer, path: str) -> None:
    with server.client as client:
        assert client.post(path, json={}).status_code == 401
    assert post(server, path, []).status_code == 422
    assert server.ask("POST", path, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


def test_the_same_request_is_done_once(server: LiveServer, badge: dict[str, Any]) -> None:
    headers = {"idempotency-key": "ob2-1"}
    first, again = (server.ask("POST", "/v2/assertions", json=assertion(badge), headers=headers) for _ in range(2))

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"


def test_when_it_was_awarded_is_when_it_was_issued_on(server: LiveServer, badge: dict[str, Any]) -> None:
    made = server.create(
        "/v3/credentials",
        achievement=badge["id"].rpartition("/")[2],
        recipient={"type": "email", "identity": "eve@school.example"},
        awardedDate="2019-08-07T06:05:04.123Z",
    )

    assert (
        server.get(made["id"].replace("/v3/credentials", "/v2/assertions")).json()["issuedOn"] == "2019-08-07T06:05:04Z"
    )
    page = server.get(made["id"], accept="text/html").text
    assert re.search("<dt>Awarded</dt><dd><time [^>]*>7 August 2019</time></dd>", page)
