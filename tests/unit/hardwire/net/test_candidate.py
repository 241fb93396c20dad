# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import WireError
from hardwire.net.candidate import Candidate, CandidateKind, candidates_of, select
from hardwire.wire import Reader
from support.netsamples import candidate


@pytest.mark.parametrize("kind", list(CandidateKind))
@pytest.mark.parametrize("address, size", [("192.168.7.20", 7), ("2001:db8:5::20", 19)])
def test_one_candidate_goes_round(address, size, kind):
    one = candidate(address, 1234, kind)
    assert len(one.encode()) == size
    reader = Reader(one.encode())
    assert Candidate.read(reader, loopback=False) == one
    reader.end()


def test_encoding_is_pinned():
    assert candidate("192.0.2.1", 0x1234, CandidateKind.SRFLX).encode().hex() == "14c00002011234"


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "224.0.0.251", "255.255.255.255", "240.0.0.1", "169.254.1.1", "::", "ff02::1", "fe80::1"],
)
def test_an_address_of_no_single_host_is_refused(address):
    with pytest.raises(WireError, match="not the address of one host"):
        Candidate.read(Reader(candidate(address).encode()), loopback=True)


def test_a_mapped_address_is_refused():
    with pytest.raises(WireError, match="disguise"):
        Candidate.read(Reader(candidate("::ffff:192.0.2.1").encode()), loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_only_when_asked(address):
    octets = candidate(address).encode()
    with pytest.raises(WireError, match="own machine"):
        Candidate.read(Reader(octets), loopback=False)
    assert str(Candidate.read(Reader(octets), loopback=True).address) == address


def test_port_zero_is_refused():
    with pytest.raises(WireError, match="port 0"):
        Candidate.read(Reader(bytes.fromhex("04c00002010000")), loopback=False)


@pytest.mark.parametrize("head", [0x00, 0x03, 0x05, 0x07, 0x34, 0x36, 0xF4])
def test_unknown_kind_or_family_is_refused(head):
    with pytest.raises(WireError, match="no kind of address"):
        Candidate.read(Reader(bytes([head]) + bytes(20)), loopback=False)


def test_surplus_is_dropped_from_the_least_direct_end():
    relay, srflx = candidate("192.0.2.9", kind=CandidateKind.RELAY), candidate("192.0.2.8", kind=CandidateKind.SRFLX)
    hosts = [candidate(f"192.0.2.{number}") for number in range(20, 35)]
    chosen = select([relay, srflx, *hosts, hosts[0]])
    assert chosen == (*hosts, srflx)
    assert select([relay, hosts[1], hosts[0]], limit=2) == (hosts[1], hosts[0])


def test_several_one_after_the_other():
    ones = [candidate("192.0.2.7", port) for port in range(1, 17)]
    octets = b"".join(one.encode() for one in ones)
    assert candidates_of(octets) == tuple(ones)
    assert candidates_of(b"") == ()
    for bad in (octets[:-1], octets + candidate("192.0.2.7", 17).encode(), ones[0].encode() * 2):
        with pytest.raises(WireError):
            candidates_of(bad)
    inside = candidate("127.0.0.1").encode()
    assert len(candidates_of(inside, loopback=True)) == 1
    with pytest.raises(WireError):
        candidates_of(inside)
