# SPDX-License-Identifier: Apache-2.0
"""Chains of an organisation with one fault each, signed again by whoever would have signed the right thing."""

from collections.abc import Iterator
from dataclasses import dataclass

from hardwire.certs.profile import DEVICE_PURPOSE
from support import certchains as org
from support.certchains import (
    AKI,
    BASIC,
    CONSTRAINTS,
    CRL_POINTS,
    DEVICE_KEY,
    ED_KEY,
    EKU,
    INFORMATION,
    INHIBIT,
    LIMITS,
    MAPPINGS,
    MIDDLE_KEY,
    POLICIES,
    ROOT_KEY,
    SAN,
    SKI,
    STRANGER_KEY,
    USAGE,
    Certificate,
    aki_of,
    basic,
    device,
    did_name,
    eku_of,
    limits_of,
    middle,
    organisation,
    policies_of,
    root,
    san_of,
    usage_bits,
    utf8_name,
)
from support.certparts import CRITICAL, ECDSA_SHA256, dates, extension, integer, oid, tlv

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
ANY_EKU = "2.5.29.37.0"
PERMANENT = tlv(0xA0, oid("1.3.6.1.5.5.7.8.3"), tlv(0xA0, tlv(0x30, tlv(0x0C, b"SN-0042"))))
MODULE = tlv(0xA0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xA0, tlv(0x30, oid("1.2.3"), tlv(0x04, b"0042"))))
MAIL, HOST = tlv(0x81, b"ann@devices.example"), tlv(0x82, b"laptop.devices.example")
DID = did_name(DEVICE_KEY)
EXPIRED = dates(end=tlv(0x17, b"260630235959Z"))
EARLY = dates(tlv(0x17, b"260701120001Z"))
POINT = tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://crl.example/1.crl")))


@dataclass(frozen=True)
class Case:
    name: str
    chain: tuple[bytes, ...]
    root: bytes
    code: str = ""
    """Of the refusal; empty when it must be accepted."""


def _case(name: str, code: str = "", *, leaf: Certificate | None = None, between: Certificate | None = None, top: Certificate | None = None) -> Case:  # fmt: skip
    chain = (leaf or device(), between or middle())
    return Case(name, tuple(one.der() for one in chain), (top or root()).der(), code)


def accepted() -> list[Case]:
    """Variations that must be accepted, so that a refusal means something."""
    return [*_accepted_devices(), *_accepted_authorities()]


def _accepted_devices() -> Iterator[Case]:
    yield _case("typical")
    yield _case("Ed25519", leaf=device(ED_KEY))
    yield _case("no basic constraints", leaf=device().with_(also={BASIC: b""}))
    yield _case("key agreement", leaf=device().with_(also={USAGE: usage_bits("03020388")}))
    yield _case("another purpose besides", leaf=device().with_(also={EKU: eku_of(CLIENT_AUTH, DEVICE_PURPOSE)}))
    yield _case("critical purpose", leaf=device().with_(also={EKU: eku_of(DEVICE_PURPOSE, critical=CRITICAL)}))
    yield _case(
        "all names, critical, no subject",
        leaf=device().with_(
            subject=tlv(0x30), also={SAN: san_of(DID, MAIL, HOST, PERMANENT, MODULE, critical=CRITICAL)}
        ),
    )
    yield _case(
        "a stranger that is not critical", leaf=device().with_(also={"1.2.3.4": extension("1.2.3.4", tlv(0x05))})
    )
    yield _case("a policy", leaf=device().with_(also={POLICIES: policies_of("1.2.3.4.5")}))
    yield _case("a critical policy", leaf=device().with_(also={POLICIES: policies_of("1.2.3.4.5", critical=CRITICAL)}))
    yield _case(
        "a CRL point", leaf=device().with_(also={CRL_POINTS: extension(CRL_POINTS, tlv(0x30, tlv(0x30, POINT)))})
    )
    yield _case(
        "a place for information",
        leaf=device().with_(
            also={
                INFORMATION: extension(
                    INFORMATION, tlv(0x30, tlv(0x30, oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, b"http://ocsp.example/")))
                )
            }
        ),
    )
    yield _case("last second", leaf=device().with_(validity=dates(end=tlv(0x17, b"260701120000Z"))))
    yield _case("first second", leaf=device().with_(validity=dates(tlv(0x17, b"260701120000Z"))))


