"""The master key: encrypts private keys at rest and derives the server's other secrets.

An envelope is::

    version (1 byte: 0x01) | key id (8 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag

The cipher's key is derived from the master key (HKDF-SHA256, RFC 5869), as is a separate key for every other purpose.
The key id is a truncated HMAC, which distinguishes a wrong master key from damaged data and reveals nothing else.
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
"""The purpose of the secret for hashes by which a recipient's credentials are found."""

ISSUE_KEYS: Final = b"issue keys"
"""The purpose of the secret for issue keys and idempotency keys, which prevent doing the same thing twice."""

_VERSION: Final = b"\x01"
_ID_LENGTH: Final = 8
_NONCE_LENGTH: Final = 12
_HEADER_LENGTH: Final = len(_VERSION) + _ID_LENGTH
_TAG_LENGTH: Final = 16
# Different prefixes of the HKDF info, so that internal purposes never coincide with those of callers.
_INTERNAL: Final = b"lapel/master-key/1/"
_DERIVED: Final = b"lapel/derived/1/"


class InvalidMasterKey(LapelError):
    """The master key is not 32 bytes written as hexadecimal or base64."""

    code = "invalid_master_key"
    hint = "`openssl rand -hex 32` makes one, for LAPEL_MASTER_KEY or for the file of LAPEL_MASTER_KEY_FILE."


class WrongMasterKey(LapelError):
    """This was encrypted under another master key."""

    code = "wrong_master_key"
    hint = (
        "Use the master key that this database was made with, or that it was rotated to."
        " If `lapel keys rotate-master --new-file FILE` was interrupted, that key may be in FILE.next."
    )


class UnreadableEnvelope(LapelError):
    """An encrypted private key is damaged or belongs to another record."""

    code = "unreadable_envelope"
    hint = "Restore the record from a backup."


class MasterKey:
    """A master key of 32 secret bytes, which neither `repr` nor any error shows.

    Example:
        >>> key = MasterKey.generate()
        >>> key.unwrap(key.wrap(b"secret", associated_data=b"key 7"), associated_data=b"key 7")
        b'secret'
    """

    __slots__ = ("_cipher", "_derived", "_header", "_secret")

    def __init__(self, secret: bytes) -> None:
        """Create a master key from 32 random bytes.

        Raises:
            InvalidMasterKey: another length, or one byte repeated, which is a placeholder.
        """
        if len(secret) != 32:
            raise InvalidMasterKey(f"A master key has 32 bytes, not {len(secret)}.")
        if len(set(secret)) == 1:
            raise InvalidMasterKey("This master key repeats one byte; it must be random.")
        self._secret = secret
        self._derived: dict[bytes, bytes] = {}
        self._cipher = AESGCM(self._expand(_INTERNAL + b"wrap"))
        self._header = _VERSION + hmac.digest(self._expand(_INTERNAL + b"key id"), _VERSION, "sha256")[:_ID_LENGTH]

    def __repr__(self) -> str:
        return "MasterKey(…)"

    @classmethod
    def generate(cls) -> MasterKey:
        """Generate a master key from the operating system's random source."""
        return cls(os.urandom(32))

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Parse 64 hexadecimal digits, or base64 or base64url, padded or not; surrounding white space is ignored.

        Raises:
            InvalidMasterKey: another format, or not 32 bytes.
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
        """Return the key as 64 hexadecimal digits, to be written to a file of mode 0600 and nowhere else."""
        return self._secret.hex()

    def wrap(self, private_key: bytes, *, associated_data: bytes) -> bytes:
        """Encrypt a private key.

        Args:
            associated_data: identifies the record; the envelope cannot be decrypted as part of another record.
        """
        nonce = os.urandom(_NONCE_LENGTH)
        return self._header + nonce + self._cipher.encrypt(nonce, private_key, self._header + associated_data)

    def unwrap(self, envelope: bytes, *, associated_data: bytes) -> bytes:
        """Decrypt an envelope from `wrap`.

        Raises:
            WrongMasterKey: the envelope was encrypted under another master key.
            UnreadableEnvelope: it is not an envelope, was modified, or belongs to another record.
        """
        if envelope[:1] != _VERSION or len(envelope) < _HEADER_LENGTH + _NONCE_LENGTH + _TAG_LENGTH:
            raise UnreadableEnvelope("This is not an encrypted private key of a version that is known here.")
        if not hmac.compare_digest(envelope[:_HEADER_LENGTH], self._header):
            raise WrongMasterKey
        nonce, ciphertext = envelope[_HEADER_LENGTH:][:_NONCE_LENGTH], envelope[_HEADER_LENGTH + _NONCE_LENGTH :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, self._header + associated_data)
        except InvalidTag as error:
            raise UnreadableEnvelope from error

    def check_value(self) -> bytes:
        """Return 32 bytes that identify this master key without revealing it, to be stored for `check`."""
        return self._expand(_INTERNAL + b"check value")

    def check(self, check_value: bytes) -> None:
        """Compare this key with a stored `check_value`.

        Raises:
            WrongMasterKey: the value is that of another key.
        """
        if not hmac.compare_digest(check_value, self.check_value()):
            raise WrongMasterKey("This database was made with another master key.")

    def derive(self, purpose: bytes) -> bytes:
        """Return the 32 secret bytes for `purpose`, which are independent of those for any other purpose."""
        secret = self._derived.get(purpose)
        if secret is None:  # cached, because every credential that is issued for a row of a list needs it
            secret = self._derived[purpose] = self._expand(_DERIVED + purpose)
        return secret

    def digest(self, message: bytes, *, purpose: bytes) -> bytes:
        """Return the HMAC-SHA256 of the message under the secret for `purpose`: only this server can compute it."""
        return hmac.digest(self.derive(purpose), message, "sha256")

    def keep(self, purpose: bytes, secret: bytes) -> None:
        """Have `derive` return `secret`, which an earlier master key derived for that purpose."""
        self._derived[purpose] = secret

    def _expand(self, info: bytes) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(self._secret)
