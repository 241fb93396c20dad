# SPDX-License-Identifier: Apache-2.0
"""The constants of the EK Credential Profile, annex B, which the module computes."""

from hwkeys.tpm.endorsement import TEMPLATES, policy_nv, policy_or, policy_secret

POLICY_A_SHA256 = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
POLICY_A_SHA384 = "8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e143e8bb1133824ccb431053871c6db53"
POLICY_C_SHA256 = "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0"
POLICY_C_SHA384 = "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12"


def test_the_policies():
    assert policy_secret("sha256").hex() == POLICY_A_SHA256
    assert policy_secret("sha384").hex() == POLICY_A_SHA384
    assert policy_or("sha256").hex() == POLICY_C_SHA256
    assert policy_or("sha384").hex() == POLICY_C_SHA384


def test_the_templates():
    by_name = {each.name: each for each in TEMPLATES}
    assert list(by_name) == ["L-1", "L-2", "H-1", "H-2", "H-3"]
    assert len({each.certificate_index for each in TEMPLATES}) == len(TEMPLATES)
    low, high = by_name["L-1"], by_name["H-3"]
    assert low.public.hex() == (f"0001000b000300b20020{POLICY_A_SHA256}00060080004300100800000000000100" + "00" * 256)
    assert high.public.hex() == f"0023000c000300f20030{POLICY_C_SHA384}000601000043001000040010" + "0000" * 2
    assert by_name["L-2"].public.hex().endswith("0006008000430010000300100020" + "00" * 32 + "0020" + "00" * 32)


def test_who_needs_an_or():
    for template in TEMPLATES:
        ways = (policy_secret(template.hash_name), policy_nv(template.hash_name))
        assert template.branches == (ways if template.name.startswith("H") else ())
