"""The EST server's steps with I/O between them: authenticate, authorise, issue, and account for every request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError, PeerError, Unavailable
from plugpass.est import server as est
from plugpass.est.authorization import Identity, authorise, certified_evse_id
from plugpass.est.messages import EstRefusal, EstRequest, EstResponse, Label, Operation, refusal_response
from plugpass.net.http_server import client_network
from plugpass.pki.certificate import parse
from plugpass.pki.profiles import SanPolicy
from plugpass.ports.issuing import CertificateAuthority, CertificateRecord
from plugpass.ports.trace import NullTrace, Trace, WireEvent
from plugpass.roles.v2g_ca.accounts import Account, Accounts
from plugpass.roles.v2g_ca.rate import Rate, RateLimiter

log = structlog.get_logger(__name__)

_STATUSES = range(400, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the connection says about the requester."""

    address: str
    secure: bool  #: whether the connection is TLS
    certificate: bytes | None = None  #: DER, verified by TLS against the authority's roots


@dataclass(slots=True)
class _Exchange:
    """One request while it is handled: what the log and the trace will say about it."""

    request: EstRequest
    client: Client
    requester: str = "anonymous"
    message: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstSettings:
    """How an EST server behaves where the standard leaves the choice."""

    actor: str = "v2g-ca"  #: its name in the trace
    default_label: Label = Label.CPO  #: the CA of paths without a label
    san: SanPolicy = SanPolicy.COPY  #: switch S10; the authorities must be created with the same
    rate: Rate = field(default_factory=Rate)  #: of one account or certificate at one address
    #: Of all requesters at one address together.
    address_rate: Rate = field(default_factory=lambda: Rate(burst=240, per_minute=240.0))


