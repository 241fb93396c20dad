# SPDX-License-Identifier: Apache-2.0
import dataclasses
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardwire.errors import InviteRefused, Misuse
from hardwire.net import invite
from hardwire.net.candidate import MAX_CANDIDATES
from hardwire.net.invite import Answer, Offer, derive_secrets, offer_ref
from support.netsamples import NOW, candidate, sample_answer, sample_offer, value_or_code


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(b"HBI1 invite checksum" + body).digest()[:2]


def refused(code: str, call, *args, **kwargs) -> InviteRefused:
    with pytest.raises(InviteRefused) as caught:
        call(*args, **kwargs)
    assert caught.value.code == code
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


def test_an_offer_goes_round_and_has_the_promised_size():
    offer = sample_offer()
    blob = offer.encode()
    assert len(blob) == 81
    assert Offer.decode(blob) == offer
    assert "000102" not in repr(offer)


def test_an_answer_goes_round_and_never_repeats_the_secret():
    blob = sample_offer().encode()
    answer = sample_answer(blob)
    assert len(answer.encode()) == 69
    assert Answer.decode(answer.encode(), offer=blob) == answer
    assert [invite.is_answer(one) for one in (answer.encode(), blob, b"")] == [True, False, False]
    assert bytes(range(16)) not in answer.encode()


def test_the_layout_is_pinned_octet_by_octet():
    body = bytes.fromhex("10") + bytes(range(16)) + (NOW + 600).to_bytes(4) + bytes(range(32, 64))
    body += (
        bytes.fromhex("04c0a80714c350") + bytes.fromhex("06") + bytes.fromhex("20010db8000500000000000000000020c350")
    )
    assert sample_offer().encode() == sealed(body)
    body = b"\x11" + hashlib.sha256(sample_offer().encode()).digest()[:8] + bytes(range(64, 96))
    body += (
        bytes.fromhex("04c0a80715c350") + bytes.fromhex("06") + bytes.fromhex("20010db8000500000000000000000021c350")
    )
    assert sample_answer(sample_offer().encode()).encode() == sealed(body)


def hkdf(secret: bytes, info: bytes, size: int) -> bytes:
    prk = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(prk, info + b"\x01", "sha256")[:size]


def test_the_derivation_is_hkdf_under_six_labels():
    import base64

    secret = bytes(range(16))
    found = derive_secrets(secret)
    assert found.inv_secret == hkdf(secret, b"HBI1 invite secret", 32)
    assert found.offer.ufrag == base64.b64encode(hkdf(secret, b"HBI1 invite offer ufrag", 6)).decode()
    assert found.offer.password == base64.b64encode(hkdf(secret, b"HBI1 invite offer password", 18)).decode()
    assert found.answer.ufrag == base64.b64encode(hkdf(secret, b"HBI1 invite answer ufrag", 6)).decode()
    assert found.answer.password == base64.b64encode(hkdf(secret, b"HBI1 invite answer password", 18)).decode()
    values = {found.offer.ufrag, found.offer.password, found.answer.ufrag, found.answer.password}
    assert sorted(map(len, values)) == [8, 8, 24, 24]
    assert found.offer.password not in repr(found)
    assert found.inv_secret.hex() not in repr(found)


def test_every_single_octet_slip_is_reported_as_a_slip():
    blob = bytearray(sample_offer().encode())
    for position in range(len(blob)):
        blob[position] ^= 0x20
        error = refused("invite-checksum", Offer.decode, bytes(blob))
        assert "typing error" in error.message
        blob[position] ^= 0x20


def test_a_cut_code_is_reported_as_a_slip():
    blob = sample_offer().encode()
    refused("invite-checksum", Offer.decode, blob[:-1])
    refused("invite-checksum", Offer.decode, blob[1:])
    refused("invite-malformed", Offer.decode, blob[:2])
    refused("invite-malformed", Offer.decode, bytes(invite.MAX_BLOB + 1))


@pytest.mark.parametrize("head", [0x00, 0x13, 0x20, 0xFF])
def test_another_version_says_so(head):
    error = refused("invite-version", Offer.decode, sealed(bytes([head]) + sample_offer().encode()[1:-2]))
    assert f"0x{head:02x}" in error.message


def test_an_answer_where_an_offer_is_wanted_says_so():
    blob = sample_offer().encode()
    assert "this is an answer" in refused("invite-malformed", Offer.decode, sample_answer(blob).encode()).message
    assert "this is an invite" in refused("invite-malformed", Answer.decode, blob, offer=blob).message


