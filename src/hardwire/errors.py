# SPDX-License-Identifier: Apache-2.0
"""Every failure hardwire knows, on one screen.

::

    HardwireError                    code · hint · exit_code · evidence
    ├── LocalError                   this side: asked for what cannot be, or its machine failed
    │   ├── Misuse                   a caller broke a machine's contract (a bug, never the peer's doing)
    │   ├── UsageError            2  wrong words on the command line
    │   ├── InviteRefused         2  a code that cannot be used, and why
    │   ├── NoIdentity           10  `hardwire init` has not been run here
    │   ├── TokenMissing         10  the device is not there, or was pulled
    │   ├── DeviceFailed         10  the device is there and would not do it
    │   ├── PinWrong             11
    │   ├── PinLocked            12
    │   ├── NetworkFailed        30  no path, or the path broke
    │   │   └── ConnectionLost   30  the line ended without a close frame: it may have been cut
    │   ├── LineTimeout          31  somebody or something took too long
    │   └── TransferIncomplete   40  a file did not arrive whole; nothing under its final name
    └── PeerError                    the peer misbehaved, or is not who it should be
        ├── WireError            20  octets that no honest peer sends
        ├── CertificateRefused   20  (50 when expired or revoked) one numbered check said no
        ├── HandshakeRefused     20  a check of protocol.md §11 failed
        ├── RecordRefused        20  a frame that was forged, repeated, reordered or mis-padded
        ├── PeerNotVerified      20  the person or the policy did not accept the peer
        └── IdentityChanged      21  another key than the one that was expected

Two families, translated at the single entry for peer octets. The peer is told nothing but that the line
closed; the person gets the whole story and a hint. ``code`` is a stable name for programs.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class HardwireError(Exception):
    """Root of the tree.

    Args:
        message: One sentence, lower case, without a final full stop: what happened.
        hint: What to do next; defaults to the class's own.
        code: A finer stable name than the class's, kebab-case.
        exit_code: The process exit code, when this instance differs from its class.
        evidence: Named facts for the person's log (times, serials, offsets). Never secrets.
    """

    default_code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = ""
    default_exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        exit_code: int | None = None,
        evidence: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.code = self.default_code if code is None else code
        self.exit_code = self.default_exit_code if exit_code is None else exit_code
        self.evidence: Mapping[str, str] = MappingProxyType(dict(evidence or {}))


class LocalError(HardwireError):
    """This side's doing: a person, a machine or a caller here."""

    default_code = "local"


class PeerError(HardwireError):
    """The peer's doing. Its text stays here; the peer only sees the line close."""

    default_code = "peer"
    default_exit_code = 20
    default_hint = "make a new invite; if it happens again, check that you talk to whom you think"


class Misuse(LocalError):
    """A machine's verb was called in a state that does not allow it."""

    default_code = "misuse"
    default_hint = "this is a bug in hardwire: please report it"


class UsageError(LocalError):
    """Wrong words on the command line."""

    default_code = "usage"
    default_exit_code = 2


class InviteRefused(LocalError):
    """A code that cannot be used: mistyped, expired, used, or of another offer."""

    default_code = "invite"
    default_exit_code = 2
    default_hint = "ask for a new code"


class NoIdentity(LocalError):
    """There is no identity on this machine yet."""

    default_code = "no-identity"
    default_exit_code = 10
    default_hint = "run `hardwire init`"


class TokenMissing(LocalError):
    """The device that holds the key is not there, or was pulled."""

    default_code = "token-missing"
    default_exit_code = 10
    default_hint = "insert it and try again; `hardwire token list` shows what is there"


class DeviceFailed(LocalError):
    """The device is there and would not do what was asked."""

    default_code = "device-failed"
    default_exit_code = 10
    default_hint = "`hardwire doctor` looks for the cause"


class PinWrong(LocalError):
    """The device refused the PIN."""

    default_code = "pin-wrong"
    default_exit_code = 11
    default_hint = "`hardwire token list` shows how many tries are left"


class PinLocked(LocalError):
    """The device takes no PIN any more."""

    default_code = "pin-locked"
    default_exit_code = 12
    default_hint = "unlock it with its PUK or SO-PIN, or wait out the TPM's lock-out"


class NetworkFailed(LocalError):
    """No path to the peer."""

    default_code = "network"
    default_exit_code = 30
    default_hint = "`hardwire doctor` shows the addresses offered; behind two NATs add --stun or --turn"


class ConnectionLost(NetworkFailed):
    """The line ended without a close frame."""

    default_code = "connection-lost"
    default_hint = "what arrived before is genuine, but there may have been more; open a new line"


class LineTimeout(LocalError):
    """Somebody or something took longer than the protocol allows."""

    default_code = "timeout"
    default_exit_code = 31
    default_hint = "make a new invite and try again"


class TransferIncomplete(LocalError):
    """A file did not arrive whole; nothing was written under its final name."""

    default_code = "transfer-incomplete"
    default_exit_code = 40
    default_hint = "send it again"


class WireError(PeerError):
    """Octets that no honest peer sends: wrong length, value, order or trailing bytes."""

    default_code = "malformed"


class CertificateRefused(PeerError):
    """One of the numbered checks of the certificate said no; ``code`` names it."""

    default_code = "certificate"


class HandshakeRefused(PeerError):
    """A check of docs/protocol.md on M1 to M4 failed; ``code`` names it."""

    default_code = "handshake"


class RecordRefused(PeerError):
    """A frame that was forged, repeated, reordered, or padded otherwise than the rules say."""

    default_code = "record"


class PeerNotVerified(PeerError):
    """The person or the policy did not accept the peer."""

    default_code = "peer-not-verified"


class IdentityChanged(PeerError):
    """The peer's key is another one than expected."""

    default_code = "identity-changed"
    default_exit_code = 21
    default_hint = "stop, and ask your peer over another medium whether they have a new device"
