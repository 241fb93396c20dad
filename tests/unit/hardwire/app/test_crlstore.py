# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.app import crlstore as module
from hardwire.app.crlstore import CrlStore, signer_of
from hardwire.certs import CrlMemory, RevocationFact, Source, open_gate, read_crl
from hardwire.errors import CertificateRefused, LocalError
from support.orgs import DAY, Org

ORG, OTHER = Org(), Org("Umbrella")


@pytest.fixture
def store(tmp_path):
    return CrlStore(tmp_path / "revocation")


def keep(store, number: int, org: Org = ORG, **options):
    return store.keep(read_crl(org.crl(number=number, **options)), org.gated)


def test_nothing_is_held_at_first(store):
    assert store.lists() == ()
    assert store.memory() == CrlMemory()
    assert not store.directory.exists()


def test_the_newest_of_each_issuer_is_held(store):
    assert keep(store, 1).new
    assert keep(store, 5).new
    assert not keep(store, 5).new
    assert keep(store, 2, OTHER).new
    assert sorted(one.number for one in store.lists()) == [2, 5]
    (ours,) = store.of_issuers([ORG.gated.shape.subject])
    assert ours.number == 5
    assert store.of_issuers([]) == ()
    assert set(CrlStore(store.directory).memory().highest.values()) == {5, 2}


def test_a_list_that_goes_backwards(store):
    keep(store, 5)
    for attempt in range(2):
        with pytest.raises(CertificateRefused) as caught:
            keep(store, 4)
        assert caught.value.code == "crl-rolled-back"
        assert caught.value.evidence == {"number": "4", "seen": "5"}
        if not attempt:
            for path in store.directory.glob("*.crl"):
                path.unlink()
    assert keep(store, 5).new, "the list was deleted, its number was not"


def test_a_list_that_somebody_else_signed(store):
    forged = Org("ACME")
    with pytest.raises(CertificateRefused) as caught:
        store.keep(read_crl(forged.crl()), ORG.gated)
    assert caught.value.code in {"crl-issuer", "crl-signature"}
    assert store.memory() == CrlMemory()


def test_files_that_are_damaged_or_strange(store):
    keep(store, 3)
    (path,) = store.directory.glob("*.crl")
    path.write_bytes(b"nonsense")
    (store.directory / "README").write_text("not a list")
    assert store.lists() == ()
    with pytest.raises(CertificateRefused):
        keep(store, 2)
    assert keep(store, 3).new, "the same list again: it takes the place of the damaged file"
    assert [one.number for one in store.lists()] == [3]
    assert not keep(store, 3).new


def scoped(point: str, number: int = 1, org: Org = ORG):
    """A list of a series of its own."""
    now = datetime.now(UTC).replace(microsecond=0)
    names = [x509.UniformResourceIdentifier(point)]
    scope = x509.IssuingDistributionPoint(names, None, False, False, None, False, False)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(org.gated.parsed.subject)
        .last_update(now - DAY)
        .next_update(now + DAY)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(scope, critical=True)
        .sign(org.key, hashes.SHA256())
    )
    return read_crl(made.public_bytes(Encoding.DER))


def below(org: Org, name: str) -> Org:
    """An authority that another one certified."""
    made = Org(name)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(org.gated.parsed.subject)
        .public_key(made.key.public_key())
        .serial_number(7)
        .not_valid_before(org.gated.not_before)
        .not_valid_after(org.gated.not_after)
    )
    for one in made.gated.parsed.extensions:
        builder = builder.add_extension(one.value, one.critical)
    made.gated = open_gate(builder.sign(org.key, hashes.SHA256()).public_bytes(Encoding.DER))
    return made


def test_an_authority_gets_so_many_series_and_no_more(store, monkeypatch):
    monkeypatch.setattr(module, "MAX_SERIES", 2)
    for point in ("http://a/", "http://b/"):
        store.keep(scoped(point), ORG.gated)
    with pytest.raises(CertificateRefused) as caught:
        store.keep(scoped("http://c/"), ORG.gated)
    assert caught.value.code == "crl-many"
    assert store.keep(scoped("http://a/", 2), ORG.gated).new, "a newer one of the same series has its place"
    assert len(store.memory().highest) == 2
    assert keep(store, 1, OTHER).new
    assert keep(store, 1, Org("ACME")).new, "another authority of the same name"


