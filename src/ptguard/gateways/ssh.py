"""SSH signatures, verified by ssh-keygen against one key of the policy and in one namespace (ssh-keygen(1), -Y)."""

import os
from collections.abc import Sequence
from pathlib import Path

from ptguard.errors import ToolFailedError
from ptguard.gateways.process import Completed, run
from ptguard.model import Problem, SignatureFacts, SshKey, Status
from ptguard.parse.ssh import parse_signature
from ptguard.text import shown

_LIMIT = 1 << 16
_OLD = (b"unknown option", b"illegal option", b"invalid option")
_UNSUPPORTED = (b"unknown or unsupported", b"unsupported", b"invalid key")


def verify(
    work: Path, keys: Sequence[SshKey], payload: bytes, armored: bytes, namespace: str, *, timeout: float = 15.0
) -> SignatureFacts | Problem:
    """Give what ``armored`` proves about ``payload`` in ``namespace``, or why it proves nothing.

    ``work`` is a private folder of the caller's. The key is looked up in ``keys`` by the fingerprint of the one in
    the signature; ssh-keygen then gets that key from the policy, under a name of ours, and no other. ``timeout`` is
    in seconds. An SSH signature carries no time.

    Raises:
        ToolMissingError: ssh-keygen is not installed.
        ToolFailedError: ssh-keygen did not answer in time, or is older than OpenSSH 8.0.
    """
    said = parse_signature(armored)
    if isinstance(said, Problem):
        return said
    key = next((key for key in keys if key.fingerprint == said.fingerprint), None)
    if key is None:
        return Problem("unknown-signer", "the policy has no such key", f"a signature by SSH key {said.fingerprint}")
    if said.namespace != namespace:
        return Problem(
            "wrong-namespace",
            "the SSH signature was made for another purpose",
            got=f"namespace {shown(said.namespace, 60) or '(empty)'}",
            expected=f"namespace {namespace}",
        )
    signature, allowed, principal = work / "signature", work / "allowed", f"ptguard-{keys.index(key)}"
    try:
        signature.write_bytes(armored)
        allowed.write_text(f'{principal} namespaces="{namespace}" {key.public_key}\n', encoding="ascii")
    except OSError as error:
        raise ToolFailedError(f"the signature cannot be written for ssh-keygen: {error.strerror}") from error
    how = ("-Y", "verify", "-n", namespace, "-I", principal)
    done = run(["ssh-keygen", *how, "-f", allowed, "-s", signature], stdin=payload, timeout=timeout, limit=_LIMIT)
    problem = _judge(done, f'Good "{namespace}" signature for {principal} with ', f" key {key.fingerprint}")
    return problem or SignatureFacts("ssh", key.fingerprint, said.digest, None)


def _judge(done: Completed, begin: str, end: str) -> Problem | None:
    """Give why the signature does not count; None only where ssh-keygen ended well and named our key."""
    if done.returncode == 0:
        line = done.stdout.decode("utf-8", "backslashreplace").removesuffix("\n")
        if line.startswith(begin) and line.endswith(end) and "\n" not in line:
            return None
        raise ToolFailedError("ssh-keygen ended well but did not name the key whose signature it verified")
    if done.returncode < 0:
        raise ToolFailedError(f"ssh-keygen was ended by signal {-done.returncode}")
    prose = done.stderr.lower()
    if any(words in prose for words in _OLD):
        raise ToolFailedError(
            "this ssh-keygen cannot verify signatures: it is older than OpenSSH 8.0",
            fix="apt-get install openssh-client",
        )
    if b"no user exists for uid" in prose:  # in a container that runs under any number; ssh-keygen ends at once
        raise ToolFailedError(
            f"ssh-keygen does not work here: {shown(done.stderr.strip(), 80)}",
            fix=f"echo 'git:x:{os.getuid()}:{os.getgid()}::/:/bin/sh' >>/etc/passwd   # by root, where ptguard runs",
        )
    if b"incorrect signature" not in prose and any(words in prose for words in _UNSUPPORTED):
        return Problem(
            "key-unavailable",
            "ssh-keygen here cannot use the policy's key that signed, so nothing can be said of the signature",
            got=shown(done.stderr.strip(), 120),
            expected="an OpenSSH that knows this kind of key",
            fix="ssh -V; apt-get install openssh-client   # a newer one",
            status=Status.ERROR,
        )
    return Problem(
        "bad-signature",
        "the signature does not fit: something was changed after it was made",
        got=shown(done.stderr.strip(), 120) or f"ssh-keygen ended with {done.returncode}",
    )
