# SPDX-License-Identifier: Apache-2.0
"""The largest chains that are still legal in every bound: what a stranger can make a verifier spend time on."""

from support import certchains as org
from support.certchains import (
    LIMITS,
    POLICIES,
    SAN,
    Certificate,
    device,
    did_name,
    limits_of,
    middle,
    policies_of,
    root,
    san_of,
)
from support.certparts import extension, integer, oid, tlv

KEYS = [org.ec.derive_private_key(0x1000 + one, org.ec.SECP256R1()) for one in range(3)]


def _towers(keys: list[org.Key], also: dict[str, bytes], leaf: dict[str, bytes]) -> tuple[list[bytes], bytes]:
    """Three authorities under a root, and a device."""
    above, between = org.ROOT_KEY, []
    issuer = org.ROOT_NAME
    for number, key in enumerate(keys):
        name = org.utf8_name(f"Authority {number}")
        between.append(middle(key, above, name=name, issuer=issuer).with_(also=also))
        above, issuer = key, name
    made = device(signer=above, issuer=issuer).with_(also=leaf)
    return [made.der(), *(one.der() for one in reversed(between))], root().der()


def limits_and_names() -> tuple[list[bytes], bytes]:
    """As many names as a device may have, against as many constraints as three authorities may have."""
    hosts = tuple(tlv(0x82, b"%d.%s.example" % (one, b"x" * 60)) for one in range(31))
    limits = limits_of(permitted=(tlv(0x82, b"example"),), excluded=hosts)
    names = [tlv(0x82, b"%d.%s.%s.example" % (one, b"y" * 60, b"z" * 60)) for one in range(15)]
    return _towers(list(KEYS), {LIMITS: limits}, {SAN: san_of(did_name(org.DEVICE_KEY), *names)})


def policies() -> tuple[list[bytes], bytes]:
    """As many certificate policies as there may be, mapped onto one another."""
    listed = policies_of(*(f"1.2.3.{one}" for one in range(16)))
    pairs = (tlv(0x30, oid(f"1.2.3.{one}"), oid(f"1.2.3.{(one * 7 + 3) % 16}")) for one in range(16))
    return _towers(list(KEYS), {POLICIES: listed, org.MAPPINGS: extension(org.MAPPINGS, tlv(0x30, *pairs))}, {POLICIES: listed})  # fmt: skip


def stuffed() -> tuple[list[bytes], bytes]:
    """Each certificate filled to 8192 octets with values that every reader has to look at."""

    def filler(certificate: Certificate) -> Certificate:
        size = 7000
        while True:
            value = tlv(0x30, *[integer(5)] * (size // 3))
            made = certificate.with_(also={"1.2.3.4": extension("1.2.3.4", value)})
            if len(made.der()) <= 8192 and size // 3 < 1900:
                return made
            size -= 60

    top = root()
    middle_ = filler(middle())
    return [filler(device()).der(), middle_.der()], top.der()


CASES = {"limits and names": limits_and_names, "policies": policies, "stuffed": stuffed}
