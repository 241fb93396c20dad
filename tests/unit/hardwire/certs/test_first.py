# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import open_gate
from hardwire.certs.first import find_path
from hardwire.errors import CertificateRefused
from support import certchains as org
from support.certchains import EKU, SAN, device, eku_of, middle, root, san_of
from support.certparts import NOW, tlv

ROOT, MIDDLE = open_gate(root().der()).parsed, open_gate(middle().der()).parsed


def _find(leaf: org.Certificate, *, device: bool = True, hostname: str | None = None, longest: int = 4):
    return find_path(
        open_gate(leaf.der()).parsed, [MIDDLE], [ROOT], at=NOW, longest=longest, device=device, hostname=hostname
    )


def test_finds_the_path() -> None:
    assert _find(device())[1:] == [MIDDLE, ROOT]


@pytest.mark.parametrize("also", [{EKU: eku_of("1.3.6.1.5.5.7.3.2")}, {EKU: b""}])
def test_a_device_has_the_purpose_and_others_need_not(also: dict[str, bytes]) -> None:
    leaf = device().with_(also=also)
    with pytest.raises(CertificateRefused) as caught:
        _find(leaf)
    assert caught.value.code == "cert-path"
    assert _find(leaf, device=False)


def test_host_names_and_addresses() -> None:
    names = san_of(tlv(0x82, b"h.example"), tlv(0x87, b"\x7f\0\0\x01"))
    leaf = device().with_(also={SAN: names, EKU: eku_of("1.3.6.1.5.5.7.3.1")})
    for name in ("h.example", "127.0.0.1"):
        assert _find(leaf, device=False, hostname=name)
    for name in ("g.example", "127.0.0.2", "not a host", ""):
        with pytest.raises(CertificateRefused):
            _find(leaf, device=False, hostname=name)


def test_who_looks_for_a_host_looks_for_a_server() -> None:
    leaf = device().with_(also={SAN: san_of(tlv(0x82, b"h.example"))})
    for also in ({EKU: b""}, {EKU: eku_of("2.5.29.37.0")}):
        assert _find(leaf.with_(also=also), device=False, hostname="h.example")
    with pytest.raises(CertificateRefused, match="other purposes"):
        _find(leaf, device=False, hostname="h.example")


def test_longer_than_allowed() -> None:
    with pytest.raises(CertificateRefused):
        _find(device(), longest=0)
