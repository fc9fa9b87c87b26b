"""The master key: encrypts private keys at rest and derives the server's other secrets.

An envelope is::

    version (1 byte: 0x01) | key id (8 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag

The cipher's key is derived from the master key (HKDF-SHA256, RFC 5869), never the master key itself, so that
each purpose has its own. The key id is a truncated HMAC: it tells the wrong master key from damaged data, and
nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lapel.errors import LapelError

__all__ = ["ISSUE_KEYS", "RECIPIENT_LOOK_UP", "InvalidMasterKey", "MasterKey", "UnreadableEnvelope", "WrongMasterKey"]

RECIPIENT_LOOK_UP: Final = b"recipient look-up"
"""The purpose of the secret by which recipients are found again."""

ISSUE_KEYS: Final = b"issue keys"
"""The purpose of the secret by which it is known what was issued, or done, already."""

_VERSION: Final = b"\x01"
_ID_LENGTH: Final = 8
_NONCE_LENGTH: Final = 12
_HEADER_LENGTH: Final = len(_VERSION) + _ID_LENGTH
_TAG_LENGTH: Final = 16
# Our own purposes and the callers' can never meet: their HKDF info begins differently.
_OWN: Final = b"lapel/master-key/1/"
_CALLERS: Final = b"lapel/derived/1/"


class InvalidMasterKey(LapelError):
    """The master key is not 32 bytes written as hexadecimal or base64."""

    code = "invalid_master_key"
    hint = "`openssl rand -hex 32` makes one, for LAPEL_MASTER_KEY or for the file of LAPEL_MASTER_KEY_FILE."


class WrongMasterKey(LapelError):
    """This was encrypted under another master key."""

    code = "wrong_master_key"
    hint = "Start the server with the master key that this database was made with."


class UnreadableEnvelope(LapelError):
    """An encrypted private key is damaged or belongs to another record."""

    code = "unreadable_envelope"
    hint = "Restore the record from a backup."


class MasterKey:
    """32 secret bytes, and what is done with them. Neither `repr` nor any error shows them.

    Example:
        >>> key = MasterKey.generate()
        >>> key.unwrap(key.wrap(b"secret", associated_data=b"key 7"), associated_data=b"key 7")
        b'secret'
    """

    __slots__ = ("_cipher", "_header", "_kept", "_secret")

    def __init__(self, secret: bytes) -> None:
        """Take 32 random bytes.

        Raises:
            InvalidMasterKey: another length, or one byte repeated, which is a placeholder and no key.
        """
        if len(secret) != 32:
            raise InvalidMasterKey(f"A master key has 32 bytes, not {len(secret)}.")
        if len(set(secret)) == 1:
            raise InvalidMasterKey("This master key repeats one byte; it must be random.")
        self._secret = secret
        self._kept: dict[bytes, bytes] = {}
        self._cipher = AESGCM(self._expand(_OWN + b"wrap"))
        self._header = _VERSION + hmac.digest(self._expand(_OWN + b"key id"), _VERSION, "sha256")[:_ID_LENGTH]

    def __repr__(self) -> str:
        return "MasterKey(…)"

    @classmethod
    def generate(cls) -> MasterKey:
        """A new one, from the operating system's random source."""
        return cls(os.urandom(32))

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Read 64 hexadecimal digits, or base64 or base64url, padded or not; white space around is ignored.

        Raises:
            InvalidMasterKey: it is none of them, or not of 32 bytes.
        """
        text = text.strip()
        if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
            return cls(bytes.fromhex(text))
        if not text:
            raise InvalidMasterKey("The master key is empty.")
        try:
            standard = text.translate(str.maketrans("-_", "+/")).rstrip("=")
            secret = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        except (binascii.Error, ValueError):  # no cause: its message may quote the secret
            raise InvalidMasterKey from None
        return cls(secret)

    def to_text(self) -> str:
        """The key as 64 hexadecimal digits, to be written to a file of mode 0600 and nowhere else."""
        return self._secret.hex()

    def wrap(self, private_key: bytes, *, associated_data: bytes) -> bytes:
        """Encrypt.

        Args:
            private_key: what to keep secret.
            associated_data: names the record it belongs to; in another record the envelope does not open.
        """
        nonce = os.urandom(_NONCE_LENGTH)
        return self._header + nonce + self._cipher.encrypt(nonce, private_key, self._header + associated_data)

    def unwrap(self, envelope: bytes, *, associated_data: bytes) -> bytes:
        """What `wrap` was given.

        Raises:
            WrongMasterKey: another master key made the envelope.
            UnreadableEnvelope: it is no envelope, or was changed, or belongs to another record.
        """
        if envelope[:1] != _VERSION or len(envelope) < _HEADER_LENGTH + _NONCE_LENGTH + _TAG_LENGTH:
            raise UnreadableEnvelope("This is not an encrypted private key of a version that is known here.")
        if not hmac.compare_digest(envelope[:_HEADER_LENGTH], self._header):
            raise WrongMasterKey
        nonce, sealed = envelope[_HEADER_LENGTH:][:_NONCE_LENGTH], envelope[_HEADER_LENGTH + _NONCE_LENGTH :]
        try:
            return self._cipher.decrypt(nonce, sealed, self._header + associated_data)
        except InvalidTag as error:
            raise UnreadableEnvelope from error

    def check_value(self) -> bytes:
        """32 bytes that only this master key gives and that do not reveal it, to be kept for `check`."""
        return self._expand(_OWN + b"check value")

    def check(self, check_value: bytes) -> None:
        """Hold this key against a kept `check_value`.

        Raises:
            WrongMasterKey: it is another key's.
        """
        if not hmac.compare_digest(check_value, self.check_value()):
            raise WrongMasterKey("This database was made with another master key.")

    def derive(self, purpose: bytes) -> bytes:
        """32 secret bytes for `purpose`: always the same, unrelated to those of any other purpose."""
        secret = self._kept.get(purpose)
        if secret is None:  # once: every credential that is issued for a row of a list needs it
            secret = self._kept[purpose] = self._expand(_CALLERS + purpose)
        return secret

    def keep(self, purpose: bytes, secret: bytes) -> None:
        """Let `derive` go on giving what an earlier master key gave for that purpose."""
        self._kept[purpose] = secret

    def _expand(self, info: bytes) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(self._secret)
