# SPDX-License-Identifier: Apache-2.0
from hwkeys import Purpose


def test_one_key_has_one_purpose():
    assert {purpose.value for purpose in Purpose} == {"sign", "agree"}
