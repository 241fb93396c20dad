# SPDX-License-Identifier: Apache-2.0
"""`hardwire cert`: certificates of an organisation, from both sides."""

import typer

from hardwire.cli import cert_authority, cert_check, cert_device, cert_show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """Certificates of an organisation: ask for one, issue them, take them back.

    \b
    A device:        hardwire cert request > alice.csr      then   hardwire cert install alice.pem
    Everybody:       hardwire cert trust acme.pem           then   hardwire cert install acme.crl
    The authority:   hardwire cert ca --name ACME           once
                     hardwire cert issue alice.csr > alice.pem
                     hardwire cert revoke alice@example.org and   hardwire cert crl --out acme.crl
    Anybody:         hardwire cert check alice.pem --trust acme.pem --crl acme.crl
    """


app.command("request")(cert_device.request)
app.command("install")(cert_device.install)
app.command("trust")(cert_device.trust)
app.command("ca")(cert_authority.found)
app.command("issue")(cert_authority.issue)
app.command("revoke")(cert_authority.revoke)
app.command("crl")(cert_authority.crl)
app.command("show")(cert_show.command)
app.command("check")(cert_check.command)
