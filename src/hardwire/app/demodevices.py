# SPDX-License-Identifier: Apache-2.0
"""Devices for `hardwire demo`: each is made for the demo, counts what it signs, and goes with it.

* ``softhsm``: a token in a directory; proves nothing.
* ``tpm``: swtpm. To prove itself it is manufactured with a maker's certificates, and the demo plays the authority that
  enrols it (MakeCredential, ActivateCredential), as an organisation would.
* ``piv``: a virtual YubiKey out of its box, in a smart-card service of its own, in a network namespace of its own. Part
  of the checkout, not of the installed package.

None of them is hardware. The first two say so themselves; the card does not, and its maker's name does.
"""

import datetime as dt
import importlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import hwkeys
from hardwire.app.attestation import FOLDERS
from hardwire.app.entropy import utc_now
from hardwire.certs import BlobType
from hardwire.errors import DeviceFailed, TokenMissing, UsageError
from hwkeys.evidence import load_roots, make_credential, read_attestation_key, verify_endorsement
from hwkeys.evidence.maker import general_name
from hwkeys.evidence.tpm import ATTESTATION_PURPOSE
from hwkeys.software import SoftHsmToken, SoftTpm

KINDS: Final = ("softhsm", "tpm", "piv")
DEFAULT: Final = ("softhsm", "tpm")
_TIMEOUT: Final = 60.0
_DAY: Final = dt.timedelta(days=1)
_SETUP: Final = ("--tpm2", "--create-ek-cert", "--create-platform-cert", "--ecc", "--lock-nvram", "--overwrite")
_SECRET: Final = 32
_VIRTUAL: Final = "it is a VIRTUAL card: its keys are software, its maker was invented for this demo"


@dataclass(frozen=True, slots=True)
class DemoDevice:
    """One side's device.

    Attributes:
        name: What counted its signatures, in words.
        environment: With which a program finds this device and no other.
        init: What follows ``hardwire init``.
        signatures: How many the device has made.
        remark: What a person should know of it, in words; empty when it says so itself.
        root: The folder below ``attestation`` and the PEM file that lets the other side believe it; None without proof.
        enrol: What has to be done with the new key before ``init --renew`` can prove it; None when nothing.
    """

    name: str
    environment: Mapping[str, str]
    init: tuple[str, ...]
    signatures: Callable[[], int]
    remark: str = ""
    root: tuple[str, bytes] | None = None
    enrol: Callable[[str], None] | None = field(default=None, repr=False)


def parse_devices(text: str) -> tuple[str, str]:
    """``piv,tpm``: two kinds, one a side.

    Raises:
        UsageError: Anything else.
    """
    found = tuple(word.strip() for word in text.split(","))
    if len(found) != 2 or not set(found) <= set(KINDS):  # noqa: PLR2004 (one a side)
        raise UsageError(
            f"--devices {text}: two kinds of device are wanted", hint=f"any two of {', '.join(KINDS)}, with a comma"
        )
    return found[0], found[1]


@contextmanager
def device(kind: str, place: Path, pin: Path, *, proves: bool) -> Iterator[DemoDevice]:
    """Make one of a kind; it is gone when the block ends.

    Args:
        kind: One of ``KINDS``.
        place: Private, existing, short: names of sockets are in it.
        pin: A file with the PIN for it.
        proves: Whether it shall be able to prove itself.
    """
    if kind == "softhsm":
        yield _softhsm(place, pin)
    elif kind == "tpm":
        with _tpm(place, pin, proves=proves) as made:
            yield made
    else:
        with _piv(place, pin) as made:
            yield made


def _softhsm(place: Path, pin: Path) -> DemoDevice:
    try:
        token = SoftHsmToken.create(place, "demo", pin.read_text(), spy=True)
    except hwkeys.ModuleMissing:
        token = SoftHsmToken.create(place, "demo", pin.read_text())
    init = ("--device", token.uri, "--pin-source", str(pin))
    return DemoDevice("SoftHSM", {**token.environment, "HARDWIRE_TCTI": "none"}, init, token.signatures)


@contextmanager
def _tpm(place: Path, pin: Path, *, proves: bool) -> Iterator[DemoDevice]:
    makers = _manufacture(place) if proves else ()
    with SoftTpm(place) as tpm:
        init = ("--device", f"tpm:?tcti={tpm.tcti}", "--pin-source", str(pin))
        environment = {**os.environ, "HARDWIRE_TCTI": tpm.tcti}
        if not proves:
            yield DemoDevice("swtpm", environment, init, tpm.signatures)
            return
        authority = EnrolmentAuthority.new(makers)
        root = FOLDERS[BlobType.TPM], authority.certificate.public_bytes(Encoding.PEM)
        yield DemoDevice("swtpm", environment, init, tpm.signatures, root=root, enrol=authority.enrol)


