"""Baked SVG images (Open Badges 3.0, section 5.3.2; Open Badges Baking 1.0, section 2.2).

The document is parsed with entities, network and DTDs off, and any DOCTYPE is rejected before parsing: an SVG
image needs none, and everything that makes XML dangerous begins with one. Scripts and the like are not removed:
whoever serves an untrusted SVG image has to forbid them (Content-Security-Policy).
"""

from __future__ import annotations

import json
import re
from typing import Final, cast

from lxml import etree

from lapel.credentials.baking.carrier import (
    MAX_PAYLOAD_BYTES,
    BakedVersion,
    InvalidImage,
    InvalidPayload,
    NothingBaked,
    Unbaked,
    check_payload,
    check_size,
)
from lapel.errors import TooLarge

__all__ = ["MEDIA_TYPE", "bake", "strip", "unbake"]

MEDIA_TYPE: Final = "image/svg+xml"

_SVG: Final = "http://www.w3.org/2000/svg"
_PREFIX: Final = "openbadges"
_NAMES: Final = {
    BakedVersion.OB_3_0: ("https://purl.imsglobal.org/ob/v3p0", "credential"),
    BakedVersion.OB_2_0: ("http://openbadges.org", "assertion"),
}
_MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_TAGS: Final = 100_000
_MAX_SIBLINGS: Final = 256
"""Limit for attributes of an element, namespaces of the root and comments around it, which take quadratic time."""
# All of these are supersets of ASCII, so that a search for the bytes of a DOCTYPE finds it.
_ENCODINGS: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252"})
_DECLARATION: Final = re.compile(
    rb"<\?xml\s+version\s*=\s*[\"']1\.[0-9][\"']"
    rb"(?:\s+encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"'])?"
    rb"(?:\s+standalone\s*=\s*[\"'](?:yes|no)[\"'])?\s*\?>"
)
_PROLOG: Final = re.compile(rb"(?>\s+|<!--(?>.*?-->)|<\?(?>.*?\?>))*+", re.DOTALL)
_BOM: Final = b"\xef\xbb\xbf"


def bake(image: bytes, payload: str, *, version: BakedVersion = BakedVersion.OB_3_0) -> bytes:
    """Return the image with `payload` in an element directly after the ``<svg>`` tag, replacing any earlier one.

    A compact JWS (or in 2.0 a URL) goes into the attribute `verify`, JSON into the element's body.

    Raises:
        InvalidImage, TooLarge: as `unbake`.
        InvalidPayload: it contains a character that XML forbids; or `version` is 1.0, which had no SVG images.
    """
    check_payload(payload)
    if version not in _NAMES:
        raise InvalidPayload("Open Badges 1.0 had no SVG images.")
    root = _parse(image)
    namespace, name = _NAMES[version]
    etree.strip_elements(root, f"{{{namespace}}}{name}", with_tail=False)
    root = _with_namespace(root, namespace)
    element = etree.Element(f"{{{namespace}}}{name}", nsmap={_PREFIX: namespace})
    try:
        if payload.lstrip().startswith("{"):
            # CDATA can contain neither its own end nor, after parsing, a carriage return; ordinary text can.
            element.text = payload if "]]>" in payload or "\r" in payload else etree.CDATA(payload)
            if version is BakedVersion.OB_2_0 and (url := _hosted_url(payload)):
                element.set("verify", url)
        else:
            element.set("verify", payload)
    except ValueError as error:
        raise InvalidPayload("XML cannot hold a character of this credential.") from error
    root.insert(0, element)
    return _serialise(root)


def strip(image: bytes) -> bytes:
    """Return the image without Open Badges of any version, serialised again.

    Raises:
        InvalidImage, TooLarge: as `unbake`.
    """
    root = _parse(image)
    etree.strip_elements(root, *(f"{{{namespace}}}{name}" for namespace, name in _NAMES.values()), with_tail=False)
    return _serialise(root)


def unbake(image: bytes) -> Unbaked:
    """Return the first credential of the newest version in the image.

    Raises:
        NothingBaked: there is none.
        InvalidImage: not SVG, not well-formed, with a DOCTYPE, or in an unusual encoding.
        TooLarge: the file, its number of tags or the credential exceeds a limit.
    """
    root = _parse(image)
    for version, (namespace, name) in _NAMES.items():
        for element in root.iter(f"{{{namespace}}}{name}"):
            return _read(element, version, name)
    raise NothingBaked


