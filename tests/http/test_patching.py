"""Changes by JSON Merge Patch (RFC 7396): null takes away, objects are merged, arrays are replaced."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.http.live_server import LiveServer
from tests.support.badge_images import png

ADDRESS = {"addressCountry": "UK", "addressLocality": "Hull", "geo": {"latitude": 53.7, "longitude": -0.3}}
EXTENSION = {"@context": "https://x.example/c.json", "type": ["Extension", "extensions:A"], "a": 1, "b": 2}
PNG = "data:image/png;base64," + base64.b64encode(png()).decode()


@pytest.fixture(scope="module")
def changing(server: LiveServer) -> tuple[str, str]:
    """An issuer and an achievement of its own to change."""
    issuer = server.create(
        "/v3/issuers",
        name="Harbour",
        email="office@harbour.example",
        address=ADDRESS,
        parentOrg={"id": "https://sea.example", "name": "Sea", "url": "https://sea.example"},
        extensions={"extensions:A": EXTENSION, "extensions:B": EXTENSION},
        image={"id": PNG, "caption": "A dot"},
    )
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Splicing",
        description="-",
        criteria={"id": "https://harbour.example/splicing", "narrative": "Ten."},
        creator={"id": "https://sea.example/ada", "name": "Ada"},
        tag=["a", "b"],
        suspendable=True,
    )
    return issuer["id"], achievement["id"]


def patch(server: LiveServer, url: str, body: Any, media_type: str = "application/merge-patch+json") -> Any:
    response = server.ask("PATCH", url, json=body, headers={"content-type": media_type})
    assert response.status_code == 200, response.text
    assert server.get(url).json() == response.json()
    return response.json()


def test_objects_are_merged_at_any_depth(server: LiveServer, changing: tuple[str, str]) -> None:
    issuer, achievement = changing

    changed = patch(server, issuer, {"address": {"addressCountry": None, "geo": {"latitude": 54}}})
    assert "addressCountry" not in changed["address"]
    assert changed["address"]["addressLocality"] == "Hull"
    assert (changed["address"]["geo"]["latitude"], changed["address"]["geo"]["longitude"]) == (54, -0.3)
    assert patch(server, issuer, {"parentOrg": {"name": "Ocean"}})["parentOrg"]["url"] == "https://sea.example"
    changed = patch(server, achievement, {"criteria": {"narrative": "Twelve."}})
    assert changed["criteria"] == {"id": "https://harbour.example/splicing", "narrative": "Twelve."}
    assert patch(server, achievement, {"criteria": {"id": None}})["criteria"] == {"narrative": "Twelve."}
    assert patch(server, achievement, {"creator": {"name": None}}, "application/json")["creator"] == {
        "id": "https://sea.example/ada",
        "type": ["Profile"],
    }


def test_arrays_are_replaced_and_null_takes_away(server: LiveServer, changing: tuple[str, str]) -> None:
    _, achievement = changing

    assert patch(server, achievement, {"tag": ["c"]})["tag"] == ["c"]
    assert "tag" not in patch(server, achievement, {"tag": None, "suspendable": None})
    assert "creator" not in patch(server, achievement, {"creator": None})


def test_extensions_are_merged_by_their_names(server: LiveServer, changing: tuple[str, str]) -> None:
    issuer, _ = changing

    patch(server, issuer, {"extensions": {"extensions:A": {"a": None, "c": 3}, "extensions:B": None}})

    shown = server.get(f"/v2/issuers/{issuer.rpartition('/')[2]}").json()
    assert "extensions:B" not in shown
    assert {name: value for name, value in shown["extensions:A"].items() if name in "abc"} == {"b": 2, "c": 3}


def test_an_image_keeps_its_caption_and_its_place(server: LiveServer, changing: tuple[str, str]) -> None:
    issuer, achievement = changing
    image = server.get(issuer).json()["image"]

    assert patch(server, issuer, {"image": {"caption": "A point"}})["image"] == {**image, "caption": "A point"}
    assert patch(server, issuer, {"image": image})["image"] == image
    assert patch(server, issuer, {"image": {"caption": None}})["image"] == {"id": image["id"], "type": "Image"}
    assert "image" not in patch(server, issuer, {"image": None})
    drawn = server.get(achievement).json()["image"]
    assert patch(server, achievement, {"image": {"caption": "Rope"}})["image"] == {**drawn, "caption": "Rope"}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"name": None, "url": 1, "x": 1}, {"/name", "/url", "/x"}),
        ({"address": {"geo": {"latitude": "north"}, "street": "x"}}, {"/address/geo/latitude", "/address/street"}),
        ({"parentOrg": {"id": None}}, {"/parentOrg/id"}),
        ({"extensions": {"extensions:A": 1}}, {"/extensions/extensions:A"}),
        ({"image": {"id": None}}, {"/image/id"}),
        ([], {""}),
    ],
)
def test_what_a_patch_would_make_wrong_is_refused(
    server: LiveServer, changing: tuple[str, str], body: Any, pointers: set[str]
) -> None:
    issuer = server.create("/v3/issuers", name="Other", parentOrg={"id": "https://sea.example"}, address=ADDRESS)["id"]

    response = server.ask("PATCH", issuer, json=body)

    assert response.status_code == 422, response.text
    assert {error["pointer"] for error in response.json()["errors"]} == pointers


def test_the_tag_of_an_image_guards_it(server: LiveServer, changing: tuple[str, str]) -> None:
    url = f"{changing[1]}/image"
    headers = {"content-type": "image/png", "if-match": server.get(url).headers["etag"]}

    assert server.ask("PUT", url, content=png(), headers=headers).status_code == 200
    assert server.ask("PUT", url, content=png(), headers=headers).status_code == 412
    tag = server.get(changing[1]).headers["etag"]
    assert server.ask("PUT", url, content=png(), headers={**headers, "if-match": tag}).status_code == 200


@pytest.mark.parametrize("media_type", ["application/json-patch+json", "application/ld+json", "text/plain"])
def test_another_kind_of_patch_is_a_415(server: LiveServer, changing: tuple[str, str], media_type: str) -> None:
    response = server.ask("PATCH", changing[0], content=b"[]", headers={"content-type": media_type})

    assert response.status_code == 415
    assert response.headers["accept-patch"] == "application/merge-patch+json, application/json"
