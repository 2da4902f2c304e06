"""`plugpass pki init`, `issue`, `csr`, `revoke`: making hierarchies, certificates and requests, and taking back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugpass.cli.pki.options import (
    DEFAULT_FOLDER,
    AsJson,
    Authority,
    By,
    CurveWord,
    ExportPassphraseFile,
    Folder,
    GenerationWord,
    IssuedWord,
    Out,
    PassphraseFile,
    RootWord,
)
from plugpass.cli.pki.reporting import REFUSED, actor, print_json, reporting

_CURVES = {CurveWord.P256: "secp256r1", CurveWord.P521: "secp521r1", CurveWord.ED448: "ed448"}


def init(
    folder: Folder = DEFAULT_FOLDER,
    generation: Annotated[
        GenerationWord, typer.Option("--generation", help="ISO 15118-2 or ISO 15118-20.")
    ] = GenerationWord.ISO2,
    curve: Annotated[
        CurveWord | None, typer.Option("--curve", help="Key type; default p256 for iso2, p521 for iso20.")
    ] = None,
    hierarchy: Annotated[
        list[RootWord] | None,
        typer.Option("--hierarchy", help="Only this one: v2g, oem, mo or pe; repeatable. Default: v2g, oem and mo."),
    ] = None,
    market: Annotated[
        list[str] | None, typer.Option("--market", help="A V2G root for this market, such as EU; repeatable.")
    ] = None,
    cross_sign: Annotated[
        bool, typer.Option("--cross-sign", help="The V2G roots of all markets certify each other.")
    ] = False,
    organization: Annotated[str, typer.Option("--organization", help="O of all CAs.")] = "plugpass",
    country: Annotated[str, typer.Option("--country", help="C of all CAs.")] = "DE",
    tiers: Annotated[int, typer.Option("--tiers", help="Sub-CAs between root and leaf.", min=1, max=2)] = 2,
    ocsp_url: Annotated[
        str, typer.Option("--ocsp-url", help="Where the OCSP responder will be; goes into every certificate.")
    ] = "http://127.0.0.1:8888",
    crl_url: Annotated[
        str, typer.Option("--crl-url", help="Where CRLs will be; default: certificates name no distribution point.")
    ] = "",
    leaves: Annotated[bool, typer.Option(help="Issue one leaf of each kind as well.")] = True,
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Make a whole test ecosystem, or one hierarchy: CAs, leaves, trust store, audit log.

    Running it again adds what is missing; other generations and markets can be added to the same workspace.
    """
    with reporting(as_json):
        from plugpass.cli.pki.ecosystem import ECOSYSTEM, Wish, initialise
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.pki.keys import Curve
        from plugpass.pki.profiles import Generation
        from plugpass.providers.local_ca import Hierarchy

        wish = Wish(
            generation=Generation(generation.value),
            curve=Curve(_CURVES[curve]) if curve else None,
            hierarchies=tuple(Hierarchy(word.value) for word in hierarchy) if hierarchy else ECOSYSTEM,
            markets=tuple(market or ()),
            cross_sign=cross_sign,
            organization=organization,
            country=country,
            tiers=tiers,
            ocsp_url=ocsp_url,
            crl_url=crl_url or None,
            leaves=leaves,
        )

        async def work() -> None:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by), create=True) as workspace:
                result = await initialise(workspace, wish)
            if as_json:
                print_json(result)
                return
            for made in result["authorities"]:
                typer.echo(f"{made['name']}: {made['generation']} {made['curve']}, root {made['root']}")
                for role, path in made["leaves"].items():
                    typer.echo(f"  {role}: {path}")
            for path in result["cross_certificates"]:
                typer.echo(f"cross certificate: {path}")

        run(work())