def _accepted_authorities() -> Iterator[Case]:
    yield Case("issued by the root itself", (device(signer=ROOT_KEY, issuer=org.ROOT_NAME).der(),), root().der())
    yield _case("path length nought", between=middle().with_(also={BASIC: basic(CRITICAL, integer(0))}))
    yield _case("path length of the root", top=root().with_(also={BASIC: basic(CRITICAL, integer(1))}))
    yield _case("an authority for devices only", between=middle().with_(also={EKU: eku_of(DEVICE_PURPOSE)}))
    yield _case("an authority for anything", between=middle().with_(also={EKU: eku_of(ANY_EKU)}))
    yield _case("critical policies", between=_policed(CONSTRAINTS, tlv(0x30, tlv(0x80, b"\x05")), mid=("1.2.3",)), leaf=device().with_(also={POLICIES: policies_of("1.2.3")}))  # fmt: skip
    yield _case("no policy of one's own needed", between=_policed(INHIBIT, integer(0)))
    yield _case(
        "names inside the limits",
        between=middle().with_(
            also={LIMITS: limits_of(permitted=(tlv(0x82, b"devices.example"), tlv(0x81, b"devices.example")))}
        ),
        leaf=device().with_(also={SAN: san_of(DID, MAIL, HOST)}),
    )
    yield _case(
        "issuer and serial of the authority",
        between=middle().with_(
            also={
                AKI: extension(
                    AKI,
                    tlv(0x30, tlv(0x80, org.key_id(ROOT_KEY)), tlv(0xA1, tlv(0xA4, org.ROOT_NAME)), tlv(0x82, b"\x10")),
                )
            }
        ),
    )
    two = middle(STRANGER_KEY, MIDDLE_KEY, name=utf8_name("Second"), issuer=org.MIDDLE_NAME)
    three = device(signer=STRANGER_KEY, issuer=two.subject)
    yield Case("four certificates with the root", (three.der(), two.der(), middle().der()), root().der())


def _policed(number: str, value: bytes, *, mid: tuple[str, ...] = ()) -> Certificate:
    also = {number: extension(number, value, critical=CRITICAL)}
    return middle().with_(also=also | ({POLICIES: policies_of(*mid)} if mid else {}))


def refused() -> list[Case]:
    return [
        *_counts(),
        *_devices(),
        *_device_names(),
        *_authorities(),
        *_anchors(),
        *_times(),
        *_signatures(),
        *_paths(),
    ]


def _counts() -> Iterator[Case]:
    chain, top = org.chain()
    yield Case("nothing", (), top, "cert-chain")
    yield Case("the same authority twice", (*chain, chain[1]), top, "cert-chain")
    yield Case("with the root", (*chain, top), top, "cert-chain")
    yield Case("authority first", (chain[1], chain[0]), top, "cert-chain")
    yield Case("without the authority", (chain[0],), top, "cert-untrusted")
    yield Case("five", (*chain, *chain, chain[0]), top, "cert-chain")
    stranger = middle(STRANGER_KEY, name=utf8_name("Stranger"))
    yield Case("a surplus one", (*chain, stranger.der()), top, "cert-chain")
    yield Case("another organisation", tuple(chain), root(STRANGER_KEY, organisation("Other")).der(), "cert-untrusted")
    yield Case("another root of that name", tuple(chain), root(STRANGER_KEY).der(), "cert-untrusted")
    imposter = root(STRANGER_KEY).with_(also={SKI: extension(SKI, tlv(0x04, org.key_id(ROOT_KEY)))})
    yield Case("another root of that name and identifier", tuple(chain), imposter.der(), "cert-untrusted")
    yield Case("the root as a device", (top,), top, "cert-chain")
    anchored = middle(ROOT_KEY, name=utf8_name("Cross"))
    yield Case("an authority with the anchor's key", (device(signer=ROOT_KEY, issuer=anchored.subject).der(), anchored.der()), top, "cert-chain")  # fmt: skip
    yield _case("key identifier of another", "cert-chain", leaf=device().with_(also={AKI: aki_of(STRANGER_KEY)}))
    wrong = extension(
        AKI, tlv(0x30, tlv(0x80, org.key_id(MIDDLE_KEY)), tlv(0xA1, tlv(0xA4, org.ROOT_NAME)), tlv(0x82, b"\x21"))
    )
    yield _case("serial of another authority", "cert-chain", leaf=device().with_(also={AKI: wrong}))
    yield Case("octets that are none", (b"\x30\x00", chain[1]), top, "cert-shape")


