# SPDX-License-Identifier: Apache-2.0
from hardwire.net.oneway import derive
from hardwire.net.rtc.terms import LinkSettings
from hardwire.net.servers import NO_SERVERS


def test_what_opens_a_line_is_not_shown():
    derived = derive(bytes(16), 1_800_000_000)
    shown = (derived.offer.key, derived.offer.certificate)
    settings = LinkSettings(True, derived.ice, NO_SERVERS, loopback=True, shown=shown)
    for secret in (derived.ice.offer.password, derived.ice.inv_secret.hex(), "shown"):
        assert secret not in repr(settings)
    assert settings.port == 0
