"""The rules of the architecture, held over the source itself; CONTRIBUTING.md has the map that they belong to.

Each rule is a function from one module to the lines that break it, so that made-up modules can show that it bites.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from ptguard.checks import discover

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ptguard"

LAYERS: dict[str, tuple[str, ...]] = {
    "base": ("ptguard", "errors", "text", "model", "resources", "pep440", "glob", "imagename", "value"),
    "shared": ("anew", "facts", "sections", "vouching", "smoke_case", "smoke_mend"),
    "parse": ("parse",),
    "gateways": ("gateways",),
    "checks": ("checks",),
    "report": ("report",),
    "policy": ("policy",),
    "evidence": (
        "snapshot",
        "remotes",
        "trust",
        "later",
        "newer",
        "collect",
        "collect_branch",
        "collect_image",
        "collect_signature",
        "collect_smoke",
        "receipts",
    ),
    "verdict": ("verdict",),
    "judging": ("judging",),
    "install": ("install",),
    "roots": ("roots",),
    "server": ("server",),
    "smoke": ("smoke",),
    "setup": ("setup",),
    "tagging": ("tagging",),
    "demo": ("demo",),
    "audit": ("audit",),
    "images": ("images",),
    "keys": ("keys",),
    "pages": ("pages",),
    "cli": ("cli", "prepush", "prereceive", "terminal", "utf8", "__main__"),
}
"""Each layer with its modules and packages (below ``ptguard``). A new one is put here, and into CONTRIBUTING.md."""

BELOW_THE_TOP = ("base", "shared", "parse", "gateways", "policy", "evidence", "judging")

MAY_IMPORT: dict[str, set[str]] = {
    "base": {"base"},
    "shared": {"base", "shared"},
    "parse": {"base", "parse"},
    "gateways": {"base", "gateways"},
    "checks": {"base", "shared", "checks"},
    "report": {"base", "report"},
    "policy": {"base", "parse", "policy"},
    "evidence": {"base", "parse", "gateways", "policy", "evidence"},
    "verdict": {"base", "checks", "policy", "verdict"},
    "judging": {"base", "parse", "gateways", "policy", "evidence", "verdict", "judging"},
    "install": {"base", "gateways", "install"},
    "roots": {"base", "parse", "gateways", "policy", "evidence", "checks", "roots"},
    "server": {*BELOW_THE_TOP, "roots", "server"},
    "smoke": {*BELOW_THE_TOP, "smoke"},
    "setup": {*BELOW_THE_TOP, "tagging", "setup"},
    "tagging": {*BELOW_THE_TOP, "tagging"},
    "demo": {*BELOW_THE_TOP, "demo"},
    "audit": {*BELOW_THE_TOP, "verdict", "roots", "audit"},
    "images": {*BELOW_THE_TOP, "images"},
    "keys": {*BELOW_THE_TOP, "tagging", "checks", "keys"},
    "pages": {"base", "checks", "pages"},
    "cli": set(LAYERS),
}

ALLOWED_BESIDE = {
    # Which checks there are is asked when a policy is read; the checks themselves stay above.
    ("ptguard.trust", "ptguard.checks"),
    # Armor and packets are refused before gpg or ssh-keygen sees them, and what these answer is parsed by pure code.
    ("ptguard.gateways.openpgp", "ptguard.parse"),
    ("ptguard.gateways.ssh", "ptguard.parse"),
    # So is what a registry answers.
    ("ptguard.gateways.registry", "ptguard.parse"),
}

SOLE_IMPORTERS = {
    "gnupg": "ptguard.gateways.openpgp",
    "git": "ptguard.gateways.repo",
    "urllib3": "ptguard.gateways.registry",
}
HEAVY = {"gnupg", "git", "markdown_it", "docker_image", "dockerfile", "toml", "yaml", "rich", "pre_commit", "urllib3"}
PURE = {"parse", "checks", "report", "policy", "verdict", "shared"}
OUTSIDE = {
    "os", "io", "pathlib", "shutil", "socket", "subprocess", "sys", "tempfile", "time", "urllib", "http", "ssl",
    "click", "random", "secrets",
}  # fmt: skip
LISTS_ITSELF = {("ptguard.checks", "pathlib"), ("ptguard.checks", "pathlib.Path")}
"""The checks are found by looking which files lie beside that module; the checks themselves see no file."""
PROBE = "ptguard.smoke.probe"
"""It runs inside an image, with the standard library and a framework only; so it needs doors of its own."""
ITSELF = ("ptguard.utf8", "os.execv")
"""The one that begins our own process anew, in another mode of Python."""
STARTS_PROGRAMS = ("ptguard.gateways.", "ptguard.smoke.talk", PROBE)
BY_NAME = {"ptguard.checks", "ptguard.cli", "ptguard.report", "ptguard.prepush", PROBE}
"""The only ones that import a module by a name made at run time: from their own package, a framework in the image, or
(``prepush``) libraries that are only to be in memory by the time their sole importers ask for them."""


@dataclass(frozen=True)
class Import:
    """One imported module (``a.b``), where it stands, and whether it is imported together with its module."""

    name: str
    line: int
    eager: bool


@dataclass(frozen=True)
class Module:
    """A module of ptguard by its full name."""

    name: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def layer(self) -> str | None:
        """The layer that its first part below ``ptguard`` belongs to."""
        part = self.name.split(".")[1] if "." in self.name else self.name
        return next((layer for layer, parts in LAYERS.items() if part in parts), None)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self.tree, eager=True))

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Give each call with the dotted name that is called (``os.system``, ``open``, ``.write_text``)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield _dotted(node.func), node


def _imports(node: ast.AST, *, eager: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, eager) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            module = "." * child.level + (child.module or "")
            yield from (Import(f"{module}.{alias.name}", child.lineno, eager) for alias in child.names)
        elif isinstance(child, ast.If) and _dotted(child.test).endswith("TYPE_CHECKING"):
            yield from _imports(ast.Module(child.body, []), eager=False)
            yield from _imports(ast.Module(child.orelse, []), eager=eager)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, eager=eager and not inside)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _layer_of(imported: str) -> str | None:
    return Module(imported, "").layer if imported.startswith("ptguard") else None


# --------------------------------------------------------------------------------------------------- rules


def layers(module: Module) -> Iterator[str]:
    """Imports go one way."""
    if module.layer is None:
        yield f"{module.name} is in no layer: put it into LAYERS and into the map of CONTRIBUTING.md"
        return
    for found in module.imports:
        if found.name.startswith("."):
            yield f"{module.name}:{found.line} imports relatively"
        layer = _layer_of(found.name)
        beside = any(module.name == who and f"{found.name}.".startswith(f"{what}.") for who, what in ALLOWED_BESIDE)
        if layer is not None and layer not in MAY_IMPORT[module.layer] and not beside:
            yield f"{module.name}:{found.line} ({module.layer}) imports {found.name} ({layer})"


def sole_importers(module: Module) -> Iterator[str]:
    """Each neighbour has one doorway."""
    for found in module.imports:
        owner = SOLE_IMPORTERS.get(found.name.split(".")[0])
        if owner is not None and module.name != owner:
            yield f"{module.name}:{found.line} imports {found.name}, which only {owner} may"


def light_start(module: Module) -> Iterator[str]:
    """What is slow to import is imported where it is used: someone waits at every push."""
    for found in module.imports:
        if found.eager and found.name.split(".")[0] in HEAVY:
            yield f"{module.name}:{found.line} imports {found.name} at its start"


def programs(module: Module) -> Iterator[str]:
    """Programs are started in the gateways, without a shell."""
    if not module.name.startswith(STARTS_PROGRAMS):
        for found in module.imports:
            if found.name.split(".")[0] in ("subprocess", "pty", "multiprocessing", "asyncio"):
                yield f"{module.name}:{found.line} imports {found.name}"
    for found in module.imports:
        if re.fullmatch(r"os\.(system|popen|fork\w*|exec\w+|spawn\w+|posix_spawn\w*)", found.name):
            yield f"{module.name}:{found.line} imports {found.name}"
    for name, call in module.calls():
        outside = re.fullmatch(r"os\.(system|popen|fork\w*|exec\w+|spawn\w+|posix_spawn\w*)", name)
        if outside and (module.name, name) != ITSELF:
            yield f"{module.name}:{call.lineno} calls {name}"
        if name in ("subprocess.getoutput", "subprocess.getstatusoutput"):
            yield f"{module.name}:{call.lineno} calls {name}, which is a shell"
        if any(k.arg == "shell" and not _is_false(k.value) for k in call.keywords):
            yield f"{module.name}:{call.lineno} starts a shell"


def no_code_from_text(module: Module) -> Iterator[str]:
    """Nothing is run that was not imported by name."""
    for name, call in module.calls():
        if name in ("eval", "exec", "compile", "__import__"):
            yield f"{module.name}:{call.lineno} calls {name}"
    for found in module.imports:
        if found.name.split(".")[0] in ("importlib", "runpy", "pickle", "marshal", "shelve") and not (
            found.name.startswith("importlib") and module.name in BY_NAME
        ):
            yield f"{module.name}:{found.line} imports {found.name}"


def pure_core(module: Module) -> Iterator[str]:
    """What judges touches nothing outside: no file, no program, no clock; what it needs is handed to it."""
    if module.layer not in PURE:
        return
    for found in module.imports:
        if found.name.split(".")[0] in OUTSIDE and (module.name, found.name) not in LISTS_ITSELF:
            yield f"{module.name}:{found.line} ({module.layer}) imports {found.name}"
    for name, call in module.calls():
        if name in ("open", "input", "print") or name.endswith((".now", ".utcnow", ".today")):
            yield f"{module.name}:{call.lineno} ({module.layer}) calls {name}"


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


RULES: tuple[Callable[[Module], Iterator[str]], ...] = (
    layers, sole_importers, light_start, programs, no_code_from_text, pure_core,
)  # fmt: skip


def modules() -> list[Module]:
    """Give every module under src/ptguard by its full name."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, path.read_text("utf-8")))
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Callable[[Module], Iterator[str]]) -> None:
    found = modules()
    assert len(found) > 30, "the source was not found"
    assert [broken for module in found for broken in rule(module)] == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (layers, "ptguard.parse.x", "from ptguard.gateways.git import Git"),
        (layers, "ptguard.parse.x", "def f():\n    import ptguard.collect"),
        (layers, "ptguard.checks.x", "from ptguard.parse.tag import parse_tag"),
        (layers, "ptguard.checks.x", "from ptguard import verdict"),
        (layers, "ptguard.checks.x", "from ..gateways import git"),
        (layers, "ptguard.gateways.x", "from ptguard.policy import parse_policy"),
        (layers, "ptguard.gateways.git", "from ptguard.parse.openpgp import primary_fingerprints"),
        (layers, "ptguard.report.x", "from ptguard.checks import discover"),
        (layers, "ptguard.model", "from ptguard.policy import match_rule"),
        (layers, "ptguard.verdict", "from ptguard.collect import Collector"),
        (layers, "ptguard.install.x", "from ptguard.judging import judge_push"),
        (layers, "ptguard.trust", "from ptguard.verdict import judge"),
        (layers, "ptguard.newcomer", ""),
        (sole_importers, "ptguard.gateways.git", "def f():\n    import git"),
        (sole_importers, "ptguard.cli.x", "def f():\n    from git.exc import GitCommandError"),
        (sole_importers, "ptguard.gateways.repo", "def f():\n    import gnupg"),
        (light_start, "ptguard.gateways.openpgp", "import gnupg"),
        (light_start, "ptguard.gateways.repo", "from git import Repo"),
        (light_start, "ptguard.parse.x", "try:\n    import markdown_it\nexcept ImportError:\n    pass"),
        (light_start, "ptguard.parse.x", "class A:\n    import yaml"),
        (programs, "ptguard.collect", "import subprocess"),
        (programs, "ptguard.cli.x", "def f():\n    from subprocess import run"),
        (programs, "ptguard.gateways.x", "import subprocess\nsubprocess.run('ls', shell=True)"),
        (programs, "ptguard.gateways.x", "import subprocess\nsubprocess.run('ls', shell=yes)"),
        (programs, "ptguard.gateways.x", "import os\nos.system('ls')"),
        (programs, "ptguard.gateways.x", "from os import popen"),
        (programs, "ptguard.cli.x", "import os\nos.execvp('git', ['git'])"),
        (programs, "ptguard.cli.x", "import os\nos.execv('git', ['git'])"),
        (programs, "ptguard.utf8", "import os\nos.execvp('git', ['git'])"),
        (no_code_from_text, "ptguard.parse.x", "eval('1')"),
        (no_code_from_text, "ptguard.parse.x", "__import__('git')"),
        (no_code_from_text, "ptguard.parse.x", "import importlib"),
        (no_code_from_text, "ptguard.parse.x", "from pickle import loads"),
        (pure_core, "ptguard.parse.x", "from pathlib import Path"),
        (pure_core, "ptguard.checks.x", "def f():\n    import os"),
        (pure_core, "ptguard.checks.x", "def f():\n    return datetime.now(UTC)"),
        (pure_core, "ptguard.policy.x", "open('x')"),
        (pure_core, "ptguard.report.x", "print('x')"),
    ],
)
def test_a_module_that_breaks_a_rule_is_caught(rule: Callable[[Module], Iterator[str]], name: str, source: str) -> None:
    assert list(rule(Module(name, source)))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ptguard.gateways.openpgp", "def f():\n    import gnupg"),
        ("ptguard.gateways.openpgp", "from ptguard.parse.openpgp import primary_fingerprints"),
        ("ptguard.gateways.repo", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import git"),
        ("ptguard.gateways.process", "import subprocess\nsubprocess.Popen(['git'], shell=False)"),
        ("ptguard.parse.x", "import re\nre.compile('x')\nfrom ptguard.model import Problem"),
        ("ptguard.trust", "from ptguard.checks import discover"),
        ("ptguard.cli.x", "from ptguard.judging import judge_push"),
    ],
)
def test_a_module_that_keeps_the_rules_is_left_alone(name: str, source: str) -> None:
    assert [broken for rule in RULES for broken in rule(Module(name, source))] == []


