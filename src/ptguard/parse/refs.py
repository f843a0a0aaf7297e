"""The lines that git gives a pre-push or a pre-receive hook on standard input."""

import re

from ptguard.errors import UsageError
from ptguard.model import Oid, RefUpdate
from ptguard.text import shown

MAX_LINE = 8192
_OID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git-check-ref-format(1) never lets into a ref name: control characters, space, ~ ^ : ? * [ \ and DEL.
_REF = re.compile(rb"refs/[^\x00-\x20\x7f~^:?*\[\\]+")


def parse_pre_push(data: bytes) -> tuple[RefUpdate, ...]:
    """Give the updates of a push from ``<local ref> <local oid> <remote ref> <remote oid>`` lines, in their order.

    The local ref may be anything that the user typed, ``HEAD`` or an object id; only the remote ref is held to
    the form of a ref. Source: githooks(5), pre-push.

    Raises:
        UsageError: a line is not of that form; nothing may be judged then.
    """
    return tuple(_update(line) for line in data.split(b"\n") if line)


_PRE_PUSH = "<local ref> <local oid> <remote ref> <remote oid>"


def _update(line: bytes) -> RefUpdate:
    fields = line.split(b" ")
    # A local side such as `HEAD@{1 day ago}` may hold spaces; the last three fields never do.
    local_ref = b" ".join(fields[:-3])
    if len(line) > MAX_LINE or len(fields) < 4 or not local_ref.strip():
        raise _malformed(line, "pre-push", _PRE_PUSH)
    local_oid, remote_ref, remote_oid = fields[-3:]
    if not (_OID.fullmatch(local_oid) and _OID.fullmatch(remote_oid) and _REF.fullmatch(remote_ref)):
        raise _malformed(line, "pre-push", _PRE_PUSH)
    return RefUpdate(
        local_ref.decode("utf-8", "surrogateescape"),
        _or_none(local_oid),
        remote_ref.decode("utf-8", "surrogateescape"),
        _or_none(remote_oid),
    )


def parse_pre_receive(data: bytes) -> tuple[RefUpdate, ...]:
    """Give the updates of a push as a server gets them: ``<old oid> <new oid> <ref>`` lines, in their order.

    What the push claims to be the old id is taken as it stands. Source: githooks(5), pre-receive.

    Raises:
        UsageError: a line is not of that form; nothing may be judged then.
    """
    return tuple(_received(line) for line in data.split(b"\n") if line)


def _received(line: bytes) -> RefUpdate:
    fields = line.split(b" ")
    if len(line) > MAX_LINE or len(fields) != 3:
        raise _malformed(line, "pre-receive", "<old oid> <new oid> <ref>")
    old, new, ref = fields
    if not (_OID.fullmatch(old) and _OID.fullmatch(new) and _REF.fullmatch(ref)):
        raise _malformed(line, "pre-receive", "<old oid> <new oid> <ref>")
    name = ref.decode("utf-8", "surrogateescape")
    return RefUpdate(name, _or_none(new), name, _or_none(old))


def _or_none(oid: bytes) -> Oid | None:
    return None if not oid.strip(b"0") else oid.decode("ascii")


def _malformed(line: bytes, hook: str, form: str) -> UsageError:
    return UsageError(
        f"not a line of git's {hook} hook: {shown(line, 120)!r}; expected '{form}'",
        fix="let git run the hook: git push",
    )