def _read(element: etree._Element, version: BakedVersion, name: str) -> Unbaked:
    verify, body = element.get("verify", "").strip(), _own_text(element)
    # In 3.0 there is one or the other (5.3.2.1); in 2.0 the body is the assertion and the attribute its URL.
    payload = (body or verify) if version is BakedVersion.OB_2_0 else (verify or body)
    if not payload:
        raise NothingBaked("The Open Badge in this image is empty.")
    if len(payload.encode()) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"A baked credential may have at most {MAX_PAYLOAD_BYTES:,} bytes.")
    return Unbaked(
        payload=payload,
        version=version,
        keyword=f"{_PREFIX}:{name}",
        media_type=MEDIA_TYPE,
        verify=verify if verify and payload is not verify else None,
    )


def _own_text(element: etree._Element) -> str:
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()


def _hosted_url(payload: str) -> str | None:
    """Return the URL at which an assertion is hosted: its id (2.0), or the URL in its `verify` (1.1)."""
    try:
        assertion = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    verify = assertion.get("verify")
    candidates = (assertion.get("id"), verify.get("url") if isinstance(verify, dict) else None)
    return next((url for url in candidates if isinstance(url, str) and url.startswith("http")), None)


def _parse(image: bytes) -> etree._Element:
    check_size(image, max_bytes=_MAX_BYTES)
    if image.count(b"<") > _MAX_TAGS:
        raise TooLarge(f"An SVG image may have at most {_MAX_TAGS:,} tags.")
    text = image.removeprefix(_BOM)
    if not text.lstrip().startswith(b"<") or b"\0" in text[:64]:
        raise InvalidImage("This is not an SVG image in UTF-8.", hint="Save it as UTF-8, not compressed.")
    if re.match(rb"<\?xml\s", text):
        declaration = _DECLARATION.match(text)
        if not declaration or (declaration[1] or b"utf-8").lower() not in _ENCODINGS:
            raise InvalidImage("This SVG image is in an unusual encoding.", hint="Save it as UTF-8.")
    prolog = _PROLOG.match(text)
    if prolog and text.startswith(b"<!", prolog.end()):
        raise InvalidImage("This SVG image has a DOCTYPE.", hint="Remove the line that begins with `<!DOCTYPE`.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        strip_cdata=False,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise InvalidImage("This SVG image is not well-formed XML.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidImage("This SVG image has a DOCTYPE.")
    if root.tag not in (f"{{{_SVG}}}svg", "svg"):
        raise InvalidImage("This is XML, but not an SVG image.")
    _check_siblings(root, text)
    return root


def _check_siblings(root: etree._Element, text: bytes) -> None:
    root_siblings = sum(1 for preceding in (True, False) for _ in root.itersiblings(preceding=preceding))
    most = max(root_siblings, len(root.nsmap))
    if text.count(b"=") > _MAX_SIBLINGS:  # each attribute has an equals sign
        most = max(most, max(len(element.attrib) for element in root.iter(etree.Element)))
    if most > _MAX_SIBLINGS:
        raise TooLarge(
            f"An SVG image may have at most {_MAX_SIBLINGS} attributes on an element, namespaces on its root, "
            "or comments around that."
        )


def _with_namespace(root: etree._Element, namespace: str) -> etree._Element:
    """Return a root with ``xmlns:openbadges``. lxml adds namespaces to new elements only, so the content is moved."""
    bound = root.nsmap.get(_PREFIX)
    # A badge of the other version keeps the prefix that its readers look for; the new element then declares its own.
    if bound == namespace or (bound and next(root.iter(f"{{{bound}}}*"), None) is not None):
        return root
    namespaces = {**cast("dict[str, str]", root.nsmap), _PREFIX: namespace}
    new = etree.Element(root.tag, None, namespaces)
    for name, value in root.attrib.items():
        new.set(name, value)
    new.text = root.text
    before, after = list(root.itersiblings(preceding=True)), list(root.itersiblings())
    new.extend(list(root))
    for node in reversed(before):
        new.addprevious(node)
    for node in reversed(after):
        new.addnext(node)
    return new


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
