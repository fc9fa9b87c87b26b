"""``/v3/achievements`` over HTTP."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.http.live_server import LiveServer
from tests.support.badge_images import SVG, png

CRITERIA = {"narrative": "Be there."}


def test_a_created_achievement_is_where_location_says(server: LiveServer, issuer: dict[str, Any]) -> None:
    response = server.ask(
        "POST",
        "/v3/achievements",
        json={"issuer": issuer["id"], "name": "First", "description": "The first.", "criteria": CRITERIA},
    )

    assert response.status_code == 201
    assert response.json() == server.get(response.headers["location"]).json()
    assert response.json()["name"] == "First"


def test_one_without_an_image_has_one_drawn(server: LiveServer, achievement: dict[str, Any]) -> None:
    image = server.get(f"{achievement['id']}/image")

    assert image.status_code == 200
    assert image.headers["content-type"] == "image/svg+xml"
    assert image.content.lstrip().startswith(b"<")
    assert b"<b>" not in image.content


def test_a_served_svg_can_run_nothing(server: LiveServer, achievement: dict[str, Any]) -> None:
    policy = server.get(f"{achievement['id']}/image").headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(("content", "media_type"), [(png(), "image/png"), (SVG, "image/svg+xml")])
def test_an_image_can_be_put_and_got(
    server: LiveServer, issuer: dict[str, Any], content: bytes, media_type: str
) -> None:
    url = server.create("/v3/achievements", issuer=issuer["id"], name="With image", description="-", criteria=CRITERIA)[
        "id"
    ]

    put = server.ask("PUT", f"{url}/image", content=content, headers={"content-type": media_type})
    got = server.get(f"{url}/image")

    assert put.status_code == 200, put.text
    assert got.headers["content-type"] == media_type
    if media_type == "image/png":
        assert got.content == content
    stored = server.get(put.json()["image"]["id"])
    assert stored.content == got.content


def test_an_image_can_come_as_a_data_url(server: LiveServer, issuer: dict[str, Any]) -> None:
    created = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="From a data URL",
        description="-",
        criteria=CRITERIA,
        image="data:image/png;base64," + base64.b64encode(png()).decode(),
    )

    assert server.get(f"{created['id']}/image").content == png()


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"GIF89a, which is neither", "image/png", 400, "invalid_image"),
        (png()[:50], "image/png", 400, "invalid_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "image/svg+xml", 400, "unsafe_svg"),
        (png(), "text/plain", 415, "unsupported_media_type"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 3_000_000, "image/png", 413, "too_large"),
    ],
)
def test_what_is_no_safe_image_is_refused(
    server: LiveServer, achievement: dict[str, Any], content: bytes, media_type: str, status: int, code: str
) -> None:
    response = server.ask("PUT", f"{achievement['id']}/image", content=content, headers={"content-type": media_type})

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_change_makes_a_new_version_and_the_old_one_stays(server: LiveServer, issuer: dict[str, Any]) -> None:
    url = server.create("/v3/achievements", issuer=issuer["id"], name="One", description="-", criteria=CRITERIA)["id"]

    changed = server.ask("PATCH", url, json={"name": "Two"}, headers={"if-match": server.get(url).headers["etag"]})

    assert changed.status_code == 200
    assert server.get(url).json()["name"] == "Two"
    assert server.get(f"{url}?version=1").json()["name"] == "One"
    assert server.get(f"{url}?version=3").status_code == 404
    assert server.get(f"{url}?version=x").status_code == 400


def test_the_list_shows_what_there_is(server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]) -> None:
    items = server.ask("GET", "/v3/achievements", params={"issuer": issuer["id"], "limit": 100}).json()["items"]

    (item,) = [item for item in items if item["id"] == achievement["id"]]
    assert item["issuer"] == issuer["id"]
    assert item["version"] == 1
    assert item["tag"] == ["ropes"]


def test_a_version_that_is_not_there_is_named(server: LiveServer, achievement: dict[str, Any]) -> None:
    response = server.get(f"{achievement['id']}?version=99")

    assert response.status_code == 404
    assert "no version 99; the newest is 1" in response.json()["detail"]