def issue(
    role: Annotated[IssuedWord, typer.Argument(help="What to issue.")],
    name: Annotated[
        str, typer.Argument(help="EVSEID, EMAID, PCID, EVCCID or name; with --csr the request has it.")
    ] = "",
    csr: Annotated[Path | None, typer.Option("--csr", help="PKCS#10 of somebody else's key, PEM or DER.")] = None,
    operator: Annotated[
        str, typer.Option("--operator", help="Refuse names of others: operator or provider prefix, or WMI.")
    ] = "",
    days: Annotated[int | None, typer.Option("--days", help="Validity; default: the profile's.", min=1)] = None,
    out: Out = None,
    folder: Folder = DEFAULT_FOLDER,
    authority: Authority = "",
    generation: Annotated[GenerationWord | None, typer.Option("--generation", help="Which generation.")] = None,
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Issue a certificate: for a new key that stays in the workspace, or for the key of a request.

    Exit code 0 when it was issued, 1 when the request is refused, 2 when something is unusable.
    """
    from plugpass.pki.csr import CsrRefused

    with reporting(as_json, refusals=(CsrRefused,)):
        from plugpass.cli.pki import certificates
        from plugpass.cli.pki.inputs import require_new
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.errors import LocalError
        from plugpass.pki.bundle import pem
        from plugpass.pki.certificate import parse
        from plugpass.pki.profiles import CertificateRole, Generation
        from plugpass.store.layouts import write_file

        chosen = CertificateRole(role.value)
        wanted = Generation(generation.value) if generation else None
        if bool(name) is (csr is not None):
            raise LocalError("name the holder for a new key, or a request with --csr, not both")
        require_new(out)
        content = certificates.read_request(csr) if csr else b""

        async def work() -> None:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                plan = workspace.choose(authority, hierarchy=certificates.HIERARCHY[chosen], generation=wanted)
                if operator and csr:
                    certificates.check_owner(content, chosen, plan.generation, operator)
                if csr:
                    await certificates.check_key_reuse(workspace, content, chosen, plan.generation)
                    chain = await certificates.sign_request(workspace, plan, chosen, content, days=days)
                else:
                    chain = await certificates.issue_leaf(workspace, plan, chosen, name, days=days)
                leaf = parse(chain[0])
                if out:
                    write_file(out, pem(chain).encode())
                path = out or certificates.write_chain(
                    workspace, plan, certificates.file_name(chosen, leaf.common_name), chain
                )
            result = {"ok": True, "file": str(path), "serial": f"{leaf.serial:x}", "authority": plan.name}
            if as_json:
                print_json(result | {"subject": str(leaf.subject), "not_after": leaf.not_after.isoformat()})
            else:
                typer.echo(f"{leaf.subject}, serial {leaf.serial:x}, until {leaf.not_after:%Y-%m-%d}: {path}")

        run(work())


def csr(
    role: Annotated[IssuedWord, typer.Argument(help="What the certificate will be for.")],
    name: Annotated[str, typer.Argument(help="EVSEID, SECCID, EMAID, PCID, EVCCID or name.")],
    key: Annotated[Path, typer.Option("--key", help="File for the new private key, encrypted PEM.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the request, PEM.")],
    organization: Annotated[str, typer.Option("--organization", help="O of the subject.")] = "plugpass",
    country: Annotated[str, typer.Option("--country", help="C of the subject.")] = "DE",
    generation: Annotated[
        GenerationWord, typer.Option("--generation", help="ISO 15118-2 or ISO 15118-20.")
    ] = GenerationWord.ISO2,
    curve: Annotated[CurveWord | None, typer.Option("--curve", help="Key type.")] = None,
    export_passphrase_file: ExportPassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and a certificate request for it, to send to any CA."""
    with reporting(as_json):
        from plugpass.cli.pki import certificates
        from plugpass.cli.pki.inputs import require_new
        from plugpass.cli.pki.secrets import EXPORT_VARIABLE, find_passphrase
        from plugpass.pki.bundle import pem_block
        from plugpass.pki.keys import Curve, generate
        from plugpass.pki.profiles import CertificateRole, Generation
        from plugpass.store.layouts import write_file, write_private

        require_new(key)
        require_new(out)
        passphrase = find_passphrase(export_passphrase_file, EXPORT_VARIABLE, purpose="for the new key", confirm=True)
        wanted = Curve(_CURVES[curve]) if curve else None
        signer = generate(certificates.curve_for(Generation(generation.value), wanted))
        chosen = CertificateRole(role.value)
        encoded = certificates.request(signer, chosen, name, organization, country)
        write_private(key, signer.to_pem(passphrase))
        write_file(out, pem_block(encoded, "CERTIFICATE REQUEST").encode())
        if as_json:
            print_json({"ok": True, "request": str(out), "key": str(key)})
        else:
            typer.echo(f"request {out}, key {key}")


def revoke(
    certificate: Annotated[str, typer.Argument(help="File, serial number (hex) or fingerprint.")],
    reason: Annotated[
        str, typer.Option("--reason", help="RFC 5280 reason, such as keyCompromise or cessationOfOperation.")
    ] = "unspecified",
    folder: Folder = DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Revoke a certificate of the workspace; the responder and the next CRL say so. Revoking twice keeps the first.

    Exit code 1 when the certificate is not of this workspace.
    """
    with reporting(as_json):
        from plugpass.cli.pki.certificates import find_certificate
        from plugpass.cli.pki.lists import sign_list_of
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.errors import LocalError

        async def work() -> bool:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                encoded = await find_certificate(workspace, certificate)
                try:
                    plan, authority = await workspace.owner_of(encoded)
                except LocalError as error:
                    _say({"ok": False, "reason": str(error)}, str(error), as_json=as_json)
                    return False
                await authority.revoke(encoded, reason)
                record = await authority.record_of(encoded)
                if record is not None:
                    await sign_list_of(workspace, plan, record.issuer_key_id)
            when = record.revoked_at.isoformat() if record and record.revoked_at else ""
            serial = f"{record.serial:x}" if record else ""
            _say(
                {"ok": True, "serial": serial, "authority": plan.name, "revoked_at": when},
                f"revoked: serial {serial} of {plan.name}, at {when}",
                as_json=as_json,
            )
            return True

        done = run(work())
    if not done:
        raise typer.Exit(REFUSED)


def _say(result: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        typer.echo(text)
