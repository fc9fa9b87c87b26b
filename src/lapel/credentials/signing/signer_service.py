"""A signer: a process that stores private keys in a folder and signs for every process that may open its socket.

It never discloses a private key. It is the reference for programs in front of a KMS or an HSM (docs/signing-keys.md).
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.credentials.key_storage.key_files import private_pem, read_key
from lapel.credentials.key_storage.secret_file import write_secret
from lapel.credentials.keys import LocalSigner
from lapel.credentials.signing.outside_signer import MAX_LINE_BYTES, SignerAnswer, SignerRequest, key_name
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import Conflict, InvalidInput, LapelError, NotFound

__all__ = ["KeyFolder", "SignerAlreadyRunning", "serving_signer"]

_MAX_KEYS: Final = 10_000
_read_request = msgspec.json.Decoder(SignerRequest).decode


class SignerAlreadyRunning(Conflict):
    """Another signer listens on this socket already."""

    code = "signer_is_there"


class KeyFolder:
    """Private keys, each in a PEM file of mode 0600. The folder is read at the start only.

    Args:
        passphrase: encrypts new files and decrypts existing ones; None to store keys unencrypted.

    Raises:
        WrongPassphrase: it does not decrypt one of the files.
        InvalidKey: a ``.pem`` file contains no private key.
    """

    def __init__(self, folder: Path, *, passphrase: bytes | None) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._signers: dict[str, LocalSigner] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in sorted(folder.glob("*.pem")):
            key_file = read_key(file.read_bytes(), passphrase=passphrase)
            if key_file.private_key is None:
                raise keys.InvalidKey(f"{file} holds no private key.")
            self._signers[key_name(key_file.public_key)] = LocalSigner(key_file.private_key)

    def __len__(self) -> int:
        return len(self._signers)

    def create(self, algorithm: KeyAlgorithm) -> dict[str, str]:
        """Generate a key, store it durably and return its public JWK.

        Raises:
            Conflict: there are too many keys.
            OSError: the file cannot be written.
        """
        if len(self._signers) >= _MAX_KEYS:
            raise Conflict(f"There are {_MAX_KEYS:,} keys already.")
        pair = keys.generate(algorithm)
        name = key_name(pair.public_key)
        write_secret(self._folder / f"{name}.pem", private_pem(pair.private_key, passphrase=self._passphrase))
        self._signers[name] = LocalSigner(pair.private_key)
        return {member: str(value) for member, value in keys.jwk(pair.public_key, kid=name).items()}

    def find(self, name: str) -> LocalSigner:
        """Return the signer for the key of that name. Raises NotFound."""
        if (signer := self._signers.get(name)) is None:
            raise NotFound("This key is not held here.")
        return signer


@asynccontextmanager
async def serving_signer(folder: KeyFolder, path: Path, *, for_group: bool = False) -> AsyncIterator[None]:
    """Serve signing requests until the block ends.

    Args:
        path: the socket, which only its owner may open, or also its group if `for_group`.

    Raises:
        SignerAlreadyRunning: another process listens there.
        OSError: listening there is not possible.
    """
    _remove_stale_socket(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        umask = os.umask(0o117 if for_group else 0o177)  # set before binding, so that nobody else can ever connect
        try:
            listening.bind(str(path))
        finally:
            os.umask(umask)
        connections: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await _handle(folder, reader, writer)
            except (OSError, ValueError, asyncio.CancelledError):  # disconnected, an overlong line, or shutdown
                pass
            finally:
                connections.discard(task)
                writer.transport.abort()

        server = await asyncio.start_unix_server(handle, sock=listening, limit=MAX_LINE_BYTES)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - the process ends
            for task in list(connections):
                task.cancel()
            if connections:
                await asyncio.wait(connections)


def _remove_stale_socket(path: Path) -> None:
    """Remove the socket of a signer that no longer runs."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(f"{path} is there, and is no socket")
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink()
        return
    raise SignerAlreadyRunning(f"Another signer listens on {path} already.")


async def _handle(folder: KeyFolder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        try:
            request = _read_request(line)
        except msgspec.DecodeError as error:
            answer = SignerAnswer(None, error="bad_request", detail=str(error))
        else:
            try:
                answer = await _answer(folder, request)
            except LapelError as error:
                answer = SignerAnswer(request.id, error=error.code, detail=error.detail)
            except OSError as error:
                answer = SignerAnswer(request.id, error="cannot_store", detail=error.strerror)
        writer.write(msgspec.json.encode(answer) + b"\n")
        await writer.drain()


async def _answer(folder: KeyFolder, request: SignerRequest) -> SignerAnswer:
    match request.op:
        case "sign":
            signer, data = folder.find(request.key or ""), base64url.decode(request.data or "")
            if signer.algorithm is KeyAlgorithm.RSA:  # takes milliseconds
                signature = await asyncio.to_thread(signer.sign, data)
            else:
                signature = signer.sign(data)
            return SignerAnswer(request.id, signature=base64url.encode(signature))
        case "create":
            if request.algorithm not in list(KeyAlgorithm):
                raise InvalidInput("`algorithm` is Ed25519, P-256 or RSA.")
            jwk = await asyncio.to_thread(folder.create, KeyAlgorithm(request.algorithm))
            return SignerAnswer(request.id, jwk=jwk)
    raise InvalidInput("`op` is sign or create.")
