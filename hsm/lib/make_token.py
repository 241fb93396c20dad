# SPDX-License-Identifier: Apache-2.0
"""Initialise a free SoftHSM slot: ``make_token.py LABEL PIN-FILE``, with ``SOFTHSM2_CONF`` set."""

import os
import sys
from pathlib import Path

from hwkeys import HwKeyError
from hwkeys.software import initialise

if __name__ == "__main__":
    try:
        initialise(sys.argv[1], Path(sys.argv[2]).read_text().strip(), os.environ)
    except HwKeyError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}")
