"""Create objects from Open Badges 2.0 documents, by turning each into the request for its 3.0 counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from uuid import UUID

from lapel.credentials.date_time import parse_iso_8601
from lapel.domain.access import Principal
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Store
from lapel.errors import InvalidInput, pointer_step
from lapel.openbadges import v2_shapes
from lapel.openbadges.problems import Problems
from lapel.openbadges.shapes import Alignment, Criteria, Evidence, ImageReference, OwnImage, Related, TypeName
from lapel.services.achievements import Achievements
from lapel.services.issuer_choice import choose_issuer
from lapel.services.issuers import Issuers
from lapel.services.issuing.issuing import Issuing
from lapel.services.requests import ArbitraryObject, NewAchievement, NewCredential, NewIssuer, RecipientInput
from lapel.services.shape_reading import read_shape

__all__ = ["OpenBadges2"]

Shape = TypeVar("Shape")
Item = TypeVar("Item")

_RECIPIENT_TYPES: Final = ("email", "url", "telephone")
_TIMES: Final = ("issuedOn", "expires")
_NO_EMAIL: Final = "belongs to an issuer without an e-mail address, which Open Badges 2.0 requires"
_IMAGE_TYPES: Final = ("ImageObject", "schema:ImageObject", "http://schema.org/ImageObject")
_NAMES_IN_2_0: Final = {
    "phone": "telephone",
    "tag": "tags",
    "inLanguage": "@language",
    "validFrom": "issuedOn",
    "validUntil": "expires",
}
"""The members of the 3.0 requests whose name in 2.0 documents differs."""


class OpenBadges2:
    """Creates issuers, badge classes and assertions from their 2.0 documents."""

    def __init__(
        self, *, store: Store, addresses: Addresses, issuers: Issuers, achievements: Achievements, issuing: Issuing
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._issuers = issuers
        self._achievements = achievements
        self._issuing = issuing

    async def create_issuer(
        self, principal: Principal, document: ArbitraryObject, once: IdempotentRequest | None = None
    ) -> Issuer:
        """Create an issuer from a Profile. Raises what `Issuers.create` raises."""
        given, extensions = _read(document, v2_shapes.Version2Profile, "Issuer", "Profile")
        request = NewIssuer(
            name=given.name,
            url=given.url,
            email=given.email,
            phone=given.telephone,
            description=given.description,
            image=_own_image(given.image),
            extensions=extensions,
        )
        with _problems_in_2_0():
            return await self._issuers.create(principal, request, once)

    async def create_badge_class(
        self, principal: Principal, document: ArbitraryObject, once: IdempotentRequest | None = None
    ) -> Achievement:
        """Create an achievement from a BadgeClass. Raises what `Achievements.create` raises."""
        given, extensions = _read(document, v2_shapes.BadgeClass, "BadgeClass")
        problems = Problems()
        named = None if given.issuer is None else self._linked(given.issuer, "/v2/issuers")
        issuer = await choose_issuer(self._store, self._addresses, principal, problems, named)
        if issuer is not None and issuer.email is None:
            problems.add("/issuer", _NO_EMAIL, "no_ob2_form")
        problems.raise_any()
        related: list[str | v2_shapes.RelatedBadge] = _several(given.related)
        request = NewAchievement(
            name=given.name,
            description=given.description,
            criteria=Criteria(id=given.criteria) if isinstance(given.criteria, str) else given.criteria,
            issuer=str(issuer.id) if issuer else None,
            image=_own_image(given.image),
            tag=_several(given.tags) or None,
            alignment=[_alignment(each) for each in _several(given.alignment)] or None,
            related=[_related(each) for each in related] or None,
            in_language=_language(given.language),
            version=_version(given.version),
            extensions=extensions,
        )
        with _problems_in_2_0():
            return await self._achievements.create(principal, request, once)

    async def create_assertion(
        self, principal: Principal, document: ArbitraryObject, once: IdempotentRequest | None = None
    ) -> Credential:
        """Issue a credential from an Assertion. Raises what `Issuing.issue` raises."""
        given, extensions = _read(_with_rfc_3339_times(document), v2_shapes.Assertion, "Assertion")
        problems = Problems()
        for name in extensions or ():
            problems.add(f"/{pointer_step(name)}", "cannot be signed: give it to the badge class", "not_allowed")
        if given.recipient.type not in _RECIPIENT_TYPES:
            problems.add("/recipient/type", f"must be one of {', '.join(_RECIPIENT_TYPES)}", "not_allowed")
        achievement_id = await self._awardable(principal, problems, self._linked(given.badge, "/v2/badge-classes"))
        problems.raise_any()
        evidence: list[str | Evidence] = _several(given.evidence)
        request = NewCredential(
            achievement=str(achievement_id),
            recipient=RecipientInput(
                type=given.recipient.type,
                identity=given.recipient.identity,
                # In Open Badges 3.0 a web address becomes the subject's id, which is never hashed.
                hashed=given.recipient.hashed or None if given.recipient.type == "url" else given.recipient.hashed,
                salt=given.recipient.salt or None,
            ),
            valid_from=given.issued_on,
            valid_until=given.expires,
            evidence=[_evidence(each) for each in evidence] or None,
            narrative=given.narrative,
            image=_image(given.image),
        )
        with _problems_in_2_0():
            return await self._issuing.issue(principal, request, once)

    async def _awardable(self, principal: Principal, problems: Problems, named: str) -> UUID | None:
        """Return the id of the named achievement, if its credentials have a 2.0 form; record a problem otherwise."""
        achievement = await self._issuing.achievement(principal, named)
        if achievement is None:
            problems.add("/badge", "must be the id or the address of a badge class of this organisation", "not_found")
            return None
        if (await self._store.read().issuers.get(achievement.issuer_id)).email is None:
            problems.add("/badge", _NO_EMAIL, "no_ob2_form")
        return achievement.id

    def _linked(self, linked: v2_shapes.Linked, collection: str) -> str:
        """Return the id of the linked object, given by the address of its 2.0 or its 3.0 form."""
        named = linked if isinstance(linked, str) else linked.get("id")
        return self._addresses.own_id(named, collection=collection) if isinstance(named, str) else ""


def _read(
    document: ArbitraryObject, shape: type[Shape], *types: str
) -> tuple[Shape, dict[str, ArbitraryObject] | None]:
    """Return the document's own members, and its extensions. Raises InvalidInput."""
    prefixed = {name: value for name, value in document.items() if ":" in name}
    given = read_shape({name: value for name, value in document.items() if name not in prefixed}, shape)
    problems = Problems()
    given_type: TypeName = getattr(given, "type", None)
    if given_type is not None and not set(types) & set(given_type if isinstance(given_type, list) else [given_type]):
        problems.add("/type", f"must be {' or '.join(types)}", "not_allowed")
    extensions: dict[str, ArbitraryObject] = {}
    for name, value in prefixed.items():
        if isinstance(value, dict):
            extensions[name] = value
        else:
            problems.add(f"/{pointer_step(name)}", "must be an object", "invalid_type")
    problems.raise_any()
    return given, extensions or None


