# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.handshake import HandshakeDone
from support.lines import line_pair


@pytest.fixture
async def proofs():
    """Two real proofs of one handshake, kept whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HandshakeDone, "spent", lambda done: done)
        async with line_pair() as (first, second):
            return first.done, second.done
