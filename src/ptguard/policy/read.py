"""``.ptguard/policy.toml`` from bytes to a value, with every mistake in it named at once.

tomllib reads it: the ``toml`` package accepts a fifth of the invalid documents of the TOML 1.0 test suite.
"""

import hashlib
import tomllib
from collections.abc import Collection
from typing import NoReturn

from ptguard.errors import PolicyError
from ptguard.glob import Pattern, compile_pattern
from ptguard.model import Oid, Policy, PolicySource, TagRule
from ptguard.policy import sections, values
from ptguard.policy.lines import KeyPath, key_lines
from ptguard.policy.signers import Read, read_signers
from ptguard.policy.table import Mistake, Mistakes, Table, described, dotted
from ptguard.text import shown

MAX_POLICY = 1 << 20
MAX_LINE = 4096
MAX_DOTS = 100
MAX_MISTAKES = 100
_FIX = "mend the policy as the lines say, and try it with: ptguard policy-check"
_TOP = (
    "schema", "trust", "tags", "unmatched", "signers", "changelog", "version", "image", "smoke", "limits", "audit",
    "waivers", "root",
)  # fmt: skip
_RULE = ("pattern", "checks", "signers", "branches")


def parse_policy(
    text: bytes,
    *,
    source: str,
    commit: Oid | None,
    read: Read,
    checks: tuple[str, ...],
    trust_branch: str | None,
    stale: bool = False,
) -> Policy:
    """Give the policy that ``text`` is.

    ``source``, ``commit`` and ``stale`` say where it was found; ``read`` gives a key file's bytes by its path from
    the policy's folder, or a Problem; ``checks`` are the ids that there are, in the order of reports;
    ``trust_branch`` is the branch that it was found on, if any, which ``[trust] branch`` must name.

    Raises:
        PolicyError: with all mistakes in ``problems``, each ``<source>: <key path> (line N): <what stands there>;
            <what may stand there>``.
    """
    decoded = _decoded(text, source)
    document = _document(decoded, source)
    mistakes = Mistakes()
    top = Table(document, (), mistakes, _TOP)
    policy = _policy(
        top, PolicySource(source, commit, hashlib.sha256(text).hexdigest(), stale), read, checks, trust_branch
    )
    if mistakes.found:
        _refuse(source, _told(mistakes.found, key_lines(decoded, document)), len(mistakes.found))
    return policy


def _policy(top: Table, source: PolicySource, read: Read, checks: tuple[str, ...], trust_branch: str | None) -> Policy:
    top.need("schema", values.schema, 1, "schema = 1")
    sections.read_trust(top, trust_branch)
    signers = read_signers(top, read)
    ids = _ids(top)
    rules = _rules(top, checks, ids)
    version_sources, candidates = sections.read_version(top)
    policy = Policy(
        source=source,
        trust_branch=trust_branch,
        rules=rules,
        unmatched=sections.read_unmatched(top),
        signers=signers,
        changelog_paths=sections.read_changelog(top),
        version_sources=version_sources,
        candidates=candidates,
        image=sections.read_image(top),
        smoke=sections.read_smoke(top, ids),
        limits=sections.read_limits(top),
        audit_since=sections.read_audit(top),
        waivers=sections.read_waivers(top, checks, ids),
        root=sections.read_root(top, ids),
    )
    _complete(top, policy)
    return policy


def _ids(top: Table) -> Collection[str]:
    """Give the ids of all signers that are written down, also of those with mistakes in them."""
    signers = top.data.get("signers")
    return signers if isinstance(signers, dict) else ()


def _rules(top: Table, checks: tuple[str, ...], signers: Collection[str]) -> tuple[TagRule, ...]:
    if not top.data.get("tags", None):
        top.wrong(
            "tags", "no rule" if top.has("tags") else "missing", "at least one [[tags]] with a pattern and signers"
        )
    rules: list[TagRule] = []
    for table in top.tables("tags", _RULE):
        rule = _rule(table, checks, signers)
        if rule.pattern and any(rule.pattern == other.pattern for other in rules):
            table.wrong(
                "pattern", f"{described(rule.pattern)} for the second time", "each pattern once: the first decides"
            )
        rules.append(rule)
    return tuple(rules)


