"""Extensions, of which nobody knows how large they are until it is looked at."""

from __future__ import annotations

from lapel.openbadges.arbitrary_objects import extensions
from lapel.openbadges.problems import Problems
from tests.support.work import calls_made


def test_of_an_extension_that_is_too_large_no_context_is_looked_at() -> None:
    contexts = [f"https://contexts.example/{number}" for number in range(10_000)]
    problems = Problems()

    work = calls_made(lambda: extensions(problems, {"extensions:x": {"@context": contexts, "type": 7}}, "/extensions"))

    assert [(each.pointer, each.code) for each in problems.found] == [("/extensions/extensions:x", "too_large")]
    assert work < 150_000
