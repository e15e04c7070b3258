"""Asking the gateways what is asked of them: every pod behind the gateway's Service, or the URLs that were told.

Reading only. A gateway that is ready and does not answer makes the whole demand unknown, since a sum without it would
be too small. One that is not ready may be gone already, so its silence says nothing; its word counts as long as it
still ends its answers.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import aiohttp

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.kinds import ENDPOINT_SLICES
from modelpool_operator.cluster.together import together
from modelpool_operator.planning.observation.autoscaling import Unknown
from modelpool_operator.planning.observation.gateway_demand import DemandDocument, InvalidDemandError, parse

logger = logging.getLogger(__name__)

PATH: Final = "/modelpool/demand"
PORT_NAME: Final = "openai"
ADDRESSES_LAST: Final = 10.0
"""Seconds until the API server is asked again where gateways are. One that comes later has had no request yet."""
_DEADLINE: Final = aiohttp.ClientTimeout(total=2.0)
"""Of one answer. A gateway that takes longer is in trouble, and so is its word."""

Reading = tuple[DemandDocument, ...] | Unknown


class Address(NamedTuple):
    """One gateway."""

    url: str
    ready: bool


class Gateways:
    """Asks gateways, by their Service. One per operator."""

    def __init__(
        self, client: Client, session: aiohttp.ClientSession, *, urls: Sequence[str] = (), clock: Callable[[], float]
    ) -> None:
        """`urls`: ask these and look for no other; for an operator that does not reach pods."""
        self._client = client
        self._session = session
        self._urls = tuple(urls)
        self._clock = clock
        self._known: dict[ObjectRef, tuple[float, tuple[Address, ...]]] = {}

    async def ask(self, service: ObjectRef) -> Reading:
        """Return what all gateways behind a Service say, or why that is not known."""
        try:
            addresses = await self._addresses(service)
        except errors.ClusterError as exc:
            return Unknown(why=f"could not find the gateways of Service {service.namespace}/{service.name}: {exc}")
        if not any(address.ready for address in addresses):
            self._known.pop(service, None)
            return Unknown(why=f"no gateway of Service {service.namespace}/{service.name} is ready")
        told = await together([self._one(address) for address in addresses])
        silent = [one for one in told if isinstance(one, Unknown)]
        if silent:
            self._known.pop(service, None)  # It may be somewhere else by now.
            return silent[0]
        return tuple(one for one in told if isinstance(one, DemandDocument))

    async def _addresses(self, service: ObjectRef) -> tuple[Address, ...]:
        if self._urls:
            return tuple(Address(url, ready=True) for url in self._urls)
        seen, found = self._known.get(service, (0.0, ()))
        if not found or self._clock() - seen > ADDRESSES_LAST:
            labels = f"{names.SERVICE_LABEL}={service.name}"
            slices = await self._client.list_all(ENDPOINT_SLICES, service.namespace, labels=labels)
            found = tuple(sorted({address for one in slices for address in addresses_in(one)}))
            self._known[service] = self._clock(), found
        return found

    async def _one(self, address: Address) -> DemandDocument | Unknown | None:
        """Return a gateway's word; None when it is silent and may be."""
        try:
            async with self._session.get(address.url + PATH, timeout=_DEADLINE, allow_redirects=False) as answer:
                if answer.status != 200:
                    return _silent(address, f"it answered {answer.status}")
                return parse(await answer.read())
        except InvalidDemandError as exc:
            return Unknown(why=f"could not read the demand of the gateway at {address.url}: {exc}")
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            return _silent(address, str(exc) or type(exc).__name__)


def addresses_in(endpoint_slice: Object) -> Iterator[Address]:
    """Yield the gateways of one EndpointSlice, those included that are not ready, or are on their way out."""
    ports = {port.get("name"): port.get("port") for port in endpoint_slice.get("ports") or ()}
    port = ports.get(PORT_NAME)
    if port is None or endpoint_slice.get("addressType") == "FQDN":
        return
    for endpoint in endpoint_slice.get("endpoints") or ():
        ready = (endpoint.get("conditions") or {}).get("ready") is not False
        for host in endpoint.get("addresses") or ():
            yield Address(f"http://{f'[{host}]' if ':' in host else host}:{port}", ready)


def _silent(address: Address, why: str) -> Unknown | None:
    if address.ready:
        return Unknown(why=f"the gateway at {address.url} does not tell: {why}")
    logger.debug("A gateway that is not ready does not tell its demand", extra={"url": address.url, "error": why})
    return None
