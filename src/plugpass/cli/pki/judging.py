"""`plugpass pki verify` and `plugpass pki lint`: is this chain to be believed, and what is wrong with these files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugpass.cli.pki.options import (
    AsJson,
    At,
    GenerationWord,
    InputPassphraseFile,
    PolicyWord,
    RoleWord,
)
from plugpass.cli.pki.reporting import REFUSED, console, moment, print_json, reporting

if TYPE_CHECKING:
    from plugpass.cli.pki.linting import LintedCertificate
    from plugpass.cli.pki.verification import Verification


def verify(
    chain: Annotated[Path, typer.Argument(help="The chain, leaf first: PEM, DER, PKCS#7 or PKCS#12.")],
    role: Annotated[RoleWord, typer.Option("--role", help="What the leaf is to be believed as.")],
    trust: Annotated[
        list[str],
        typer.Option(
            "--trust", help="Root file or folder; v2g=, mo=, oem= or pe= before it says its type; repeatable."
        ),
    ],
    generation: Annotated[
        GenerationWord, typer.Option("--generation", help="ISO 15118-2 or ISO 15118-20.")
    ] = GenerationWord.ISO2,
    at: At = "",
    crl: Annotated[list[Path] | None, typer.Option("--crl", help="Revocation list, DER or PEM; repeatable.")] = None,
    ocsp: Annotated[list[Path] | None, typer.Option("--ocsp", help="OCSP response, DER; repeatable.")] = None,
    require_status: Annotated[
        bool, typer.Option("--require-status", help="Every certificate below the root needs a good answer.")
    ] = False,
    policy: Annotated[
        PolicyWord, typer.Option("--policy", help="annex-f: every profile rule; field: what operators have in use.")
    ] = PolicyWord.ANNEX_F,
    expect: Annotated[str, typer.Option("--expect", help="The EVSEID, EMAID, PCID... the leaf must name.")] = "",
    passphrase_file: InputPassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Validate a chain for a role at a time against trusted roots, and say which path was taken and what was checked.

    Revocation is judged by the responses and lists that are given, never fetched; what they do not speak of is
    reported as tolerated, unless the leaf itself is not covered or [bold]--require-status[/bold] is given.

    Exit code 0 when the chain is accepted, 1 when it is refused, 2 when the input is unusable.
    """
    with reporting(as_json):
        from plugpass.cli.pki.verification import Question, verify_chain
        from plugpass.net.clock import SystemClock
        from plugpass.pki.profiles import CertificateRole, Generation

        result = verify_chain(
            Question(
                chain=chain,
                role=CertificateRole(role.value),
                generation=Generation(generation.value),
                trust=tuple(trust),
                at=moment(at, now=SystemClock().now()),
                crls=tuple(crl or ()),
                ocsp=tuple(ocsp or ()),
                require_status=require_status,
                policy=policy.value,
                expect=expect or None,
                passphrase_file=passphrase_file,
            )
        )
        if as_json:
            print_json(result.as_dict())
        else:
            _print_verification(result)
    if not result.ok:
        raise typer.Exit(REFUSED)


def _print_verification(result: Verification) -> None:
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    marks = {"ok": "[green]✓[/green]", "failed": "[bold red]✗[/bold red]", "not-done": "[dim]·[/dim]"}
    word = "[bold green]accepted[/bold green]" if result.ok else f"[bold red]{result.status}[/bold red]"
    screen.print(f"{word} as {result.role} ({result.generation}) under {result.policy} at {result.at}")
    for place, step in enumerate(result.path):
        screen.print(f"{'  ' * place}{'└ ' if place else ''}{escape(step['subject'])}", soft_wrap=True)
    table = Table.grid(padding=(0, 1))
    for check in result.checks:
        table.add_row(marks.get(check["status"], "[yellow]![/yellow]"), check["name"], escape(check["detail"]))
    screen.print(table)
    for remark in result.remarks:
        screen.print(f"[yellow]![/yellow] {escape(remark)}", soft_wrap=True)
    if not result.ok:
        screen.print(f"[bold red]✗[/bold red] {escape(result.reason)}", soft_wrap=True)


def lint(
    files: Annotated[list[Path], typer.Argument(help="Certificates or chains: PEM, DER, PKCS#7 or PKCS#12.")],
    role: Annotated[
        str, typer.Option("--role", help="Profile of the first certificate of each file; default: guessed.")
    ] = "",
    generation: Annotated[
        GenerationWord | None, typer.Option("--generation", help="ISO 15118-2 or -20; default: by the key.")
    ] = None,
    passphrase_file: InputPassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Judge certificates by their profiles: every finding with its clause, its weight, and what the profile wants.

    Exit code 0 when there is no error among the findings, 1 when there is, 2 when a file is unusable.
    """
    with reporting(as_json):
        from plugpass.cli.pki.linting import lint_files

        results = lint_files(files, role=role, generation=generation, passphrase_file=passphrase_file)
        ok = all(item.ok for item in results)
        if as_json:
            print_json({"ok": ok, "certificates": [item.as_dict() for item in results]})
        else:
            _print_lint(results)
    if not ok:
        raise typer.Exit(REFUSED)


def _print_lint(results: tuple[LintedCertificate, ...]) -> None:
    from rich.markup import escape

    screen = console()
    marks = {"error": "[bold red]✗[/bold red]", "warning": "[yellow]![/yellow]", "notice": "[dim]·[/dim]"}
    for item in results:
        guessed = f", guessed: {'; '.join(item.because)}" if item.guessed else ""
        screen.print(f"[bold]{escape(item.subject)}[/bold] ({escape(item.file)})", soft_wrap=True)
        screen.print(f"  as {item.role} of {item.generation}{escape(guessed)}", soft_wrap=True)
        for finding in item.findings:
            why = escape(f"[{finding.reason}] {finding.clause}")
            screen.print(f"  {marks[finding.severity]} {escape(finding.text)} [dim]{why}[/dim]", soft_wrap=True)
        if not item.findings:
            screen.print("  [green]✓[/green] nothing to say against it")
