# SPDX-License-Identifier: Apache-2.0
"""Fresh devices. A missing tool is an error here, never a skip."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.abrmd import BrokeredTpm
from support.hwbench import Bench, SoftHsmBench, SwTpmBench
from support.hwpiv import PivBench
from support.swtpm import SwTpm


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory whose path is short enough for unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="hw-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def softhsm() -> SoftHsmBench:
    return SoftHsmBench()


@pytest.fixture
def swtpm(short_dir: Path) -> Iterator[SwTpmBench]:
    with SwTpm(short_dir) as tpm:
        yield SwTpmBench(tpm)


@pytest.fixture
def swtpm_abrmd(short_dir: Path) -> Iterator[SwTpmBench]:
    with BrokeredTpm(short_dir) as tpm:
        yield SwTpmBench(tpm)


@pytest.fixture
def piv_opensc() -> Iterator[PivBench]:
    bench = PivBench("opensc")
    yield bench
    bench.card.pull()


@pytest.fixture
def piv_ykcs11() -> Iterator[PivBench]:
    bench = PivBench("ykcs11")
    yield bench
    bench.card.pull()


@pytest.fixture(
    params=[
        pytest.param("softhsm", marks=pytest.mark.device("softhsm")),
        pytest.param("swtpm", marks=pytest.mark.device("swtpm")),
        pytest.param("swtpm_abrmd", marks=pytest.mark.device("swtpm-abrmd")),
        pytest.param("piv_opensc", marks=pytest.mark.device("piv-opensc")),
        pytest.param("piv_ykcs11", marks=pytest.mark.device("piv-ykcs11")),
    ]
)
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each device in turn."""
    found: Bench = request.getfixturevalue(request.param)
    return found