@contextmanager
def _piv(place: Path, pin: Path) -> Iterator[DemoDevice]:
    try:
        virtual: Any = importlib.import_module("virtualpiv")
    except ImportError:
        raise TokenMissing(
            "the virtual YubiKey is not part of an installed hardwire",
            hint="in a checkout: bash hsm/up.sh demo --devices piv,tpm",
        ) from None
    puk = place / "puk"
    puk.touch(mode=0o600)
    puk.write_text(secrets.token_hex(4))
    try:
        with virtual.Service(place) as service:
            card = virtual.VirtualPiv(service, serial=10_000_000 + secrets.randbelow(90_000_000))
            card.insert()
            init = ("--device", str(card.serial), "--pin-source", str(pin), "--puk-source", str(puk))
            environment = {**os.environ, **service.environment, "HARDWIRE_TCTI": "none"}
            root = FOLDERS[BlobType.PIV], card.root().encode()
            yield DemoDevice("the virtual YubiKey", environment, init, lambda: card.used("9a"), _VIRTUAL, root)
    except (virtual.ServiceFailed, OSError) as problem:
        raise DeviceFailed(
            f"the virtual YubiKey does not start: {problem}",
            hint="bash hsm/up.sh demo --devices piv,tpm installs what it needs; it wants root, or user namespaces",
        ) from None


def _manufacture(place: Path) -> tuple[x509.Certificate, ...]:
    """Give the TPM's state endorsement keys and certificates; the maker's authorities, the root last."""
    state, maker = place / "state", place / "maker"
    for directory in (state, maker):
        directory.mkdir()
    (place / "ca.conf").write_text(
        f"statedir = {maker}\nsigningkey = {maker}/key.pem\nissuercert = {maker}/issuercert.pem\n"
        f"certserial = {maker}/serial\n"
    )
    (place / "ca.options").write_text(
        "--platform-manufacturer hardwire\n--platform-version 1\n--platform-model software\n"
    )
    tool = _tool("swtpm_localca", "swtpm-tools")
    (place / "setup.conf").write_text(
        f"create_certs_tool = {tool}\ncreate_certs_tool_config = {place}/ca.conf\n"
        f"create_certs_tool_options = {place}/ca.options\nactive_pcr_banks = sha256\n"
    )
    command = [_tool("swtpm_setup", "swtpm-tools"), "--tpmstate", str(state)]
    run = subprocess.run(  # noqa: S603 (a fixed program, fixed words)
        [*command, "--config", str(place / "setup.conf"), *_SETUP],
        capture_output=True, text=True, timeout=_TIMEOUT, check=False,
    )  # fmt: skip
    if run.returncode:
        raise DeviceFailed(f"swtpm_setup failed: {(run.stdout + run.stderr).strip()[-200:]}")
    return tuple(
        certificate
        for name in ("issuercert.pem", "swtpm-localca-rootca-cert.pem")
        for certificate in load_roots((maker / name).read_bytes())
    )


@dataclass(frozen=True, slots=True)
class EnrolmentAuthority:
    """Whoever says that a TPM is one: made for one demo, with the makers it believes.

    Attributes:
        certificate: Its root.
        makers: The TPM maker's authorities, the root last.
    """

    certificate: x509.Certificate
    makers: tuple[x509.Certificate, ...]
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def new(cls, makers: tuple[x509.Certificate, ...]) -> "EnrolmentAuthority":
        """One for a day."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("hardwire demo enrolment")
        builder = _builder(name, name, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(builder.sign(key, hashes.SHA256()), makers, key)

    def enrol(self, key_uri: str) -> None:
        """Both sides of an enrolment, in the order of messages between them; the device keeps the certificate.

        Raises:
            DeviceFailed: The TPM gave back another secret than it was sent.
            HwKeyError: Anything the TPM can fail with, or be refused for.
        """
        with hwkeys.open_key(key_uri) as key:
            device = hwkeys.capability(key, hwkeys.Enrollable)
            # The device: which TPM it says it is, and the key that will attest.
            endorsement, public = device.endorsements()[0], device.attestation_public()
            # The authority: is it one, and is that key in it?
            chain = (endorsement, self.makers[0].public_bytes(Encoding.DER))
            known = verify_endorsement(chain, roots=self.makers[-1:], at=utc_now() + _DAY / 2)
            secret = secrets.token_bytes(_SECRET)
            challenge = make_credential(known.certificate, public, secret)
            # The device answers, the authority compares and certifies.
            if not secrets.compare_digest(device.activate(endorsement, challenge), secret):
                raise DeviceFailed("the TPM does not hold the key that it showed", code="enrolment")
            certified = _builder(
                _name("TPM attestation key"), self.certificate.subject, read_attestation_key(public).public_key()
            )
            certified = certified.add_extension(x509.ExtendedKeyUsage([ATTESTATION_PURPOSE]), critical=False)
            if known.maker is not None:
                names = x509.SubjectAlternativeName([general_name(known.maker)])
                certified = certified.add_extension(names, critical=True)
            issued = certified.sign(self._key, hashes.SHA256())
            device.keep_certificates([issued.public_bytes(Encoding.DER)])


def _tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise TokenMissing(f"{name} is not installed", hint=f"sudo apt-get install {package}")
    return found


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = utc_now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
