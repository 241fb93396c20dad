# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/certificates.md, written from the data: ``python tests/support/certdoc.py --write``."""

import re
import sys
from pathlib import Path

from hardwire.certs import CHAIN_CHECKS, SELF_SIGNED_CHECKS, profile
from hardwire.certs.profile import CertificateProfile, ExtensionRule

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "certificates.md"


def tables() -> dict[str, str]:
    return {"profile": _profiles(), "self-signed": _numbered(SELF_SIGNED_CHECKS), "chain": _numbered(CHAIN_CHECKS)}


def marked(text: str) -> dict[str, str]:
    """What stands between the marks of each table."""
    return dict(re.findall(r"<!-- table: ([a-z-]+) -->\n(.*?)<!-- end -->", text, re.DOTALL))


def written(text: str) -> str:
    for name, table in tables().items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        head, _, rest = text.partition(start)
        text = head + start + table + end + rest.partition(end)[2]
    return text


def _numbered(names: tuple[str, ...]) -> str:
    return "".join(f"{number}. {name}\n" for number, name in enumerate(names, 1))


def _profiles() -> str:
    columns = profile.PROFILES
    names = list(dict.fromkeys(rule.name for one in columns for rule in one.extensions))
    rows = [
        ("", *(one.title for one in columns)),
        ("---",) * (len(columns) + 1),
        ("keys", *(", ".join(sorted(kind.value for kind in one.key_kinds)) for one in columns)),
        ("RSA bits", *(f"{one.rsa_bits[0]}–{one.rsa_bits[-1]}" for one in columns)),
        *((name, *(_rule(one, name) for one in columns)) for name in names),
        ("others, not critical", *("yes" if one.strangers else "no" for one in columns)),
        ("key usage must have", *(_usages(one.usages_required) for one in columns)),
        ("key usage may have", *(_usages(one.usages_allowed - one.usages_required) for one in columns)),
        ("names besides did:key", *(_names(one) for one in columns)),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rule(one: CertificateProfile, name: str) -> str:
    for rule in one.extensions:
        if rule.name == name:
            return _words(rule)
    return (
        "no" if not one.strangers or any(rule.name == name and rule.oid in one.absent for rule in _ALL) else "ignored"
    )


_ALL: tuple[ExtensionRule, ...] = tuple(rule for one in profile.PROFILES for rule in one.extensions)


def _words(rule: ExtensionRule) -> str:
    how = {True: "critical", False: "not critical", None: "either"}[rule.critical]
    return f"**{how}**" if rule.required else how


def _usages(usages: frozenset) -> str:
    return ", ".join(usage.name.lower().replace("_", " ") for usage in sorted(usages)) or "—"


def _names(one: CertificateProfile) -> str:
    return "—" if one.names is None else ", ".join(sorted(one.names)) or "none"


if __name__ == "__main__" and "--write" in sys.argv:
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
