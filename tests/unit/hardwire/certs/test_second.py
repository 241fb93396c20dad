# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from datetime import timedelta

import pytest

from hardwire.certs import open_gate, second
from hardwire.certs.profile import ANY_POLICY
from hardwire.errors import CertificateRefused
from support import certchains as org
from support.certchains import BASIC, LIMITS, SAN, basic, device, did_name, limits_of, middle, policies_of, root, san_of
from support.certparts import CRITICAL, NOW, dates, extension, integer, oid, tlv

HOST = san_of(did_name(org.DEVICE_KEY), tlv(0x82, b"h.example"))
INSIDE, OUTSIDE = tlv(0x82, b"example"), tlv(0x82, b"other")


def _validate(top: org.Certificate, leaf: org.Certificate | None = None, between: tuple[org.Certificate, ...] = (middle(),)) -> frozenset[str]:  # fmt: skip
    gated = [open_gate(one.der()) for one in (leaf or device(), *between, top)]
    return second.validate_path(gated[0], gated[1:-1], gated[-1], at=NOW, skew=timedelta(0))


def _limited(**sides: tuple[bytes, ...]) -> org.Certificate:
    return root().with_(also={LIMITS: limits_of(**sides)})


def test_accepts() -> None:
    assert _validate(root()) == frozenset()
    assert _validate(root(), device(signer=org.ROOT_KEY, issuer=org.ROOT_NAME), ()) == frozenset()


@pytest.mark.parametrize("sides", [{"permitted": (INSIDE,)}, {"excluded": (OUTSIDE,)}, {"permitted": (INSIDE,), "excluded": (OUTSIDE,)}])  # fmt: skip
def test_limits_of_the_anchor_on_one_side_or_both(sides: dict[str, tuple[bytes, ...]]) -> None:
    _validate(_limited(**sides), device().with_(also={SAN: HOST}))


@pytest.mark.parametrize(
    "top, leaf",
    [
        (_limited(permitted=(OUTSIDE,)), device().with_(also={SAN: HOST})),
        (_limited(excluded=(INSIDE,)), device().with_(also={SAN: HOST})),
        (root().with_(also={BASIC: basic(CRITICAL, integer(0))}), device()),
        (root(), device().with_(signer=org.STRANGER_KEY)),
        (root(), device().with_(validity=dates(end=tlv(0x17, b"260701115959Z")))),
        (root(), device().with_(validity=dates(tlv(0x17, b"260701120001Z")))),
        (root(), device().with_(issuer=org.utf8_name("nobody"))),
    ],
)
def test_refuses(top: org.Certificate, leaf: org.Certificate) -> None:
    with pytest.raises(CertificateRefused, match="second reader") as caught:
        _validate(top, leaf)
    assert caught.value.code == "cert-path-second"


def test_the_anchors_path_length_counts() -> None:
    assert _validate(root().with_(also={BASIC: basic(CRITICAL, integer(1))})) == frozenset()


EXPLICIT, UNMAPPED = tlv(0x30, tlv(0x80, b"\x01")), tlv(0x30, tlv(0x81, b"\x00"))
FIRST, SECOND = "1.2.3.1", "1.2.3.2"


def _policed(certificate: org.Certificate, *policies: str, **also: bytes) -> org.Certificate:
    given = {org.POLICIES: policies_of(*policies)} if policies else {}
    return certificate.with_(also=given | {number: extension(number, value) for number, value in also.items()})


@pytest.mark.parametrize(
    "top, between, leaf, held",
    [
        ((), (FIRST,), (FIRST,), {FIRST}),
        ((FIRST,), (FIRST, SECOND), (FIRST, SECOND), {FIRST}),
        ((ANY_POLICY,), (FIRST,), (FIRST,), {FIRST}),
        ((FIRST,), (SECOND,), (SECOND,), set()),
    ],
)
def test_the_anchors_own_policies_are_all_that_hold(top, between, leaf, held) -> None:
    found = _validate(_policed(root(), *top), _policed(device(), *leaf), (_policed(middle(), *between),))
    assert found == held


@pytest.mark.parametrize(
    "constraint, between, leaf",
    [
        ({org.CONSTRAINTS: EXPLICIT}, _policed(middle(), FIRST), device()),
        ({org.CONSTRAINTS: EXPLICIT}, middle(), _policed(device(), FIRST)),
        (
            {org.CONSTRAINTS: tlv(0x30, tlv(0x80, b"\0"), tlv(0x81, b"\0"))},
            _policed(middle(), FIRST, **{org.MAPPINGS: tlv(0x30, tlv(0x30, oid(FIRST), oid(SECOND)))}),
            _policed(device(), SECOND),
        ),
        (
            {org.CONSTRAINTS: EXPLICIT, org.INHIBIT: integer(0)},
            _policed(middle(), ANY_POLICY),
            _policed(device(), FIRST),
        ),
    ],
)
def test_what_the_anchor_says_about_policies_counts(constraint, between, leaf) -> None:
    _validate(root(), leaf, (between,))
    with pytest.raises(CertificateRefused, match="second reader"):
        _validate(_policed(root(), **constraint), leaf, (between,))


def test_a_path_under_an_anchor_that_asks_for_a_policy() -> None:
    top = _policed(root(), **{org.CONSTRAINTS: EXPLICIT, org.INHIBIT: integer(0)})
    assert _validate(top, _policed(device(), FIRST), (_policed(middle(), FIRST),)) == {FIRST}
    mapped = _policed(middle(), FIRST, **{org.MAPPINGS: tlv(0x30, tlv(0x30, oid(FIRST), oid(SECOND)))})
    assert _validate(root(), _policed(device(), SECOND), (mapped,)) == {FIRST}
    assert _validate(_policed(root(), **{org.CONSTRAINTS: UNMAPPED}), _policed(device(), SECOND), (mapped,)) == set()


def test_an_engine_that_waits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forever:
        def __await__(self):
            yield

    async def wait(*_: object) -> None:
        await Forever()

    monkeypatch.setattr(second, "_validate", wait)
    with pytest.raises(CertificateRefused, match="wants to wait"):
        _validate(root())


def test_whatever_the_engine_throws_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(second, "_validate", fail)
    with pytest.raises(CertificateRefused, match="deep"):
        _validate(root())


def test_it_can_be_loaded_before() -> None:
    second.load_engines()
    assert "pyhanko_certvalidator.validate" in sys.modules


def test_it_is_not_imported_before_it_is_needed() -> None:
    script = "import sys, hardwire.certs; print('pyhanko_certvalidator' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
