"""The classes of Open Badges 3.0 as in 1EdTech's JSON Schemas: their members, kinds and cardinality (appendix B).

In this table, ``"tag": "text*"`` means that there may be several texts, and ``!`` that the member is required. A kind
that is not defined in `schema` or `kinds` is the name of a class. A member of the kind ``type`` must include the name
of the class, and in the classes of `SINGLE_TYPES` be nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CLASSES", "CLOSED", "SINGLE_TYPES"]

SINGLE_TYPES: Final = frozenset({"GeoCoordinates", "IdentifierEntry", "IdentityObject", "Image"})
"""The classes whose ``type`` must be their name and nothing else."""

CLOSED: Final = frozenset({"IdentifierEntry", "IdentityObject", "Image"})
"""The classes that must not have other members."""

_ENDORSABLE: Final = {"endorsement": "EndorsementCredential*", "endorsementJwt": "token*"}
_SECURED: Final = {
    "@context": "contexts!",
    "id": "text!",
    "type": "type!",
    "description": "text",
    "awardedDate": "date",
    "issuer": "issuer!",
    "proof": "Proof*",
    "credentialSchema": "Service*",
    "credentialStatus": "Terms",
    "refreshService": "Service",
    "termsOfUse": "Terms*",
}

CLASSES: Final[Mapping[str, Mapping[str, str]]] = {
    "AchievementCredential": {
        **_SECURED,
        **_ENDORSABLE,
        "name": "text",
        "image": "Image",
        "credentialSubject": "AchievementSubject!",
        "evidence": "Evidence*",
    },
    "EndorsementCredential": {**_SECURED, "name": "text!", "credentialSubject": "EndorsementSubject!"},
    "EndorsementSubject": {"id": "text!", "type": "type!", "endorsementComment": "text"},
    "AchievementSubject": {
        "id": "text",
        "type": "type!",
        "achievement": "Achievement!",
        "activityEndDate": "date",
        "activityStartDate": "date",
        "creditsEarned": "number",
        "identifier": "IdentityObject*",
        "image": "Image",
        "licenseNumber": "text",
        "narrative": "text",
        "result": "Result*",
        "role": "text",
        "source": "Profile",
        "term": "text",
    },
    "Achievement": {
        **_ENDORSABLE,
        "id": "text!",
        "type": "type!",
        "alignment": "Alignment*",
        "achievementType": "achievement type",
        "creator": "Profile",
        "creditsAvailable": "number",
        "criteria": "Criteria!",
        "description": "text!",
        "fieldOfStudy": "text",
        "humanCode": "text",
        "image": "Image",
        "inLanguage": "language",
        "name": "text!",
        "otherIdentifier": "IdentifierEntry*",
        "related": "Related*",
        "resultDescription": "ResultDescription*",
        "specialization": "text",
        "tag": "text*",
        "version": "text",
    },
    "Address": {
        "type": "type!",
        "addressCountry": "text",
        "addressCountryCode": "text",
        "addressRegion": "text",
        "addressLocality": "text",
        "streetAddress": "text",
        "postOfficeBoxNumber": "text",
        "postalCode": "text",
        "geo": "GeoCoordinates",
    },
    "Alignment": {
        "type": "type!",
        "targetCode": "text",
        "targetDescription": "text",
        "targetName": "text!",
        "targetFramework": "text",
        "targetType": "target type",
        "targetUrl": "text!",
    },
    "Criteria": {"id": "text", "narrative": "text"},
    "Evidence": {
        "id": "text",
        "type": "type!",
        "narrative": "text",
        "name": "text",
        "description": "text",
        "genre": "text",
        "audience": "text",
    },
    "GeoCoordinates": {"type": "type!", "latitude": "number!", "longitude": "number!"},
    "IdentifierEntry": {"type": "type!", "identifier": "text!", "identifierType": "identifier type!"},
    "IdentityObject": {
        "type": "type!",
        "hashed": "boolean!",
        "identityHash": "text!",
        "identityType": "identifier type!",
        "salt": "text",
    },
    "Image": {"id": "text!", "type": "type!", "caption": "text"},
    "Profile": {
        **_ENDORSABLE,
        "id": "text!",
        "type": "type!",
        "name": "text",
        "url": "text",
        "phone": "text",
        "description": "text",
        "image": "Image",
        "email": "text",
        "address": "Address",
        "otherIdentifier": "IdentifierEntry*",
        "official": "text",
        "parentOrg": "Profile",
        "familyName": "text",
        "givenName": "text",
        "additionalName": "text",
        "patronymicName": "text",
        "honorificPrefix": "text",
        "honorificSuffix": "text",
        "familyNamePrefix": "text",
        "dateOfBirth": "day",
    },
    "Proof": {
        "type": "text!",
        "created": "date",
        "cryptosuite": "text",
        "challenge": "text",
        "domain": "text",
        "nonce": "text",
        "proofPurpose": "text",
        "proofValue": "text",
        "verificationMethod": "text",
    },
    "Related": {"id": "text!", "type": "type!", "inLanguage": "language", "version": "text"},
    "Result": {
        "type": "type!",
        "achievedLevel": "text",
        "alignment": "Alignment*",
        "resultDescription": "text",
        "status": "result status",
        "value": "text",
    },
    "ResultDescription": {
        "id": "text!",
        "type": "type!",
        "alignment": "Alignment*",
        "allowedValue": "text*",
        "name": "text!",
        "requiredLevel": "text",
        "requiredValue": "text",
        "resultType": "result type!",
        "rubricCriterionLevel": "RubricCriterionLevel*",
        "valueMax": "text",
        "valueMin": "text",
    },
    "RubricCriterionLevel": {
        "id": "text!",
        "type": "type!",
        "alignment": "Alignment*",
        "description": "text",
        "level": "text",
        "name": "text!",
        "points": "text",
    },
    # CredentialSchema and RefreshService; CredentialStatus and TermsOfUse.
    "Service": {"id": "text!", "type": "text!"},
    "Terms": {"id": "text", "type": "text!"},
}
