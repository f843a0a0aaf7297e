"""Registries: which digest a tag has now (OCI distribution spec; the only importer of urllib3).

The digest is that of the bytes that were got, never one that a header claims; for a tag that leads to an index it is
the index's own, which is the same on every platform. No hook comes here, and neither does ``ptguard verify``.
"""

import hashlib
import ipaddress
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from ptguard import __version__
from ptguard.errors import ToolFailedError, UsageError
from ptguard.gateways.credentials import Login, login_for
from ptguard.model import ImageReference, Problem
from ptguard.parse.registry import ACCEPT, Challenge, parse_challenge, parse_manifest, parse_token
from ptguard.text import sh, shown
from ptguard.value import value

if TYPE_CHECKING:
    import urllib3

MAX_MANIFEST: Final = 1 << 22
_MAX_TOKEN_ANSWER: Final = 1 << 16
_CONNECT, _READ, _WHOLE = 10.0, 20.0, 60.0
_TRIES, _LONGEST_WAIT = 4, 10.0
_MOST_REDIRECTS: Final = 5
_AGAIN: Final = (429, 500, 502, 503, 504)
_MOVED: Final = (301, 302, 303, 307, 308)
_CHUNK: Final = 1 << 16
_HUB: Final = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


@value
class Resolved:
    """What a tag leads to: ``digest`` (``sha256:…``), the manifest's ``media_type``, an index's ``platforms``."""

    digest: str
    media_type: str
    platforms: tuple[str, ...]


@value
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def resolve(reference: ImageReference) -> Resolved:
    """Give the digest that the tag of ``reference`` (``latest`` without one) has at its registry now.

    A digest in ``reference`` is looked up itself, and must be the one of the bytes that come.

    Raises:
        UsageError: there is no such image or tag, or it may not be read with the login that there is.
        ToolFailedError: the registry did not answer, or not with what a registry answers.
    """
    host, _, path = reference.repository.partition("/")
    with _Session(reference) as session:
        base = session.base(_HUB.get(host, host))
        what = reference.digest or reference.tag or "latest"
        answer = session.get(f"{base}/v2/{path}/manifests/{what}", {"Accept": ACCEPT}, MAX_MANIFEST)
    if answer.status != 200:
        raise _refusal(reference, answer)
    digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
    claimed = answer.headers.get("docker-content-digest", digest)
    for wanted in (reference.digest or digest, claimed if claimed.startswith("sha256:") else digest):
        if wanted != digest:
            raise ToolFailedError(
                f"{shown(host)} sent other bytes than it names: {digest}, said to be {shown(wanted, 80)}",
                fix="try again, without a proxy or mirror in between",
            )
    manifest = parse_manifest(answer.body, answer.headers.get("content-type", ""))
    if isinstance(manifest, Problem):
        raise ToolFailedError(f"{shown(host)}: {manifest.message} ({manifest.got})", fix=_look(host))
    return Resolved(digest, manifest.media_type, manifest.platforms)


def _refusal(reference: ImageReference, answer: _Answer) -> UsageError | ToolFailedError:
    host, name = reference.repository.partition("/")[0], shown(str(reference))
    if answer.status == 404:
        tags = sh("skopeo", "list-tags", f"docker://{reference.repository}")
        return UsageError(f"{shown(host)} has no {name}", fix=f"{tags}   # names the tags that there are")
    if answer.status in (401, 403):
        login = sh("docker", "login", *([] if host == "docker.io" else [host]))
        words = f"{name} may not be read, or there is no such repository: {shown(host)} answers {answer.status}"
        return UsageError(words, fix=f"{login}   # if the name is right")
    if answer.status == 429:
        words = f"{shown(host)} answers no more for now: too many requests"
        return ToolFailedError(words, fix=sh("docker", "login") + "   # gives a higher limit; or wait")
    again = "try again later" if answer.status >= 500 else _look(host)
    return ToolFailedError(f"{shown(host)} answers {answer.status} for {name}", fix=again)


