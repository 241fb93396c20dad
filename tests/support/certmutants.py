# SPDX-License-Identifier: Apache-2.0
"""Device certificates with one fault each, signed again by their own key.

A fault that also breaks the signature proves nothing about the check it aims at; so each mutant here is a
certificate whose maker wanted it so. ``build(Parts())``, without a fault, must be accepted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hardwire.certs.profile import DEVICE_PURPOSE
from support import certforms
from support.certparts import (
    CRITICAL,
    ECDSA_SHA256,
    EXTENSION_NAMES,
    KEY,
    OTHER_KEY,
    P384_KEY,
    RSA,
    RSA_SHA256,
    USAGE,
    Parts,
    attribute,
    both_names,
    build,
    common_name,
    constraints,
    dates,
    did_of,
    extension,
    integer,
    names,
    oid,
    purposes,
    same_name,
    san,
    sign,
    spki,
    tlv,
    usage,
)


def _profile() -> Iterator[tuple[str, Parts, str]]:
    """Well-formed certificates that are not a device's."""
    yield from _issuers_and_extensions()
    yield from _usages_and_names()
    yield from _signatures_and_times()


def _issuers_and_extensions() -> Iterator[tuple[str, Parts, str]]:
    yield "issuer is another", Parts(issuer=common_name(tlv(0x0C, b"somebody"))), "cert-not-self-issued"
    yield "issuer in other octets", Parts(issuer=common_name(tlv(0x13, b"hardwire device"))), "cert-not-self-issued"
    yield "subject empty", Parts(subject=tlv(0x30)), "cert-not-self-issued"
    yield "key of another family", Parts(inner=RSA_SHA256), "cert-profile-algorithm"
    yield (
        "RSA key, ECDSA signature",
        Parts(key=RSA, inner=ECDSA_SHA256, signature=lambda _: sign(KEY, b"")),
        "cert-profile-algorithm",
    )
    for oid_ in EXTENSION_NAMES:
        yield f"without {oid_}", Parts(extensions={oid_: b""}), "cert-profile-extension"
    yield (
        "key usage not critical",
        Parts(
            extensions={
                "2.5.29.15": USAGE.replace(CRITICAL, b"")[:1] + bytes([USAGE[1] - 3]) + USAGE.replace(CRITICAL, b"")[2:]
            }
        ),
        "cert-profile-extension",
    )
    yield (
        "constraints not critical",
        Parts(extensions={"2.5.29.19": extension("2.5.29.19", tlv(0x30))}),
        "cert-profile-extension",
    )
    yield (
        "purpose critical",
        Parts(extensions={"2.5.29.37": extension("2.5.29.37", tlv(0x30, oid(DEVICE_PURPOSE)), critical=CRITICAL)}),
        "cert-profile-extension",
    )
    yield (
        "names critical",
        Parts(extensions={"2.5.29.17": extension("2.5.29.17", tlv(0x30, tlv(0x86, did_of(KEY))), critical=CRITICAL)}),
        "cert-profile-extension",
    )
    yield (
        "unknown critical extension",
        Parts(more=extension("1.2.3.4", tlv(0x05), critical=CRITICAL)),
        "cert-profile-extension",
    )
    yield "unknown extension", Parts(more=extension("1.2.3.4", tlv(0x05))), "cert-profile-extension"


