# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app import crlstore as module
from hardwire.app.crlstore import CrlStore
from hardwire.certs import CrlMemory, RevocationFact, Source, read_crl
from hardwire.errors import CertificateRefused, LocalError
from support.orgs import Org

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


def test_not_more_files_than_that(store, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILES", 1)
    keep(store, 1)
    keep(store, 1, OTHER)
    assert len(store.lists()) == 1


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
