"""The other documents of the house, each under the contexts that give a meaning to all of it; and repetitions."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from tests.unit.credentials.jsonld.badges import (
    CURRENT,
    DATA_INTEGRITY,
    DID_1,
    ED25519_2020,
    MULTIKEY,
    OB_2,
    OB_3_0_3,
    OB_EXTENSIONS,
    VC_1,
    VC_2,
    Node,
    credential_of,
    credentials,
    dates,
    few,
    iris,
    node,
    one_or_few,
    places,
    profile,
    proof,
    subject,
    texts,
)

CLR_2 = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"


def under(contexts: list[str], documents: Any) -> Any:
    return documents.map(lambda document: {**document, "@context": contexts})


association = node("Association", associationType=texts, sourceId=iris, targetId=iris)
clr = under(
    [VC_2, CLR_2, OB_3_0_3, OB_EXTENSIONS],
    credential_of(
        ["ClrCredential"],
        node("ClrSubject", association=few(association), verifiableCredential=few(credentials())),
        partial=st.booleans(),
    ),
)
status_list = credential_of(
    ["BitstringStatusListCredential"],
    node("BitstringStatusList", encodedList=texts, statusPurpose=texts, ttl=st.integers(0, 2**53)),
)
method = node("Multikey", {"id": iris}, controller=iris, publicKeyMultibase=texts, revoked=dates, expires=dates)
service = node("https://example.org/Service", {"id": iris}, serviceEndpoint=iris)
did_document = st.fixed_dictionaries(
    {"@context": st.just([DID_1, MULTIKEY]), "id": iris, "controller": iris},
    optional={
        "verificationMethod": one_or_few(method),
        "assertionMethod": few(iris | method),
        "authentication": one_or_few(iris),
        "alsoKnownAs": few(iris),
        "service": few(service),
    },
)
presentation = node(
    ["VerifiablePresentation"],
    {"@context": st.just(CURRENT), "holder": iris, "verifiableCredential": few(credentials())},
    proof=one_or_few(proof),
)
old_proof = node(
    "Ed25519Signature2020",
    created=dates,
    proofPurpose=st.sampled_from(["assertionMethod", "authentication"]),
    proofValue=texts,
    verificationMethod=iris,
)
old_credential = node(
    ["VerifiableCredential", "OpenBadgeCredential"],
    {
        "@context": st.just([VC_1, "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json", ED25519_2020]),
        "issuer": iris | profile,
        "issuanceDate": dates,
        "credentialSubject": one_or_few(subject),
    },
    expirationDate=dates,
    name=texts,
    proof=one_or_few(old_proof),
)
recipient = node("IdentityObject", identity=texts, hashed=st.booleans(), salt=texts)
badge_class = node(
    "BadgeClass",
    name=texts,
    description=texts,
    image=iris | node("Image", {"id": iris}, caption=texts, author=iris),
    criteria=iris | node("Criteria", narrative=texts),
    alignment=few(node("AlignmentObject", targetName=texts, targetUrl=texts, targetCode=texts)),
    issuer=iris | node(["Issuer"], name=texts, url=iris, email=texts),
    tags=few(texts),
)
assertion = node(
    "Assertion",
    {"@context": st.just(OB_2), "recipient": recipient, "badge": iris | badge_class, "issuedOn": dates},
    verification=node(["HostedBadge"], allowedOrigins=one_or_few(texts), startsWith=one_or_few(texts)),
    evidence=one_or_few(iris | node(["Evidence"], narrative=texts, name=texts, genre=texts)),
    expires=dates,
    revoked=st.booleans(),
)
proof_options = st.builds(
    lambda document, contexts: {**document, "@context": contexts},
    proof,
    st.sampled_from([[VC_2, OB_3_0_3], DATA_INTEGRITY, [VC_1, DATA_INTEGRITY]]),
)

others: Any = st.one_of(clr, status_list, did_document, presentation, old_credential, assertion, proof_options)

# One of each plane, and of what lies at the edges of them; half of a surrogate pair is no character.
planes = st.builds(lambda plane, offset: chr(plane << 16 | offset), st.integers(0, 16), st.integers(0, 0xFFFF)).filter(
    lambda character: not 0xD800 <= ord(character) <= 0xDFFF
)


@st.composite
def in_every_script(draw: st.DrawFn) -> Node:
    """A credential with texts of any plane in the place of its own."""
    document: Node = draw(credentials())
    for holder, step in places(document):
        if step in ("name", "narrative", "description", "caption", "value", "genre") and isinstance(holder[step], str):
            holder[step] = draw(st.text(planes, min_size=1, max_size=4))
    document["name"] = draw(st.text(planes, min_size=1, max_size=17))
    return document


anonymous = st.recursive(
    st.builds(lambda name: {"type": ["Evidence"], "name": name}, st.sampled_from(["a", "b"])),
    lambda inner: st.builds(
        lambda issuer, name: {"type": ["Profile"], "name": name, "image": issuer},
        st.lists(inner, min_size=1, max_size=2),
        st.sampled_from(["a", "b"]),
    ),
    max_leaves=4,
)


@st.composite
def twins(draw: st.DrawFn) -> Node:
    """A credential in which anonymous parts, nested ones too, stand several times, down to the last letter."""
    node_: Node = draw(anonymous)
    return {
        "@context": CURRENT,
        "id": "https://example.org/1",
        "type": ["VerifiableCredential"],
        "issuer": "https://example.org/2",
        "credentialSubject": {"type": ["AchievementSubject"], "result": draw(few(anonymous))},
        "evidence": [copy.deepcopy(node_) for _ in range(draw(st.integers(2, 4)))] + draw(few(anonymous)),
    }