def _look(host: str) -> str:
    """Give the command that shows what stands where a registry should."""
    seen = sh("curl", "-i", f"https://{_HUB.get(host, host)}/v2/")
    return f"{seen}   # a registry answers 200 or 401, with JSON: a proxy or a page to sign in at does not"


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` (without port) is this machine by its name or address, so that http is no risk."""
    bare = host.strip("[]").lower()
    try:
        return bare == "localhost" or ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _may_be_trusted(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


class _Session:
    """The requests of one question; the login goes to the registry and to the token server that it names."""

    def __init__(self, reference: ImageReference) -> None:
        self._reference = reference
        self._host = shown(reference.repository.partition("/")[0])
        self._deadline = time.monotonic() + _WHOLE
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._context = ssl.create_default_context()

    def __enter__(self) -> "_Session":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.clear()

    def base(self, host: str) -> str:
        """Give the URL to ask at: https, and http on this machine alone, where https is not spoken."""
        if not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return f"https://{host}"
        try:
            self._once("GET", f"https://{host}/v2/", {}, None, 1 << 16)
        except _NoTlsError:
            return f"http://{host}"
        except _UnreachableError:
            pass  # the question itself will be tried more often, and say what is wrong
        return f"https://{host}"

    def get(self, url: str, headers: Mapping[str, str], limit: int) -> _Answer:
        """Get ``url``, with the login where it is asked for."""
        answer = self._followed("GET", url, headers, None, limit)
        challenge = parse_challenge(answer.headers.get("www-authenticate", "")) if answer.status == 401 else None
        authorization = self._authorization(challenge, url) if challenge else None
        if authorization is None:
            return answer
        return self._followed("GET", url, {**headers, "Authorization": authorization}, None, limit)

    def _authorization(self, challenge: Challenge, url: str) -> str | None:
        login = login_for(self._reference.repository)
        if challenge.kind == "basic":
            return login.basic if login and login.identity is None and _may_be_trusted(url) else None
        realm = challenge.parameters.get("realm", "")
        if not _may_be_trusted(realm):
            raise ToolFailedError(
                f"{self._host} names a token server that is not reached by https: {shown(realm, 120)}",
                fix=_look(self._host),
            )
        token = parse_token(self._token(realm, challenge, login).body)
        return f"Bearer {token}" if token else None

    def _token(self, realm: str, challenge: Challenge, login: Login | None) -> _Answer:
        """Ask the token server (distribution's token and OAuth2 specifications), as nobody where there is no login."""
        scope = f"repository:{self._reference.repository.partition('/')[2]}:pull"
        asked = {"service": challenge.parameters.get("service", ""), "scope": scope}
        if login is not None and login.identity is not None:
            form = {"grant_type": "refresh_token", "refresh_token": login.identity, "client_id": "ptguard", **asked}
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._followed("POST", realm, kind, urlencode(form).encode(), _MAX_TOKEN_ANSWER)
        headers = {"Authorization": login.basic} if login else {}
        joined = realm + ("&" if urlsplit(realm).query else "?") + urlencode(asked)
        return self._followed("GET", joined, headers, None, _MAX_TOKEN_ANSWER)

    def _followed(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int) -> _Answer:
        """Follow redirects, few and to nowhere less safe; another host is told nothing of the login."""
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._tried(method, url, headers, body, limit)
            if answer.status not in _MOVED:
                return answer
            target = urljoin(url, answer.headers.get("location", ""))
            if body is not None or not _may_be_trusted(target):
                words = f"{self._host} leads to where it must not: {shown(target, 120)}"
                raise ToolFailedError(words, fix=_look(self._host))
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                headers = {name: given for name, given in headers.items() if name != "Authorization"}
            url = target
        words = f"{self._host} leads on and on: more than {_MOST_REDIRECTS} redirects"
        raise ToolFailedError(words, fix=_look(self._host))

    def _tried(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int) -> _Answer:
        """Try again where that may help, a few times and within the time there is."""
        for number in range(1, _TRIES + 1):
            last = number == _TRIES
            try:
                answer = self._once(method, url, headers, body, limit)
            except _UnreachableError as error:
                if last:
                    raise ToolFailedError(f"{self._host} cannot be reached: {error}", fix=_REACH) from error
                self._pause(number, None)
                continue
            if answer.status not in _AGAIN or last:
                return answer
            self._pause(number, answer.headers.get("retry-after"))
        raise AssertionError("the last try ends the loop")

    def _pause(self, number: int, after: str | None) -> None:
        wanted = float(after) if after is not None and after.isascii() and after.isdigit() else 0.25 * 2**number
        left = self._deadline - time.monotonic()
        if wanted > min(_LONGEST_WAIT, left):
            raise ToolFailedError(f"{self._host} asks to wait {wanted:.0f} s, which is too long", fix="try again later")
        time.sleep(wanted)

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int) -> _Answer:
        import urllib3

        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ToolFailedError(f"{self._host} did not answer within {_WHOLE:.0f} s", fix=_REACH)
        timeout = urllib3.Timeout(connect=min(_CONNECT, left), read=min(_READ, left))
        sent = {"User-Agent": f"ptguard/{__version__}", "Accept-Encoding": "identity", **headers}
        try:
            response = self._pool(url).request(
                method, url, headers=sent, body=body, timeout=timeout, retries=False, redirect=False,
                preload_content=False, decode_content=False,
            )  # fmt: skip
            try:
                data = self._body(response, limit)
            finally:
                response.release_conn()
        except urllib3.exceptions.SSLError as error:
            raise self._tls(error) from None
        except (urllib3.exceptions.HTTPError, UnicodeError, ValueError, OSError) as error:
            raise _UnreachableError(_words(error)) from None
        found = {name.lower(): str(given)[:8192] for name, given in response.headers.items()}
        return _Answer(response.status, found, data, url)

    def _body(self, response: Any, limit: int) -> bytes:
        data = bytearray()
        for chunk in response.stream(_CHUNK, decode_content=False):
            data += chunk
            if len(data) > limit:
                raise ToolFailedError(f"{self._host} answers with more than {limit} bytes", fix=_look(self._host))
            if time.monotonic() > self._deadline:
                raise ToolFailedError(f"{self._host} did not answer within {_WHOLE:.0f} s", fix=_REACH)
        return bytes(data)

    def _tls(self, error: Exception) -> Exception:
        words = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in words:
            return ToolFailedError(
                f"the certificate of {self._host} is not trusted here: {_words(error)}",
                fix="SSL_CERT_FILE=/path/to/ca.pem ptguard …   # if the registry's authority is your own",
            )
        if any(word in words for word in ("WRONG_VERSION_NUMBER", "record layer", "HTTP_REQUEST", "UNEXPECTED_EOF")):
            return _NoTlsError(_words(error))
        return _UnreachableError(_words(error))

    def _pool(self, url: str) -> "urllib3.PoolManager":
        import urllib3

        parts = urlsplit(url)
        proxy = "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
        if is_loopback(parts.hostname or ""):
            proxy = ""
        if proxy not in self._pools:
            options: dict[str, Any] = {"ssl_context": self._context, "retries": False}
            self._pools[proxy] = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        return self._pools[proxy]


_REACH: Final = "look at the name, the network and HTTPS_PROXY, and try again"


class _UnreachableError(Exception):
    """A fault of the connection, which may pass."""


class _NoTlsError(_UnreachableError):
    """The other side speaks no TLS."""


def _words(error: Exception) -> str:
    """Give what went wrong in a few harmless words; a URL's user part would be in none of them."""
    text = str(getattr(error, "reason", None) or error)
    return shown(text.rpartition(": ")[2] or type(error).__name__, 120)
