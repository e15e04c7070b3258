"""Where the API server is and who we are to it: the pod's service account, or a kubeconfig file.

Reading only; `api.py` asks. A kubeconfig may bring a token or a client certificate. What would have to run programs or
talk to others first (`exec`, `auth-provider`, a proxy) is refused by name.
"""

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import SourceMissingError
from .trust import Trust

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts a pod's credentials, and renews them."""

_CLIENT: Final = ("client-certificate", "client-key")
_UNSUPPORTED: Final = {
    "users": ("exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups", "as-user-extra"),
    "clusters": ("proxy-url",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach an API server."""

    server: str
    """Its URL, without a slash at the end."""
    trust: Trust
    server_name: str | None = None
    """Whom its certificate must name, when that is not the URL's host."""
    token: str | None = None
    token_file: Path | None = None
    """Read again for every request, because what is in it expires and is renewed."""

    @property
    def tls(self) -> ssl.SSLContext:
        """How to encrypt the next connection, and whom to believe; asked for every request, as files are renewed."""
        return self.trust.context()

    def headers(self) -> dict[str, str]:
        """Return what a request says about who asks. Raises OSError when the token's file cannot be read."""
        token = self.token_file.read_text().strip() if self.token_file is not None else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def in_cluster(host: str, port: str, account: Path = ACCOUNT) -> Access:
    """Return the access of the pod we run in; host and port as the kubelet tells every container.

    Raises:
        SourceMissingError: the pod has no service account's files.
    """
    authority = account / "ca.crt"
    try:
        trust = Trust(lambda: _tls(ca=authority), [authority])
        (account / "token").read_bytes()
    except OSError as error:
        raise SourceMissingError(f"could not find a cluster to follow: {account}: {_why(error)}") from error
    named = f"[{host}]" if ":" in host else host
    return Access(server=f"https://{named}:{port}", trust=trust, token_file=account / "token")


def from_kubeconfig(paths: Sequence[Path]) -> Access:
    """Return the access of the current context. Of several files the first that says something counts, as for kubectl.

    Raises:
        SourceMissingError: no file names a cluster, or asks for what we do not do; the message says which and what.
    """
    files = " and ".join(map(str, paths)) or "no kubeconfig"
    try:
        documents = [(path, _document(path)) for path in paths if len(paths) == 1 or path.exists()]
        context = next((found for _, one in documents if (found := one.get("current-context"))), None)
        if not context:
            raise _WrongFileError("has no current-context")
        _, named = _entry(documents, "contexts", context)
        cluster_home, cluster = _entry(documents, "clusters", named.get("cluster"))
        user_home, user = _entry(documents, "users", named.get("user")) if named.get("user") else (Path(), {})
        return _access(cluster, cluster_home, user, user_home)
    except (_WrongFileError, OSError) as error:
        raise SourceMissingError(f"could not find a cluster to follow: {files}: {_why(error)}") from error


class _WrongFileError(ValueError):
    """A kubeconfig that cannot be used; the message ends a sentence about the file."""


def _document(path: Path) -> Mapping[str, Any]:
    # Only who is outside the cluster pays for a YAML parser.
    import yaml

    try:
        found = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise _WrongFileError(f"is not YAML: {error}") from error
    if not isinstance(found, dict):
        raise _WrongFileError("is not a kubeconfig")
    return found


def _entry(documents: Sequence[tuple[Path, Mapping[str, Any]]], kind: str, name: object) -> tuple[Path, dict[str, Any]]:
    """Find a named entry, and the folder that its relative paths start from."""
    singular = kind.removesuffix("s")
    for path, document in documents:
        for one in document.get(kind) or ():
            if one.get("name") == name:
                found: dict[str, Any] = one.get(singular) or {}
                for word in _UNSUPPORTED.get(kind, ()):
                    if found.get(word):
                        raise _WrongFileError(
                            f"{singular} {name!r} has `{word}`, which the gateway does not do:"
                            " give it a kubeconfig with a token or a client certificate"
                        )
                return path.parent, found
    raise _WrongFileError(f"has no {singular} {name!r}")


def _access(cluster: Mapping[str, Any], cluster_home: Path, user: Mapping[str, Any], user_home: Path) -> Access:
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise _WrongFileError(f"must name a server as a URL, got {server!r}")
    ca_data = _data(cluster, "certificate-authority-data")
    ca = cluster.get("certificate-authority")
    authority = cluster_home / ca if ca and ca_data is None else None

    def make() -> ssl.SSLContext:
        tls = _tls(
            ca=authority,
            ca_data=None if ca_data is None else ca_data.decode("ascii", errors="replace"),
            unchecked=bool(cluster.get("insecure-skip-tls-verify")),
        )
        certificate, key = (_pem(user, user_home, word) for word in _CLIENT)
        if (certificate is None) != (key is None):
            raise _WrongFileError("must have both of client-certificate and client-key, got one")
        if certificate is not None and key is not None:
            _present(tls, certificate, key)
        return tls

    shown = [user_home / user[word] for word in _CLIENT if user.get(word) and not user.get(f"{word}-data")]
    token_file = user.get("tokenFile")
    return Access(
        server=server.rstrip("/"),
        trust=Trust(make, [*([authority] if authority is not None else []), *shown]),
        server_name=cluster.get("tls-server-name"),
        token=user.get("token"),
        # client-go prefers the file as well: it can be renewed.
        token_file=user_home / token_file if token_file else None,
    )


def _data(entry: Mapping[str, Any], field: str) -> bytes | None:
    text = entry.get(field)
    if not text:
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, AttributeError) as error:
        raise _WrongFileError(f"{field} must be base64") from error


def _pem(user: Mapping[str, Any], home: Path, field: str) -> bytes | None:
    """Content of a field that is given as data or as a file."""
    data = _data(user, f"{field}-data")
    return data if data is not None else (home / user[field]).read_bytes() if user.get(field) else None


def _tls(*, ca: Path | None = None, ca_data: str | None = None, unchecked: bool = False) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca, cadata=ca_data)
    except ssl.SSLError as error:
        raise _WrongFileError(f"the certificate authority cannot be read: {error.reason or error}") from error
    # Clusters sign with authorities of their own making, and many lack what newer Pythons insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if unchecked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _present(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have a context show a client certificate. Python takes files only, so there are some for a moment."""

    def no_password() -> str:
        raise _WrongFileError("client-key must not need a password")

    with tempfile.TemporaryDirectory(prefix="modelpool-") as folder:  # for our eyes only
        files = Path(folder, "certificate"), Path(folder, "key")
        for file, content in zip(files, (certificate, key), strict=True):
            file.write_bytes(content)
        try:
            tls.load_cert_chain(*files, password=no_password)
        except ssl.SSLError as error:
            raise _WrongFileError(f"the client certificate cannot be used: {error.reason or error}") from error


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
