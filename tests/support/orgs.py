# SPDX-License-Identifier: Apache-2.0
"""An organisation in memory: its authority, its devices, its lists. No pytest here."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.identity import Identity, make_identity
from hardwire.app.organisations import Organisation
from hardwire.app.pem import CERTIFICATE, CRL, to_pem
from hardwire.certs import (
    Assurance,
    GatedCertificate,
    Grant,
    Level,
    Period,
    Revocation,
    TrustAnchor,
    issue_device,
    make_authority,
    make_crl,
    make_request,
    open_gate,
    parse_name,
    read_request,
    trust_anchor,
)

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Org:
    """Called ``name``; issues with a key in memory."""

    name: str = "ACME"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    serials: int = 0x1000

    def __post_init__(self) -> None:
        period = Period(now() - 400 * DAY, now() + 3000 * DAY)
        self.der = make_authority(self.key, organisation=self.name, serial=1, period=period)
        self.gated: GatedCertificate = open_gate(self.der)

    @property
    def anchor(self) -> TrustAnchor:
        return trust_anchor(self.der)

    @property
    def pem(self) -> str:
        return to_pem(CERTIFICATE, self.der)

    def trusted(self, **changes) -> Organisation:
        return Organisation((self.anchor,), **changes)

    def issue(
        self,
        key: ec.EllipticCurvePrivateKey,
        *names: str,
        level: Level | None = None,
        begins: timedelta = -DAY,
        ends: timedelta = 30 * DAY,
    ) -> GatedCertificate:
        """A device's certificate, good from ``begins`` to ``ends`` from now."""
        self.serials += 1
        grant = Grant(self.serials, Period(now() + begins, now() + ends), tuple(map(parse_name, names)), level)
        return open_gate(issue_device(read_request(make_request(key)), grant, authority=self.gated, key=self.key))

    def crl(
        self, *revoked: GatedCertificate, number: int = 1, age: timedelta = DAY, life: timedelta = 30 * DAY
    ) -> bytes:
        """The list, made ``age`` ago."""
        begin = now() - age
        rows = [Revocation(one.serial, begin) for one in revoked]
        return make_crl(rows, number=number, period=Period(begin, begin + life), authority=self.gated, key=self.key)

    def crl_pem(self, *revoked: GatedCertificate, **options) -> str:
        return to_pem(CRL, self.crl(*revoked, **options))


def identity_of(key: ec.EllipticCurvePrivateKey, home: Path) -> Identity:
    """An identity whose key is in memory."""
    return make_identity(key, key_uri="pkcs11:token=me", device="me", assurance=Assurance.SOFTWARE_TOKEN, home=home)
