# SPDX-License-Identifier: Apache-2.0
"""An organisation from its authority to a revoked device: one CA token, devices in SoftHSM and swtpm, real programs."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from hardwire.app.pem import CERTIFICATE, REQUEST, only, to_pem
from hardwire.certs import Grant, Period, issue_device, read_request
from support.orgs import DAY, Org, now
from support.programs import Place

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]


def done(result: tuple[int, str, str]) -> str:
    code, out, err = result
    assert code == 0, err
    return out


@dataclass
class Acme:
    """The authority's place, and two devices that it certified."""

    authority: Place
    first: Place
    second: Place
    files: Path

    def certify(self, device: Place, name: str) -> Path:
        csr, pem = self.files / f"{name}.csr", self.files / f"{name}.pem"
        done(device.run("cert", "request", "--name", name, "--out", csr))
        done(self.authority.run("cert", "issue", csr, "--as-asked", "--out", pem))
        return pem

    def list(self, name: str) -> Path:
        path = self.files / name
        done(self.authority.run("cert", "crl", "--out", path))
        return path


@pytest.fixture(scope="module")
def acme(
    token_place: Callable[[str], Place], tpm_place: Callable[[str], Place], pin_file: Path, world: Path
) -> Iterator[Acme]:
    authority, first, second = token_place("ca"), token_place("m1"), tpm_place("m2")
    files = world / "acme"
    files.mkdir()
    done(
        authority.run(
            "cert", "ca", "--name", "ACME", "--device", authority.device, "--pin-source", pin_file, "--out", files / "acme.pem"
        )
    )  # fmt: skip
    made = Acme(authority, first, second, files)
    for device, name in ((first, "alice@example.org"), (second, "pump7.example.org")):
        done(device.run("init", "--device", device.device, "--pin-source", pin_file))
        done(device.run("cert", "trust", files / "acme.pem"))
        done(device.run("cert", "install", made.certify(device, name)))
    return made


def home_of(place: Place, home: Path, *, membership: str | None = None, trust: str | None = None) -> Place:
    """The same device with another membership, or trusting somebody else."""
    home.mkdir()
    (home / "identity.toml").write_bytes((place.home / "identity.toml").read_bytes())
    for path in place.home.glob("authority-*.pem"):
        (home / path.name).write_bytes(path.read_bytes())
    (home / "membership.pem").write_text(membership or (place.home / "membership.pem").read_text())
    (home / "trust.toml").write_text(trust or (place.home / "trust.toml").read_text())
    return place.with_env(HARDWIRE_HOME=str(home))


def refused(stage, host, guest) -> tuple[dict, dict]:
    """Carry the codes; both ends fail before a line is open."""
    stage.codes(host, guest)
    ends = host.failed(), guest.failed()
    for program in (host, guest):
        assert not [event for event in program.seen if event["event"] == "line-open"]
    return ends


def test_two_members_have_nothing_to_compare(acme, stage, inbox):
    (acme.first.home / "plan.txt").write_text("all well\n")
    before = acme.first.signatures(), acme.second.signatures()
    host = stage(acme.first.json("send", "plan.txt", "--loopback", "--members-only"))
    guest = stage(acme.second.pipe("receive", "--loopback", "--dir", inbox, "--yes"))
    guest.say(host.expect("invite-ready")["code"])
    guest.wait_for("send it back to your peer")
    host.say(next(line for line in guest.out if line.startswith("hw:")))
    seen = host.expect("peer-seen")
    assert (seen["organisation"], seen["names"], seen["pinned"]) == ("ACME", ["pump7.example.org"], False)
    assert host.expect("line-open")["verified_by"] == "ACME"
    assert (host.finished(), guest.finished()) == (0, 0)
    assert [event["name"] for event in host.seen if event["event"] == "question"] == ["answer"]
    assert "member of  ACME, verified" in guest.stderr
    assert "called     alice@example.org" in guest.stderr
    assert "verified by ACME: there is nothing to compare" in guest.stderr
    assert (inbox / "plan.txt").read_text() == "all well\n"
    assert (acme.first.signatures() - before[0], acme.second.signatures() - before[1]) == (1, 1)


