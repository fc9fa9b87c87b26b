"""RDFC-1.0 for blank nodes that look alike: Hash N-Degree Quads (sections 4.7 and 4.8), under a budget.

Ties between indistinguishable blank nodes are broken by trying their permutations, which takes factorial time
on a hostile graph. Every step is therefore paid for from a budget, and a graph that exhausts it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Final, TypeAlias

from lapel.credentials.rdf.nquads import Quad
from lapel.errors import InvalidInput

__all__ = ["TEMPORARY_PREFIX", "CanonicalisationBudgetExceeded", "Issued", "NDegreeHasher", "issue"]

Issued: TypeAlias = dict[str, str]
"""An identifier issuer: blank node to the identifier issued for it, in the order of issue."""

TEMPORARY_PREFIX: Final = "_:b"

# Nested calls follow one another from node to node; well below what the interpreter's own stack allows.
MAX_DEPTH: Final = 200


class CanonicalisationBudgetExceeded(InvalidInput):
    """The document has too many interchangeable anonymous parts to be canonicalised."""

    code = "canonicalisation_budget_exceeded"
    hint = "Give the repeated nested objects an `id` each, or make them differ."


def issue(issued: Issued, node: str, prefix: str) -> str:
    """The identifier of a node, issued now if it has none (section 4.5)."""
    identifier = issued.get(node)
    if identifier is None:
        identifier = issued[node] = f"{prefix}{len(issued)}"
    return identifier


class NDegreeHasher:
    """Hash N-Degree Quads for one dataset.

    Args:
        quads_of: for each blank node the distinct quads that mention it.
        first_degree: the first-degree hash of each blank node.
        canonical: the canonical identifiers issued so far; the caller may add to them between calls.
        digest: bytes to the lower-case hexadecimal hash.
        budget: how many steps may be taken before the dataset is refused.
    """

    def __init__(
        self,
        quads_of: Mapping[str, Sequence[Quad]],
        *,
        first_degree: Mapping[str, str],
        canonical: Issued,
        digest: Callable[[bytes], str],
        budget: int,
    ) -> None:
        self._quads_of = quads_of
        self._first_degree = first_degree
        self._canonical = canonical
        self._digest = digest
        self._left = budget

    def hash(self, node: str, issued: Issued, *, depth: int = 0) -> tuple[str, Issued]:
        """The node's hash and the issuer after its neighbourhood was walked (section 4.8.3).

        Raises:
            CanonicalisationBudgetExceeded: the budget is used up.
        """
        if depth > MAX_DEPTH:
            raise CanonicalisationBudgetExceeded
        data: list[str] = []
        for related_hash, related in sorted(self._related(node, issued).items()):
            path, issued = self._best_path(related, issued, depth)
            data += related_hash, path
        return self._digest("".join(data).encode()), issued

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise CanonicalisationBudgetExceeded

    def _related(self, node: str, issued: Issued) -> dict[str, list[str]]:
        """The blank nodes that share a quad with this one, by the hash of how they relate (section 4.7.3).

        A node related twice in the same way (the same link in two graphs) stands in the list twice.
        """
        quads = self._quads_of[node]
        self._spend(1 + len(quads))
        related: dict[str, list[str]] = {}
        for subject, predicate, object_, graph in quads:
            for position, other in (("s" + predicate, subject), ("o" + predicate, object_), ("g", graph)):
                if other[:1] == "_" and other != node:
                    known = self._canonical.get(other) or issued.get(other) or self._first_degree[other]
                    related.setdefault(self._digest((position + known).encode()), []).append(other)
        return related

    def _best_path(self, related: Sequence[str], issued: Issued, depth: int) -> tuple[str, Issued]:
        """The least path over all orders of the related nodes (step 5)."""
        # A permutation copies the issuer, which is fast but not free.
        cost = 1 + len(related) + len(issued) // 32
        chosen_path, chosen_issued = "", issued
        for permutation in _orders(related):
            self._spend(cost)
            found = self._path(permutation, dict(issued), chosen_path, depth)
            if found is not None and (not chosen_path or found[0] < chosen_path):
                chosen_path, chosen_issued = found
        return chosen_path, chosen_issued

    def _path(self, permutation: Sequence[str], issued: Issued, chosen: str, depth: int) -> tuple[str, Issued] | None:
        """The path of one order, or None once it cannot be the least (steps 5.4.1 to 5.4.5)."""
        path = ""
        unvisited: list[str] = []
        for node in permutation:
            identifier = self._canonical.get(node)
            if identifier is None:
                if node not in issued:
                    unvisited.append(node)
                identifier = issue(issued, node, TEMPORARY_PREFIX)
            path += identifier
            if chosen and len(path) >= len(chosen) and path > chosen:
                return None
        for node in unvisited:
            identifier = issued[node]
            node_hash, issued = self.hash(node, issued, depth=depth + 1)
            path += f"{identifier}<{node_hash}>"
            if chosen and len(path) >= len(chosen) and path > chosen:
                return None
        return path, issued


def _orders(related: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every order of the nodes, each once.

    A node may stand in the list many times: every quad in a graph with a blank name relates that name to the node that
    the graph is about. All the orders of equal nodes are one.
    """
    return permutations(related) if len(set(related)) == len(related) else _distinct(related)


def _distinct(nodes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Each next one in alphabetical order; a list may be too long for recursion."""
    order = sorted(nodes)
    while True:
        yield tuple(order)
        pivot = next((at for at in range(len(order) - 2, -1, -1) if order[at] < order[at + 1]), None)
        if pivot is None:
            return
        greater = next(at for at in range(len(order) - 1, pivot, -1) if order[at] > order[pivot])
        order[pivot], order[greater] = order[greater], order[pivot]
        order[pivot + 1 :] = reversed(order[pivot + 1 :])
