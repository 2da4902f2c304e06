"""The table of `plugpass pki`: one line a command."""

from __future__ import annotations

from collections.abc import Callable

import typer

from plugpass.cli.pki import auditing, exporting, issuing, judging, operating, showing, trusting

pki_app = typer.Typer(
    name="pki",
    help="V2G hierarchies, certificates, trust: make them, check them, renew them, hand them over.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

COMMANDS: dict[str, Callable[..., None]] = {
    "init": issuing.init,
    "issue": issuing.issue,
    "csr": issuing.csr,
    "revoke": issuing.revoke,
    "crl": operating.crl,
    "renew-ca": operating.renew_ca,
    "cross-sign": operating.cross_sign,
    "show": showing.show,
    "lint": judging.lint,
    "verify": judging.verify,
    "export": exporting.export,
}
for _name, _command in COMMANDS.items():
    pki_app.command(_name)(_command)

GROUPS: dict[str, typer.Typer] = {
    "ocsp": operating.ocsp_app,
    "rollover": operating.rollover_app,
    "trust": trusting.trust_app,
    "audit": auditing.audit_app,
}
for _name, _group in GROUPS.items():
    pki_app.add_typer(_group, name=_name)
