# SPDX-License-Identifier: Apache-2.0
"""What needs no device; the rest is in ``tests/devices/test_swtpm_attestation.py``."""

from pathlib import Path

import pytest

from hwkeys import DeviceFailed, Unsupported
from hwkeys.tpm import attestation
from hwkeys.tpm.attestation import ENDINGS, attestation_key, keep_certificates
from hwkeys.tpm.public import ATTESTING_TEMPLATE
from hwkeys.tpm.session import Place
from hwkeys.tpm.tss2 import KeyFile, write_key_file
from support.evidence import Authority, area_of, der, sized


def kept(place: Place, authority: Authority) -> KeyFile:
    area = area_of(authority.key.public_key(), attributes=ATTESTING_TEMPLATE.attributes, ecdsa=True)
    made = KeyFile(sized(area.encode()), b"\0\1x", empty_auth=True)
    write_key_file(Path(f"{place.file}.ak"), made)
    return made


def test_the_key_that_stands_beside_is_used(tmp_path):
    place = Place("swtpm:path=/nowhere", file=tmp_path / "a.tss2")
    assert kept(place, Authority.root()) == attestation_key(place)


def test_a_key_without_a_file():
    with pytest.raises(Unsupported):
        attestation_key(Place("swtpm:path=/nowhere", handle=0x81010101))


def test_certificates_are_replaced_whole(tmp_path):
    root, other = Authority.root(), Authority.root()
    place = Place("swtpm:path=/nowhere", file=tmp_path / "a.tss2")
    kept(place, root)
    first = root.issue("ak", root.key.public_key())
    for chain in ([der(first)], [der(first), der(other.certificate)]):
        keep_certificates(place, chain)
        assert attestation._certificates(place) == tuple(chain)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.tss2{ending}" for ending in sorted(ENDINGS)]


def test_a_disk_that_would_not(tmp_path):
    root = Authority.root()
    place = Place("swtpm:path=/nowhere", file=tmp_path / "a.tss2")
    kept(place, root)
    (tmp_path / "a.tss2.ak.pem").mkdir()
    with pytest.raises(DeviceFailed, match=r"ak\.pem cannot be written"):
        keep_certificates(place, [der(root.issue("ak", root.key.public_key()))])


def test_padding_after_a_certificate():
    certificate = der(Authority.root().certificate)
    assert attestation._first_value(certificate + b"\xff" * 50) == certificate
    assert attestation._first_value(b"\xff" * 50) == b"\xff" * 50
