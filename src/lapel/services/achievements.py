"""Achievements: define them, change them (each change makes a new version), and publish them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from msgspec import UNSET
from msgspec.structs import replace

from lapel.domain.access import Principal, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.listing import fold_name
from lapel.domain.ports import Clock, IdSource, Store, Transaction
from lapel.errors import NotFound
from lapel.openbadges import checks, profile_checks, vocabulary
from lapel.openbadges.achievement import achievement_document, achievement_image, criteria_of
from lapel.openbadges.problems import LONG, Problems
from lapel.openbadges.shapes import Criteria, Profile
from lapel.openbadges.stored_members import image_object
from lapel.services.auditing.recording import record
from lapel.services.embedded_endorsements import Endorsements, with_endorsements
from lapel.services.idempotency import done_once
from lapel.services.images import Images
from lapel.services.issuer_choice import choose_issuer
from lapel.services.merge_patch import ResolvedMembers, patched_member, resolve_members, set_image_and_extensions
from lapel.services.paging import DEFAULT_PAGE, Page, name_after, name_key, page_of
from lapel.services.requests import AchievementChanges, NewAchievement
from lapel.services.versioned_updates import require_version, update_versioned

__all__ = ["Achievements"]


class Achievements:
    """The achievements of all organisations."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: IdSource,
        addresses: Addresses,
        images: Images,
        endorsements: Endorsements,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._images = images
        self._endorsements = endorsements

    async def create(
        self, principal: Principal, request: NewAchievement, once: IdempotentRequest | None = None
    ) -> Achievement:
        """Store a new achievement, version 1.

        Raises:
            Forbidden: no scope ``achievements:write``.
            InvalidInput: with one FieldError per problem.
            DoneBefore: the request `once` was completed before.
        """
        principal.require(Scope.ACHIEVEMENTS_WRITE)
        problems = Problems()
        issuer = await choose_issuer(self._store, self._addresses, principal, problems, request.issuer)
        now = self._clock()
        achievement_id = self._new_id()
        blank = Achievement(
            id=achievement_id,
            organisation_id=principal.organisation_id,
            issuer_id=issuer.id if issuer else achievement_id,  # without an issuer, a problem was recorded above
            version=1,
            name="",
            description="",
            created_at=now,
            updated_at=now,
        )
        achievement = _applied(problems, blank, request, self._addresses)
        image_id = await self._images.resolve(principal, problems, request.image)
        problems.raise_any()
        achievement = _completed(achievement, ResolvedMembers(image_id))

        async def body(tx: Transaction) -> None:
            await tx.achievements.create(achievement)
            await record(tx, principal, Action.ACHIEVEMENT_CREATED, achievement.id, after=achievement)

        await done_once(self._store, once, body, achievement_id)
        return achievement

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        """Return the newest version, or the given one. Achievements are public. Raises NotFound."""
        achievements = self._store.read().achievements
        # The newest is read first because old versions stay in the cache for longer.
        newest = await achievements.get(achievement_id)
        if version in (None, newest.version):
            return newest
        if (achievement := await achievements.find(achievement_id, version=version)) is not None:
            return achievement
        raise NotFound(f"This achievement has no version {version}; the newest is {newest.version}.")

    async def page(
        self,
        principal: Principal,
        *,
        issuer_id: UUID | None = None,
        name: str | None = None,
        before: UUID | None = None,
        key: bytes = b"",
        limit: int = DEFAULT_PAGE,
    ) -> Page[Achievement]:
        """Return a page of the organisation's achievements, newest first; of one issuer if `issuer_id` is given.

        Args:
            name: restricts the list to names that begin with it, and orders it by name.
        """
        principal.require(Scope.READ)
        achievements, organisation = self._store.read().achievements, principal.organisation_id
        if name is None:
            rows = await achievements.page(organisation, issuer_id=issuer_id, before=before, limit=limit + 1)
            return page_of(rows, limit=limit)
        rows = await achievements.page_by_name(
            organisation, fold_name(name), issuer_id=issuer_id, after=name_after(key, before), limit=limit + 1
        )
        return page_of(rows, limit=limit, key=name_key)

    async def page_of_issuer(
        self, issuer_id: UUID, *, before: UUID | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[Achievement]:
        """Return a page of an issuer's achievements, newest first. The list is public. Raises NotFound."""
        read = self._store.read()
        organisation = (await read.issuers.get(issuer_id)).organisation_id
        rows = await read.achievements.page(organisation, issuer_id=issuer_id, before=before, limit=limit + 1)
        return page_of(rows, limit=limit)

    async def change(
        self,
        principal: Principal,
        achievement_id: UUID,
        changes: AchievementChanges,
        *,
        expected_version: int | None = None,
    ) -> Achievement:
        """Store a new version, and return it.

        Raises:
            PreconditionFailed: `expected_version` is given and is not the newest version.
        """
        before, problems = await self._own(principal, achievement_id), Problems()
        _applied(problems, before, changes, self._addresses)
        image = _image(before, self._addresses)
        about = {self._addresses.achievement(achievement_id)}
        resolved = await resolve_members(
            self._images, self._endorsements, principal, problems, changes, image, about=about
        )
        problems.raise_any()

        def change(achievement: Achievement) -> Achievement:
            # Checked again, because another writer may have stored something that conflicts with these changes.
            conflicts = Problems()
            changed = _completed(_applied(conflicts, achievement, changes, self._addresses), resolved)
            conflicts.raise_any()
            return changed

        return await self._new_version(principal, achievement_id, change, expected_version)

    async def set_image(
        self,
        principal: Principal,
        achievement_id: UUID,
        content: bytes,
        *,
        expected_version: int | None = None,
    ) -> Achievement:
        """Store a new version with these bytes as its image (``PUT …/image``), and return it.

        Raises:
            TooLarge, InvalidInput: see `Images.upload`.
        """
        await self._own(principal, achievement_id)
        image = await self._images.upload(principal, content)
        return await self._new_version(
            principal, achievement_id, lambda achievement: replace(achievement, image_id=image.id), expected_version
        )

    async def delete(self, principal: Principal, achievement_id: UUID, *, expected_version: int | None = None) -> None:
        """Remove an achievement with all its versions. Its image stays, because other achievements may use it.

        Raises:
            InUse: the achievement has been awarded.
            PreconditionFailed: `expected_version` is given and is not the newest version.
        """
        await self._own(principal, achievement_id)

        async def body(tx: Transaction) -> None:
            removed = await tx.achievements.delete(achievement_id)
            require_version(removed, expected_version)
            await record(tx, principal, Action.ACHIEVEMENT_DELETED, achievement_id, before=removed)

        await self._store.run(body)

    async def document(self, achievement_id: UUID, *, version: int | None = None) -> JsonObject:
        """Return the public document, with its ``@context``. Raises NotFound."""
        return achievement_document(await self.get(achievement_id, version=version), self._addresses)

    async def _own(self, principal: Principal, achievement_id: UUID) -> Achievement:
        """Return the newest version. Raises NotFound unless it belongs to the principal's organisation."""
        principal.require(Scope.ACHIEVEMENTS_WRITE)
        achievement = principal.own(await self.get(achievement_id))
        if achievement is None:
            raise NotFound(f"There is no achievement {achievement_id}.")
        return achievement

    async def _new_version(
        self,
        principal: Principal,
        achievement_id: UUID,
        change: Callable[[Achievement], Achievement],
        expected_version: int | None,
    ) -> Achievement:
        return await update_versioned(
            self._store,
            self._clock,
            principal,
            Action.ACHIEVEMENT_CHANGED,
            lambda tx: tx.achievements,
            achievement_id,
            change,
            expected_version=expected_version,
        )


def _image(achievement: Achievement, addresses: Addresses) -> JsonObject:
    """Return the achievement's Image object."""
    return image_object(achievement_image(achievement, addresses), achievement.details)


def _applied(
    problems: Problems, achievement: Achievement, request: NewAchievement | AchievementChanges, addresses: Addresses
) -> Achievement:
    """Return the achievement with the members of the request, except the image; problems with them are recorded."""
    details = _details(problems, achievement.details, request, _image(achievement, addresses))
    changed = replace(achievement, details=details)
    if request.name is not UNSET:
        problems.text(request.name, "/name")
        changed = replace(changed, name=request.name)
    if request.description is not UNSET:
        problems.text(request.description, "/description", max_length=LONG)
        changed = replace(changed, description=request.description)
    criteria = patched_member(problems, "/criteria", Criteria, request.criteria, criteria_of(achievement))
    if isinstance(criteria, Criteria):
        checks.check_type(problems, criteria.type, "/criteria", "Criteria")
        checks.url(problems, criteria.id, "/criteria/id")
        problems.text(criteria.narrative, "/criteria/narrative", max_length=LONG)
        if criteria.id is None and criteria.narrative is None:
            problems.add("/criteria", "must have an id (a web address) or a narrative", "missing")
        changed = replace(changed, criteria_id=criteria.id, criteria_narrative=criteria.narrative)
    if request.achievement_type is not UNSET:
        checks.word(problems, request.achievement_type, "/achievementType", vocabulary.ACHIEVEMENT_TYPES)
        changed = replace(changed, achievement_type=request.achievement_type)
    if request.tag is not UNSET:
        changed = replace(changed, tags=tuple(checks.tags(problems, request.tag, "/tag")))
    if request.suspendable is not UNSET:
        changed = replace(changed, suspendable=bool(request.suspendable))
    return changed


def _completed(achievement: Achievement, resolved: ResolvedMembers) -> Achievement:
    image_id = achievement.image_id if resolved.image_id is UNSET else resolved.image_id
    return replace(
        achievement, image_id=image_id, details=with_endorsements(achievement.details, resolved.endorsements)
    )


def _details(
    problems: Problems, before: JsonObject, request: NewAchievement | AchievementChanges, image_before: JsonObject
) -> dict[str, JsonValue]:
    """Return the further members in wire form, without empty ones."""
    members: dict[str, JsonValue] = dict(before)
    if request.alignment is not UNSET:
        members["alignment"] = checks.alignments(problems, request.alignment, "/alignment")
    if request.result_description is not UNSET:
        members["resultDescription"] = checks.result_descriptions(
            problems, request.result_description, "/resultDescription"
        )
    if request.other_identifier is not UNSET:
        members["otherIdentifier"] = checks.other_identifiers(problems, request.other_identifier, "/otherIdentifier")
    if request.related is not UNSET:
        members["related"] = checks.related(problems, request.related, "/related")
    creator = patched_member(problems, "/creator", Profile, request.creator, before.get("creator"))
    if creator is not UNSET:
        members["creator"] = None if creator is None else profile_checks.profile(problems, creator, "/creator")
    set_image_and_extensions(problems, members, request, image_before)
    if request.credits_available is not UNSET:
        available = request.credits_available
        members["creditsAvailable"] = (
            None if available is None else checks.number_of_credits(problems, available, "/creditsAvailable")
        )
    if request.in_language is not UNSET:
        checks.language(problems, request.in_language, "/inLanguage")
        members["inLanguage"] = request.in_language
    for name, text in (
        ("fieldOfStudy", request.field_of_study),
        ("humanCode", request.human_code),
        ("specialization", request.specialization),
        ("version", request.version),
    ):
        if text is not UNSET:
            problems.text(text, f"/{name}")
            members[name] = text
    return {name: value for name, value in members.items() if value not in (None, [], {})}
