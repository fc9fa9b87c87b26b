"""RDF Dataset Canonicalization 1.0 (RDFC-1.0): the same text for a dataset, whatever its blank node labels.

https://www.w3.org/TR/rdf-canon/. In most documents the quads around each blank node differ, and the labels
follow directly from their first-degree hashes; the other cases need `rdfc_n_degree`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Literal, TypeAlias

from lapel.credentials.rdf.nquads import Quad
from lapel.credentials.rdf.rdfc_n_degree import (
    TEMPORARY_PREFIX,
    CanonicalisationBudgetExceeded,
    IssuedIdentifiers,
    NDegreeHasher,
    issue,
)

__all__ = [
    "CanonicalisationBudgetExceeded",
    "Fragment",
    "HashAlgorithm",
    "canonicalise",
    "issued_identifiers",
]

HashAlgorithm: TypeAlias = Literal["sha256", "sha384"]

DEFAULT_BUDGET: Final = 10_000
"""The number of steps to distinguish blank nodes with equal hashes; a step takes about a microsecond."""

STEPS_PER_QUAD: Final = 8
"""Additional steps for each quad, enough for long lists of blank nodes that are easy to distinguish."""

_Digest: TypeAlias = Callable[[bytes], str]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha384(data: bytes) -> str:
    return hashlib.sha384(data).hexdigest()


CANONICAL_PREFIX: Final = "_:c14n"
_DIGESTS: Final[Mapping[HashAlgorithm, _Digest]] = {"sha256": _sha256, "sha384": _sha384}


@dataclass(frozen=True, slots=True)
class Fragment:
    """The prepared quads of a constant part of many datasets, such as an issuer or an achievement.

    The hashes are computed in advance, which is valid if no other part of a dataset uses its blank nodes, so give
    them unique labels (``_:issuer0``). If another part does use one of them, the result is still correct, but slower.

    Attributes:
        ground: sorted lines without blank nodes.
        linked: the distinct quads with blank nodes.
        hashes: the first-degree hash of each blank node.
        hash_algorithm: the algorithm of `hashes`.
    """

    ground: Sequence[str]
    linked: Sequence[Quad]
    hashes: Mapping[str, str]
    hash_algorithm: HashAlgorithm

    @classmethod
    def of(cls, quads: Iterable[Quad], *, hash_algorithm: HashAlgorithm = "sha256") -> Fragment:
        """Prepare these quads."""
        ground, linked, views = _split(quads)
        return cls(tuple(sorted(ground)), tuple(linked), _hashes(views, _DIGESTS[hash_algorithm]), hash_algorithm)


def canonicalise(
    quads: Iterable[Quad],
    *,
    fragments: Sequence[Fragment] = (),
    budget: int = DEFAULT_BUDGET,
    hash_algorithm: HashAlgorithm = "sha256",
) -> str:
    """Return the serialised canonical form of a dataset: N-Quads lines in code point order.

    Args:
        quads: in any order; a repeated quad counts once.
        fragments: prepared parts of the same dataset, equivalent to having their quads in `quads`.
        budget: the maximum number of steps to distinguish blank nodes with equal hashes, in addition to
            `STEPS_PER_QUAD`.
        hash_algorithm: SHA-256, or SHA-384 if a cryptosuite requires it.

    Raises:
        CanonicalisationBudgetExceeded: the budget was not enough, as for a graph designed to exhaust the server.
    """
    ground, linked, labels = _label(quads, fragments, budget, hash_algorithm)
    lines = ground
    label = labels.get
    for s, p, o, g in linked:
        if g:
            lines.append(f"{label(s, s)} {p} {label(o, o)} {label(g, g)} .\n")
        else:
            lines.append(f"{label(s, s)} {p} {label(o, o)} .\n")
    if fragments:
        lines = list(dict.fromkeys(lines))
    lines.sort()
    return "".join(lines)


def issued_identifiers(
    quads: Iterable[Quad],
    *,
    fragments: Sequence[Fragment] = (),
    budget: int = DEFAULT_BUDGET,
    hash_algorithm: HashAlgorithm = "sha256",
) -> dict[str, str]:
    """Return the issued identifiers map: the canonical label of each blank node, such as ``{"_:x": "_:c14n0"}``.

    Raises:
        CanonicalisationBudgetExceeded: as for `canonicalise`.
    """
    return _label(quads, fragments, budget, hash_algorithm)[2]


def _label(
    quads: Iterable[Quad], fragments: Sequence[Fragment], budget: int, hash_algorithm: HashAlgorithm
) -> tuple[list[str], list[Quad], IssuedIdentifiers]:
    """Return the lines without blank nodes, the quads with them, and the canonical labels."""
    digest = _DIGESTS[hash_algorithm]
    ground, linked, views = _split(quads)
    if len(views) == 1 and not fragments:
        return ground, linked, {next(iter(views)): f"{CANONICAL_PREFIX}0"}
    hashes = _hashes(views, digest)
    if fragments:
        count = len(hashes)
        for fragment in fragments:
            ground.extend(fragment.ground)
            linked.extend(fragment.linked)
            hashes.update(fragment.hashes)
            count += len(fragment.hashes)
        if len(hashes) != count or any(fragment.hash_algorithm != hash_algorithm for fragment in fragments):
            # A blank node occurs in two parts, so its prepared hash does not include all of its quads.
            _, linked, views = _split(linked)
            hashes = _hashes(views, digest)
    by_hash = dict(zip(hashes.values(), hashes, strict=True))
    if len(by_hash) == len(hashes):
        return ground, linked, {by_hash[h]: f"{CANONICAL_PREFIX}{i}" for i, h in enumerate(sorted(by_hash))}
    return ground, linked, _label_by_n_degree(linked, hashes, digest, budget)


def _split(quads: Iterable[Quad]) -> tuple[list[str], list[Quad], dict[str, list[str]]]:
    """Split the distinct quads into lines without blank nodes and quads with them.

    The third result has for each blank node the lines for its first-degree hash (section 4.6.3), in which the node
    itself is ``_:a`` and any other ``_:z``. Lines of different quads may be equal; both count.
    """
    ground: list[str] = []
    linked: list[Quad] = []
    views: defaultdict[str, list[str]] = defaultdict(list)
    for quad in dict.fromkeys(quads):
        s, p, o, g = quad
        if g:
            if "_" in (s[0], o[0], g[0]):
                linked.append(quad)
                _add_views(quad, views)
            else:
                ground.append(f"{s} {p} {o} {g} .\n")
        elif s[0] == "_":
            linked.append(quad)
            if o[0] != "_":
                views[s].append(f"_:a {p} {o} .\n")
            elif s != o:
                views[s].append(f"_:a {p} _:z .\n")
                views[o].append(f"_:z {p} _:a .\n")
            else:
                views[s].append(f"_:a {p} _:a .\n")
        elif o[0] == "_":
            linked.append(quad)
            views[o].append(f"{s} {p} _:a .\n")
        else:
            ground.append(f"{s} {p} {o} .\n")
    return ground, linked, views


def _add_views(quad: Quad, views: defaultdict[str, list[str]]) -> None:
    """Add the lines of a quad in a named graph."""
    s, p, o, g = quad
    for node in {s, o, g}:
        if node[0] == "_":
            subject, object_, graph = (
                "_:a" if term == node else "_:z" if term[0] == "_" else term for term in (s, o, g)
            )
            views[node].append(f"{subject} {p} {object_} {graph} .\n")


def _hashes(views: Mapping[str, list[str]], digest: _Digest) -> dict[str, str]:
    """Hash First Degree Quads, for every blank node."""
    return {node: digest("".join(sorted(lines)).encode()) for node, lines in views.items()}


def _label_by_n_degree(
    linked: Sequence[Quad], hashes: Mapping[str, str], digest: _Digest, budget: int
) -> IssuedIdentifiers:
    """Steps 4 and 5 of the canonicalisation algorithm (section 4.4.3), for equal first-degree hashes."""
    by_hash: dict[str, list[str]] = {}
    for node, first_degree in hashes.items():
        by_hash.setdefault(first_degree, []).append(node)
    groups: list[list[str]] = []
    canonical: IssuedIdentifiers = {}
    for _, nodes in sorted(by_hash.items()):
        if len(nodes) == 1:
            canonical[nodes[0]] = f"{CANONICAL_PREFIX}{len(canonical)}"
        else:
            groups.append(nodes)
    # The search only visits nodes that have no label yet.
    quads_of: dict[str, list[Quad]] = {node: [] for nodes in groups for node in nodes}
    for quad in linked:
        s, _, o, g = quad
        if s in quads_of:
            quads_of[s].append(quad)
        if o in quads_of and o != s:
            quads_of[o].append(quad)
        if g in quads_of and g not in (s, o):
            quads_of[g].append(quad)
    hasher = NDegreeHasher(
        quads_of,
        first_degree=hashes,
        canonical=canonical,
        digest=digest,
        budget=budget + STEPS_PER_QUAD * len(linked),
    )
    for nodes in groups:
        paths = [hasher.hash(node, {node: f"{TEMPORARY_PREFIX}0"}) for node in nodes if node not in canonical]
        for _, issued in sorted(paths, key=itemgetter(0)):
            for node in issued:
                issue(canonical, node, CANONICAL_PREFIX)
    return canonical
