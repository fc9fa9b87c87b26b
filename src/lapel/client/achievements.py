"""Operations on achievements and their images."""

from __future__ import annotations

from lapel.client.documents import Document, Picture
from lapel.client.operation import Listing, Operation
from lapel.client.requests import (
    ListRequest,
    Page,
    Request,
    as_document,
    as_json,
    as_nothing,
    as_picture,
    change_headers,
    get,
    if_match_headers,
    json_body,
    path_to,
    post_once,
)
from lapel.services.answers import AchievementItem
from lapel.services.documents import AchievementDocument
from lapel.services.requests import AchievementChanges, NewAchievement

__all__ = ["AchievementOperations"]


class AchievementOperations:
    """``/v3/achievements``. An achievement is identified by its id or its address."""

    @Operation
    def create_achievement(
        self, achievement: NewAchievement, *, idempotency_key: str | None = None
    ) -> Request[Document[AchievementDocument]]:
        """Define an achievement."""
        return post_once("/v3/achievements", achievement, as_document(AchievementDocument), key=idempotency_key)

    @Listing
    def list_achievements(
        self, *, issuer: str | None = None, name: str | None = None, limit: int | None = None
    ) -> ListRequest[AchievementItem]:
        """List the organisation's achievements, newest first; with `name`, those whose name begins with it."""
        query = {"issuer": issuer, "name": name, "limit": limit}
        return ListRequest(get("/v3/achievements", as_json(Page[AchievementItem]), query=query))

    @Operation
    def get_achievement(
        self, achievement: str, *, version: int | None = None
    ) -> Request[Document[AchievementDocument]]:
        """Get the public achievement; the newest version by default."""
        path, query = path_to("/v3/achievements/{}", achievement), {"version": version}
        return get(path, as_document(AchievementDocument), query=query)

    @Operation
    def change_achievement(
        self, achievement: str, changes: AchievementChanges, *, if_match: str | None = None
    ) -> Request[Document[AchievementDocument]]:
        """Change an achievement, which creates a new version. `if_match` is the ETag of the version to change."""
        path, headers = path_to("/v3/achievements/{}", achievement), change_headers(if_match)
        return Request("PATCH", path, as_document(AchievementDocument), headers=headers, content=json_body(changes))

    @Operation
    def delete_achievement(self, achievement: str, *, if_match: str | None = None) -> Request[None]:
        """Remove an achievement that has not been awarded, with all its versions."""
        return Request(
            "DELETE", path_to("/v3/achievements/{}", achievement), as_nothing, headers=if_match_headers(if_match)
        )

    @Operation
    def get_achievement_image(self, achievement: str, *, version: int | None = None) -> Request[Picture]:
        """Get the achievement's image, without a credential in it; that of the newest version by default."""
        path, query = path_to("/v3/achievements/{}/image", achievement), {"version": version}
        return get(path, as_picture, query=query)

    @Operation
    def put_achievement_image(
        self, achievement: str, image: bytes, *, if_match: str | None = None
    ) -> Request[Document[AchievementDocument]]:
        """Set the achievement's image, a PNG or an SVG."""
        path = path_to("/v3/achievements/{}/image", achievement)
        headers = change_headers(if_match) | {"content-type": "application/octet-stream"}
        return Request("PUT", path, as_document(AchievementDocument), headers=headers, content=image)

    @Operation
    def get_image(self, image: str) -> Request[Picture]:
        """Get an uploaded image; its content never changes."""
        return get(path_to("/v3/images/{}", image), as_picture)