def test_a_newer_list_comes_with_the_line_and_says_its_age(acme, stage, inbox):
    acme.list("one.crl")
    listed = acme.list("two.crl")
    first = home_of(acme.first, inbox / "first")
    second = home_of(
        acme.second, inbox / "second", trust='revocation = "require"\n' + (acme.second.home / "trust.toml").read_text()
    )
    done(first.run("cert", "install", listed))
    host, guest = stage(first.json("chat", "--loopback")), stage(second.json("join", "--loopback"))
    stage.codes(host, guest)
    assert "newer list" in guest.expect("notice")["text"]
    judged = guest.expect("revocation-judged")
    assert "not revoked, says the CRL number" in judged["revocation"]
    assert 0 <= judged["age"] - 600 < 600  # made a moment ago, and dated ten minutes back
    host.expect("line-open")
    guest.expect("line-open")
    host.say("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)
    # What came with the line is kept, and does not go backwards.
    code, out, _ = second.run("cert", "install", acme.files / "one.crl", "--json")
    problem = json.loads(out.splitlines()[-1])
    assert (code, problem["code"]) == (20, "crl-rolled-back")
    assert "goes backwards" in problem["message"]


def test_an_old_list_says_how_old(acme, stage, inbox, clock_shim):
    from support.clockshim import Clock

    first = home_of(
        acme.first, inbox / "first", trust="max_age_days = 0\n" + (acme.first.home / "trust.toml").read_text()
    )
    early = Clock(clock_shim, inbox / "clock", -5 * 3600).at(acme.authority)
    done(early.run("cert", "crl", "--out", acme.files / "early.crl"))
    done(first.run("cert", "install", acme.files / "early.crl"))
    host, guest = stage(first.json("chat", "--loopback")), stage(acme.second.json("join", "--loopback"))
    stage.codes(host, guest)
    seen = host.expect("peer-seen")
    assert "5 h" in seen["revocation"], seen
    assert seen["revocation_age"] is None
    host.expect("line-open")
    host.say("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)


@pytest.mark.parametrize("hosting", [True, False])
def test_a_revoked_device_opens_no_line(acme, stage, inbox, hosting):
    name = f"lost{hosting:d}.example.org"
    device = home_of(acme.first, inbox / "lost")
    done(device.run("cert", "install", acme.certify(device, name)))
    done(acme.authority.run("cert", "revoke", name, "--reason", "key-compromise"))
    holder = home_of(acme.second, inbox / "holder")
    done(holder.run("cert", "install", acme.list(f"lost{hosting:d}.crl")))
    host, guest = (device, holder) if hosting else (holder, device)
    one, two = refused(stage, stage(host.json("chat", "--loopback")), stage(guest.json("join", "--loopback")))
    here, there = (two, one) if hosting else (one, two)
    assert (here["code"], here["exit_code"]) == ("cert-revoked", 50)
    assert "was revoked at" in here["message"]
    assert "key compromise" in here["message"]
    assert there["exit_code"] == 30, "it is told nothing"


@pytest.fixture(scope="module")
def strangers(acme: Acme) -> dict[str, tuple[str, str, int]]:
    """What else a device may show, and what comes of it: membership, code, exit code."""
    asked = read_request(only(acme.files / "alice@example.org.csr", REQUEST)[0])
    ours = Org("Known")

    def issued(begins: timedelta, ends: timedelta) -> str:
        grant = Grant(5, Period(now() + begins, now() + ends))
        return to_pem(CERTIFICATE, issue_device(asked, grant, authority=ours.gated, key=ours.key))

    good = x509.load_pem_x509_certificate(issued(-DAY, DAY).encode())
    builder = (
        x509.CertificateBuilder().subject_name(good.subject).issuer_name(good.issuer).public_key(good.public_key())
        .serial_number(9).not_valid_before(good.not_valid_before_utc).not_valid_after(good.not_valid_after_utc)
    )  # fmt: skip
    for extension in good.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            value = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(value, extension.critical)
    from cryptography.hazmat.primitives import hashes

    purpose = builder.sign(ours.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    foreign = to_pem(CERTIFICATE, ours.issue(ec.generate_private_key(ec.SECP256R1())).der)
    (acme.files / "known.pem").write_text(ours.pem)
    return {
        "of another organisation": ((acme.first.home / "membership.pem").read_text(), "cert-untrusted", 20),
        "expired": (issued(-3 * DAY, -DAY), "cert-expired", 50),
        "for another purpose": (purpose, "cert-profile-eku", 20),
        "of another key": (foreign, "signature", 20),
    }


SENTENCES = {
    "of another organisation": "not trusted here",
    "expired": "expired at",
    "for another purpose": "another purpose than hardwire",
    "of another key": "sign",
}


@pytest.mark.parametrize("what", SENTENCES)
def test_who_else_is_refused(acme, strangers, stage, inbox, what):
    membership, code, exit_code = strangers[what]
    home = home_of(acme.first, inbox / "home", membership=membership)
    judge = home_of(
        acme.second, inbox / "judge", trust=f"[[organisation]]\ncertificates = ['{acme.files}/known.pem']\n"
    )
    host = stage(home.tricky("membership", "chat", "--loopback"))
    there, here = refused(stage, host, stage(judge.json("join", "--loopback")))
    assert (here["code"], here["exit_code"]) == (code, exit_code)
    assert SENTENCES[what] in here["message"]
    assert here["hint"]
    assert there["exit_code"] == 30


def test_a_member_can_show_a_personal_identity(acme, stage, inbox):
    host = stage(acme.first.json("chat", "--loopback", "--personal"))
    guest = stage(acme.second.json("join", "--loopback"))
    stage.codes(host, guest)
    assert guest.expect("peer-seen")["organisation"] == ""
    guest.expect("question", name="accept-inviter")
    guest.say("n")
    guest.failed()
    assert host.failed()["exit_code"] == 30


def test_the_ledger_knows_what_the_devices_hold(acme):
    shown = [json.loads(line) for line in done(acme.authority.run("cert", "show", "--json")).splitlines()]
    mine = next(one for one in shown if one["names"] == ["alice@example.org"])
    text = done(acme.authority.run("cert", "show", "alice@example.org", "--pem"))
    der = base64.b64decode("".join(text.splitlines()[1:-1]))
    assert f"{x509.load_der_x509_certificate(der).serial_number:x}" == mine["serial"]
