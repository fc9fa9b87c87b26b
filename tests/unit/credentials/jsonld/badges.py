"""Open Badges 3.0 credentials of every shape, and what a careless or hostile hand makes of them."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from lapel.domain.json import JsonValue

VC_2 = "https://www.w3.org/ns/credentials/v2"
VC_1 = "https://www.w3.org/2018/credentials/v1"
OB_3_0_1, OB_3_0_2, OB_3_0_3 = (
    f"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.{number}.json" for number in (1, 2, 3)
)
OB_EXTENSIONS = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
DATA_INTEGRITY_1 = "https://w3id.org/security/data-integrity/v1"
DATA_INTEGRITY = "https://w3id.org/security/data-integrity/v2"
ED25519_2020 = "https://w3id.org/security/suites/ed25519-2020/v1"
MULTIKEY = "https://w3id.org/security/multikey/v1"
DID_1 = "https://www.w3.org/ns/did/v1"
OB_2 = "https://w3id.org/openbadges/v2"

Node = dict[str, Any]

# A character of each plane and of each kind that some writer of RDF has got wrong.
texts = st.text(max_size=20) | st.sampled_from(
    ["", "a", "\x00\x07\x0b\x7f", "\x85\u2028\u2029", '"\\\t\n\r\b\f', "\ufeff\ufffe\uffff", "é\U0001f393\U0010ffff"]
)
SAMPLE_IRIS = [
    "https://example.org/1",
    "https://example.org/é/\U0001f393",
    "urn:uuid:7b1f3a3e-0000-7000-8000-000000000001",
    "did:key:z6Mk#z6Mk",
    "mailto:a@example.org",
    "xsd:date",
    "https:",
    "data:image/png;base64,AAAA",
]
things = st.integers(0, 99).map(lambda number: f"https://example.org/things/{number}")
iris = st.sampled_from(SAMPLE_IRIS) | things
dates = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
# Numbers that implementations agree on: one with 17 digits lies half way between two of 16, and is rounded either way.
numbers = (
    st.integers(-(2**53), 2**53)
    | (st.floats(1e-6, 1e15) | st.floats(-1e15, -1e-6)).filter(lambda x: len(Decimal(x).as_tuple().digits) != 17)
    | st.sampled_from([0, 0.0, -0.0, 1.0, 1.5, 5e-6, 2.0**53])
)


def node(types: str | list[str], required: dict[str, st.SearchStrategy[Any]] | None = None, **optional: Any) -> Any:
    """A node of these types; a type may stand alone or in an array, an identifier may be missing."""
    listed = types if isinstance(types, list) else [types]
    spelled = st.sampled_from([listed, listed[::-1]] if len(listed) > 1 else [listed, listed[0]])
    needed = {"type": spelled, **(required or {})}
    return st.fixed_dictionaries(
        needed, optional={name: values for name, values in {"id": iris, **optional}.items() if name not in needed}
    )


def few(strategy: Any) -> Any:
    return st.lists(strategy, max_size=2)


def one_or_few(strategy: Any) -> Any:
    return strategy | few(strategy)


image = iris | node("Image", {"id": iris}, caption=texts)
identifier = node(
    "IdentityObject",
    hashed=st.booleans(),
    identityHash=texts,
    identityType=st.sampled_from(["emailAddress", "ext:other"]),
    salt=texts,
)
other_identifier = node("IdentifierEntry", identifier=texts, identifierType=texts)
address = node(
    "Address", addressCountry=texts, postalCode=texts, geo=node("GeoCoordinates", latitude=numbers, longitude=numbers)
)
profile = node(
    ["Profile"],
    name=texts,
    url=iris,
    email=texts,
    phone=texts,
    description=texts,
    image=image,
    address=address,
    dateOfBirth=texts,
    official=texts,
    otherIdentifier=few(other_identifier),
    parentOrg=iris,
)
alignment = node("Alignment", targetCode=texts, targetName=texts, targetType=texts, targetUrl=iris)
level = node("RubricCriterionLevel", level=texts, name=texts, points=texts, alignment=few(alignment))
result_description = node(
    "ResultDescription",
    allowedValue=st.lists(texts, max_size=3),
    requiredLevel=iris,
    requiredValue=texts,
    resultType=texts,
    rubricCriterionLevel=few(level),
    valueMax=texts,
    valueMin=texts,
)
result = node("Result", achievedLevel=iris, resultDescription=iris, status=texts, value=texts)
achievement = node(
    ["Achievement"],
    name=texts,
    description=texts,
    achievementType=st.sampled_from(["Badge", "Degree", "ext:other"]),
    alignment=few(alignment),
    creator=profile | iris,
    creditsAvailable=numbers,
    criteria=st.fixed_dictionaries({}, optional={"id": iris, "narrative": texts}) | iris,
    fieldOfStudy=texts,
    humanCode=texts,
    image=image,
    otherIdentifier=few(other_identifier),
    related=few(node("Related", {"id": iris}, version=texts)),
    resultDescription=few(result_description),
    specialization=texts,
    tag=few(texts),
    version=texts,
)
subject = node(
    "AchievementSubject",
    achievement=achievement,
    activityStartDate=dates,
    creditsEarned=numbers,
    identifier=few(identifier),
    image=image,
    licenseNumber=texts,
    narrative=texts,
    result=few(result),
    role=texts,
    source=profile | iris,
    term=texts,
)
evidence = node("Evidence", name=texts, narrative=texts, genre=texts, audience=texts, description=texts)
proof = node(
    "DataIntegrityProof",
    created=dates,
    cryptosuite=texts,
    proofPurpose=st.sampled_from(["assertionMethod", "authentication", "keyAgreement", "https://example.org/purpose"]),
    proofValue=texts,
    verificationMethod=iris,
    challenge=texts,
    previousProof=one_or_few(iris),
)
CURRENT = [VC_2, OB_3_0_3, OB_EXTENSIONS]
CONTEXTS = [
    CURRENT,
    [*CURRENT, DATA_INTEGRITY, MULTIKEY],
    [VC_2, OB_3_0_2, OB_EXTENSIONS],
    [VC_1, OB_3_0_1, OB_EXTENSIONS, DATA_INTEGRITY_1],
    [VC_1, OB_3_0_2, OB_EXTENSIONS, DATA_INTEGRITY],
    [VC_2, OB_3_0_1],  # which clash
    [OB_3_0_3],
]

members: dict[str, st.SearchStrategy[Any]] = {
    "name": texts,
    "description": texts,
    "image": image,
    "validUntil": dates,
    "awardedDate": dates,
    "evidence": one_or_few(evidence),
    "credentialStatus": one_or_few(
        node("BitstringStatusListEntry", statusPurpose=texts, statusListIndex=texts, statusListCredential=iris)
    ),
    "credentialSchema": one_or_few(node("1EdTechJsonSchemaValidator2019", {"id": iris})),
    "refreshService": one_or_few(node("1EdTechCredentialRefresh", {"id": iris})),
    "termsOfUse": one_or_few(node("https://example.org/Terms", {"id": iris})),
    "proof": one_or_few(proof),
}


def credential_of(types: list[str], about: Any, **more: Any) -> Any:
    return node(
        ["VerifiableCredential", *types],
        {
            "@context": st.just(CURRENT),
            "issuer": iris | profile,
            "validFrom": dates,
            "credentialSubject": one_or_few(about),
        },
        **members,
        **more,
    )


endorsement = credential_of(["EndorsementCredential"], node("EndorsementSubject", endorsementComment=texts))
_credential = credential_of(["OpenBadgeCredential"], subject, endorsement=few(endorsement), endorsementJwt=few(texts))


@st.composite
def credentials(draw: st.DrawFn) -> Node:
    """A credential under the current contexts, which give a meaning to all of it."""
    document: Node = draw(_credential)
    return document


# --- mutations -------------------------------------------------------------------------------------------------------

NAMES = [
    "name",
    "image",
    "tag",
    "proof",
    "achievement",
    "allowedValue",
    "issuer",
    "id",
    "type",
    "@id",
    "@type",
    "result",
]
STRANGE_NAMES = ["unknown", "xsd:date", "https://example.org/p", "_:p", "@foo", "a b", "", "cred:x", "schema:y", "ob~x"]
KEYWORDS = ["@value", "@language", "@list", "@set", "@graph", "@reverse", "@index", "@included", "@none", "@direction"]
STRANGE_IRIS = [
    "",
    "relative",
    "#fragment",
    "_:b0",
    "https://a b/",
    "a:b\n",
    "1a:b",
    "//host/x",
    "@type",
    "@foo",
    "é:x",
]
TYPES = ["Achievement", "Profile", "IdentityObject", "DataIntegrityProof", "Unknown", "@json", "@id", "_:t", "Result"]

strange_values: st.SearchStrategy[JsonValue] = (
    st.none()
    | st.booleans()
    | numbers
    | st.sampled_from(STRANGE_IRIS + TYPES)
    | texts
    | st.just({})
    | st.just([])
    | st.just([None])
    | st.just([["a"]])
    | st.sampled_from(KEYWORDS).map(lambda name: {name: "x"})
    | st.builds(lambda value, type_: {"@value": value, "@type": type_}, texts | numbers, st.sampled_from(TYPES) | iris)
    | st.builds(
        lambda value, language: {"@value": value, "@language": language},
        texts,
        st.sampled_from(["en", "de-AT", "EN", "e_n", ""]),
    )
    | st.builds(lambda value: {"@value": value}, texts | numbers | st.none() | st.booleans())
    | st.builds(lambda value: {"id": value}, iris | st.sampled_from(STRANGE_IRIS))
    | st.builds(lambda type_, value: {"type": type_, "name": value}, st.sampled_from(TYPES), texts)
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every member and item, as its container and its name or index."""
    steps = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    found = []
    for step, item in steps:
        found.append((value, step))
        if isinstance(item, dict | list):
            found += places(item)
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Node:
    """A credential under any contexts, with up to three members dropped, changed, renamed, repeated or added."""
    document: Node = copy.deepcopy(draw(_credential))
    document["@context"] = list(draw(st.sampled_from(CONTEXTS)))
    for _ in range(draw(st.integers(0, 3))):
        container, step = draw(st.sampled_from(places(document)))
        change = draw(st.sampled_from(["drop", "replace", "rename", "repeat", "wrap", "add"]))
        if change == "drop":
            del container[step]
        elif change == "replace":
            container[step] = copy.deepcopy(draw(strange_values))
        elif change == "wrap":
            container[step] = [container[step]]
        elif change == "repeat" and isinstance(container, list):
            container.append(copy.deepcopy(container[step]))
        elif isinstance(container, dict):
            name = draw(st.sampled_from(NAMES + STRANGE_NAMES + KEYWORDS) | texts)
            container[name] = container.pop(step) if change == "rename" else copy.deepcopy(draw(strange_values))
        if not document:
            document["@context"] = VC_2
    return document
