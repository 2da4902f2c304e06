"""Finding out whether certificates are revoked: OCSP first, a revocation list where that fails, all of it verified.

What was verified is kept. After half of its life a newer word is asked for; while none can be had the old one holds
until its end. A word that is older than the one at hand does not replace it: a replayed "good" undoes no revocation.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

import structlog

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.pki import ocsp
from plugpass.pki.certificate import Certificate, CertificateLike, as_certificate
from plugpass.pki.crl import Crl, CrlRejected, verify_crl
from plugpass.pki.issue import RandomBytes
from plugpass.pki.ocsp import CertStatus
from plugpass.pki.path import Verdict, validate
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, Profile
from plugpass.pki.revocation import Evidence
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import RevocationSource

log = structlog.get_logger(__name__)

BUDGET: Final = 1.5  #: seconds for a path, whatever has to be fetched: an authorization has 4.5 s for everything
NONCE_OCTETS: Final = 32  #: RFC 9654 §2.1

_OCSP_SHARE: Final = 2 / 3  #: of the budget, where a revocation list could still answer afterwards
_MAX_RESPONSES: Final = 4096
_MAX_LISTS: Final = 64

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RevocationFetcher(RevocationSource, Protocol):
    """Fetches OCSP responses and revocation lists, such as `plugpass.providers.ocsp.HttpRevocationSource`."""

    async def crl(self, url: str) -> bytes:
        """The revocation list at `url`, as it is. Raises Unavailable within a hard time budget."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationStatus:
    """What could be found out about a certificate, with the proof; neither means nothing could, which is no "good"."""

    status: CertStatus | None = None
    response: bytes | None = None  #: DER OCSPResponse, verified
    crl: bytes | None = None  #: DER list of the issuer, verified, where there is no response


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    child: Certificate
    issuer: Certificate
    cert_id: ocsp.CertId
    ask: bool  #: also where a response is at hand

    @property
    def list_key(self) -> tuple[str, bytes]:
        return self.child.extensions.crl_urls[0], self.issuer.key.encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Response:
    encoded: bytes
    single: ocsp.SingleStatus
    renew_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    crl: Crl
    renew_at: datetime


