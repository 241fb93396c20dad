# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hwkeys import EvidenceRefused
from hwkeys.evidence.chain import load_roots, read_certificate, spki_of, verify_chain
from support.evidence import AT, DAY, Authority, ca, certificate, der, named, rsa_key, unknown

PEM = serialization.Encoding.PEM


@pytest.fixture
def root() -> Authority:
    return Authority.root()


@pytest.fixture
def middle(root: Authority) -> Authority:
    return root.authority("middle", length=0)


def leaf(issuer: Authority, **changes) -> x509.Certificate:
    return issuer.issue("device", ec.generate_private_key(ec.SECP256R1()).public_key(), **changes)


def refused(chain, root: Authority) -> str:
    with pytest.raises(EvidenceRefused) as refused:
        verify_chain(
            [each if isinstance(each, bytes) else der(each) for each in chain], roots=[root.certificate], at=AT
        )
    assert refused.value.hint
    return refused.value.code


def test_chains_that_hold(root, middle):
    direct, deep = leaf(root), leaf(middle)
    for chain in (
        [direct],
        [direct, root.certificate],
        [deep, middle.certificate],
        [deep, middle.certificate, root.certificate],
    ):
        octets = [der(each) for each in chain]
        path = verify_chain(octets, roots=[Authority.root("other").certificate, root.certificate], at=AT)
        assert path == tuple(each for each in chain if each != root.certificate)


def test_signatures_of_each_kind_that_is_strong():
    for key in (rsa_key(), ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())):
        strong = Authority.root(key=key)
        for algorithm in (hashes.SHA256(), hashes.SHA512()):
            verify_chain([der(leaf(strong, algorithm=algorithm))], roots=[strong.certificate], at=AT)


def test_two_roots_of_one_name_are_told_apart_by_their_keys(root):
    twin = Authority.root()
    verify_chain([der(leaf(root))], roots=[twin.certificate, root.certificate], at=AT)


def test_a_root_may_say_nothing_of_its_usage():
    root = Authority.root()
    plain = certificate("plain", root.key.public_key(), named("plain"), root.key, ca()[:1])
    issued = Authority(root.key, plain)
    verify_chain([der(leaf(issued))], roots=[plain], at=AT)


def test_no_way_to_a_root(root, middle):
    deep = leaf(middle)
    assert refused([deep], root) == "chain-root"
    assert refused([root.certificate], root) == "chain-root"
    assert refused([leaf(Authority.root("mine"))], root) == "chain-root"
    mine = Authority.root("mine")
    assert refused([leaf(mine), mine.certificate], root) == "chain-root"


def test_another_root_of_the_same_name(root):
    assert refused([leaf(Authority.root())], root) == "chain-signature"


def test_a_certificate_that_is_not_the_issuers(root, middle):
    other = root.authority("other")
    assert refused([leaf(middle), other.certificate], root) == "chain-issuer"
    same_name = root.authority("middle")
    assert refused([leaf(middle), same_name.certificate], root) == "chain-signature"


def test_one_that_may_not_issue(root, middle):
    not_ca = root.authority("middle", extensions=())
    ca_false = root.authority("middle", extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)])
    no_sign = root.authority("middle", extensions=ca(sign=False))
    for bad in (not_ca, ca_false, no_sign):
        assert refused([leaf(bad), bad.certificate], root) == "chain-authority"


def test_an_authority_below_one_that_allows_none(root, middle):
    below = middle.authority("below")
    assert refused([leaf(below), below.certificate, middle.certificate], root) == "chain-authority"
    short = Authority.root("short", length=0)
    between = short.authority("between")
    assert refused([leaf(between), between.certificate], short) == "chain-authority"


def test_the_device_is_no_authority(root):
    assert refused([root.authority("device").certificate], root) == "chain-authority"


def test_weak_signatures(root):
    assert refused([leaf(Authority.root(key=rsa_key(1024)))], Authority.root()) == "chain-signature"
    weak = Authority.root(key=rsa_key(1024))
    assert refused([leaf(weak)], weak) == "chain-algorithm"
    other_curve = Authority.root(key=ec.generate_private_key(ec.SECP256K1()))
    assert refused([leaf(other_curve)], other_curve) == "chain-algorithm"
    assert refused([leaf(root, algorithm=hashes.SHA3_256())], root) == "chain-algorithm"


