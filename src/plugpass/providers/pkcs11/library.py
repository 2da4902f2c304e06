"""The PKCS#11 library of a token's maker, loaded once a process, and what its errors mean for us.

A library has one state a process: whoever initialises it anew ends everybody's sessions. All calls therefore go
through one lock, and sessions that ended that way are opened again by their `Token`.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from plugpass.errors import ConfigurationError

try:
    import pkcs11
except ImportError as error:
    raise ConfigurationError(
        f"keys in tokens need the package python-pkcs11 ({error}): install plugpass with the extra 'hsm'"
    ) from error

#: The token is there and says no: asking again would not help, and with a PIN it would lock the token.
REFUSALS = (
    pkcs11.exceptions.ArgumentsBad,
    pkcs11.exceptions.AttributeReadOnly,
    pkcs11.exceptions.AttributeSensitive,
    pkcs11.exceptions.AttributeTypeInvalid,
    pkcs11.exceptions.AttributeValueInvalid,
    pkcs11.exceptions.DataInvalid,
    pkcs11.exceptions.DataLenRange,
    pkcs11.exceptions.DeviceMemory,
    pkcs11.exceptions.DomainParamsInvalid,
    pkcs11.exceptions.FunctionNotSupported,
    pkcs11.exceptions.FunctionRejected,
    pkcs11.exceptions.KeySizeRange,
    pkcs11.exceptions.KeyTypeInconsistent,
    pkcs11.exceptions.MechanismInvalid,
    pkcs11.exceptions.MechanismParamInvalid,
    pkcs11.exceptions.PublicKeyInvalid,
    pkcs11.exceptions.TemplateIncomplete,
    pkcs11.exceptions.TemplateInconsistent,
    pkcs11.exceptions.TokenWriteProtected,
)

_REFUSED_LOGINS: dict[type[Exception], str] = {
    pkcs11.exceptions.PinIncorrect: "the PIN is wrong; it is not tried again, too many wrong ones lock a token",
    pkcs11.exceptions.PinLenRange: "the PIN is of a length that the token does not take",
    pkcs11.exceptions.PinInvalid: "the PIN has characters that the token does not take",
    pkcs11.exceptions.PinLocked: "the PIN is locked after too many wrong ones: let its security officer reset it",
    pkcs11.exceptions.PinExpired: "the PIN has expired: change it with the token's own tool",
    pkcs11.exceptions.UserPinNotInitialized: "the token has no user PIN yet: set one with the token's own tool",
}


class Library:
    """A loaded PKCS#11 library with the lock for everything that is done with it."""

    def __init__(self, path: str) -> None:
        self.lock = threading.RLock()
        self.epoch = 0  #: rises when all sessions end; a session handle of an earlier epoch may be another's by now
        self._lib = pkcs11.lib(path)

    def find(self, label: str) -> pkcs11.Token | None:
        """The token with this label, or None.

        Where it is not seen the slots are looked at afresh, which ends every session of this process with the
        library. Raises ConfigurationError where several tokens have the label: any of them could be the wrong one.
        """
        found = self._tokens(label)
        if not found:
            self.epoch += 1
            self._lib.reinitialize()
            found = self._tokens(label)
        if len(found) > 1:
            raise ConfigurationError(f"{len(found)} tokens have the label {label!r}: give each one of its own")
        return found[0] if found else None

    def _tokens(self, label: str) -> list[pkcs11.Token]:
        try:
            return list(self._lib.get_tokens(token_label=label))
        except pkcs11.PKCS11Error:  # a slot lost its token: some libraries fail here until they are initialised anew
            return []


@cache
def library(path: Path) -> Library:
    """The library at `path`. Raises ConfigurationError where it is none."""
    if not path.is_file():
        raise ConfigurationError(f"there is no PKCS#11 library at {path}: name the .so file of the token's maker")
    try:
        return Library(str(path))
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be used as a PKCS#11 library: {text_of(error)}") from error


def refused_login(error: pkcs11.PKCS11Error) -> str | None:
    """Why a login was refused for good, in words; None for any other error."""
    return _REFUSED_LOGINS.get(type(error))


def text_of(error: Exception) -> str:
    """An error in words: most PKCS#11 errors have nothing but their class's name."""
    return f"{type(error).__name__}{f': {error}' if str(error) else ''}"