def test_an_authority_below_a_root_cannot_crowd_the_root_out(store, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for name in ("A", "B"):
        sub = below(ORG, name)
        assert not sub.gated.self_issued
        store.keep(scoped("http://x/", org=sub), sub.gated)
    sub = below(ORG, "C")
    with pytest.raises(CertificateRefused) as caught:
        store.keep(scoped("http://x/", org=sub), sub.gated)
    assert caught.value.code == "crl-many"
    assert keep(store, 1).new
    assert [one.number for one in store.of_issuers([ORG.gated.shape.subject])] == [1]


def test_only_lists_of_the_issuers_asked_for_are_read(store, monkeypatch):
    keep(store, 1)
    keep(store, 2, OTHER)
    read = []
    monkeypatch.setattr(module, "read_crl", lambda octets: read.append(octets) or read_crl(octets))
    assert [one.number for one in store.of_issuers([OTHER.gated.shape.subject])] == [2]
    assert len(read) == 1
    assert store.of_issuers([]) == ()
    assert len(read) == 1


def test_two_programs_at_once_forget_nothing(store):
    """Each reads the numbers and writes them back; one waits for the other."""
    with store._locked():
        other = Thread(target=keep, args=(CrlStore(store.directory), 5))
        learner = Thread(target=CrlStore(store.directory).learn, args=([RevocationFact("x", Source.CRL, seen=(("a" * 64, 7),))],))  # fmt: skip
        for one in (other, learner):
            one.start()
            one.join(0.2)
            assert one.is_alive(), "it waits"
        store._remember({"b" * 64: 9})
    for one in (other, learner):
        one.join()
    assert sorted(store.memory().highest.values()) == [5, 7, 9]


def test_who_signed_it():
    twin = Org("ACME")
    crl = read_crl(ORG.crl())
    for known in ([ORG.gated], [twin.gated, ORG.gated], [OTHER.gated, ORG.gated, twin.gated]):
        assert signer_of(crl, known) == ORG.gated
    assert signer_of(crl, [OTHER.gated]) is None
    assert signer_of(crl, []) is None
    with pytest.raises(CertificateRefused):
        signer_of(crl, [twin.gated])


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "b"}', '{"a": null}'])
def test_numbers_that_cannot_be_read(store, text):
    keep(store, 3)
    (store.directory / "numbers.json").write_text(text)
    with pytest.raises(LocalError) as caught:
        store.memory()
    assert caught.value.code == "numbers-damaged"
    assert "install" in caught.value.hint


def test_what_a_verification_saw_is_remembered(store):
    store.learn([RevocationFact("x", Source.CRL, seen=(("a" * 64, 7),))])
    before = (store.directory / "numbers.json").stat().st_mtime_ns
    store.learn([RevocationFact("x", Source.CRL, seen=(("a" * 64, 6),))])
    assert dict(store.memory().highest) == {"a" * 64: 7}
    assert (store.directory / "numbers.json").stat().st_mtime_ns == before


def test_a_kill_between_the_number_and_the_list(store, monkeypatch):
    keep(store, 1)

    class Killed(BaseException):
        pass

    real = module.write_private

    def kill(path, data):
        if path.suffix == ".crl":
            raise Killed
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_private", kill)
        with pytest.raises(Killed):
            keep(store, 2)
    assert [one.number for one in store.lists()] == [1]
    assert keep(store, 2).new, "it is not there, though its number is"
    assert [one.number for one in store.lists()] == [2]
    assert keep(store, 3).new
    with pytest.raises(CertificateRefused):
        keep(store, 1)


def test_no_room(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_private", full)
    with pytest.raises(LocalError) as caught:
        keep(store, 1)
    assert caught.value.code == "disk"
    with pytest.raises(LocalError) as caught:
        store.learn([RevocationFact("x", Source.CRL, seen=(("a" * 64, 7),))])
    assert caught.value.code == "disk"


def test_a_place_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError) as caught:
        keep(CrlStore(tmp_path / "file" / "store"), 1)
    assert caught.value.code in {"disk", "numbers-damaged"}
