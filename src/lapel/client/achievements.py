"""What is earned."""

from __future__ import annotations

from lapel.client.asking import (
    Ask,
    Page,
    PageAsk,
    at,
    changing,
    document,
    json_body,
    matching,
    nothing,
    once,
    picture,
    shape,
)
from lapel.client.documents import Document, Picture
from lapel.client.operation import Listing, Operation
from lapel.services.answers import AchievementItem
from lapel.services.documents import AchievementDocument
from lapel.services.requests import AchievementChanges, NewAchievement

__all__ = ["AchievementOperations"]


class AchievementOperations:
    """``/v3/achievements``. An achievement is named by its id, or by its address."""

    @Operation
    def create_achievement(
        self, achievement: NewAchievement, *, idempotency_key: str | None = None
    ) -> Ask[Document[AchievementDocument]]:
        """Define an achievement."""
        headers, body = once(key=idempotency_key), json_body(achievement)
        read = document(AchievementDocument)
        return Ask("POST", "/v3/achievements", read, headers=headers, content=body, repeatable=True)

    @Listing
    def list_achievements(
        self, *, issuer: str | None = None, name: str | None = None, limit: int | None = None
    ) -> PageAsk[AchievementItem]:
        """The organisation's achievements, newest first, or those whose name begins so."""
        query = {"issuer": issuer, "name": name, "limit": limit}
        return PageAsk(Ask("GET", "/v3/achievements", shape(Page[AchievementItem]), query=query, repeatable=True))

    @Operation
    def get_achievement(self, achievement: str, *, version: int | None = None) -> Ask[Document[AchievementDocument]]:
        """The public achievement; the newest version unless told."""
        path, query = at("/v3/achievements/{}", achievement), {"version": version}
        return Ask("GET", path, document(AchievementDocument), query=query, repeatable=True)

    @Operation
    def change_achievement(
        self, achievement: str, changes: AchievementChanges, *, if_match: str | None = None
    ) -> Ask[Document[AchievementDocument]]:
        """Make a new version. `if_match`: the ETag of the version that is to be changed."""
        path, headers = at("/v3/achievements/{}", achievement), changing(if_match)
        return Ask("PATCH", path, document(AchievementDocument), headers=headers, content=json_body(changes))

    @Operation
    def delete_achievement(self, achievement: str, *, if_match: str | None = None) -> Ask[None]:
        """Remove an achievement that has not been awarded, with all its versions."""
        return Ask("DELETE", at("/v3/achievements/{}", achievement), nothing, headers=matching(if_match))

    @Operation
    def get_achievement_image(self, achievement: str, *, version: int | None = None) -> Ask[Picture]:
        """The achievement's image, without any credential in it; of the newest version unless told."""
        path, query = at("/v3/achievements/{}/image", achievement), {"version": version}
        return Ask("GET", path, picture, query=query, repeatable=True)

    @Operation
    def put_achievement_image(
        self, achievement: str, image: bytes, *, if_match: str | None = None
    ) -> Ask[Document[AchievementDocument]]:
        """Give the achievement an image, a PNG or an SVG."""
        path = at("/v3/achievements/{}/image", achievement)
        headers = changing(if_match) | {"content-type": "application/octet-stream"}
        return Ask("PUT", path, document(AchievementDocument), headers=headers, content=image)

    @Operation
    def get_image(self, image: str) -> Ask[Picture]:
        """An uploaded image; its content never changes."""
        return Ask("GET", at("/v3/images/{}", image), picture, repeatable=True)