class _Cache(Generic[K, V]):
    """The newest entries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)


class RevocationClient:
    """Keeps and verifies what `fetcher` brings.

    One call ends after `budget` seconds at the latest, with what is known by then. Calls about the same certificate
    at the same time make one request.
    """

    def __init__(
        self,
        fetcher: RevocationFetcher,
        *,
        clock: Clock,
        budget: float = BUDGET,
        max_age: timedelta = ocsp.MAX_AGE,
        random: RandomBytes | None = None,
    ) -> None:
        """With `random` every OCSP request has a nonce that the answer must carry: no replays, and no pre-signed
        responses either."""
        self._fetcher = fetcher
        self._clock = clock
        self._budget = budget
        self._max_age = max_age
        self._random = random
        self._responses: _Cache[ocsp.CertId, _Response] = _Cache(_MAX_RESPONSES)
        self._lists: _Cache[tuple[str, bytes], _List] = _Cache(_MAX_LISTS)
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def status(
        self, certificate: CertificateLike, issuer: CertificateLike, *, ask: bool = False
    ) -> RevocationStatus:
        """The status of `certificate`, which `issuer` has signed. Never raises for what a responder does or not.

        With `ask` a response at hand is not enough: for contracts, which may be revoked at any time.
        """
        child, above = as_certificate(certificate), as_certificate(issuer)
        query = _Query(child=child, issuer=above, cert_id=ocsp.cert_id(child, above), ask=ask)
        try:
            async with asyncio.timeout(self._budget):
                return await self._by_ocsp(query) or await self._by_list(query) or RevocationStatus()
        except TimeoutError:
            self._warn(query, f"no status within {self._budget:g} s")
        kept = None if ask else self._kept_response(query)
        return _of_response(kept) or self._of_list(query, self._kept_list(query)) or RevocationStatus()

    async def evidence(self, path: Sequence[CertificateLike], *, ask_leaf: bool = False) -> Evidence:
        """What the path validator needs to know of a path (leaf first, root last), all asked for at once."""
        pairs = tuple(pairwise(map(as_certificate, path)))
        asked = (self.status(*pair, ask=ask_leaf and not position) for position, pair in enumerate(pairs))
        found = await asyncio.gather(*asked)
        responses = {
            child.encoded: one.response
            for (child, _), one in zip(pairs, found, strict=True)
            if one.response is not None
        }
        return Evidence(ocsp=responses, crls=tuple(dict.fromkeys(one.crl for one in found if one.crl is not None)))

    async def validate(
        self,
        chain: Iterable[CertificateLike],
        *,
        role: CertificateRole,
        anchors: TrustAnchors,
        policy: Policy = FIELD,
        expected_cn: str | None = None,
        profiles: Mapping[CertificateRole, Profile] = PROFILES_ISO2,
        ask_leaf: bool = False,
    ) -> Verdict:
        """The verdict on `chain` (leaf first) now, revocation included (`plugpass.pki.path.validate`).

        Nothing is fetched for a chain that is refused anyway: its addresses are its sender's choice.
        """
        certificates, at = tuple(chain), self._clock.now()
        offline = validate(
            certificates,
            role=role,
            anchors=anchors,
            at=at,
            policy=policy,
            expected_cn=expected_cn,
            profiles=profiles,
        )
        if not offline.path or not offline.ok:
            return offline
        evidence = await self.evidence(offline.path, ask_leaf=ask_leaf)
        return validate(
            certificates,
            role=role,
            anchors=anchors,
            at=at,
            policy=policy,
            expected_cn=expected_cn,
            profiles=profiles,
            revocation=evidence.ocsp,
            crls=evidence.crls,
        )

    # --- OCSP ----------------------------------------------------------------------------------------------------

    async def _by_ocsp(self, query: _Query) -> RevocationStatus | None:
        url = ocsp.ocsp_url(query.child)
        if url is None:
            return None
        share = self._budget * _OCSP_SHARE if query.child.extensions.crl_urls else None
        try:
            async with asyncio.timeout(share), self._lock(query.cert_id):
                kept = self._kept_response(query)
                if kept is not None and not query.ask and self._clock.now() < kept.renew_at:
                    return _of_response(kept)
                return _of_response(await self._ask(query, url, kept))
        except (Unavailable, TimeoutError, ocsp.OcspRejected) as error:
            self._warn(query, str(error) or "the OCSP responder is late")
        return None if query.ask else _of_response(self._kept_response(query))

    async def _ask(self, query: _Query, url: str, kept: _Response | None) -> _Response:
        nonce = self._random(NONCE_OCTETS) if self._random else None
        request = ocsp.build_request([query.cert_id], nonce=nonce)
        encoded = await self._fetcher.ocsp_response(request, url)
        now = self._clock.now()
        single = ocsp.verify_response(encoded, query.cert_id, query.issuer, at=now, nonce=nonce, max_age=self._max_age)
        if kept is not None and single.this_update < kept.single.this_update:
            self._warn(query, "the OCSP response is older than the one at hand")
            return kept
        end = single.this_update + self._max_age
        end = end if single.next_update is None else min(end, single.next_update)
        found = _Response(encoded=encoded, single=single, renew_at=now + (end - now) / 2)
        # Without nextUpdate a newer word is always to be had (RFC 6960 §4.2.2.1); "unknown" may be known soon.
        if single.next_update is not None and single.status is not CertStatus.UNKNOWN:
            self._responses.put(query.cert_id, found)
        return found

    def _kept_response(self, query: _Query) -> _Response | None:
        """The response at hand, where it still proves something."""
        kept, now = self._responses.get(query.cert_id), self._clock.now()
        if kept is None:
            return None
        try:
            ocsp.verify_response(kept.encoded, query.cert_id, query.issuer, at=now, max_age=self._max_age)
        except ocsp.OcspRejected:
            return None
        return kept

    # --- revocation lists ----------------------------------------------------------------------------------------

    async def _by_list(self, query: _Query) -> RevocationStatus | None:
        if not query.child.extensions.crl_urls:
            return None
        try:
            async with self._lock(query.list_key):
                kept = self._kept_list(query)
                if kept is not None and self._clock.now() < kept.renew_at:
                    return self._of_list(query, kept)
                return self._of_list(query, await self._download(query, kept))
        except (Unavailable, CrlRejected) as error:
            self._warn(query, str(error))
        return self._of_list(query, self._kept_list(query))

    async def _download(self, query: _Query, kept: _List | None) -> _List:
        encoded = await self._fetcher.crl(query.list_key[0])
        now = self._clock.now()
        crl = await asyncio.to_thread(verify_crl, encoded, query.issuer, at=now)  # a long list takes a while to read
        if kept is not None and crl.this_update < kept.crl.this_update:
            self._warn(query, "the revocation list is older than the one at hand")
            return kept
        end = crl.next_update or now  # verify_crl has seen that it is there
        found = _List(crl=crl, renew_at=now + (end - now) / 2)
        self._lists.put(query.list_key, found)
        return found

    def _kept_list(self, query: _Query) -> _List | None:
        """The list at hand, where it can still be believed."""
        kept = self._lists.get(query.list_key) if query.child.extensions.crl_urls else None
        if kept is None:
            return None
        try:
            verify_crl(kept.crl, query.issuer, at=self._clock.now())
        except CrlRejected:
            return None
        return kept

    def _of_list(self, query: _Query, kept: _List | None) -> RevocationStatus | None:
        if kept is None:
            return None
        revoked = kept.crl.entry(query.child) is not None
        return RevocationStatus(status=CertStatus.REVOKED if revoked else CertStatus.GOOD, crl=kept.crl.encoded)

    def _lock(self, key: Hashable) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _warn(self, query: _Query, cause: str) -> None:
        # A leaf's name may be a driver's contract: its serial number and issuer tell it as well.
        issuer = str(query.issuer.subject)
        log.warning("revocation.not_known", serial=f"{query.child.serial:x}", issuer=issuer, cause=cause)


def _of_response(kept: _Response | None) -> RevocationStatus | None:
    return RevocationStatus(status=kept.single.status, response=kept.encoded) if kept else None