def _devices() -> Iterator[Case]:
    yield _case("no key usage", "cert-profile-extension", leaf=device().with_(also={USAGE: b""}))
    yield _case("key usage not critical", "cert-profile-extension", leaf=device().with_(also={USAGE: usage_bits("03020780", critical=b"")}))  # fmt: skip
    yield _case("no purpose", "cert-profile-extension", leaf=device().with_(also={EKU: b""}))
    yield _case("no names", "cert-profile-extension", leaf=device().with_(also={SAN: b""}))
    yield _case("no authority key identifier", "cert-profile-extension", leaf=device().with_(also={AKI: b""}))
    yield _case("critical authority key identifier", "cert-profile-extension", leaf=device().with_(also={AKI: extension(AKI, aki_of(MIDDLE_KEY)[9:], critical=CRITICAL)}))  # fmt: skip
    yield _case("critical stranger", "cert-profile-extension", leaf=device().with_(also={"1.2.3.4": extension("1.2.3.4", tlv(0x05), critical=CRITICAL)}))  # fmt: skip
    yield _case("critical limits", "cert-profile-extension", leaf=device().with_(also={LIMITS: limits_of(permitted=(tlv(0x82, b"a.example"),))}))  # fmt: skip
    yield _case("an authority as device", "cert-profile-ca", leaf=device().with_(also={BASIC: basic(CRITICAL)}))
    yield _case("may encipher", "cert-profile-key-usage", leaf=device().with_(also={USAGE: usage_bits("030205a0")}))
    yield _case("may only agree", "cert-profile-key-usage", leaf=device().with_(also={USAGE: usage_bits("03020308")}))
    yield _case(
        "may sign certificates", "cert-profile-key-usage", leaf=device().with_(also={USAGE: usage_bits("03020284")})
    )
    yield _case("for another purpose", "cert-profile-eku", leaf=device().with_(also={EKU: eku_of(CLIENT_AUTH)}))
    yield _case("for any purpose", "cert-profile-eku", leaf=device().with_(also={EKU: eku_of(DEVICE_PURPOSE, ANY_EKU)}))


def _device_names() -> Iterator[Case]:
    def named(name: str, code: str, *general: bytes) -> Case:
        return _case(name, code, leaf=device().with_(also={SAN: san_of(*general)}))

    yield named("no did", "cert-profile-san", MAIL)
    yield named("a did twice", "cert-extension", DID, DID)
    yield named("two dids", "cert-profile-san", DID, did_name(STRANGER_KEY))
    yield named("a web address besides", "cert-profile-san", DID, tlv(0x86, b"https://example.org/"))
    yield named("another did", "cert-did-mismatch", did_name(STRANGER_KEY))
    yield named("a wildcard", "cert-profile-san", DID, tlv(0x82, b"*.devices.example"))
    yield named("a network address", "cert-profile-san", DID, tlv(0x87, bytes(4)))
    yield named("a directory name", "cert-profile-san", DID, tlv(0xA4, utf8_name("x")))
    yield named("another other name", "cert-profile-san", DID, tlv(0xA0, oid("1.2.3"), tlv(0xA0, tlv(0x05))))
    yield named("seventeen names", "cert-profile-san", DID, *(tlv(0x82, b"h%d.example" % one) for one in range(16)))


def _authorities() -> Iterator[Case]:
    def between(name: str, code: str, also: dict[str, bytes]) -> Case:
        return _case(name, code, between=middle().with_(also=also))

    yield between("authority without basic constraints", "cert-profile-extension", {BASIC: b""})
    yield between("basic constraints not critical", "cert-profile-extension", {BASIC: basic(CRITICAL, critical=b"")})
    yield between("no authority at all", "cert-profile-ca", {BASIC: basic()})
    yield between("authority without key usage", "cert-profile-extension", {USAGE: b""})
    yield between("authority that signs CRLs only", "cert-profile-key-usage", {USAGE: usage_bits("03020102")})
    yield between("authority that enciphers", "cert-profile-key-usage", {USAGE: usage_bits("03020126")})
    yield between("authority without its identifier", "cert-profile-extension", {SKI: b""})
    yield between("authority without its issuer's identifier", "cert-profile-extension", {AKI: b""})
    yield between("authority for other purposes", "cert-profile-eku", {EKU: eku_of(CLIENT_AUTH)})
    yield between("limits not critical", "cert-profile-extension", {LIMITS: limits_of(permitted=(tlv(0x82, b"a.example"),), critical=b"")})  # fmt: skip
    yield between("limits on addresses", "cert-profile-limits", {LIMITS: limits_of(permitted=(tlv(0x87, bytes(8)),))})
    yield between(
        "limits on directory names", "cert-extension", {LIMITS: limits_of(permitted=(tlv(0xA4, utf8_name("x")),))}
    )
    yield between("policy constraints not critical", "cert-profile-extension", {CONSTRAINTS: extension(CONSTRAINTS, tlv(0x30, tlv(0x80, b"\0")))})  # fmt: skip
    ed = middle(ED_KEY)
    yield _case("an Ed25519 authority", "cert-profile-key", between=ed, leaf=device(signer=ED_KEY))
    yield _case("authority with a critical stranger", "cert-profile-extension", between=middle().with_(also={"1.2.3.4": extension("1.2.3.4", tlv(0x05), critical=CRITICAL)}))  # fmt: skip


