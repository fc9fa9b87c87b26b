"""RDFC-1.0 for blank nodes with equal first-degree hashes: Hash N-Degree Quads (sections 4.7 and 4.8), with a budget.

Ties between blank nodes are broken by trying their permutations, which takes factorial time on a hostile graph. So
every step is charged to a budget, and a graph that exhausts it is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Final, TypeAlias

from lapel.credentials.rdf.nquads import Quad
from lapel.errors import InvalidInput

__all__ = ["TEMPORARY_PREFIX", "CanonicalisationBudgetExceeded", "IssuedIdentifiers", "NDegreeHasher", "issue"]

IssuedIdentifiers: TypeAlias = dict[str, str]
"""An identifier issuer: blank node to the identifier issued for it, in the order of issue."""

TEMPORARY_PREFIX: Final = "_:b"

# The recursion follows a chain of nodes; this is well below the interpreter's own limit.
MAX_DEPTH: Final = 200


class CanonicalisationBudgetExceeded(InvalidInput):
    """The document has too many interchangeable anonymous parts to be canonicalised."""

    code = "canonicalisation_budget_exceeded"
    hint = "Give the repeated nested objects an `id` each, or make them differ."


def issue(issued: IssuedIdentifiers, node: str, prefix: str) -> str:
    """Return the identifier of a node, after issuing one if it has none (section 4.5)."""
    identifier = issued.get(node)
    if identifier is None:
        identifier = issued[node] = f"{prefix}{len(issued)}"
    return identifier


class NDegreeHasher:
    """Hash N-Degree Quads for one dataset.

    Args:
        quads_of: for each blank node the distinct quads that contain it.
        first_degree: the first-degree hash of each blank node.
        canonical: the canonical identifiers issued so far; the caller may add to them between calls.
        digest: returns the lower-case hexadecimal hash of bytes.
        budget: the maximum number of steps.
    """

    def __init__(
        self,
        quads_of: Mapping[str, Sequence[Quad]],
        *,
        first_degree: Mapping[str, str],
        canonical: IssuedIdentifiers,
        digest: Callable[[bytes], str],
        budget: int,
    ) -> None:
        self._quads_of = quads_of
        self._first_degree = first_degree
        self._canonical = canonical
        self._digest = digest
        self._remaining = budget

    def hash(self, node: str, issued: IssuedIdentifiers, *, depth: int = 0) -> tuple[str, IssuedIdentifiers]:
        """Return the node's hash and the issuer for the best path through its neighbours (section 4.8.3).

        Raises:
            CanonicalisationBudgetExceeded: the budget is exhausted.
        """
        if depth > MAX_DEPTH:
            raise CanonicalisationBudgetExceeded
        data: list[str] = []
        for related_hash, related in sorted(self._related(node, issued).items()):
            path, issued = self._best_path(related, issued, depth)
            data += related_hash, path
        return self._digest("".join(data).encode()), issued

    def _spend(self, steps: int) -> None:
        self._remaining -= steps
        if self._remaining < 0:
            raise CanonicalisationBudgetExceeded

    def _related(self, node: str, issued: IssuedIdentifiers) -> dict[str, list[str]]:
        """Return the blank nodes that share a quad with this one, by the hash of their relation (section 4.7.3).

        A node with the same relation twice (the same link in two graphs) is in the list twice.
        """
        quads = self._quads_of[node]
        self._spend(1 + len(quads))
        related: dict[str, list[str]] = {}
        for subject, predicate, object_, graph in quads:
            for position, other in (("s" + predicate, subject), ("o" + predicate, object_), ("g", graph)):
                if other[:1] == "_" and other != node:
                    identifier = self._canonical.get(other) or issued.get(other) or self._first_degree[other]
                    related.setdefault(self._digest((position + identifier).encode()), []).append(other)
        return related

    def _best_path(
        self, related: Sequence[str], issued: IssuedIdentifiers, depth: int
    ) -> tuple[str, IssuedIdentifiers]:
        """Return the least path over all orders of the related nodes (step 5)."""
        # A permutation copies the issuer, which is fast but not free.
        cost = 1 + len(related) + len(issued) // 32
        chosen_path, chosen_issued = "", issued
        for permutation in _orders(related):
            self._spend(cost)
            candidate = self._path(permutation, dict(issued), chosen_path, depth)
            if candidate is not None and (not chosen_path or candidate[0] < chosen_path):
                chosen_path, chosen_issued = candidate
        return chosen_path, chosen_issued

    def _path(
        self, permutation: Sequence[str], issued: IssuedIdentifiers, chosen: str, depth: int
    ) -> tuple[str, IssuedIdentifiers] | None:
        """Return the path of one order, or None once it cannot be the least (steps 5.4.1 to 5.4.5)."""
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
    """Yield every distinct order of the nodes once.

    A node may be in the list many times, because every quad in a graph with a blank name relates that name to the
    quad's subject.
    """
    return permutations(related) if len(set(related)) == len(related) else _distinct_orders(related)


def _distinct_orders(nodes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the orders in alphabetical order, without recursion, for which a list may be too long."""
    order = sorted(nodes)
    while True:
        yield tuple(order)
        pivot = next((at for at in range(len(order) - 2, -1, -1) if order[at] < order[at + 1]), None)
        if pivot is None:
            return
        greater = next(at for at in range(len(order) - 1, pivot, -1) if order[at] > order[pivot])
        order[pivot], order[greater] = order[greater], order[pivot]
        order[pivot + 1 :] = reversed(order[pivot + 1 :])
