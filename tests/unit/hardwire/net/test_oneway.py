# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import ipaddress

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.errors import InviteRefused, Misuse
from hardwire.net import carriers, invite
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import MAX_LIFE, Answer, InviteSecrets, Offer, derive_secrets, is_answer, is_one_way
from hardwire.net.oneway import EPOCH, OneWay, derive, expiry_after
from vectors import check_oneway

SECRET = bytes(range(16))
EXPIRY = EPOCH + 60 * 528_480
FOUR = Candidate(CandidateKind.HOST, ipaddress.ip_address("192.0.2.7"), 4000)
SIX = Candidate(CandidateKind.HOST, ipaddress.ip_address("2001:db8::7"), 50_001)
OUTSIDE = Candidate(CandidateKind.SRFLX, ipaddress.ip_address("198.51.100.9"), 1)
RELAY = Candidate(CandidateKind.RELAY, ipaddress.ip_address("198.51.100.9"), 2)


def sealed(body: bytes) -> bytes:
    return body + invite._checksum(body)


def refused(code: str, blob: bytes, **options) -> None:
    with pytest.raises(InviteRefused) as caught:
        OneWay.decode(blob, **options)
    assert caught.value.code == code


@pytest.mark.parametrize("candidates", [(FOUR,), (SIX,), (FOUR, SIX, OUTSIDE)])
def test_what_is_read_is_what_was_written(candidates):
    one = OneWay(SECRET, EXPIRY, candidates)
    assert OneWay.decode(one.encode()) == one
    assert is_one_way(one.encode())
    assert not is_answer(one.encode())
    assert SECRET.hex() not in repr(one)


def test_one_address_is_58_characters_at_most_and_fits_a_small_picture():
    sizes = [len(carriers.to_text(OneWay(SECRET, EXPIRY, (one,)).encode())) for one in (FOUR, SIX)]
    assert sizes == [42, 58]
    picture = carriers.qr_terminal(OneWay(SECRET, EXPIRY, (SIX,)).encode()).splitlines()
    assert len(picture) <= 19
    assert {len(row) for row in picture} == {37}


def test_every_slip_is_noticed():
    blob = OneWay(SECRET, EXPIRY, (FOUR, SIX)).encode()
    for index in range(len(blob)):
        with pytest.raises(InviteRefused):
            OneWay.decode(blob[:index] + bytes([blob[index] ^ 1]) + blob[index + 1 :])
    for size in range(len(blob)):
        with pytest.raises(InviteRefused):
            OneWay.decode(blob[:size])


def test_nothing_that_is_no_one_way_invite_is_read_as_one():
    head = b"\x12" + SECRET + bytes(3)
    refused("invite-malformed", sealed(head))
    refused("invite-malformed", sealed(head[:-1]))
    refused("invite-malformed", sealed(head + FOUR.encode() * 2))
    refused("invite-malformed", sealed(head + FOUR.encode() + b"\0"))
    refused("invite-malformed", sealed(head + RELAY.encode()))
    refused("invite-malformed", Offer(SECRET, EXPIRY, bytes(32), (FOUR,)).encode())
    refused("invite-version", sealed(b"\x13" + head[1:] + FOUR.encode()))
    inside = Candidate(CandidateKind.HOST, ipaddress.ip_address("127.0.0.1"), 9)
    refused("invite-malformed", sealed(head + inside.encode()))
    assert OneWay.decode(sealed(head + inside.encode()), loopback=True).expiry == EPOCH


def test_a_one_way_invite_is_no_offer_and_no_answer():
    blob = OneWay(SECRET, EXPIRY, (FOUR,)).encode()
    for read in (Offer.decode, lambda blob: Answer.decode(blob, offer=b"")):
        with pytest.raises(InviteRefused, match="one-way invite") as caught:
            read(blob)
        assert caught.value.code == "invite-malformed"


@pytest.mark.parametrize(
    "secret, expiry, candidates",
    [
        (bytes(15), EXPIRY, (FOUR,)),
        (SECRET, EXPIRY + 1, (FOUR,)),
        (SECRET, EPOCH - 60, (FOUR,)),
        (SECRET, EPOCH + (60 << 24), (FOUR,)),
        (SECRET, EXPIRY, ()),
        (SECRET, EXPIRY, (RELAY,)),
    ],
)
def test_what_cannot_be_written(secret, expiry, candidates):
    with pytest.raises(Misuse):
        OneWay(secret, expiry, candidates)


def test_it_expires():
    one = OneWay(SECRET, EXPIRY, (FOUR,))
    one.check_time(EXPIRY - 1)
    one.check_time(EXPIRY - MAX_LIFE)
    for now in (EXPIRY, EXPIRY - MAX_LIFE - 1):
        with pytest.raises(InviteRefused) as caught:
            one.check_time(now)
        assert caught.value.code == "invite-expired"


@pytest.mark.parametrize(
    "now, life, left",
    [(EPOCH, 600, 600), (EPOCH + 59.9, 600, 541), (EPOCH + 30, 1, 30), (EPOCH, MAX_LIFE, MAX_LIFE)],
)
def test_whole_minutes_and_never_longer_than_asked_but_for_the_first(now, life, left):
    assert expiry_after(now, life) - int(now) == left


def everything(secret: bytes, expiry: int = EXPIRY) -> list[object]:
    one = derive(secret, expiry)
    return [one.ice.inv_secret] + [
        value
        for ice, shown in ((one.ice.offer, one.offer), (one.ice.answer, one.answer))
        for value in (
            *(ice.ufrag, ice.password, shown.key.private_numbers().private_value),
            *(shown.certificate.serial_number, shown.certificate.subject),
        )
    ]


def test_nothing_is_derived_twice_nor_shared_with_an_ordinary_invite():
    values = everything(SECRET) + everything(bytes(16))
    assert len(set(values)) == len(values)
    ordinary = derive_secrets(SECRET)
    assert isinstance(ordinary, InviteSecrets)
    known = {ordinary.inv_secret, ordinary.offer.password, ordinary.answer.password, ordinary.offer.ufrag}
    assert not known & set(values)


def test_certificates_are_the_same_each_time_and_signed_by_their_own_key():
    first, again = derive(SECRET, EXPIRY), derive(SECRET, EXPIRY)
    assert first.offer.certificate == again.offer.certificate
    for shown in (first.offer, first.answer):
        certificate = shown.certificate
        shown.key.public_key().verify(
            certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256())
        )
        assert certificate.subject == certificate.issuer
        assert (
            certificate.not_valid_before_utc
            < dt.datetime.fromtimestamp(EXPIRY, dt.UTC)
            < certificate.not_valid_after_utc
        )
        assert not list(certificate.extensions)
    for secret in (first.ice.inv_secret.hex(), f"{first.offer.key.private_numbers().private_value:x}"):
        assert secret not in repr(first)


def test_a_secret_of_another_size():
    with pytest.raises(Misuse):
        derive(bytes(15), EXPIRY)


@pytest.mark.parametrize("vector", check_oneway.load(), ids=lambda vector: vector["name"])
def test_the_vectors_by_the_document_and_by_the_code(vector):
    check_oneway.verify(vector)
    one = OneWay.decode(bytes.fromhex(vector["code"]))
    assert (one.expiry, one.secret.hex()) == (vector["expiry"], vector["secret"])
    assert [[str(each), int(each.kind)] for each in one.candidates] == vector["candidates"]
    assert derive(one.secret, one.expiry).ice.inv_secret.hex() == vector["inv_secret"]
    spoilt = vector | {"inv_secret": "00" * 32}
    with pytest.raises(AssertionError):
        check_oneway.verify(spoilt)