def _anchors() -> Iterator[Case]:
    def top(name: str, code: str, also: dict[str, bytes]) -> Case:
        return _case(name, code, top=root().with_(also=also))

    yield top("root without key usage", "cert-profile-extension", {USAGE: b""})
    yield top("root without basic constraints", "cert-profile-extension", {BASIC: b""})
    yield top("root for other purposes", "cert-profile-eku", {EKU: eku_of(CLIENT_AUTH)})
    yield top("path length of the root too short", "cert-path", {BASIC: basic(CRITICAL, integer(0))})
    outside = limits_of(permitted=(tlv(0x82, b"other.example"),))
    named = device().with_(also={SAN: san_of(DID, HOST)})
    yield _case("host outside the root's limits", "cert-path", top=root().with_(also={LIMITS: outside}), leaf=named)


def _times() -> Iterator[Case]:
    yield _case("device expired", "cert-expired", leaf=device().with_(validity=EXPIRED))
    yield _case("device too early", "cert-not-yet-valid", leaf=device().with_(validity=EARLY))
    yield _case("authority expired", "cert-expired", between=middle().with_(validity=EXPIRED))
    yield _case("authority too early", "cert-not-yet-valid", between=middle().with_(validity=EARLY))
    yield _case("root expired", "cert-expired", top=root().with_(validity=EXPIRED))
    yield _case("root too early", "cert-not-yet-valid", top=root().with_(validity=EARLY))


def _signatures() -> Iterator[Case]:
    yield _case("device signed by another", "cert-path", leaf=device().with_(signer=STRANGER_KEY))
    yield _case("device signed by itself", "cert-path", leaf=device().with_(signer=DEVICE_KEY))
    yield _case("authority signed by another", "cert-untrusted", between=middle().with_(signer=STRANGER_KEY))
    other = device().with_(algorithm=bytes.fromhex("300a06082a8648ce3d040303"))
    assert ECDSA_SHA256 not in other.der()
    yield _case("another hash announced", "cert-path", leaf=other)


def _paths() -> Iterator[Case]:
    two = middle(STRANGER_KEY, MIDDLE_KEY, name=utf8_name("Second"), issuer=org.MIDDLE_NAME)
    three = device(signer=STRANGER_KEY, issuer=two.subject)
    short = middle().with_(also={BASIC: basic(CRITICAL, integer(0))})
    yield Case("path length", (three.der(), two.der(), short.der()), root().der(), "cert-path")
    for kind, base, name in ((0x82, b"other.example", HOST), (0x81, b"other.example", MAIL)):
        limited = middle().with_(also={LIMITS: limits_of(permitted=(tlv(kind, base),))})
        leaf = device().with_(also={SAN: san_of(DID, name)})
        yield _case(f"outside the limits, {kind:x}", "cert-path", between=limited, leaf=leaf)
    shut = middle().with_(also={LIMITS: limits_of(excluded=(tlv(0x82, b"devices.example"),))})
    yield _case("an excluded host", "cert-path", between=shut, leaf=device().with_(also={SAN: san_of(DID, HOST)}))
    wanted = _policed(CONSTRAINTS, tlv(0x30, tlv(0x80, b"\0")), mid=("1.2.3",))
    yield _case("a policy is required", "cert-path-second", between=wanted)
    yield _case("another policy is required", "cert-path-second", between=wanted, leaf=device().with_(also={POLICIES: policies_of("1.2.4")}))  # fmt: skip
    mapped = wanted.with_(also={MAPPINGS: extension(MAPPINGS, tlv(0x30, tlv(0x30, oid("1.2.3"), oid("1.2.9"))))})
    yield _case("mapped away", "cert-path-second", between=mapped, leaf=device().with_(also={POLICIES: policies_of("1.2.3")}))  # fmt: skip
    nothing = _policed(INHIBIT, integer(0), mid=("1.2.3",)).with_(also={CONSTRAINTS: extension(CONSTRAINTS, tlv(0x30, tlv(0x80, b"\0")), critical=CRITICAL)})  # fmt: skip
    yield _case("any policy is not enough", "cert-path-second", between=nothing, leaf=device().with_(also={POLICIES: policies_of("2.5.29.32.0")}))  # fmt: skip
