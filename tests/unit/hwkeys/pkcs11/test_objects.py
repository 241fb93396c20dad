# SPDX-License-Identifier: Apache-2.0
import datetime as dt

import pytest
from asn1crypto.core import OctetString
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hwkeys import Ambiguous, KeyMissing, KeyNotAsAsked, Purpose
from hwkeys.pkcs11 import objects
from hwkeys.pkcs11.binding import P256, ObjectRecord
from hwkeys.pkcs11.objects import Pair
from hwkeys.uri import Pkcs11Uri

PARAMS = {"secp256r1": "06082a8648ce3d030107", "secp384r1": "06052b81040022", "secp521r1": "06052b81040023"}
DEVICE = Pkcs11Uri(token="alice", serial="1")


def point(curve: ec.EllipticCurve) -> bytes:
    public = ec.generate_private_key(curve).public_key()
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def record(octets: bytes | None, params: bytes | None = P256) -> ObjectRecord:
    return ObjectRecord(False, b"\x01", "k", "ec", params, octets, None)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_point_comes_wrapped_or_bare(curve):
    bare = point(curve)
    params = bytes.fromhex(PARAMS[curve.name])
    assert objects.decode_point(params, bare) == objects.decode_point(params, OctetString(bare).dump())


# `openssl ecparam -name prime256v1 -param_enc explicit`: the field, the curve with its seed, the base point, the order.
SPELT_OUT = bytes.fromhex(
    "3081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffffffffffffffff305b0420"
    "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53"
    "b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440f277037d81"
    "2deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000ff"
    "ffffffffffffffbce6faada7179e84f3b9cac2fc632551020101"
)


def test_a_curve_may_be_written_out_in_full():
    for bare in (point(ec.SECP256R1()) for _ in range(20)):
        expected = objects.decode_point(P256, bare)
        assert objects.decode_point(SPELT_OUT, bare) == objects.decode_point(SPELT_OUT, OctetString(bare).dump())
        assert objects.decode_point(SPELT_OUT, bare) == expected


def test_a_curve_that_is_written_out_and_is_another_one():
    # A curve of one's own, on which the key of somebody else's point is known, differs in the base point alone.
    bare = point(ec.SECP256R1())
    for at in (30, 60, 100, 150, 200, 245):
        params = bytearray(SPELT_OUT)
        params[at] ^= 1
        with pytest.raises(KeyNotAsAsked, match="curve that is not supported"):
            objects.decode_point(bytes(params), bare)
    with pytest.raises(KeyNotAsAsked):
        objects.decode_point(SPELT_OUT, bare[:-1] + bytes([bare[-1] ^ 1]))
    # secp256k1 by its name.
    with pytest.raises(KeyNotAsAsked):
        objects.decode_point(bytes.fromhex("06052b8104000a"), point(ec.SECP256K1()))


def test_points_that_are_none():
    good = point(ec.SECP256R1())
    for octets in (
        b"",
        b"\x04",
        good[:-1],
        good + b"\0",
        good[:-1] + bytes([good[-1] ^ 1]),
        b"\x04\x41" + good + b"\0",
        bytes(65),
    ):
        with pytest.raises(KeyNotAsAsked):
            objects.decode_point(P256, octets)
    with pytest.raises(KeyNotAsAsked, match="curve"):
        objects.decode_point(bytes.fromhex("06052b8104000a"), good)


def test_the_public_half_may_stand_on_either_object():
    octets = point(ec.SECP256R1())
    for pair in (
        Pair(b"", "k", record(octets), None),
        Pair(b"", "k", record(None), record(octets)),
        Pair(b"", "k", None, record(octets)),
    ):
        assert objects.need_public_key(pair) == objects.decode_point(P256, octets)
    for pair in (Pair(b"", "k", None, None), Pair(b"", "k", record(octets, None), None)):
        with pytest.raises(KeyMissing):
            objects.need_public_key(pair)


def test_exactly_one_key_must_answer():
    one, two = Pair(b"\x01", "k", None, None), Pair(b"\x02", "k", None, None)
    assert objects.the_one([one], DEVICE, DEVICE) is one
    with pytest.raises(KeyMissing):
        objects.the_one([], DEVICE, DEVICE)
    with pytest.raises(Ambiguous) as both:
        objects.the_one([one, two], DEVICE, DEVICE)
    assert both.value.candidates == (
        "pkcs11:token=alice;serial=1;object=k;id=%01",
        "pkcs11:token=alice;serial=1;object=k;id=%02",
    )


def test_a_key_that_cannot_be_used_is_still_listed():
    info = objects.key_info(DEVICE, Pair(b"\x01", "k", record(b"nonsense"), None))
    assert (info.kind, info.uri) == ("unknown", "pkcs11:token=alice;serial=1;object=k;id=%01")


def test_what_is_asked_of_a_new_key():
    asked = {(attribute.name, value) for attribute, value in objects.KEEPS + objects.BORN_HERE}
    assert asked == {
        ("SENSITIVE", True),
        ("EXTRACTABLE", False),
        ("ALWAYS_SENSITIVE", True),
        ("NEVER_EXTRACTABLE", True),
        ("LOCAL", True),
    }


@pytest.mark.parametrize("told", [True, False, None])
@pytest.mark.parametrize("at", range(5))
def test_each_answer_counts(at, told):
    asked = objects.KEEPS + objects.BORN_HERE
    answers = dict(asked)
    answers[asked[at][0]] = told
    made = ObjectRecord(True, b"", "", "ec", None, None, answers)
    if told is asked[at][1]:
        objects.refuse_unprotected(made, just_made=True)
    else:
        with pytest.raises(KeyNotAsAsked, match=asked[at][0].name):
            objects.refuse_unprotected(made, just_made=True)
        if at >= len(objects.KEEPS):
            objects.refuse_unprotected(made, just_made=False)


def certificate(key: ec.EllipticCurvePrivateKey, *, attested: bool = False) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    day = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, day, day + dt.timedelta(days=1))
    if attested:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.41482.3.3")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\5\4\3"), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_the_keys_own_certificate_among_others():
    key = ec.generate_private_key(ec.SECP256R1())
    own, others = certificate(key), ec.generate_private_key(ec.SECP256R1())
    found = objects.certificate_of(
        key.public_key(), [b"junk", certificate(key, attested=True), certificate(others), own]
    )
    assert found.public_bytes(serialization.Encoding.DER) == own
    assert objects.certificate_of(key.public_key(), [certificate(others)]) is None
    pair = Pair(b"\1", "k", record(point_of(key)), None)
    assert objects.key_info(DEVICE, pair, [own], Purpose.AGREE).certificate == "CN=alice"
    assert objects.key_info(DEVICE, pair).certificate is None


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def test_rsa_keys_of_a_size_in_use():
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers()
    public = objects.decode_rsa(numbers.n.to_bytes(256), b"\1\0\1")
    assert public.public_numbers() == numbers
    rsa_pair = Pair(
        b"\1", "k", ObjectRecord(False, b"\1", "k", "rsa", None, None, None, numbers.n.to_bytes(256), b"\1\0\1"), None
    )
    assert objects.key_info(DEVICE, rsa_pair).kind == "RSA 2048"
    for modulus, exponent in ((bytes([0x81]) + bytes(127), b"\1\0\1"), (numbers.n.to_bytes(256), b"\2"), (b"", b"")):
        with pytest.raises(KeyNotAsAsked):
            objects.decode_rsa(modulus, exponent)