class EstService:
    """Decides about EST requests for the CAs of `authorities`."""

    def __init__(
        self,
        authorities: Mapping[Label, CertificateAuthority],
        accounts: Iterable[Account],
        *,
        clock: Clock,
        trace: Trace | None = None,
        settings: EstSettings | None = None,
    ) -> None:
        self._authorities = dict(authorities)
        self._accounts = Accounts(accounts)
        self._clock = clock
        self._trace = trace or NullTrace()
        self._settings = settings or EstSettings()
        self._limiter = RateLimiter(self._settings.rate)
        self._addresses = RateLimiter(self._settings.address_rate)

    async def handle(self, request: EstRequest, client: Client) -> EstResponse:
        """The answer to `request`, whatever it is. Refusals are logged with their cause, once."""
        started = self._clock.monotonic()
        exchange = _Exchange(request=request, client=client, message=f"{request.method} {request.path[:80]}")
        try:
            response = await self._answer(exchange)
        except (PeerError, Unavailable, LocalError) as error:
            refusal = _as_refusal(error)
            report = log.error if refusal.status >= 500 and not isinstance(error, PeerError) else log.warning
            report(
                "est.refused",
                status=refusal.status,
                cause=str(error),
                request=exchange.message,
                requester=exchange.requester,
                client=client.address,
            )
            exchange.detail = f"{refusal.status} {refusal}"
            response = refusal_response(refusal)
        self._record(exchange, response, (self._clock.monotonic() - started) * 1000)
        return response

    async def _answer(self, exchange: _Exchange) -> EstResponse:
        request = exchange.request
        task = est.addressed(request, self._authorities, default=self._settings.default_label)
        exchange.message = f"{request.method} /{task.label}/{task.operation}"
        credentials = est.presented(request)
        self._limit(exchange.client, credentials)
        if task.operation is Operation.CACERTS:
            certificates = await self._authorities[task.label].ca_certificates(task.role)
            exchange.detail = f"{len(certificates)} CA certificates"
            return est.ca_certificates_response(request, certificates)
        if task.operation is Operation.CSR_ATTRS:
            return est.no_attributes_response()
        return await self._enrol(exchange, task, credentials)

    async def _enrol(
        self, exchange: _Exchange, task: est.Task, credentials: est.BasicCredentials | None
    ) -> EstResponse:
        authority = self._authorities[task.label]
        renewing = task.operation is Operation.SIMPLE_REENROLL
        # RFC 7030 §3.3.2: a re-enrolment is authenticated by the certificate it renews.
        if credentials is not None and not renewing:
            identity = await self._by_password(exchange, credentials)
            current = None
        else:
            identity, current = await self._by_certificate(exchange.client, task, authority)
        exchange.requester = identity.name
        csr = est.read_csr(exchange.request)
        authorise(csr, task.role, task.label, identity, self._settings.san)
        if renewing and current is not None:
            evse_id = certified_evse_id(csr, task.role, self._settings.san)
            est.check_reenrolment(csr, evse_id, parse(current.certificate), now=self._clock.now())
        chain = await authority.issue_for(csr.encoded, task.role, owner=identity.name)
        exchange.detail = f"serial {parse(chain.leaf).serial:x}"
        return est.enrolled_response(exchange.request, chain.leaf)

    async def _by_password(self, exchange: _Exchange, credentials: est.BasicCredentials) -> Identity:
        if not exchange.client.secure:
            raise EstRefusal(403, "passwords are taken over TLS only")  # RFC 7030 §3.2.3
        identity = await self._accounts.check(credentials.name, credentials.password)
        if identity is None:
            raise est.challenge("account name or password is wrong")
        return identity

    async def _by_certificate(
        self, client: Client, task: est.Task, authority: CertificateAuthority
    ) -> tuple[Identity, CertificateRecord]:
        """The owner of the certificate that the client holds the key of: one of ours, in force, of the same role."""
        if client.certificate is None:
            wanted = "the certificate to renew as TLS client certificate"
            other = "a password or a TLS client certificate"
            needed = wanted if task.operation is Operation.SIMPLE_REENROLL else other
            raise est.challenge(f"authentication needed: {needed}")
        record = await authority.record_of(client.certificate)
        if record is None or record.role is not task.role:
            raise EstRefusal(403, f"the TLS client certificate is no {task.role} certificate of this authority")
        if record.revoked_at is not None:
            raise EstRefusal(403, "the TLS client certificate is revoked")
        if not record.not_before <= self._clock.now() <= record.not_after:
            raise EstRefusal(403, "the TLS client certificate is not valid now")
        identity = self._accounts.identity(record.owner)
        if identity is None:
            raise EstRefusal(403, "the owner of the TLS client certificate has no account any more")
        return identity, record

    def _limit(self, client: Client, credentials: est.BasicCredentials | None) -> None:
        # Before any password is hashed. By address, as names are free to invent; then by claim within it, so that one
        # requester does not use up the share of its neighbours.
        address, now = client_network(client.address), self._clock.monotonic()
        claim = credentials.name if credentials else ""
        if client.certificate is not None:
            claim = sha256(client.certificate).hexdigest()
        wait = self._addresses.admit(address, now) or self._limiter.admit(f"{address} {claim}", now)
        if wait is not None:
            raise EstRefusal(429, f"too many requests: wait {wait} s", headers={"retry-after": str(wait)})

    def _record(self, exchange: _Exchange, response: EstResponse, ms: float) -> None:
        self._trace.record(
            WireEvent(
                actor=self._settings.actor,
                peer=exchange.requester,
                protocol="EST",
                message=exchange.message,
                size=len(exchange.request.body) + len(response.body),
                ms=ms,
                ok=response.status < 400,
                detail=exchange.detail,
            )
        )


def _as_refusal(error: PeerError | Unavailable | LocalError) -> EstRefusal:
    """The HTTP answer for an error: ours are not explained to strangers."""
    if isinstance(error, EstRefusal):
        return error
    if isinstance(error, PeerError):
        status = int(error.wire) if error.wire.isdecimal() and int(error.wire) in _STATUSES else 400
        return EstRefusal(status, str(error))
    if isinstance(error, Unavailable):
        return EstRefusal(503, "the authority is not available: try again later", headers={"retry-after": "30"})
    return EstRefusal(500, "the authority cannot serve this request")