def _with_rfc_3339_times(document: ArbitraryObject) -> ArbitraryObject:
    """Return the document with its times in RFC 3339's form; 2.0 allows all of ISO 8601 (OB 2.0, "DateTime")."""
    times = {name: parse_iso_8601(value) for name in _TIMES if isinstance(value := document.get(name), str)}
    return {**document, **{name: time.isoformat() for name, time in times.items() if time is not None}}


def _alignment(given: v2_shapes.AlignmentObject) -> Alignment:
    return Alignment(
        target_name=given.target_name,
        target_url=given.target_url,
        target_code=given.target_code,
        target_description=given.target_description,
        target_framework=given.target_framework,
    )


def _related(given: str | v2_shapes.RelatedBadge) -> Related:
    if isinstance(given, str):
        return Related(id=given)
    return Related(id=given.id, version=_version(given.version), in_language=_language(given.language))


def _version(given: v2_shapes.Version | None) -> str | None:
    return None if given is None else str(given)


def _language(given: str | None) -> str | None:
    """Return the language tag in the case that 3.0 requires, though case has no meaning in one (BCP 47, 2.1.1)."""
    if given is None:
        return None
    first, *others = given.split("-")
    in_case = {2: str.upper, 4: str.title}
    return "-".join([first.lower(), *(in_case.get(len(part), str)(part) for part in others)])


def _evidence(given: str | Evidence) -> Evidence:
    return Evidence(id=given) if isinstance(given, str) else given


def _image_type(given: TypeName) -> TypeName:
    """Return the type; None for one of 2.0's types of images, which 3.0 calls Image."""
    return None if given in _IMAGE_TYPES else given


def _image(given: str | ImageReference | None) -> str | ImageReference | None:
    """Return an assertion's image without the type that 2.0 gives it, because 3.0 has another one."""
    if isinstance(given, ImageReference):
        return ImageReference(id=given.id, type=_image_type(given.type), caption=given.caption)
    return given


def _own_image(given: str | v2_shapes.ImageObject | None) -> str | OwnImage | None:
    """Return the image of an issuer or a badge class in the form of a request."""
    if not isinstance(given, v2_shapes.ImageObject):
        return given
    author = given.author if isinstance(given.author, str | None) else str(given.author.get("id", ""))
    return OwnImage(id=given.id, type=_image_type(given.type), caption=given.caption, author=author)


def _several(given: list[Item] | Item | None) -> list[Item]:
    """Return a list, whether one value or an array of them was given (OB 2.0, "Multiple values allowed")."""
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


@contextmanager
def _problems_in_2_0() -> Iterator[None]:
    """Translate the pointers of problems in the block to the member names of 2.0 documents."""
    try:
        yield
    except InvalidInput as error:
        if not error.errors:
            raise
        problems = Problems()
        for each in error.errors:
            first, slash, rest = each.pointer[1:].partition("/")
            if first == "extensions" and rest:
                first, slash, rest = rest.partition("/")
            elif first == "related":
                rest = rest.replace("inLanguage", "@language")
            problems.add(f"/{_NAMES_IN_2_0.get(first, first)}{slash}{rest}", each.detail, each.code)
        raise problems.error() from error
