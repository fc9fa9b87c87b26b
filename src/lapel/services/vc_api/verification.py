"""``/credentials/verify`` and ``/presentations/verify`` of the VC API: check the data model, then verify.

A credential that has expired, or whose status is unknown, is not ``verified``. VCALM allows these to be warnings, but a
client that looks only at ``verified`` should not read true.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from lapel.credentials.data_integrity import is_secured
from lapel.credentials.jose.vc_jwt import UnsupportedJwt, VcJwt
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, objects, types_of
from lapel.errors import FieldError, InvalidInput, TooLarge, Unsupported
from lapel.services.vc_api.options import check_names, flag, member, options_of, text
from lapel.services.vc_api.results import Result, VerificationAnswer
from lapel.services.verifying import Verifying
from lapel.services.verifying.data_model.rules import (
    credential_problems,
    presentation_problems,
)
from lapel.services.verifying.data_model.structure import too_many_items
from lapel.services.verifying.envelopes import ENVELOPED_CREDENTIAL, ENVELOPED_PRESENTATION, read_envelope
from lapel.services.verifying.presentations import MAX_PRESENTED, ExpectedPresentation
from lapel.services.verifying.reading import Document, Token, decoded, decoded_presentation

__all__ = ["VcVerification"]

_MAX_FINDINGS: Final = 32
_RESULT_OPTIONS: Final = frozenset({"checks", "returnProblemDetails", "returnResults"})
_CREDENTIAL_OPTIONS: Final = _RESULT_OPTIONS | {"returnCredential"}
_PROOF_OPTIONS: Final = frozenset({"challenge", "domain"})
_PRESENTATION_OPTIONS: Final = _RESULT_OPTIONS | _PROOF_OPTIONS | {"returnPresentation"}


class VcVerification:
    """Verifies credentials and presentations for clients of the VC API."""

    def __init__(self, *, verifying: Verifying) -> None:
        self._verifying = verifying

    async def credential(self, body: JsonObject) -> VerificationAnswer:
        """Answer ``{"verifiableCredential", "options"}``.

        Raises:
            InvalidInput: the request does not have that form, or has an unknown option.
        """
        _, credential = member(body, "verifiableCredential")
        options = options_of(body, known=_CREDENTIAL_OPTIONS)
        check_names(options)
        return_credential = flag(options, "returnCredential", default=False)
        given, document, problems = await _read(credential)
        report = None if given is None else await self._verifying.verify_credential(given)
        result = Result(document, problems, report)
        answer = result.answer(options)
        return VerificationAnswer(result.verified, answer | {"credential": credential} if return_credential else answer)

    async def presentation(self, body: JsonObject) -> VerificationAnswer:
        """Answer ``{"verifiablePresentation", "options"}``, or ``{"presentation"}`` for one without a proof.

        Raises:
            InvalidInput: see `credential`.
            TooLarge: the presentation has more credentials than are verified at once.
        """
        name, presentation = member(body, "verifiablePresentation", "presentation")
        secured = name == "verifiablePresentation"
        if not secured and (is_secured(presentation) or ENVELOPED_PRESENTATION in types_of(presentation)):
            detail = "is secured: send it as verifiablePresentation, so that its proof is verified"
            raise InvalidInput(f"/presentation {detail}.", errors=[FieldError("/presentation", detail, "not_allowed")])
        options = options_of(body, known=_PRESENTATION_OPTIONS if secured else _PRESENTATION_OPTIONS - _PROOF_OPTIONS)
        check_names(options)
        return_presentation = flag(options, "returnPresentation", default=False)
        expected = ExpectedPresentation(
            secured=secured,
            challenge=text(options, "challenge"),
            domain=text(options, "domain"),
        )
        result, credential_results = await self._verify_presentation(presentation, expected)
        verified = result.verified and all(credential.verified for credential in credential_results)
        answer = result.answer(options) | {"verified": verified}
        answer["credentialResults"] = [credential.answer(options) for credential in credential_results]
        if "results" in answer:
            answer["results"] = {
                "presentation": _presentation_results(result, expected),
                "credentials": answer.pop("credentialResults"),
            }
        return VerificationAnswer(verified, answer | {name: presentation} if return_presentation else answer)

    async def _verify_presentation(
        self, presentation: JsonObject, expected: ExpectedPresentation
    ) -> tuple[Result, Sequence[Result]]:
        """Return the result of the presentation itself, and those of its credentials."""
        given, document, problems = await _read_presentation(presentation)
        problems = problems or _size_problems(document)
        problems = problems or list(islice(presentation_problems(document), _MAX_FINDINGS))
        if problems:
            return Result(document, problems, None), ()
        credentials = as_list(document.get("verifiableCredential"))
        if len(credentials) > MAX_PRESENTED:
            raise TooLarge(f"A presentation may hold at most {MAX_PRESENTED} credentials, not {len(credentials):,}.")
        read = [await _read(credential) for credential in objects(credentials)]
        readable = [credential for credential, _, _ in read if credential is not None]
        report = await self._verifying.verify_presentation(given, readable, expected)
        reports = iter(report.credentials)
        return Result(document, (), report.presentation), [
            Result(document, problems, None if credential is None else next(reports))
            for credential, document, problems in read
        ]


async def _read_presentation(
    presentation: JsonObject,
) -> tuple[JsonObject | VcJwt, JsonObject, Sequence[FieldError]]:
    """Take the presentation out of its envelope, if any. Return it, its document, and the envelope's problems."""
    if ENVELOPED_PRESENTATION not in types_of(presentation):
        return presentation, presentation, ()
    compact, problems = read_envelope(presentation, ENVELOPED_PRESENTATION)
    if problems:
        return presentation, presentation, problems
    try:
        token = await decoded_presentation(Token(compact))
    except (InvalidInput, Unsupported) as error:
        return presentation, presentation, [FieldError("/id", error.detail, error.code)]
    return token, token.credential, ()


async def _read(credential: JsonObject) -> tuple[Document | Token | None, JsonObject, Sequence[FieldError]]:
    """Return the credential to verify, its document, and its problems. With problems, there is nothing to verify."""
    given: Document | Token = Document(credential)
    document = credential
    if ENVELOPED_CREDENTIAL in types_of(credential):
        compact, problems = read_envelope(credential, ENVELOPED_CREDENTIAL)
        if problems:
            return None, credential, problems
        given = Token(compact)
        try:
            document = (await decoded(given)).credential
        except UnsupportedJwt:
            return given, credential, ()  # the verifier's report says why, and whether it is the token's fault
        except InvalidInput as error:
            return None, credential, [FieldError("/id", error.detail, error.code)]
    problems = _size_problems(document) or list(islice(credential_problems(document, strict=False), _MAX_FINDINGS))
    return (None if problems else given), document, problems


def _size_problems(document: JsonObject) -> Sequence[FieldError]:
    """Return the problem that the document has too many of something to be examined, if so."""
    check = too_many_items(document)
    return () if check is None else [FieldError("", check.sentence, "too_many")]


def _presentation_results(result: Result, expected: ExpectedPresentation) -> JsonObject:
    """Return VCALM's ``results.presentation``. A verified proof has met every expectation."""
    results: dict[str, JsonValue] = {"proof": result.results()["proof"]}
    for name, value in (("challenge", expected.challenge), ("domain", expected.domain)):
        if value is not None:
            results[name] = {"verified": result.verified, "input": value}
    holder = result.document.get("holder")
    if holder is not None:
        results["holder"] = {"verified": result.verified, "input": holder}
    return results
