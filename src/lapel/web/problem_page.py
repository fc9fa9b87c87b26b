"""The page of an error: what happened, and what the reader can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lapel.domain.addresses import Addresses
from lapel.services.answers import ProblemDocument
from lapel.web.pages import render

__all__ = ["render_problem_page"]

_HEADINGS: Final[Mapping[int, str]] = {
    401: "Not open to everybody",
    403: "Not open to everybody",
    404: "Not found",
    405: "Not a page",
    410: "No longer here",
    413: "Too large",
    429: "Too often",
    503: "Not available just now",
}


def render_problem_page(problem: ProblemDocument, *, addresses: Addresses) -> bytes:
    """Render the page."""
    return render(
        "problem.html",
        problem=problem,
        heading=_HEADINGS.get(problem.status, "This did not work"),
        # Not relative, as on other pages: this page can appear at any path, including those that do not exist.
        verify=f"{addresses.base}/verify",
    )
