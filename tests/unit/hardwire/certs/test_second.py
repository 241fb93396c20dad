# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from datetime import timedelta

import pytest

from hardwire.certs import open_gate, second
from hardwire.errors import CertificateRefused
from support import certchains as org
from support.certchains import BASIC, LIMITS, SAN, basic, device, did_name, limits_of, middle, root, san_of
from support.certparts import CRITICAL, NOW, dates, integer, tlv

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
