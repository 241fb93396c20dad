# SPDX-License-Identifier: Apache-2.0
"""The second path engine: pyhanko-certvalidator, on exactly the path that the first one accepted.

It implements RFC 5280 §6 as written, certificate policies included, and was made by other people than the first. The
known discomforts, and what is done about each:

* Its path builder is factorial on hostile input: it is never called. The path is given.
* It believes an anchor blindly: the anchor's path length, name constraints and what it says about certificate policies
  are handed over as parameters, its dates and extensions are checked before (:mod:`hardwire.certs.chain`). A parameter
  knows no count: a policy that the anchor asks for some certificates further down is asked for at once.
* A certificate with the name and key of an anchor passes without a look at its signature: a chain that holds one is
  refused before.
* Its interface is a coroutine. Nothing in it waits when fetching is off; it is stepped by hand, and if it ever
  waits, the answer is no. No event loop exists here.
* It looks at CRLs only when one is required, at each list for each certificate, and takes seconds for long ones:
  :mod:`hardwire.certs.revocation` judges them all, and hands over the leaf's, if it is short, for a second opinion.
* It leaks undeclared exceptions: any exception means no.

It is imported when it is first used: that takes a fifth of a second, which no other command should pay.
"""

from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from hardwire.certs.gate import GatedCertificate
from hardwire.certs.profile import ANY_POLICY
from hardwire.certs.refusal import ISSUER_HINT, refused

MAX_POLICY_NODES: Final = 256
"""Of the graph of certificate policies; what grows beyond it was made to grow."""
MAX_SMALL: Final = 256
"""Entries of a list that this engine is asked to read; it takes longer the longer the list is."""
_ANY: Final = "any_policy"


def validate_path(
    leaf: GatedCertificate,
    between: Sequence[GatedCertificate],
    anchor: GatedCertificate,
    *,
    at: datetime,
    skew: timedelta,
    crl: bytes | None = None,
) -> frozenset[str]:
    """Validate the path; the certificate policies that hold along it, dotted.

    Args:
        leaf: The certificate of the peer.
        between: The authorities, the leaf's own issuer first.
        anchor: The end of the path.
        at: The time.
        skew: How far in the future a CRL may have been made.
        crl: A list that covers the leaf, to be looked at as well.

    Raises:
        CertificateRefused: ``cert-path-second``.
    """
    try:
        return _policies(_step(_validate((leaf, *between, anchor), at, skew, crl)))
    except Exception as error:
        # PathValidationError is the declared one; anything else it throws at hostile octets means no, too.
        raise refused(
            "cert-path-second",
            f"does not lead to a trust anchor, says the second reader: {error}",
            hint=ISSUER_HINT,
            evidence={"engine": "second"},
        ) from error


def load_engines() -> None:
    """Import the engine now, for a program that would rather wait at its start."""
    from pyhanko_certvalidator import context, validate  # noqa: F401, PLC0415 - see the head of this file


def _step(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    finally:
        coroutine.close()
    raise RuntimeError("the engine wants to wait for something, and there is nothing to wait for")


async def _validate(chain: Sequence[GatedCertificate], at: datetime, skew: timedelta, crl: bytes | None) -> Any:
    from asn1crypto.crl import CertificateList  # noqa: PLC0415 - see the head of this file
    from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers  # noqa: PLC0415
    from pyhanko_certvalidator.context import ValidationContext  # noqa: PLC0415
    from pyhanko_certvalidator.path import ValidationPath  # noqa: PLC0415
    from pyhanko_certvalidator.policy_decl import (  # noqa: PLC0415
        CertRevTrustPolicy,
        PKIXValidationParams,
        RevocationCheckingPolicy,
        RevocationCheckingRule,
    )
    from pyhanko_certvalidator.validate import async_validate_path  # noqa: PLC0415

    rule, lists = RevocationCheckingRule.NO_CHECK, []
    if crl is not None:
        rule, lists = RevocationCheckingRule.CRL_REQUIRED, [CertificateList.load(crl, strict=True)]
    leaf, *between, anchor = chain
    length = anchor.values.path_length
    # With the one length but not the other, 0.33.0 subtracts one from None.
    qualifiers = TrustQualifiers(
        standard_parameters=PKIXValidationParams(
            max_policy_graph_nodes=MAX_POLICY_NODES, **_subtrees(anchor), **_policy_inputs(anchor)
        ),
        max_path_length=len(between) if length is None else length,
        max_aa_path_length=len(between) if length is None else length,
    )
    path = ValidationPath(
        CertTrustAnchor(anchor.second, qualifiers), [one.second for one in reversed(between)], leaf.second
    )
    context = ValidationContext(
        trust_roots=[anchor.second],
        other_certs=[one.second for one in between],
        moment=at,
        crls=lists,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy(rule, RevocationCheckingRule.NO_CHECK)),
        time_tolerance=skew,
    )
    await async_validate_path(context, path)
    return path


def _subtrees(anchor: GatedCertificate) -> dict[str, Any]:
    """The anchor's name constraints as parameters; both sides or neither, since one alone is misread."""
    from pyhanko_certvalidator.name_trees import (  # noqa: PLC0415
        default_excluded_subtrees,
        default_permitted_subtrees,
        process_general_subtrees,
    )

    value = anchor.second.name_constraints_value
    if value is None:
        return {}
    permitted, excluded = default_permitted_subtrees(), default_excluded_subtrees()
    if value["permitted_subtrees"]:
        permitted = {**permitted, **process_general_subtrees(value["permitted_subtrees"])}
    if value["excluded_subtrees"]:
        excluded = {**excluded, **process_general_subtrees(value["excluded_subtrees"])}
    return {"initial_permitted_subtrees": permitted, "initial_excluded_subtrees": excluded}


def _policy_inputs(anchor: GatedCertificate) -> dict[str, Any]:
    """The anchor's policies (RFC 5937 §3) and constraints on them, as the inputs of RFC 5280 §6.1.1."""
    constraints = anchor.second.policy_constraints_value
    wanted = frozenset(anchor.values.policies)
    return {
        "user_initial_policy_set": frozenset({_ANY}) if not wanted or ANY_POLICY in wanted else wanted,
        "initial_explicit_policy": constraints is not None
        and constraints["require_explicit_policy"].native is not None,
        "initial_policy_mapping_inhibit": constraints is not None
        and constraints["inhibit_policy_mapping"].native is not None,
        "initial_any_policy_inhibit": anchor.second.inhibit_any_policy_value is not None,
    }


def _policies(path: Any) -> frozenset[str]:
    found = path.qualified_policies() or frozenset()
    return frozenset(ANY_POLICY if one.user_domain_policy_id == _ANY else one.user_domain_policy_id for one in found)
