# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

from hardwire.app import demo
from hardwire.app.demo import Report, demonstrate
from hardwire.app.demodevices import DemoDevice
from hardwire.errors import LineTimeout, LocalError, TokenMissing


@pytest.mark.device("softhsm", "swtpm")
async def test_the_demo_measures_what_it_reports(monkeypatch):
    wanted = []
    real = demo._sha256
    monkeypatch.setattr(demo, "_sha256", lambda path: wanted.append(real(path)) or wanted[-1])
    said = []
    before = leftovers()
    report = await demonstrate(1_000_000, said.append)
    assert report.ok
    assert report.sas_equal
    assert [len(group) for group in report.sas.split()] == [4, 4, 4]
    assert report.signatures_per_side == [1, 1]
    assert wanted == [report.sha256, report.sha256], "once at each end"
    assert report.hash_ok
    assert report.chat_ok
    assert report.closed_clean
    assert report.file_mb == 1.0
    assert report.peer_a["did"] != report.peer_b["did"]
    for peer in (report.peer_a, report.peer_b):
        assert (peer["assurance"], peer["attested_by"]) == ("SOFTWARE TOKEN", "")
        assert len(bytes.fromhex(peer["device_id"])) == 32
    assert 0 < report.open_ms < report.line_ms
    assert report.handshake_ms > 0
    assert report.line_ms < 1000 * report.seconds
    assert report.file_mb_per_s > 0
    record = json.loads(json.dumps(report.record()))
    assert record["event"] == "demo"
    assert set(record) == {"event", *(field.name for field in fields(Report))}
    assert 8 <= len(said) <= 12
    assert sum("SOFTWARE TOKEN" in line for line in said) == 2
    assert any(report.sas in line and "equal" in line for line in said)
    assert leftovers() == before


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("hw-demo-*"))


async def test_without_software_tokens_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TokenMissing) as caught:
        await demonstrate(1, lambda _line: None)
    assert caught.value.exit_code == 10
    assert "apt-get install" in caught.value.hint


def peer_that_says(monkeypatch, tmp_path, *lines: str, then: str = "") -> demo._Peer:
    """A process in hardwire's place, which prints these lines."""
    script = "\n".join(["import sys", f"for line in {lines!r}: print(line, flush=True)", then])
    (tmp_path / "hardwire.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    return demo._Peer("bob", tmp_path, DemoDevice("nothing", environment, (), int))


async def test_what_a_peer_reports_is_passed_on(monkeypatch, tmp_path):
    error = {"event": "error", "code": "pin-wrong", "message": "no", "hint": "try", "exit_code": 11}
    peer = await peer_that_says(monkeypatch, tmp_path, '{"event": "a"}', json.dumps(error)).start()
    with pytest.raises(LocalError) as caught:
        await peer.expect("b")
    assert (caught.value.message, caught.value.code, caught.value.exit_code) == ("bob: no", "pin-wrong", 11)
    assert await peer.finished() == 0
    await peer.stop()


async def test_events_are_found_by_name_and_fields(monkeypatch, tmp_path):
    lines = ('{"event": "said", "by": "here"}', '{"event": "said", "by": "peer", "text": "x"}')
    peer = await peer_that_says(monkeypatch, tmp_path, *lines, then="sys.exit(3)").start()
    assert (await peer.expect("said", by="peer"))["text"] == "x"
    with pytest.raises(LocalError, match="bob ended before said"):
        await peer.expect("said")
    assert await peer.finished() == 3


async def test_a_peer_that_hangs(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "_STEP_TIMEOUT", 0.3)
    peer = await peer_that_says(monkeypatch, tmp_path, then="sys.stdin.read(); import time; time.sleep(60)").start()
    with pytest.raises(LineTimeout, match="no invite-ready within"):
        await peer.expect("invite-ready", 0.3)
    with pytest.raises(LineTimeout, match="did not end"):
        await peer.finished()
    await peer.stop()
    await peer.stop()


def test_a_file_of_random_octets(tmp_path):
    demo._write_random(tmp_path / "a", (1 << 20) + 5)
    data = (tmp_path / "a").read_bytes()
    assert len(data) == (1 << 20) + 5
    assert len(set(data)) == 256
    assert demo._sha256(tmp_path / "a") == hashlib.sha256(data).hexdigest()
