"""What a head must not say twice, or say at all: RFC 9110 and 9112, and the same for both protocols. Pure.

The fast protocol takes no head that breaks a rule, the general one answers it. llhttp has judged the bytes before:
what is no token, lengths that contradict each other, a length beside chunks.
"""

from re import compile as pattern
from typing import Final

from multidict import CIMultiDict

from ..errors import BadRequestError

_ONCE: Final = ("Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Authorization", "Origin")
"""Two of these mean two things, and whoever is behind the gateway may take the other one."""
_HOST: Final = pattern(r"[-A-Za-z0-9._~!$&'()*+,;=%:\[\]]*").fullmatch
_CONTINUE: Final = "100-continue"
CODINGS: Final = ("gzip", "x-gzip", "deflate", "br", "zstd")
"""Of content, as far as they are inflated."""


def broken(headers: CIMultiDict[str], *, http10: bool) -> BadRequestError | None:
    """The rule that a head breaks, as the caller is told. `http10`: it is one of HTTP/1.0."""
    for name in _ONCE:
        if len(headers.getall(name, ())) > 1:
            return BadRequestError(f"the request has several {name} headers")
    host = headers.get("Host")
    if host is None and not http10:
        return BadRequestError("the request has no Host header")
    if host is not None and not _HOST(host):
        return BadRequestError("the Host header is no name of a host")
    coding = headers.get("Transfer-Encoding")
    if coding is not None and http10:
        return BadRequestError("HTTP/1.0 has no Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        return BadRequestError("the only transfer coding that is understood is chunked", status=501)
    content = coded(headers)
    if content and content not in CODINGS:
        known = "the only content codings that are understood are gzip, deflate, br and zstd, one at a time"
        return BadRequestError(known, status=415)
    if not http10 and any(one != _CONTINUE for one in _expectations(headers)):
        return BadRequestError("the only expectation that is understood is 100-continue", status=417)
    return None


def coded(headers: CIMultiDict[str]) -> str:
    """How the body is compressed; empty when it is not."""
    named = ",".join(headers.getall("Content-Encoding", ())).strip().lower()
    return "" if named == "identity" else named


def waits(headers: CIMultiDict[str]) -> bool:
    """Whether a caller of HTTP/1.1 sends its body only when it is told to."""
    return _CONTINUE in _expectations(headers)


def _expectations(headers: CIMultiDict[str]) -> list[str]:
    return [one.strip().lower() for line in headers.getall("Expect", ()) for one in line.split(",") if one.strip()]
