"""Signing by another process over a Unix socket, which holds the keys and never hands one out.

The language is lines of JSON (docs/signing-keys.md): each request has a number, and its answer the same; answers may
come in any order. Whoever speaks it may be a program in front of a KMS or an HSM; `signer_service` is the reference.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import structlog

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import LapelError, Unavailable

__all__ = ["LONGEST_LINE", "OutsideSigner", "SignerAnswer", "SignerRequest", "SignerUnavailable", "key_name"]

LONGEST_LINE: Final = 4 * 1024 * 1024
"""In bytes; what is signed may be a token of 2 MiB, in base64url."""

_CREATING: Final = 6
"""How many times as long as a signature a new key may take: an RSA key needs seconds."""

_REACHED_SECONDS: Final = 0.5
"""How long the call to a socket on this machine may take: `/health/ready` asks for it, and has a second and a half."""

_MOST_WAITING: Final = 1024
_MOST_WAITING_BYTES: Final = 32 * 1024 * 1024

_log = structlog.get_logger("lapel.credentials")


class SignerRequest(msgspec.Struct, omit_defaults=True):
    """One line to the signer.

    Attributes:
        id: comes back in the answer.
        op: ``sign`` or ``create``.
        key: `key_name` of the key that is to sign.
        data: what to sign, base64url.
        algorithm: of the key that is to be made.
    """

    id: int
    op: str
    key: str | None = None
    data: str | None = None
    algorithm: str | None = None


class SignerAnswer(msgspec.Struct, omit_defaults=True):
    """One line from the signer: what was asked for, or `error` and `detail`.

    Attributes:
        signature: base64url, as `lapel.domain.ports.Signer` gives it.
        jwk: the public half of the new key.
    """

    id: int | None
    signature: str | None = None
    jwk: dict[str, str] | None = None
    error: str | None = None
    detail: str | None = None


_read_answer = msgspec.json.Decoder(SignerAnswer).decode


class SignerUnavailable(Unavailable):
    """The outside signer that holds the key cannot sign right now."""

    code = "signer_unavailable"
    hint = "Try again in a moment; the server's log says what the signer did."


def key_name(public_key: bytes) -> str:
    """How a signer knows a key (SubjectPublicKeyInfo, DER): by its JWK thumbprint (RFC 7638)."""
    return keys.jwk_thumbprint(keys.jwk(public_key))


class OutsideSigner:
    """Implements `lapel.domain.ports.KeyHolder`. It connects when it is first asked, and anew when that has ended.

    Args:
        socket: where the signer listens.
        answer_seconds: how long a signature may take, connecting included; a new key, six times as long.

    Attributes:
        waiting: how many requests it has not answered.
    """

    def __init__(self, socket: Path, *, answer_seconds: float = 5.0) -> None:
        self._socket = socket
        self._answer_seconds = answer_seconds
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()
        self._numbers = count(1)
        self.waiting = self._waiting_bytes = 0

    async def create(self, algorithm: KeyAlgorithm) -> bytes:
        """The public half (SubjectPublicKeyInfo, DER) of a new key.

        Raises:
            SignerUnavailable: it did not make one in time.
        """
        answer = await self._ask(
            SignerRequest(next(self._numbers), "create", algorithm=algorithm.value), patience=_CREATING
        )
        try:
            key = keys.from_jwk(answer.jwk) if answer.jwk is not None else None
            if key is not None and keys.algorithm_of(key) is algorithm:
                return keys.public_der(key)
        except LapelError as error:
            raise SignerUnavailable(f"The outside signer made a key that is none: {error.detail}") from error
        raise SignerUnavailable("The outside signer made no key of the kind that it was asked for.")

    def signer(self, public_key: bytes) -> _KeySigner:
        """Who signs with that key (SubjectPublicKeyInfo, DER)."""
        return _KeySigner(self, public_key)

    async def sign(self, name: str, data: bytes) -> bytes:
        """The signature over `data` by the key of that name, not checked yet. Raises SignerUnavailable."""
        answer = await self._ask(SignerRequest(next(self._numbers), "sign", key=name, data=base64url.encode(data)))
        try:
            return base64url.decode(answer.signature or "")
        except base64url.InvalidBase64Url as error:
            raise SignerUnavailable("The outside signer gave no signature.") from error

    async def trouble(self) -> str | None:
        """Why it takes no call now, in a sentence; None where it does."""
        try:
            async with asyncio.timeout(_REACHED_SECONDS):
                await self._connected()
        except TimeoutError:
            return f"The outside signer at {self._socket} does not respond."
        except OSError as error:
            return self._away(error)
        return None

    async def close(self) -> None:
        """Hang up; who waits is told that the signer is away."""
        if self._line is not None:
            await self._line.close()

    async def _ask(self, request: SignerRequest, *, patience: int = 1) -> SignerAnswer:
        seconds = self._answer_seconds * patience
        message = msgspec.json.encode(request) + b"\n"
        if self.waiting >= _MOST_WAITING or self._waiting_bytes + len(message) > _MOST_WAITING_BYTES:
            raise SignerUnavailable("The outside signer is slower than what is asked of it.")
        self.waiting += 1
        self._waiting_bytes += len(message)
        line: _Line | None = None
        try:
            async with asyncio.timeout(seconds):
                line = await self._connected()
                answer = await line.ask(request.id, message)
        except TimeoutError as error:
            if line is not None:
                line.end_if_silent(seconds)
            raise SignerUnavailable(f"The outside signer took longer than {seconds:g} s.") from error
        except OSError as error:
            raise SignerUnavailable(self._away(error)) from error
        finally:
            self.waiting -= 1
            self._waiting_bytes -= len(message)
        if answer.error is not None:
            raise SignerUnavailable(f"The outside signer refused ({answer.error[:80]}): {(answer.detail or '')[:200]}")
        return answer

    def _away(self, error: OSError) -> str:
        return f"The outside signer at {self._socket} is away: {error.strerror or error}."

    async def _connected(self) -> _Line:
        async with self._connecting:
            if self._line is None or self._line.has_ended:
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=LONGEST_LINE)
                self._line = _Line(reader, writer)
            return self._line


class _KeySigner:
    """Implements `lapel.domain.ports.Signer`. Each signature is checked: a false one would be issued for ever."""

    def __init__(self, holder: OutsideSigner, public_key: bytes) -> None:
        self._holder = holder
        self._key = keys.load_public(public_key)
        self._name = key_name(public_key)

    @property
    def algorithm(self) -> KeyAlgorithm:
        return keys.algorithm_of(self._key)

    async def sign(self, data: bytes) -> bytes:
        signature = await self._holder.sign(self._name, data)
        try:
            keys.verify(self._key, signature=signature, data=data)
        except keys.SignatureInvalid as error:
            raise SignerUnavailable("The outside signer gave a signature that does not fit the key.") from error
        return signature


class _Line:
    """One connection: what was asked over it and not answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answers: dict[int, asyncio.Future[SignerAnswer | None]] = {}
        self._heard = asyncio.get_running_loop().time()
        self._listening = asyncio.create_task(self._listen(), name="outside signer")
        self.has_ended = False

    async def ask(self, number: int, message: bytes) -> SignerAnswer:
        """The answer to one request. Raises OSError where the line ends before."""
        if self.has_ended:
            raise ConnectionResetError("it hung up")
        answer: asyncio.Future[SignerAnswer | None] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._writer.write(message)
            await self._writer.drain()
            if (given := await answer) is not None:
                return given
            raise ConnectionResetError("it hung up")
        finally:
            del self._answers[number]

    def end_if_silent(self, seconds: float) -> None:
        """Hang up on a signer that has said nothing for so long: the next one who asks tries a new connection."""
        if asyncio.get_running_loop().time() - self._heard >= seconds:
            self._end("it says nothing")

    async def close(self) -> None:
        self._end("this server ends")
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening

    async def _listen(self) -> None:
        reason = "it hung up"
        try:
            while line := await self._reader.readline():
                self._heard = asyncio.get_running_loop().time()
                answer = _read_answer(line)
                waiting = None if answer.id is None else self._answers.get(answer.id)
                if waiting is not None and not waiting.done():  # who asked may have given up
                    waiting.set_result(answer)
        except (OSError, ValueError) as error:  # a line that is no answer, or has no end
            reason = f"it says what cannot be read: {error}"
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        self._writer.transport.abort()
        if self._answers:
            _log.warning("the outside signer was lost", reason=reason, unanswered=len(self._answers))
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_result(None)