def _usages_and_names() -> Iterator[tuple[str, Parts, str]]:
    yield "ca", constraints(tlv(0x30, CRITICAL)), "cert-profile-ca"
    yield "ca with path length", constraints(tlv(0x30, CRITICAL, integer(0))), "cert-profile-ca"
    yield "usage encipherment only", usage(bytes.fromhex("03020520")), "cert-profile-key-usage"
    yield "usage agreement only", usage(bytes.fromhex("03020308")), "cert-profile-key-usage"
    yield "usage signature and cert sign", usage(bytes.fromhex("03020284")), "cert-profile-key-usage"
    yield "usage signature and commitment", usage(bytes.fromhex("030206c0")), "cert-profile-key-usage"
    yield "usage agreement and decipher only", usage(bytes.fromhex("0303078880")), "cert-profile-key-usage"
    yield "any purpose", purposes(oid("2.5.29.37.0")), "cert-profile-eku"
    yield "device and any purpose", purposes(oid(DEVICE_PURPOSE), oid("2.5.29.37.0")), "cert-profile-eku"
    yield "client authentication", purposes(oid("1.3.6.1.5.5.7.3.2")), "cert-profile-eku"
    yield (
        "device and client authentication",
        purposes(oid(DEVICE_PURPOSE), oid("1.3.6.1.5.5.7.3.2")),
        "cert-profile-eku",
    )
    yield "purpose below the device's", purposes(oid(DEVICE_PURPOSE + ".1")), "cert-profile-eku"
    yield "name of another key", san(tlv(0x86, did_of(OTHER_KEY))), "cert-did-mismatch"
    yield "name with a fragment", san(tlv(0x86, did_of(KEY) + b"#key")), "cert-did-mismatch"
    yield "name cut off", san(tlv(0x86, did_of(KEY)[:-1])), "cert-did-mismatch"
    yield "name with a leading one", san(tlv(0x86, did_of(KEY).replace(b":z", b":z1"))), "cert-did-mismatch"
    yield "name in capitals", san(tlv(0x86, did_of(KEY).replace(b"did", b"DID"))), "cert-profile-san"
    yield "name as DNS", san(tlv(0x82, did_of(KEY))), "cert-extension"
    yield "name as a DNS name", san(tlv(0x82, b"did.key.example")), "cert-profile-san"
    yield "name twice", san(tlv(0x86, did_of(KEY)) * 2), "cert-extension"
    yield "two names", san(tlv(0x86, did_of(KEY)), tlv(0x86, did_of(OTHER_KEY))), "cert-profile-san"
    yield "name and a DNS name", san(tlv(0x86, did_of(KEY)), tlv(0x82, b"bank.example")), "cert-profile-san"
    yield "name is a web address", san(tlv(0x86, b"https://example.org/")), "cert-profile-san"


def _signatures_and_times() -> Iterator[tuple[str, Parts, str]]:
    yield "signed by another", Parts(signature=lambda _: sign(OTHER_KEY, b"tbs")), "cert-self-signature"
    yield (
        "key of another",
        Parts(spki=spki(OTHER_KEY), extensions={"2.5.29.17": names(tlv(0x86, did_of(OTHER_KEY)))}),
        "cert-self-signature",
    )
    yield (
        "signature of one and one",
        Parts(signature=lambda _: tlv(0x30, integer(1), integer(1))),
        "cert-self-signature",
    )
    yield (
        "signature beyond the order",
        Parts(signature=lambda _: tlv(0x30, integer(1 << 300), integer(1))),
        "cert-self-signature",
    )
    yield "other hash announced", Parts(inner=bytes.fromhex("300a06082a8648ce3d040303")), "cert-self-signature"
    yield "expired", Parts(validity=dates(end=tlv(0x17, b"260701115959Z"))), "cert-expired"
    yield "not yet valid", Parts(validity=dates(tlv(0x17, b"260701120001Z"))), "cert-not-yet-valid"
    yield (
        "expired in the last century",
        Parts(validity=dates(tlv(0x17, b"500101000000Z"), tlv(0x17, b"991231235959Z"))),
        "cert-expired",
    )


def accepted() -> Iterator[tuple[str, bytes]]:
    """Variations that must be accepted, so that a refusal means something."""
    yield "P-256", build(Parts())
    yield "P-384 signing SHA-256", build(Parts(key=P384_KEY))
    yield "RSA", build(Parts(key=RSA, inner=RSA_SHA256))
    yield "with key agreement", build(usage(bytes.fromhex("03020388")))
    yield "with a subject key identifier", build(Parts(more=extension("2.5.29.14", tlv(0x04, b"\x01" * 20))))
    yield "for ever", build(Parts(validity=dates(end=tlv(0x18, b"99991231235959Z"))))
    yield "first second", build(Parts(validity=dates(tlv(0x17, b"260701120000Z"))))
    yield "last second", build(Parts(validity=dates(end=tlv(0x17, b"260701120000Z"))))
    yield "begun in 1950", build(Parts(validity=dates(tlv(0x17, b"500101000000Z"))))
    yield "serial of 20 octets", build(Parts(serial=integer((1 << 159) - 1)))
    yield "a name in two parts", build(same_name(tlv(0x30, tlv(0x31, attribute("2.5.4.3"), attribute("2.5.4.10")))))
    yield "a printable name", build(both_names(tlv(0x13, b"A device (1)")))
    yield "a name in another script", build(both_names(tlv(0x0C, "\u65e5\u672c".encode())))


@dataclass(frozen=True)
class Mutant:
    name: str
    der: bytes
    code: str


def mutants() -> list[Mutant]:
    """Every mutant, with the code of the refusal that it must meet."""
    sources = (certforms.form(), certforms.shape(), certforms.extensions(), _profile())
    return [Mutant(name, build(parts), code) for source in sources for name, parts, code in source]