def _rule(table: Table, checks: tuple[str, ...], signers: Collection[str]) -> TagRule:
    pattern = table.need("pattern", values.pattern(captures=True), "", 'the tags that the rule is for, such as "v*"')
    asked = table.each("checks", values.choice(*checks), ()) if table.has("checks") else checks
    if "annotated" not in asked:
        asked = ("annotated", *asked)
    if "signature" in asked and not table.has("signers"):
        table.missing("signers", "the ids of those who may sign (an empty list only to refuse every tag)")
    return TagRule(
        pattern=pattern,
        checks=asked,
        signers=table.each("signers", values.known_signer(signers), (), empty=True),
        branches=table.each("branches", values.pattern(captures=False), sections.DEFAULT_BRANCHES),
    )


def _complete(top: Table, policy: Policy) -> None:
    """Note what the rules ask for and the policy does not say."""
    on = {check for rule in policy.rules for check in rule.checks}
    if "signature" in on and not top.data.get("signers"):
        top.wrong("signers", "no signer", "at least one signer with a key: [signers.li-wei]")
    for section in ("image", "smoke"):
        if section in on and not top.has(section):
            top.missing(section, f"[{section}], since the check {section} is on (left out, checks is all of them)")
    _package(top, policy, "changelog", "path", policy.changelog_paths)
    _package(top, policy, "version", "sources", policy.version_sources)


def _package(top: Table, policy: Policy, check: str, key: str, paths: tuple[str, ...]) -> None:
    """Note rules that capture no package where every path asks for one."""
    if not paths or not all("{package}" in path for path in paths):
        return
    for i, rule in enumerate(policy.rules):
        compiled = compile_pattern(rule.pattern)
        if check in rule.checks and isinstance(compiled, Pattern) and not compiled.captures("package"):
            stands = f"{described(rule.pattern)}, which captures no package"
            top.mistakes.add(
                ("tags", i, "pattern"), stands, f"a pattern with {{package}}, or a path without it in {check}.{key}"
            )


def _decoded(text: bytes, source: str) -> str:
    if len(text) > MAX_POLICY:
        _refuse(source, (f"the file has {len(text)} bytes; at most {MAX_POLICY}",))
    if not text.strip():
        _refuse(source, ("the file is empty; a policy: ptguard init writes a first one",))
    if text.startswith(b"\xef\xbb\xbf"):
        _refuse(source, ("the file begins with a byte order mark (EF BB BF); UTF-8 without one",))
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        _refuse(source, ("the file is UTF-16; UTF-8 without a byte order mark",))
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        at = text.count(b"\n", 0, error.start) + 1
        _refuse(source, (f"the text (line {at}): the byte {text[error.start]:02X} is not UTF-8; UTF-8 throughout",))
    for number, line in enumerate(decoded.split("\n"), start=1):
        if len(line) > MAX_LINE:
            _refuse(source, (f"the text (line {number}): {len(line)} characters; at most {MAX_LINE} in a line",))
        if line.count(".") > MAX_DOTS:  # tomllib's time grows with the square of the parts of a dotted key
            _refuse(source, (f"the text (line {number}): {line.count('.')} dots; at most {MAX_DOTS} in a line",))
    return decoded


def _document(text: str, source: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        _refuse(source, ("values nested too deeply; a policy as in docs/policy.md",))
    except ValueError as error:  # TOMLDecodeError, and a plain one for a number of more than 4300 digits
        _refuse(source, (f"not TOML: {shown(str(error))}; TOML 1.0 (https://toml.io)",))


def _told(mistakes: list[Mistake], lines: dict[KeyPath, int]) -> tuple[str, ...]:
    """Give a line for each mistake, in the order of the file; what has no place in it comes first."""
    placed = sorted(((_line(m.path, lines), m) for m in mistakes), key=lambda found: found[0] or 0)
    told = [
        f"{dotted(m.path)}{f' (line {line})' if line else ''}: {m.stands}; {m.may}" for line, m in placed[:MAX_MISTAKES]
    ]
    rest = len(placed) - len(told)
    return (*told, *((f"and {rest} more mistakes",) if rest else ()))


def _line(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """Give the line of ``path``; of a key that is missing, the line of the table that it is missing from."""
    return lines.get(path) or lines.get(path[:-1])


def _refuse(source: str, problems: tuple[str, ...], count: int = 1) -> NoReturn:
    mistakes = "a mistake" if count == 1 else f"{count} mistakes"
    shown_source = shown(source)
    raise PolicyError(
        f"the policy {shown_source} has {mistakes}",
        fix=_FIX,
        problems=tuple(f"{shown_source}: {problem}" for problem in problems),
    )
