"""Achievements: define, change (a new version each time), publish."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from msgspec import UNSET, UnsetType
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
from lapel.openbadges.achievement import achievement_document, achievement_image
from lapel.openbadges.problems import LONG, Problems
from lapel.openbadges.shapes import Criteria, Profile
from lapel.openbadges.stored_members import EXTENSIONS, IMAGE, image_object
from lapel.services.auditing.recording import record
from lapel.services.changing import changing, require_version
from lapel.services.endorsing.endorsements import Endorsements, merged
from lapel.services.idempotency import done_once
from lapel.services.images import Images
from lapel.services.issuer_choice import choose_issuer
from lapel.services.paging import DEFAULT_PAGE, Page, name_after, name_key, page_of
from lapel.services.patching import new_extensions, new_image, patched
from lapel.services.requests import AchievementChanges, NewAchievement

__all__ = ["Achievements"]


class Achievements:
    """What can be earned."""

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
            DoneBefore: `once` was done already.
        """
        principal.require(Scope.ACHIEVEMENTS_WRITE)
        problems = Problems()
        issuer = await choose_issuer(self._store, self._addresses, principal, problems, request.issuer)
        now = self._clock()
        achievement_id = self._new_id()
        blank = Achievement(
            id=achievement_id,
            organisation_id=principal.organisation_id,
            issuer_id=issuer.id if issuer else achievement_id,  # where there is none, a problem has been noted
            version=1,
            name="",
            description="",
            created_at=now,
            updated_at=now,
        )
        achievement = _applied(problems, blank, request, self._addresses)
        image_id = await self._images.resolve(principal, problems, request.image)
        problems.raise_any()
        achievement = _completed(achievement, image_id, {})

        async def body(tx: Transaction) -> None:
            await tx.achievements.create(achievement)
            await record(tx, principal, Action.ACHIEVEMENT_CREATED, achievement.id, after=achievement)

        await done_once(self._store, once, body, achievement_id)
        return achievement

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        """The newest version, or that one; achievements are public. Raises NotFound."""
        achievements = self._store.read().achievements
        newest = await achievements.get(achievement_id)  # first: old versions are remembered for longer
        if version in (None, newest.version):
            return newest
        if (found := await achievements.find(achievement_id, version=version)) is not None:
            return found
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
        """The organisation's achievements, newest first; of one issuer if `issuer_id` is given.

        Args:
            name: only those whose name begins so, in the order of their names.
        """
        principal.require(Scope.READ)
        achievements, organisation = self._store.read().achievements, principal.organisation_id
        if name is None:
            found = await achievements.page(organisation, issuer_id=issuer_id, before=before, limit=limit + 1)
            return page_of(found, limit=limit)
        found = await achievements.page_by_name(
            organisation, fold_name(name), issuer_id=issuer_id, after=name_after(key, before), limit=limit + 1
        )
        return page_of(found, limit=limit, key=name_key)

    async def page_of_issuer(
        self, issuer_id: UUID, *, before: UUID | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[Achievement]:
        """An issuer's achievements, for everybody, newest first. Raises NotFound if there is no such issuer."""
        read = self._store.read()
        organisation = (await read.issuers.get(issuer_id)).organisation_id
        found = await read.achievements.page(organisation, issuer_id=issuer_id, before=before, limit=limit + 1)
        return page_of(found, limit=limit)

    async def change(
        self,
        principal: Principal,
        achievement_id: UUID,
        changes: AchievementChanges,
        *,
        expected_version: int | None = None,
    ) -> Achievement:
        """The new version.

        Raises:
            PreconditionFailed: `expected_version` is given and is not the newest version.
        """
        before, problems = await self._own(principal, achievement_id), Problems()
        _applied(problems, before, changes, self._addresses)
        image, same = new_image(Problems(), changes.image, _image(before, self._addresses))
        image_id = UNSET if same else await self._images.resolve(principal, problems, image)
        endorsed = await self._endorsements.read(
            problems,
            "",
            changes.endorsement,
            changes.endorsement_jwt,
            about={self._addresses.achievement(achievement_id)},
        )
        problems.raise_any()

        def change(achievement: Achievement) -> Achievement:
            anew = Problems()
            changed = _completed(_applied(anew, achievement, changes, self._addresses), image_id, endorsed)
            anew.raise_any()  # what somebody else has changed meanwhile may not go together with this
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
        """The new version, with these bytes as its image (``PUT …/image``).

        Raises:
            TooLarge, InvalidInput: as `Images.upload`.
        """
        await self._own(principal, achievement_id)
        image = await self._images.upload(principal, content)
        return await self._new_version(
            principal, achievement_id, lambda achievement: replace(achievement, image_id=image.id), expected_version
        )

    async def delete(self, principal: Principal, achievement_id: UUID, *, expected_version: int | None = None) -> None:
        """Remove an achievement with all its versions. Its image stays, for others may show it.

        Raises:
            InUse: it has been awarded.
            PreconditionFailed: `expected_version` is given and is not the newest version.
        """
        await self._own(principal, achievement_id)

        async def body(tx: Transaction) -> None:
            removed = await tx.achievements.delete(achievement_id)
            require_version("achievement", removed, expected_version)
            await record(tx, principal, Action.ACHIEVEMENT_DELETED, achievement_id, before=removed)

        await self._store.run(body)

    async def document(self, achievement_id: UUID, *, version: int | None = None) -> JsonObject:
        """The public document, with its @context. Raises NotFound."""
        return achievement_document(await self.get(achievement_id, version=version), self._addresses)

    async def _own(self, principal: Principal, achievement_id: UUID) -> Achievement:
        """The newest version, if the principal may change it."""
        principal.require(Scope.ACHIEVEMENTS_WRITE)
        achievement = await self.get(achievement_id)
        if achievement.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no achievement {achievement_id}.")
        return achievement

    async def _new_version(
        self,
        by: Principal,
        achievement_id: UUID,
        change: Callable[[Achievement], Achievement],
        expected_version: int | None,
    ) -> Achievement:
        async def body(tx: Transaction) -> Achievement:
            before = await tx.achievements.get(achievement_id)
            require_version("achievement", before, expected_version)
            changed = change(before)
            if changed == before:
                return before
            changed = replace(changed, version=before.version + 1, updated_at=self._clock())
            await tx.achievements.update(changed, expected_version=before.version)
            await record(tx, by, Action.ACHIEVEMENT_CHANGED, achievement_id, before=before, after=changed)
            return changed

        return await changing(self._store, body, again=expected_version is None)


def _image(achievement: Achievement, addresses: Addresses) -> JsonObject:
    """Its Image object."""
    return image_object(achievement_image(achievement, addresses), achievement.details)


def _criteria(achievement: Achievement) -> JsonObject:
    members = {"id": achievement.criteria_id, "narrative": achievement.criteria_narrative}
    return {name: text for name, text in members.items() if text is not None}


def _applied(
    problems: Problems, achievement: Achievement, request: NewAchievement | AchievementChanges, addresses: Addresses
) -> Achievement:
    """The achievement with the members that are given, but for its image; what is wrong with them is noted."""
    changed = replace(
        achievement, details=_details(problems, achievement.details, request, _image(achievement, addresses))
    )
    if request.name is not UNSET:
        problems.text(request.name, "/name")
        changed = replace(changed, name=request.name)
    if request.description is not UNSET:
        problems.text(request.description, "/description", most=LONG)
        changed = replace(changed, description=request.description)
    criteria = patched(problems, "/criteria", Criteria, request.criteria, _criteria(achievement))
    if isinstance(criteria, Criteria):
        checks.check_type(problems, criteria.type, "/criteria", "Criteria")
        checks.url(problems, criteria.id, "/criteria/id")
        problems.text(criteria.narrative, "/criteria/narrative", most=LONG)
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


def _completed(achievement: Achievement, image_id: UUID | UnsetType | None, endorsed: JsonObject) -> Achievement:
    """The achievement with what could not be told from the request alone."""
    completed = achievement if image_id is UNSET else replace(achievement, image_id=image_id)
    return replace(completed, details=merged(completed.details, endorsed)) if endorsed else completed


def _details(
    problems: Problems, before: JsonObject, request: NewAchievement | AchievementChanges, image_before: JsonObject
) -> dict[str, JsonValue]:
    """The further members in wire form; an empty one is taken away."""
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
    creator = patched(problems, "/creator", Profile, request.creator, before.get("creator"))
    if creator is not UNSET:
        members["creator"] = None if creator is None else profile_checks.profile(problems, creator, "/creator")
    if request.extensions is not UNSET:
        members[EXTENSIONS] = new_extensions(
            problems,
            request.extensions,
            before.get(EXTENSIONS, {}) if isinstance(request, AchievementChanges) else None,
        )
    image, _ = new_image(problems, request.image, image_before)
    if image is not UNSET:
        members[IMAGE] = profile_checks.image_members(problems, image)
    if request.credits_available is not UNSET:
        number = request.credits_available
        members["creditsAvailable"] = (
            None if number is None else checks.number_of_credits(problems, number, "/creditsAvailable")
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
