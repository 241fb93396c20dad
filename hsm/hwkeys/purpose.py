# SPDX-License-Identifier: Apache-2.0
"""What a key is for."""

from enum import Enum


class Purpose(Enum):
    """One key never does both: a device would have to be told each time which is meant."""

    SIGN = "sign"
    AGREE = "agree"
