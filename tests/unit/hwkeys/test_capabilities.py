# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import Attester, KeyAgreement, Sealer, Unsupported, capability


class Everything:
    capabilities = frozenset({KeyAgreement, Attester, Sealer})

    @property
    def curve(self):
        return ec.SECP256R1()

    def public_key(self):
        return ec.generate_private_key(self.curve).public_key()

    def exchange(self, algorithm, peer_public_key):
        return bytes(32)

    def attest(self, nonce):
        return nonce

    def seal(self, secret):
        return secret

    def unseal(self, sealed):
        return sealed


@pytest.mark.parametrize("kind", [KeyAgreement, Attester, Sealer])
def test_a_key_that_can_is_given_back(kind):
    key = Everything()
    assert capability(key, kind) is key
    assert isinstance(key, kind)


@pytest.mark.parametrize(
    "kind, words",
    [(KeyAgreement, "key agreement"), (Attester, "attestation"), (Sealer, "sealing"), (int, "such thing")],
)
def test_a_key_that_cannot_says_which_could(kind, words):
    # It has an exchange(), as every private key of cryptography does.
    for key in (ec.generate_private_key(ec.SECP256R1()), object()):
        with pytest.raises(Unsupported, match=words) as refused:
            capability(key, kind)
        assert refused.value.hint
