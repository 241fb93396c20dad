# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardwire.certs import (
    Assurance,
    CertificateRefused,
    GatedCertificate,
    VerifiedIdentity,
    did_key,
    encode_claim,
    make_self_signed,
    open_gate,
    parse_did_key,
    read_attestations,
    verify_self_signed,
)
from hardwire.certs import der as canonical
from hardwire.errors import PeerError
from hardwire.wire import Reader, Writer
from support.certparts import KEY, NOW, P384_KEY, RSA, RSA_SHA256, Parts, build, tlv

GOOD = {"P-256": build(Parts()), "P-384": build(Parts(key=P384_KEY)), "RSA": build(Parts(key=RSA, inner=RSA_SHA256))}


def _verify(der: bytes) -> VerifiedIdentity | None:
    """A proof or a refusal; anything else fails the test."""
    try:
        return verify_self_signed(open_gate(der), at=NOW)
    except CertificateRefused:
        return None


@given(st.binary(max_size=300))
@example(b"")
def test_any_octets_into_the_gate(octets: bytes) -> None:
    try:
        assert isinstance(open_gate(octets), GatedCertificate)
    except PeerError as error:
        assert isinstance(error, CertificateRefused)  # noqa: PT017 - either outcome is right


@st.composite
def _der(draw: st.DrawFn, depth: int = 4) -> bytes:
    """Something that looks like DER, often enough."""
    if depth and draw(st.booleans()):
        tag = draw(st.sampled_from([0x30, 0x31, 0xA0, 0xA3, 0x24]))
        return tlv(tag, *draw(st.lists(_der(depth - 1), max_size=5)))
    return tlv(draw(st.integers(0, 255)), draw(st.binary(max_size=20)))


@given(_der())
def test_any_der_into_the_walk(octets: bytes) -> None:
    try:
        node = canonical.parse(octets)
    except CertificateRefused as error:
        assert error.code == "cert-der"  # noqa: PT017 - either outcome is right
    else:
        assert node.raw == octets


@pytest.mark.parametrize("kind", GOOD)
@given(data=st.data())
@settings(max_examples=150)
def test_certificates_with_pieces_of_anything(kind: str, data: st.DataObject) -> None:
    good = GOOD[kind]
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, min(len(good), begin + 40)))
    piece = data.draw(st.binary(max_size=40) | _der())
    mixed = good[:begin] + piece + good[end:]
    assert (_verify(mixed) is not None) == (mixed == good)


@pytest.mark.parametrize("kind", GOOD)
def test_each_single_octet_flip_is_refused(kind: str) -> None:
    good = GOOD[kind]
    assert _verify(good) is not None
    for place in range(len(good)):
        for flip in (0x01, 0x80, 0xFF):
            assert _verify(good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :]) is None, (place, flip)


def test_each_single_bit_flip_is_refused() -> None:
    good = GOOD["P-256"]
    for bit in range(8 * len(good)):
        place, mask = bit // 8, 1 << bit % 8
        assert _verify(good[:place] + bytes([good[place] ^ mask]) + good[place + 1 :]) is None, bit


@pytest.mark.parametrize("kind", GOOD)
def test_each_truncation_is_refused(kind: str) -> None:
    good = GOOD[kind]
    assert all(_verify(good[:size]) is None for size in range(len(good)))


@given(
    st.text(max_size=80) | st.text("did:key:z123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=80)
)
@example("did:key:z")
def test_any_text_into_the_did_parser(text: str) -> None:
    for attempt in (text, "did:key:z" + text):
        try:
            assert did_key(parse_did_key(attempt)) == attempt
        except PeerError as error:
            assert error.code == "did-key"  # noqa: PT017 - either outcome is right


@given(st.data())
def test_each_altered_did_names_another_key_or_nothing(data: st.DataObject) -> None:
    did = did_key(KEY.public_key())
    place = data.draw(st.integers(0, len(did) - 1))
    letter = data.draw(st.characters())
    altered = did[:place] + letter + did[place + 1 :]
    try:
        assert (parse_did_key(altered) == KEY.public_key()) == (altered == did)
    except PeerError:
        assert altered != did


@given(
    st.lists(st.binary(max_size=5) | st.sampled_from([encode_claim(Assurance.TPM_CLAIMED), b"\x00\x02"]), max_size=4)
)
def test_any_blobs_into_the_assurance_parser(blobs: list[bytes]) -> None:
    try:
        assert read_attestations(tuple(blobs)).claim in Assurance
    except PeerError as error:
        assert error.code in {"assurance", "malformed"}  # noqa: PT017 - either outcome is right


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40000)),
    st.integers(1, (1 << 159) - 1),
)
def test_whatever_is_made_verifies(begin: datetime, length: timedelta, serial: int) -> None:
    begin = begin.replace(microsecond=0)
    try:
        end = (begin + length).replace(microsecond=0)
    except OverflowError:
        end = begin
    gated = open_gate(make_self_signed(KEY, not_before=begin, not_after=end, serial=serial))
    assert (gated.not_before, gated.not_after, gated.serial) == (begin, end, serial)
    assert verify_self_signed(gated, at=end).not_after == end


FIELDS = {
    "u8": st.integers(0, (1 << 8) - 1),
    "u16": st.integers(0, (1 << 16) - 1),
    "u32": st.integers(0, (1 << 32) - 1),
    "u64": st.integers(0, (1 << 64) - 1),
    "v8": st.binary(max_size=255),
    "v16": st.binary(max_size=400),
}
FIELD = st.sampled_from(sorted(FIELDS)).flatmap(lambda verb: st.tuples(st.just(verb), FIELDS[verb]))


@given(st.lists(FIELD, max_size=12))
def test_what_is_written_is_read(fields: list[tuple[str, int | bytes]]) -> None:
    writer = Writer()
    for verb, value in fields:
        getattr(writer, verb)(value)
    reader = Reader(writer.getvalue())
    assert [getattr(reader, verb)() for verb, _ in fields] == [value for _, value in fields]
    reader.end()


@given(st.binary(max_size=60), st.lists(st.sampled_from(sorted(FIELDS)), max_size=8))
def test_what_is_read_is_what_would_be_written(octets: bytes, verbs: list[str]) -> None:
    reader, writer = Reader(octets), Writer()
    try:
        for verb in verbs:
            getattr(writer, verb)(getattr(reader, verb)())
    except PeerError:
        return
    assert writer.raw(reader.rest()).getvalue() == octets
