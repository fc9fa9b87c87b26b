"""Signing by another process over a Unix socket, which stores the keys and never discloses one.

The protocol is lines of JSON (docs/signing-keys.md). Each request has an id, which its answer repeats; answers may
come in any order. The other process may be in front of a KMS or an HSM; `signer_service` is the reference.
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

__all__ = ["MAX_LINE_BYTES", "OutsideSigner", "SignerAnswer", "SignerRequest", "SignerUnavailable", "key_name"]

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""Enough for signing a token of 2 MiB, in base64url."""

_CREATE_FACTOR: Final = 6
"""How many times as long as a signature a new key may take, since generating an RSA key takes seconds."""

_CONNECT_SECONDS: Final = 0.5
"""The time limit for connecting in a health check, of which `/health/ready` has a second and a half."""

_TOO_SLOW: Final = "The outside signer is slower than what is asked of it."
_MAX_PENDING: Final = 1024
_MAX_PENDING_BYTES: Final = 32 * 1024 * 1024

_log = structlog.get_logger("lapel.credentials")


class SignerRequest(msgspec.Struct, omit_defaults=True):
    """One line to the signer.

    Attributes:
        id: repeated in the answer.
        op: ``sign`` or ``create``.
        key: `key_name` of the key to sign with.
        data: the bytes to sign, base64url.
        algorithm: the algorithm of the key to create.
    """

    id: int
    op: str
    key: str | None = None
    data: str | None = None
    algorithm: str | None = None


class SignerAnswer(msgspec.Struct, omit_defaults=True):
    """One line from the signer: the result, or `error` and `detail`.

    Attributes:
        signature: base64url, in the form of `lapel.domain.ports.Signer`.
        jwk: the public key of the new key pair.
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
    """Return a signer's name for a key (SubjectPublicKeyInfo, DER): the JWK thumbprint (RFC 7638)."""
    return keys.jwk_thumbprint(keys.jwk(public_key))


