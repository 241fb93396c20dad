# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from hardwire.certs.facts import Facts, require_agreement
from hardwire.errors import CertificateRefused

VIEW = Facts(
    serial=1,
    issuer=b"issuer",
    subject=b"subject",
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2027, 1, 1, tzinfo=UTC),
    spki=b"key",
    extensions=(("2.5.29.15", True, b"value"),),
)


def test_equal_views_pass() -> None:
    require_agreement(VIEW, VIEW._replace(), VIEW._replace())


@pytest.mark.parametrize(
    "change",
    [
        {"serial": 2},
        {"issuer": b"other"},
        {"subject": b"other"},
        {"not_before": datetime(2026, 1, 2, tzinfo=UTC)},
        {"not_after": datetime(2026, 1, 2, tzinfo=UTC)},
        {"spki": b"other"},
        {"extensions": (("2.5.29.15", False, b"value"),)},
        {"extensions": ()},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_reader_that_sees_something_else_is_enough(change: dict[str, object], place: int) -> None:
    views = [VIEW, VIEW, VIEW]
    views[place] = VIEW._replace(**change)  # type: ignore[arg-type]
    with pytest.raises(CertificateRefused) as caught:
        require_agreement(*views)
    assert caught.value.code == "cert-ambiguous"