def test_the_probe_needs_nothing_of_ours() -> None:
    """It is fed to a Python inside the image, where ptguard is not installed."""
    probe = next(module for module in modules() if module.name == PROBE)
    assert [i.name for i in probe.imports if i.name.startswith(("ptguard", "."))] == []


# ----------------------------------------------------------------------------------------------- the checks


def page_reasons(page: str) -> list[str]:
    """Give the slugs in the first column of the table under ``## Reasons``, in their order."""
    section = page.split("\n## Reasons\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)


def test_each_check_has_a_file_a_test_and_a_page() -> None:
    files = {path.stem for path in (SOURCE / "checks").glob("*.py")} - {"__init__"}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "checks").glob("test_*.py")}
    pages = {path.stem for path in (ROOT / "docs" / "checks").glob("*.md")}
    assert files == tests == pages == set(discover())
    assert len(files) == 8


def test_the_order_of_the_checks_is_the_order_of_reports() -> None:
    orders = {name: check.ORDER for name, check in discover().items()}
    assert list(orders.values()) == sorted(set(orders.values())), "two checks have the same ORDER"
    assert list(orders)[:3] == ["annotated", "signature", "immutable"]


@pytest.mark.parametrize("name", list(discover()))
def test_the_page_of_a_check_has_its_reasons_in_their_order(name: str) -> None:
    page = (ROOT / "docs" / "checks" / f"{name}.md").read_text("utf-8")
    reasons = list(discover()[name].REASONS)
    assert page.startswith(f"# {name}\n")
    assert page_reasons(page) == reasons
    assert "ok" in reasons
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reason) for reason in reasons)


def test_a_page_that_lacks_a_reason_is_caught() -> None:
    page = "# x\n\n## Reasons\n\n| reason |\n|---|\n| `ok` | pass |\n| `b` | fail |\n\n## Next\n| `no` | x |\n"
    assert page_reasons(page) == ["ok", "b"]
