"""``/credentials/verify`` and ``/presentations/verify`` of the VC API: the data model, then the one verifier.

A credential that has lapsed, or whose standing cannot be told, is not verified: VCALM lets such be warnings, but who
asks only for ``verified`` should not be told yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from lapel.credentials.data_integrity import is_secured
from lapel.credentials.jose.vc_jwt import UnsupportedJwt, VcJwt
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import FieldError, InvalidInput, TooLarge, Unsupported
from lapel.services.vc_api.options import check_names, flag, member, options_of, text
from lapel.services.vc_api.results import Answer, Result
from lapel.services.verifying import Verifying
from lapel.services.verifying.data_model.rules import (
    credential_problems,
    presentation_problems,
)
from lapel.services.verifying.data_model.structure import overfull
from lapel.services.verifying.envelopes import ENVELOPED_CREDENTIAL, ENVELOPED_PRESENTATION, opened
from lapel.services.verifying.members import as_list, objects, types_of
from lapel.services.verifying.presentations import MOST_PRESENTED, ExpectedPresentation
from lapel.services.verifying.reading import Document, Token, decoded, decoded_presentation

__all__ = ["VcVerification"]

_MOST_FINDINGS: Final = 32
_RESULT_OPTIONS: Final = frozenset({"checks", "returnProblemDetails", "returnResults"})
_CREDENTIAL_OPTIONS: Final = _RESULT_OPTIONS | {"returnCredential"}
_OF_PROOF: Final = frozenset({"challenge", "domain"})
_PRESENTATION_OPTIONS: Final = _RESULT_OPTIONS | _OF_PROOF | {"returnPresentation"}


class VcVerification:
    """Verifies credentials and presentations for whoever speaks the VC API."""

    def __init__(self, *, verifying: Verifying) -> None:
        self._verifying = verifying

    async def credential(self, body: JsonObject) -> Answer:
        """The answer to ``{"verifiableCredential", "options"}``.

        Raises:
            InvalidInput: the request is not of that form, or has an option that is not understood.
        """
        _, credential = member(body, "verifiableCredential")
        options = options_of(body, known=_CREDENTIAL_OPTIONS)
        check_names(options)
        wanted = flag(options, "returnCredential", default=False)
        given, document, problems = await _read(credential)
        report = None if given is None else await self._verifying.verify_credential(given)
        result = Result(document, problems, report)
        answer = result.answer(options)
        return Answer(result.verified, answer | {"credential": credential} if wanted else answer)

    async def presentation(self, body: JsonObject) -> Answer:
        """The answer to ``{"verifiablePresentation", "options"}``, or ``{"presentation"}`` for one without a proof.

        Raises:
            InvalidInput: as `credential`.
            TooLarge: it holds more credentials than are verified at once.
        """
        name, presentation = member(body, "verifiablePresentation", "presentation")
        secured = name == "verifiablePresentation"
        if not secured and (is_secured(presentation) or ENVELOPED_PRESENTATION in types_of(presentation)):
            detail = "is secured: send it as verifiablePresentation, so that its proof is verified"
            raise InvalidInput(f"/presentation {detail}.", errors=[FieldError("/presentation", detail, "not_allowed")])
        options = options_of(body, known=_PRESENTATION_OPTIONS if secured else _PRESENTATION_OPTIONS - _OF_PROOF)
        check_names(options)
        wanted = flag(options, "returnPresentation", default=False)
        expected = ExpectedPresentation(
            secured=secured,
            challenge=text(options, "challenge"),
            domain=text(options, "domain"),
        )
        result, held = await self._presented(presentation, expected)
        verified = result.verified and all(each.verified for each in held)
        answer = result.answer(options) | {"verified": verified}
        answer["credentialResults"] = [each.answer(options) for each in held]
        if "results" in answer:
            answer["results"] = {
                "presentation": _of_presentation(result, expected),
                "credentials": answer.pop("credentialResults"),
            }
        return Answer(verified, answer | {name: presentation} if wanted else answer)

    async def _presented(
        self, presentation: JsonObject, expected: ExpectedPresentation
    ) -> tuple[Result, Sequence[Result]]:
        given, document, problems = await _read_presentation(presentation)
        problems = problems or _crowded(document)
        problems = problems or list(islice(presentation_problems(document), _MOST_FINDINGS))
        if problems:
            return Result(document, problems, None), ()
        held = as_list(document.get("verifiableCredential"))
        if len(held) > MOST_PRESENTED:
            raise TooLarge(f"A presentation may hold at most {MOST_PRESENTED} credentials, not {len(held):,}.")
        read = [await _read(each) for each in objects(held)]
        readable = [each for each, _, _ in read if each is not None]
        report = await self._verifying.verify_presentation(given, readable, expected)
        reports = iter(report.credentials)
        return Result(document, (), report.presentation), [
            Result(said, wrong, None if each is None else next(reports)) for each, said, wrong in read
        ]


async def _read_presentation(
    presentation: JsonObject,
) -> tuple[JsonObject | VcJwt, JsonObject, Sequence[FieldError]]:
    """The presentation, out of its envelope if it is in one, what it says, and what is wrong with the envelope."""
    if ENVELOPED_PRESENTATION not in types_of(presentation):
        return presentation, presentation, ()
    compact, problems = opened(presentation, ENVELOPED_PRESENTATION)
    if problems:
        return presentation, presentation, problems
    try:
        token = await decoded_presentation(Token(compact))
    except (InvalidInput, Unsupported) as error:
        return presentation, presentation, [FieldError("/id", error.detail, error.code)]
    return token, token.credential, ()


async def _read(credential: JsonObject) -> tuple[Document | Token | None, JsonObject, Sequence[FieldError]]:
    """What is to be verified, what it says, and what is wrong with that. Nothing is verified of what is wrong."""
    given: Document | Token = Document(credential)
    document = credential
    if ENVELOPED_CREDENTIAL in types_of(credential):
        compact, problems = opened(credential, ENVELOPED_CREDENTIAL)
        if problems:
            return None, credential, problems
        given = Token(compact)
        try:
            document = (await decoded(given)).credential
        except UnsupportedJwt:
            return given, credential, ()  # the verifier says why, and whether that is the token's fault
        except InvalidInput as error:
            return None, credential, [FieldError("/id", error.detail, error.code)]
    problems = _crowded(document) or list(islice(credential_problems(document, strict=False), _MOST_FINDINGS))
    return (None if problems else given), document, problems


def _crowded(document: JsonObject) -> Sequence[FieldError]:
    """That it has far too many of something to be looked at; nothing if it has not."""
    crowded = overfull(document)
    return () if crowded is None else [FieldError("", crowded.sentence, "too_many")]


def _of_presentation(result: Result, expected: ExpectedPresentation) -> JsonObject:
    """``results.presentation`` of VCALM. A proof that is good as a whole has answered everything asked of it."""
    found: dict[str, JsonValue] = {"proof": result.results()["proof"]}
    for name, value in (("challenge", expected.challenge), ("domain", expected.domain)):
        if value is not None:
            found[name] = {"verified": result.verified, "input": value}
    holder = result.document.get("holder")
    if holder is not None:
        found["holder"] = {"verified": result.verified, "input": holder}
    return found
