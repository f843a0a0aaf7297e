"""Which of the user's keys is to sign: the configured one where the policy allows it, else the only one at hand."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from ptguard.errors import ToolMissingError
from ptguard.gateways import signing
from ptguard.gateways.repo import Repository
from ptguard.model import KeyStatus, OpenPgpKey, Policy, Problem, RuleMatch, SshKey
from ptguard.parse.ssh import parse_public_key
from ptguard.text import sh, shown
from ptguard.value import replace, value

MAX_PUBLIC_KEY: Final = 1 << 16
MAX_KEYS_LOOKED_AT: Final = 200
_LITERAL: Final = ("key::", "ssh-")
"""How git tells a key from a path in user.signingkey (git-config(1))."""

Key = OpenPgpKey | SshKey
Kind = Literal["openpgp", "ssh"]


@value
class UserKey:
    """A key of the user's. ``use`` is what git takes as ``-u``; ``public`` is ``<type> <base64>`` of an SSH key.

    ``signs`` is false where gpg says that it cannot sign here: expired, revoked, or its secret part is elsewhere.
    """

    kind: Kind
    fingerprint: str
    use: str
    public: str | None = None
    signs: bool = True


@value
class FoundKey:
    """A public key for a policy: ``public`` is ``<type> <base64>`` (SSH) or an armored, minimal export (OpenPGP)."""

    kind: Kind
    fingerprint: str
    public: bytes


@value
class Chosen:
    """The key that is to sign, and the signer's id in the policy."""

    signer: str
    key: UserKey


class Hand:
    """The keys that the user has at hand, as his git is configured."""

    def __init__(self, repository: Repository, top: Path) -> None:
        """Take the clone; ``top`` is where git looks for a relative path from. Nothing is asked yet."""
        self._repository = repository
        self._top = top

    @property
    def gpg(self) -> str:
        """The gpg that git would call for this user."""
        for name in ("gpg.openpgp.program", "gpg.program"):
            found = self._repository.config(name, path=True)
            if found is not None and found.value:
                return found.value
        return "gpg"

    def configured(self) -> UserKey | Problem | None:
        """Give the key of ``user.signingkey``; None where none is configured, a Problem where it leads to no key.

        Raises:
            ToolMissingError: gpg is not installed.
        """
        setting = self._repository.config("user.signingkey")
        if setting is None or not setting.value.strip():
            return None
        kind = self._repository.config("gpg.format")
        if kind is not None and kind.value == "ssh":
            if setting.value.startswith(_LITERAL):
                return _literal(setting.value)
            path = self._repository.config("user.signingkey", path=True)
            return _ssh_file(self._top / (path or setting).value)
        if kind is not None and kind.value != "openpgp":
            return Problem("unsupported-kind", f"gpg.format is {shown(kind.value)}", expected="openpgp or ssh")
        return _openpgp(self.gpg, setting.value, self._top)

    def find(self, key: Key) -> UserKey | None:
        """Give ``key`` where its secret part is at hand: in gpg's keyring, or as a file in ``~/.ssh``."""
        if isinstance(key, OpenPgpKey):
            try:
                found = signing.secret_keys(self.gpg, key.fingerprint)
            except ToolMissingError:
                return None
            usable = any(k.fingerprint == key.fingerprint and k.signs for k in found)
            return UserKey("openpgp", key.fingerprint, key.fingerprint) if usable else None
        for path in _public_files(Path.home() / ".ssh"):
            parsed = parse_public_key(_text(path) or "")
            private = path.with_suffix("")
            if not isinstance(parsed, Problem) and parsed[0] == key.public_key and private.is_file():
                return UserKey("ssh", key.fingerprint, str(private), key.public_key)
        return None


def _literal(value: str) -> UserKey | Problem:
    parsed = parse_public_key(value.removeprefix("key::"))
    if isinstance(parsed, Problem):
        return replace(parsed, message=f"user.signingkey: {parsed.message}")
    return UserKey("ssh", parsed[1], value, parsed[0])


def _ssh_file(path: Path) -> UserKey | Problem:
    """Read the public key that ``path`` (the private or the public file) belongs to."""
    problem = Problem("key-unavailable", f"user.signingkey {shown(str(path))} leads to no SSH public key")
    for place in (path, Path(f"{path}.pub")):
        text = _text(place)
        if text is None or "PRIVATE KEY" in text:
            continue
        parsed = parse_public_key(text)
        if not isinstance(parsed, Problem):
            return UserKey("ssh", parsed[1], str(path), parsed[0])
        problem = replace(parsed, message=f"user.signingkey {shown(str(place))}: {parsed.message}")
    return problem