def test_out_of_date(root, middle):
    assert refused([leaf(root, after=AT + DAY / 2)], root) == "chain-expired"
    assert refused([leaf(root, before=AT - DAY / 2)], root) == "chain-expired"
    old = root.authority("old", before=AT - DAY / 2)
    assert refused([leaf(old), old.certificate], root) == "chain-expired"
    old_root = Authority.root(before=AT - DAY / 2)
    assert refused([leaf(old_root)], old_root) == "chain-expired"


def test_a_critical_extension_nobody_understands(root):
    assert refused([leaf(root, extensions=[unknown("1.2.3.4", b"\5\0", critical=True)])], root) == "chain-extension"
    constraints = x509.NameConstraints(permitted_subtrees=[x509.DNSName("a")], excluded_subtrees=None)
    odd = root.authority("odd", extensions=[*ca(), (constraints, True)])
    assert refused([leaf(odd), odd.certificate], root) == "chain-extension"


def test_what_cannot_be_read(root):
    good = der(leaf(root))
    name = x509.SubjectAlternativeName([x509.DNSName("device")])
    twice = der(leaf(root, extensions=[unknown("1.2.3.4", b"1"), unknown("1.2.3.5", b"1")]))
    twice = twice.replace(bytes.fromhex("06032a0305"), bytes.fromhex("06032a0304"))
    broken = der(leaf(root, extensions=[(name, False)])).replace(b"\x82\x06device", b"\x82\x07device")
    for chain in ([good[:-1]], [good + b"\0"], [b""], [bytes(9000)], [], [good] * 7, [twice], [broken], [good, b"x"]):
        assert refused(chain, root) == "evidence-malformed"


def test_a_signature_with_unused_bits(root):
    for _ in range(20):
        good = der(leaf(root))
        at = len(good) - len(read_certificate(good).signature) - 1
        unused = good[:at] + b"\1" + good[at + 1 :]
        assert refused([unused], root) == "evidence-malformed"


def test_a_certificate_is_read_whole(root):
    assert read_certificate(der(root.certificate)) == root.certificate


def test_roots_from_a_file(root, middle):
    both = root.certificate.public_bytes(PEM) + b"\nsome text\n" + middle.certificate.public_bytes(PEM)
    assert load_roots(both) == (root.certificate, middle.certificate)
    assert load_roots(der(root.certificate)) == (root.certificate,)


def test_files_that_are_no_roots(root):
    device = leaf(root)
    for octets, code in (
        (b"", "root-malformed"),
        (b"-----BEGIN nothing", "root-malformed"),
        (der(root.certificate)[:-1], "root-malformed"),
        (device.public_bytes(PEM), "root-authority"),
        (root.certificate.public_bytes(PEM) + device.public_bytes(PEM), "root-authority"),
    ):
        with pytest.raises(EvidenceRefused) as refused:
            load_roots(octets)
        assert refused.value.code == code


def test_keys_are_compared_by_their_octets(root):
    key = root.key.public_key()
    assert spki_of(root.certificate) == spki_of(key)
    assert spki_of(ec.generate_private_key(ec.SECP256R1()).public_key()) != spki_of(key)


def test_keys_that_sign_in_other_ways_are_weak_here():
    own = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder().subject_name(named("ed")).issuer_name(named("ed")).public_key(own.public_key())
    builder = builder.serial_number(7).not_valid_before(AT - DAY).not_valid_after(AT + DAY)
    for extension, critical in ca():
        builder = builder.add_extension(extension, critical)
    root = builder.sign(own, None)
    child = (
        x509.CertificateBuilder().subject_name(named("device")).issuer_name(named("ed")).public_key(own.public_key())
        .serial_number(8).not_valid_before(AT - DAY).not_valid_after(AT + DAY).sign(own, None)
    )  # fmt: skip
    assert refused([child], Authority(own, root)) == "chain-algorithm"