def test_an_answer_to_another_offer_says_so():
    blob = sample_offer().encode()
    other = sample_offer(expiry=NOW + 601).encode()
    refused("invite-other-offer", Answer.decode, sample_answer(other).encode(), offer=blob)
    assert offer_ref(blob) == hashlib.sha256(blob).digest()[:8]


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        bytes.fromhex("04c0000201c350") * 2,
        bytes.fromhex("04c0000201"),
        bytes.fromhex("04c00002010000"),
        bytes.fromhex("047f000001c350"),
        b"".join(bytes.fromhex("04c0000201") + port.to_bytes(2) for port in range(1, MAX_CANDIDATES + 2)),
    ],
    ids=["none", "twice", "short", "port-zero", "loopback", "seventeen"],
)
def test_whole_but_badly_made_codes(tail):
    blob = sample_offer().encode()
    refused("invite-malformed", Offer.decode, sealed(blob[:53] + tail))
    refused("invite-malformed", Answer.decode, sealed(b"\x11" + offer_ref(blob) + bytes(32) + tail), offer=blob)


def test_sixteen_addresses_and_loopback_when_asked():
    offer = dataclasses.replace(
        sample_offer(), candidates=tuple(candidate("::1", port) for port in range(1, MAX_CANDIDATES + 1))
    )
    assert len(offer.encode()) == invite.MAX_BLOB
    assert Offer.decode(offer.encode(), loopback=True) == offer


@pytest.mark.parametrize(
    "late, words",
    [
        (0, "0 s ago"),
        (59, "59 s ago"),
        (61, "1 min ago"),
        (7200, "2 h ago"),
        (7500, "2 h 5 min ago"),
        (200_000, "2 d ago"),
    ],
)
def test_an_expired_code_says_since_when_and_by_which_clock(late, words):
    error = refused("invite-expired", sample_offer().check_time, NOW + 600 + late)
    assert words in error.message
    assert "this machine's clock (20" in error.message
    assert "clock" in error.hint
    assert error.evidence["expiry"] == "2027-01-15 08:10:00 UTC"


def test_a_code_that_would_live_too_long_points_at_the_clocks():
    sample_offer().check_time(NOW)
    sample_offer().check_time(NOW + 599)
    sample_offer(expiry=NOW + invite.MAX_LIFE).check_time(NOW)
    error = refused("invite-expired", sample_offer(expiry=NOW + invite.MAX_LIFE + 1).check_time, NOW)
    assert "24 h" in error.message
    assert "clocks" in error.hint


@pytest.mark.parametrize(
    "change",
    [
        {"secret": bytes(15)},
        {"fingerprint": bytes(31)},
        {"candidates": ()},
        {"candidates": (candidate("192.0.2.1"),) * 2},
        {"expiry": -1},
        {"expiry": 1 << 32},
    ],
)
def test_an_offer_that_cannot_be_is_misuse(change):
    with pytest.raises(Misuse):
        dataclasses.replace(sample_offer(), **change)


def test_misuse_of_answer_and_secret():
    with pytest.raises(Misuse):
        Answer(bytes(7), bytes(32), (candidate("192.0.2.1"),))
    with pytest.raises(Misuse):
        derive_secrets(bytes(15))


@given(st.binary(max_size=invite.MAX_BLOB + 4), st.booleans(), st.booleans())
def test_any_octets_are_a_code_or_refused(octets, seal, loopback):
    blob = sealed(octets) if seal else octets
    for found in (
        value_or_code(Offer.decode, blob, loopback=loopback),
        value_or_code(Answer.decode, blob, offer=b"mine", loopback=loopback),
    ):
        if isinstance(found, str):
            assert found.startswith("invite-")
        else:
            assert found.encode() == blob


heads = st.sampled_from([b"\x10" + bytes(52), b"\x11" + offer_ref(b"mine") + bytes(32)])


@given(heads, st.lists(st.sampled_from([b"\x04", b"\x14", b"\x06", b"\x26"]), max_size=18), st.binary(max_size=60))
def test_well_headed_octets_are_canonical_or_refused(head, marks, noise):
    body = head
    for position, mark in enumerate(marks):
        size = 6 if mark[0] & 0x0F == 4 else 18
        body += mark + (noise[position:] + bytes(18))[:size]
    blob = sealed(body)
    found = value_or_code(Offer.decode, blob) if head[0] == 0x10 else value_or_code(Answer.decode, blob, offer=b"mine")
    assert found == "invite-malformed" or found.encode() == blob