def _text(path: Path) -> str | None:
    """Give the text of a small regular file, or None."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_PUBLIC_KEY:
            return None
        return path.read_text("utf-8", "backslashreplace")
    except OSError:
        return None


def _public_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".pub")[:MAX_KEYS_LOOKED_AT]
    except OSError:
        return []


def _openpgp(program: str, value: str, top: Path) -> UserKey | Problem:
    found = signing.secret_keys(program, value)
    what = f"user.signingkey {shown(value)}"
    if not found:
        ssh = value.startswith(_LITERAL) or isinstance(_ssh_file(top / Path(value)), UserKey)
        why = ", which is an SSH key; and gpg.format is not ssh" if ssh else ""
        fix = sh("git", "config", "gpg.format", "ssh") if ssh else None
        return Problem("key-unavailable", f"gpg has no secret key for {what}{why}", fix=fix)
    if len(found) > 1:
        names = ", ".join(key.fingerprint for key in found[:5])
        return Problem("key-unavailable", f"{what} stands for several keys", names, "one of them")
    return UserKey("openpgp", found[0].fingerprint, value, signs=found[0].signs)


# --------------------------------------------------------------------------------------------- the choice


def allowed_keys(policy: Policy, match: RuleMatch, now: datetime) -> Iterator[tuple[str, Key]]:
    """Give each key that may sign a tag of ``match`` at ``now``, with its signer's id, in the order of the rule."""
    for name in match.rule.signers:
        signer = policy.signers.get(name)
        for key in signer.keys if signer else ():
            early = key.valid_from is not None and now < key.valid_from
            late = key.valid_until is not None and now >= key.valid_until
            if key.status is KeyStatus.ACTIVE and not early and not late:
                yield name, key


def choose(policy: Policy, match: RuleMatch, tag: str, now: datetime, hand: Hand) -> Chosen | Problem:
    """Give the key that is to sign ``tag``, or why none is: a Problem with the reasons of the check `signature`.

    Raises:
        ToolMissingError: gpg is needed and not installed.
    """
    allowed = tuple(allowed_keys(policy, match, now))
    configured = hand.configured()
    if isinstance(configured, UserKey):
        for name, key in allowed:
            if (kind_of(key), key.fingerprint) == (configured.kind, configured.fingerprint):
                return Chosen(name, configured)
    found = [Chosen(name, held) for name, key in allowed if (held := hand.find(key)) is not None]
    if len(found) == 1:
        return found[0]
    return _refusal(tag, allowed, found, _said(configured, policy, match))


def _refusal(
    tag: str, allowed: Sequence[tuple[str, Key]], found: Sequence[Chosen], configured: tuple[str, str]
) -> Problem:
    reason, said = configured
    if found:
        names = ", ".join(f"{c.signer} ({c.key.kind} {c.key.fingerprint})" for c in found)
        words = f"several keys at hand may sign {shown(tag)}, and user.signingkey names none of them"
        return Problem(reason, words, f"{said}; at hand: {names}", "one of them", _configure(found[0].key))
    if not allowed:
        words = f"the policy names no key that may sign {shown(tag)} now"
        fix = "add a signer to the [[tags]] rule in .ptguard/policy.toml on the trust branch"
        return Problem(reason, words, said, "an active key of a signer of the rule", fix)
    may = ", ".join(f"{name} ({kind_of(key)} {key.fingerprint})" for name, key in allowed)
    key = allowed[0][1]
    use = key.fingerprint if isinstance(key, OpenPgpKey) else f"key::{key.public_key}"
    fix = f"{_configure(UserKey(kind_of(key), key.fingerprint, use))}   # where its secret key is"
    return Problem(reason, f"no key at hand may sign {shown(tag)}", said, f"a key of: {may}", fix)


def _said(configured: UserKey | Problem | None, policy: Policy, match: RuleMatch) -> tuple[str, str]:
    """Say what user.signingkey is and why it does not do: a reason of the check `signature`, and words."""
    if configured is None:
        return "signer-not-allowed", "no user.signingkey is configured"
    if isinstance(configured, Problem):
        return "signer-not-allowed", configured.message
    what = f"user.signingkey is {configured.kind} {configured.fingerprint}"
    for name, signer in policy.signers.items():
        for key in signer.keys:
            if (kind_of(key), key.fingerprint) != (configured.kind, configured.fingerprint):
                continue
            if name not in match.rule.signers:
                words = f"{what}, of {name}, who may not sign tags of the rule {match.rule.pattern}"
                return "signer-not-allowed", words
            if key.status is KeyStatus.COMPROMISED:
                return "compromised-key", f"{what}, of {name}, which is compromised"
            state = "whose time is not now" if key.status is KeyStatus.ACTIVE else f"which is {key.status.value}"
            return "outside-window", f"{what}, of {name}, {state}"
    return "unknown-signer", f"{what}, which no signer of the policy has"


def _configure(key: UserKey) -> str:
    return f"{sh('git', 'config', 'gpg.format', key.kind)} && {sh('git', 'config', 'user.signingkey', key.use)}"


def kind_of(key: Key) -> Kind:
    """Give the kind of a policy's key, as the policy spells it."""
    return "openpgp" if isinstance(key, OpenPgpKey) else "ssh"
