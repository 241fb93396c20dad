# SPDX-License-Identifier: Apache-2.0
import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from hardwire.app.pem import CERTIFICATE, CRL, to_pem
from hardwire.cli.cert_check import duration, moment
from hardwire.errors import UsageError
from support import certchains as org
from support.certparts import Parts, build
from support.commands import ran
from support.revocations import Crl, entry, root_crl

CHAIN, ROOT = org.chain()
AT = ("--at", "2026-07-01T12:00:00Z")


@pytest.fixture
def files(tmp_path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return {
        "chain": write("chain.pem", "".join(to_pem(CERTIFICATE, one) for one in CHAIN)),
        "root": write("root.pem", to_pem(CERTIFICATE, ROOT)),
        "alone": write("alone.pem", to_pem(CERTIFICATE, build(Parts()))),
        "lists": write("lists.pem", to_pem(CRL, Crl().der()) + to_pem(CRL, root_crl().der())),
        "revoked": write("revoked.pem", to_pem(CRL, Crl(entries=(entry(0x30),)).der())),
    }


def test_a_device_of_an_organisation(files):
    shown = ran("cert", "check", files["chain"], "--trust", files["root"], "--crl", files["lists"], "--revocation", "require", *AT)  # fmt: skip
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[2] == " 3  ok  an organisation that is trusted here: Example Works"
    assert "not revoked, says CRL, 1 d 0 h old" in lines[8]
    assert lines[10:12] == ["accepted", "organisation  Example Works"]


def test_for_programs(files):
    (event,) = ran("cert", "check", files["chain"], "--trust", files["root"], *AT, "--json").events
    assert (event["event"], event["ok"], event["code"], event["organisation"]) == (
        "checked",
        True,
        "ok",
        "Example Works",
    )
    assert [one["number"] for one in event["checks"]] == list(range(1, 11))
    assert all("nobody here knows" in one for one in event["revocation"])


def test_a_refusal_is_shown_with_its_check_and_ends_with_its_code(files):
    arguments = ("cert", "check", files["chain"], "--trust", files["root"], "--crl", files["revoked"], *AT)
    shown = ran(*arguments)
    assert shown.code == 50
    assert " 9  NO  nothing revoked: the device's certificate was revoked" in shown.out
    assert "accepted" not in shown.out
    assert "check: 9 nothing revoked" in shown.err
    checked, error = ran(*arguments, "--json").events
    assert (checked["ok"], checked["code"], checked["did"]) == (False, "cert-revoked", None)
    assert (error["event"], error["code"]) == ("error", "cert-revoked")


def test_one_that_vouches_for_itself(files):
    assert ran("cert", "check", files["alone"], *AT).out.splitlines()[11] == "accepted"


def test_a_path(files):
    assert ran("cert", "check", files["chain"], "--trust", files["root"], "--profile", "path", *AT).out.endswith(
        "accepted\n"
    )


def test_ages_and_clocks(files):
    base = (
        "cert",
        "check",
        files["chain"],
        "--trust",
        files["root"],
        "--crl",
        files["lists"],
        "--revocation",
        "require",
    )
    assert ran(*base, "--max-age", "23h", *AT).code == 50
    assert ran(*base, "--max-age", "1d", *AT).code == 0
    early = ("--at", "2025-12-31T23:59:30")
    alone = ("cert", "check", files["alone"], *early)
    assert ran(*alone).code == 20
    assert ran(*alone, "--skew", "30s").code == 0


def test_wrong_words(files, tmp_path):
    assert ran("cert", "check").code == 2
    assert ran("cert", "check", str(tmp_path / "none")).code == 2
    assert ran("cert", "check", files["lists"]).code == 2
    assert ran("cert", "check", files["alone"], "--batch").code == 2
    assert ran("cert", "check", files["alone"], "--at", "noon").code == 2
    assert ran("cert", "check", files["alone"], "--skew", "5").code == 2


def test_a_batch():
    text = [base64.b64encode(one).decode() for one in CHAIN]
    case = {"id": 1, "chain": text, "roots": [base64.b64encode(ROOT).decode()], "at": 1782907200}
    shown = ran("cert", "check", "--batch", text=json.dumps(case) + "\nrubbish\n")
    assert shown.code == 0
    assert [json.loads(line)["ok"] for line in shown.out.splitlines()] == [True, False]


def test_times_and_durations():
    assert moment("0") == datetime(1970, 1, 1, tzinfo=UTC)
    assert moment("2026-07-01T12:00:00+02:00") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert moment("2026-07-01") == datetime(2026, 7, 1, tzinfo=UTC)
    assert moment(None).utcoffset() == timedelta(0)
    assert duration("90m") == timedelta(minutes=90)
    for text in ("", "s", "-1s", "1w", "1.5h", "\u0665s", "9999999d"):
        with pytest.raises(UsageError):
            duration(text)
    with pytest.raises(UsageError):
        moment("9" * 30)