class OutsideSigner:
    """Implements `lapel.domain.ports.KeyHolder`. It connects at the first request, and again after a disconnection.

    Args:
        socket: the signer's socket.
        answer_seconds: the time limit for a signature, including connecting; for a new key it is six times as long.

    Attributes:
        waiting: the number of unanswered requests.
    """

    def __init__(self, socket: Path, *, answer_seconds: float = 5.0) -> None:
        self._socket = socket
        self._answer_seconds = answer_seconds
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._ids = count(1)
        self.waiting = self._waiting_bytes = 0

    async def create(self, algorithm: KeyAlgorithm) -> bytes:
        """Create a key pair and return its public key (SubjectPublicKeyInfo, DER).

        Raises:
            SignerUnavailable: the signer did not create one in time.
        """
        answer = await self._request(
            SignerRequest(next(self._ids), "create", algorithm=algorithm.value), time_factor=_CREATE_FACTOR
        )
        try:
            key = keys.from_jwk(answer.jwk) if answer.jwk is not None else None
            if key is not None and keys.algorithm_of(key) is algorithm:
                return keys.public_der(key)
        except LapelError as error:
            raise SignerUnavailable(f"The outside signer made a key that is none: {error.detail}") from error
        raise SignerUnavailable("The outside signer made no key of the kind that it was asked for.")

    def signer(self, public_key: bytes) -> _KeySigner:
        """Return the signer for a public key (SubjectPublicKeyInfo, DER)."""
        return _KeySigner(self, public_key)

    async def sign(self, name: str, data: bytes) -> bytes:
        """Return a signature of `data` with the key of that name, not yet verified. Raises SignerUnavailable."""
        answer = await self._request(SignerRequest(next(self._ids), "sign", key=name, data=base64url.encode(data)))
        try:
            return base64url.decode(answer.signature or "")
        except base64url.InvalidBase64Url as error:
            raise SignerUnavailable("The outside signer gave no signature.") from error

    async def problem(self) -> str | None:
        """Return why the signer cannot be reached now, as a sentence, or None."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._connect()
        except TimeoutError:
            return f"The outside signer at {self._socket} does not respond."
        except OSError as error:
            return self._unreachable(error)
        return None

    async def close(self) -> None:
        """Disconnect. Unanswered requests raise SignerUnavailable."""
        if self._connection is not None:
            await self._connection.close()

    async def _request(self, request: SignerRequest, *, time_factor: int = 1) -> SignerAnswer:
        seconds = self._answer_seconds * time_factor
        message = msgspec.json.encode(request) + b"\n"
        if self.waiting >= _MAX_PENDING or self._waiting_bytes + len(message) > _MAX_PENDING_BYTES:
            raise SignerUnavailable(_TOO_SLOW)
        self.waiting += 1
        self._waiting_bytes += len(message)
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(seconds):
                connection = await self._connect()
                if connection.is_behind:
                    connection.end_if_silent(seconds)
                    if not connection.ended:
                        raise SignerUnavailable(_TOO_SLOW)
                    connection = await self._connect()  # what was given up may have been forgotten
                answer = await connection.request(request.id, message)
        except TimeoutError as error:
            if connection is not None:
                connection.give_up(request.id)
                connection.end_if_silent(seconds)
            raise SignerUnavailable(f"The outside signer took longer than {seconds:g} s.") from error
        except OSError as error:
            raise SignerUnavailable(self._unreachable(error)) from error
        finally:
            self.waiting -= 1
            self._waiting_bytes -= len(message)
        if answer.error is not None:
            raise SignerUnavailable(f"The outside signer refused ({answer.error[:80]}): {(answer.detail or '')[:200]}")
        return answer

    def _unreachable(self, error: OSError) -> str:
        return f"The outside signer at {self._socket} is away: {error.strerror or error}."

    async def _connect(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.ended:
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=MAX_LINE_BYTES)
                self._connection = _Connection(reader, writer)
            return self._connection


class _KeySigner:
    """Implements `lapel.domain.ports.Signer`. It verifies each signature before it is issued."""

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


class _Connection:
    """One connection and its unanswered requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answers: dict[int, asyncio.Future[SignerAnswer | None]] = {}
        self._last_read = asyncio.get_running_loop().time()
        self._newest_answered = self._newest_given_up = 0
        self._reading = asyncio.create_task(self._read(), name="outside signer")
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing can be sent any more. The requests that were sent may not know it yet."""
        return self._ended or self._writer.is_closing()

    async def request(self, request_id: int, message: bytes) -> SignerAnswer:
        """Send a request and return its answer. Raises OSError if the connection ends before."""
        if self.ended:
            raise ConnectionResetError("it hung up")
        future: asyncio.Future[SignerAnswer | None] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = future
        try:
            self._writer.write(message)
            await self._writer.drain()
            if (answer := await future) is not None:
                return answer
            raise ConnectionResetError("it hung up")
        finally:
            del self._answers[request_id]

    @property
    def is_behind(self) -> bool:
        """Whether the signer is still busy with requests that were given up, behind which a new one would wait."""
        return self._newest_given_up > self._newest_answered

    def give_up(self, request_id: int) -> None:
        """Note that nobody waits for this request any longer, although the signer may still work on it."""
        self._newest_given_up = max(self._newest_given_up, request_id)

    def end_if_silent(self, seconds: float) -> None:
        """Disconnect if nothing was received for so long, so that the next request tries a new connection."""
        if asyncio.get_running_loop().time() - self._last_read >= seconds:
            self._end("it says nothing")

    async def close(self) -> None:
        self._end("this server ends")
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    async def _read(self) -> None:
        reason = "it hung up"
        try:
            while line := await self._reader.readline():
                self._last_read = asyncio.get_running_loop().time()
                answer = _read_answer(line)
                if answer.id is None:
                    continue
                self._newest_answered = max(self._newest_answered, answer.id)
                future = self._answers.get(answer.id)
                if future is not None and not future.done():  # the request may have been cancelled
                    future.set_result(answer)
        except (OSError, ValueError, RecursionError) as error:  # not an answer, or an overlong line
            reason = f"it says what cannot be read: {error}"
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._writer.transport.abort()
        if self._answers:
            _log.warning("the outside signer was lost", reason=reason, unanswered=len(self._answers))
        for future in self._answers.values():
            if not future.done():
                future.set_result(None)
