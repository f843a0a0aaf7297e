"""What the documents say, held against the program: links, examples, commands, options, help texts, reasons.

``python -m tests.test_docs`` writes the real help texts and reasons into docs/reference.md.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ptguard.checks import discover
from ptguard.cli import COMMANDS, cli
from ptguard.errors import ExitCode, PolicyError
from ptguard.model import Problem
from ptguard.policy import parse_policy
from ptguard.resources import resource
from tests.support import KeyChain

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference.md"
FIRST = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
HELP = re.compile(r"(<!-- help: (\S+) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
REASONS = re.compile(r"(<!-- reasons -->\n\n)(.*?)(\n<!-- end of reasons -->)", re.DOTALL)
WIDTH = 80


# ------------------------------------------------------------------------------------------- reading documents


@dataclass(frozen=True)
class Page:
    """A Markdown document, parsed."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def tokens(self) -> Iterator[Token]:
        for token in MarkdownIt("commonmark").enable("table").parse(self.text):
            yield token
            yield from token.children or ()

    def links(self) -> Iterator[str]:
        for token in self.tokens():
            target = token.attrs.get("href" if token.type == "link_open" else "src")
            if token.type in ("link_open", "image") and isinstance(target, str):
                yield target

    def fences(self, *languages: str) -> Iterator[str]:
        yield from (t.content for t in self.tokens() if t.type == "fence" and t.info.split(" ")[0] in languages)

    def anchors(self) -> set[str]:
        """Give what GitHub calls the headings of the page, repeated ones with a number behind them."""
        found: dict[str, int] = {}
        names = set()
        tokens = list(self.tokens())
        for before, token in pairwise(tokens):
            if before.type == "heading_open":
                slug = _slug(token.content)
                names.add(slug + (f"-{found[slug]}" if slug in found else ""))
                found[slug] = found.get(slug, 0) + 1
        return names


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.replace("`", "")).lower()
    kept = (c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LN")
    return "".join(kept).replace(" ", "-")


@cache
def pages() -> tuple[Page, ...]:
    """Give every document that ships, those of the top level first."""
    paths = [ROOT / name for name in FIRST] + sorted(ROOT.glob("README.*.md")) + sorted(DOCS.rglob("*.md"))
    return tuple(Page(path, path.read_text("utf-8")) for path in dict.fromkeys(paths) if path.exists())


each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


def broken_links(page: Page) -> Iterator[str]:
    """Give each link to a file or a heading that is not there; addresses of the web are not asked."""
    for link in page.links():
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.path.parent / unquote(parts.path)).resolve()
        if parts.path and not (target.exists() and target.is_relative_to(ROOT)):
            yield f"{link}: there is no such file"
            continue
        there = Page(target, target.read_text("utf-8")) if parts.path and parts.fragment else page
        if parts.fragment and parts.fragment not in there.anchors():
            yield f"{link}: there is no such heading"


def test_the_first_documents_are_there() -> None:
    assert set(FIRST) <= {page.name for page in pages()}


@each_page
def test_links_lead_somewhere(page: Page) -> None:
    assert list(broken_links(page)) == []


def test_a_broken_link_is_caught() -> None:
    text = "# A b\n[x](no.md) [y](#a-b) [z](#c) [w](https://example.org/no.md)\n\n| [t](../no) |\n|---|\n"
    assert [link.split(":")[0] for link in broken_links(Page(DOCS / "made-up.md", text))] == ["no.md", "#c", "../no"]


def test_every_document_can_be_found_from_the_index() -> None:
    index = Page(DOCS / "README.md", (DOCS / "README.md").read_text("utf-8"))
    linked = {(DOCS / urlsplit(link).path).resolve() for link in index.links()}
    assert [page.name for page in pages() if page.path.is_relative_to(DOCS) and page.path not in linked] == [
        "docs/README.md"
    ]


def test_decisions_are_numbered_and_say_why() -> None:
    records = sorted((DOCS / "adr").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for path in records:
        text = path.read_text("utf-8")
        assert re.match(rf"# {int(path.name[:4])}\. \S", text), path.name
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert f"\n{heading}\n" in text, f"{path.name} has no {heading}"


# ------------------------------------------------------------------------------------------------- examples

SECTIONS = {
    "schema": "schema = 1\n",
    "tags": '[[tags]]\npattern = "v*"\nsigners = ["li-wei"]\n',
    "signers": "".join(
        f'[[signers.{who}.keys]]\nkind = "openpgp"\nfingerprint = "{n:040X}"\nfile = "keys/{who}.asc"\n'
        for n, who in enumerate(("li-wei", "release-bot", "gpu-runner"), start=1)
    ),
    "image": "[image]\n",
    "smoke": "[smoke]\n",
}
"""What an example that shows only a part of a policy is completed with."""

KNOWN = {*SECTIONS, "root", "trust", "unmatched", "changelog", "version", "limits", "audit", "waivers"}


def policy_problems(example: str, keys: KeyChain) -> str | None:
    """Give what is wrong with an example of a policy, completed where it shows only a part; None: nothing.

    Real keys take the place of its OpenPGP keys, whose files no reader has.
    """
    data = tomllib.loads(example)
    if not set(data) <= KNOWN:
        return None
    text = example
    if "schema" not in data:
        rest = (part for name, part in SECTIONS.items() if name not in data and name != "schema")
        text = "\n".join((SECTIONS["schema"], example, *rest))
    files: dict[str, bytes] = {}
    for fingerprint, file in re.findall(r'^fingerprint = "(\w+)"\nfile = "([^"]+)"$', text, re.MULTILINE):
        key = keys.openpgp(f"example-{len(files)}")
        text = text.replace(fingerprint, key.fingerprint)
        files[file] = key.public

    def read(path: str) -> bytes | Problem:
        return files.get(path) or Problem("missing-file", f"{path} is not there")

    try:
        parse_policy(text.encode(), source="x", commit=None, read=read, checks=tuple(discover()), trust_branch=None)
    except PolicyError as error:
        return "; ".join((error.message, *error.problems))
    return None


@each_page
def test_policies_in_examples_can_be_read(page: Page, keychain: KeyChain) -> None:
    assert [wrong for text in page.fences("toml") if (wrong := policy_problems(text, keychain))] == []


def test_the_example_of_everything_was_among_them() -> None:
    examples = [tomllib.loads(text) for page in pages() for text in page.fences("toml")]
    assert any(set(example) == KNOWN for example in examples)


@pytest.mark.parametrize("text", ['[limits]\nmax-age = "3d"\n', '[[waivers]]\ntag = "v1"\n', "schema = 2\n"])
def test_a_wrong_policy_in_an_example_is_caught(text: str, keychain: KeyChain) -> None:
    assert policy_problems(text, keychain)


def test_a_part_of_a_policy_is_completed(keychain: KeyChain) -> None:
    assert policy_problems('[limits]\nmax-tag-age = "3d"\n', keychain) is None
    assert policy_problems('[tool.ptguard]\nimage = "x"\n', keychain) is None


@each_page
def test_json_in_examples_can_be_read(page: Page) -> None:
    schema = json.loads(resource("schema/verdict-1.json").read_text("utf-8"))
    for text in page.fences("json"):
        document = json.loads(text)
        if isinstance(document, dict) and document.get("schema") == "ptguard.verdict/1":
            jsonschema.validate(document, schema)


def test_an_example_of_a_verdict_was_among_them() -> None:
    documents = [json.loads(text) for text in Page(REFERENCE, REFERENCE.read_text("utf-8")).fences("json")]
    assert [d["decision"] for d in documents] == ["refuse", "refuse"]
    assert ["error" in d for d in documents] == [False, True]


# ------------------------------------------------------------------------------------------------- commands


def commands_in(page: Page) -> Iterator[str]:
    """Give each command line of ptguard that the page names, as code in a sentence or as a line of a block."""
    for token in page.tokens():
        if token.type not in ("code_inline", "fence"):
            continue
        text = token.content
        if token.type == "fence" and token.info.startswith("yaml"):
            text = "\n".join(shell_in(yaml.safe_load(text)))
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:&&|\|\||[|;])\s", re.sub(r"\s#\s.*", "", line)):
                found = re.match(r"\s*(?:\$ |mend:? +|- run: )?(ptguard(?: .*)?)$", part)
                if found and not found[1].startswith(("ptguard: ", "ptguard pre-push guard")):
                    yield found[1].strip()


def shell_in(document: object) -> Iterator[str]:
    """Give the shell texts of a CI file: what stands under ``run`` (GitHub) or in the lists of ``script`` (GitLab)."""
    if isinstance(document, list):
        for item in document:
            yield from shell_in(item)
    for key, value in document.items() if isinstance(document, dict) else ():
        if key == "run" and isinstance(value, str):
            yield value
        elif key in ("script", "before_script", "after_script") and isinstance(value, list):
            yield from (text for text in value if isinstance(text, str))
        else:
            yield from shell_in(value)


@each_page
def test_yaml_in_examples_can_be_read_and_its_shell_too(page: Page) -> None:
    for text in page.fences("yaml"):
        for script in shell_in(yaml.safe_load(text)):
            done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), script


def test_recipes_for_ci_were_among_them() -> None:
    scripts = [list(shell_in(yaml.safe_load(text))) for page in pages() for text in page.fences("yaml")]
    assert sum(any("ptguard smoke" in script for script in scripts_of) for scripts_of in scripts) >= 2


def mistakes_in(line: str) -> Iterator[str]:
    """Give what the program would not understand of a command line; ``[…]`` and ``…`` are a synopsis."""
    try:
        words = [word.strip("[]") for word in shlex.split(line.replace("…", ""))][1:]
    except ValueError as error:
        yield f"{line}: {error}"
        return
    context = cli.make_context("ptguard", [], resilient_parsing=True)
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            yield f"{line}: there is no command {' '.join([*context.command_path.split()[1:], words[0]])}"
            return
        command = found
        context = click.Context(command, parent=context, info_name=words[0])
        words = words[1:]
    options = {name: p for p in command.get_params(context) if isinstance(p, click.Option) for name in _names(p)}
    left = iter(words)
    for word in left:
        if word == "--":
            return
        name, given, _ = word.partition("=")
        option = options.get(name)
        if option is not None and not option.is_flag and not option.count and not given:
            next(left, None)
        elif option is None and word.startswith("-") and word != "-":
            yield f"{line}: {command.name} has no option {name}"


def _names(option: click.Option) -> Iterator[str]:
    yield from (*option.opts, *option.secondary_opts)


@each_page
def test_commands_in_documents_exist(page: Page) -> None:
    assert [wrong for line in commands_in(page) for wrong in mistakes_in(line)] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`ptguard verfy v1`", "no command verfy"),
        ("`git push && ptguard verify --fromat json`", "no option --fromat"),
        ("```console\n$ ptguard install --chek   # look\n```", "no option --chek"),
        ("```text\n    mend      ptguard smok --image x\n```", "no command smok"),
        ("`ptguard verify [TAG …] [--format text|json] [--remot NAME]`", "no option --remot"),
        ("`ptguard --verion`", "no option --verion"),
        ("```sh\nptguard smoke \\\n  --imag x\n```", "no option --imag"),
        ("```yaml\njobs:\n  x:\n    steps:\n      - run: |\n          ptguard smok\n```", "no command smok"),
        ("```yaml\nx:\n  script:\n    - true\n    - ptguard verify --fromat json\n```", "no option --fromat"),
        ("`ptguard smoke verify X.json --image Y`", "verify has no option --image"),
    ],
)
def test_a_command_that_does_not_exist_is_caught(text: str, wrong: str) -> None:
    found = [w for line in commands_in(Page(DOCS / "made-up.md", text)) for w in mistakes_in(line)]
    assert len(found) == 1
    assert wrong in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "`ptguard`", "`ptguard --version`", "`ptguard verify v2.9.0 --format=json -C x`", "`ptguard: refused`",
        "`ptguard verify -- -x`", "`ptguard pre-push \"$@\"`", "`ptguard verify [TAG …] [--format text|json]`",
    ],
)  # fmt: skip
def test_a_command_that_exists_is_left_alone(text: str) -> None:
    assert [w for line in commands_in(Page(DOCS / "made-up.md", text)) for w in mistakes_in(line)] == []


# ------------------------------------------------------------------------------------------------- reference


def real_help(command: str) -> str:
    """Give what ``ptguard COMMAND --help`` prints (``ptguard --help`` for ``ptguard``)."""
    words = [] if command == "ptguard" else [command]
    done = CliRunner().invoke(cli, [*words, "--help"], prog_name="ptguard", terminal_width=WIDTH - 2)
    assert done.exit_code == 0, done.output
    return done.output


def reason_rows() -> str:
    """Give the lines that list the reasons of each check, for docs/reference.md."""
    rows = [f"- [`{name}`](checks/{name}.md): {_slugs(check.REASONS)}" for name, check in discover().items()]
    return "\n".join(rows) + "\n"


def _slugs(reasons: object) -> str:
    assert hasattr(reasons, "__iter__")
    return ", ".join(f"`{reason}`" for reason in reasons)


def test_help_in_the_reference_is_real() -> None:
    shown = {name: text for _, name, text, _ in HELP.findall(REFERENCE.read_text("utf-8"))}
    assert sorted(shown) == sorted(["ptguard", *COMMANDS])
    assert {name: real_help(name) for name in shown} == shown


def test_help_of_a_real_process_is_the_same(env: dict[str, str]) -> None:
    argv = [sys.executable, "-I", "-m", "ptguard", "verify", "--help"]
    done = subprocess.run(argv, env={**env, "COLUMNS": str(WIDTH)}, capture_output=True, text=True, check=True)
    assert done.stdout == real_help("verify")


def test_reasons_in_the_reference_are_those_of_the_checks() -> None:
    found = REASONS.search(REFERENCE.read_text("utf-8"))
    assert found is not None
    assert found[2] == reason_rows()


def test_exit_codes_in_the_reference_are_all() -> None:
    section = REFERENCE.read_text("utf-8").split("\n## Exit codes\n", 1)[1].split("\n## ", 1)[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == sorted(ExitCode)


def test_git_config_and_environment_in_the_reference_are_all() -> None:
    files = (path for path in (ROOT / "src" / "ptguard").rglob("*.py") if path.name != "probe.py")
    source = "\n".join(path.read_text("utf-8") for path in files)
    text = REFERENCE.read_text("utf-8")
    read = set(re.findall(r'"(ptguard\.[a-z]+)"', source))
    assert {"ptguard.trustbranch", "ptguard.policyfile", "ptguard.policyref", "ptguard.remote"} <= read
    told = {key.lower() for key in re.findall(r"^\| `(ptguard\.\w+)` \|", text, re.MULTILINE)}
    assert told == read
    asked = set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', source))
    assert [name for name in sorted(asked) if f"`{name}`" not in text] == []


def test_keys_of_the_document_in_the_reference_are_those_of_the_schema() -> None:
    schema = json.loads(resource("schema/verdict-1.json").read_text("utf-8"))
    section = REFERENCE.read_text("utf-8").split("\n## The JSON document\n", 1)[1].split("\n## ", 1)[0]
    told = set(re.findall(r"^\| `([a-z0-9_.\[\]]+)` \|", section, re.MULTILINE))
    assert told == set(_keys(schema, schema))


def _keys(schema: dict[str, object], node: object, prefix: str = "") -> Iterator[str]:
    """Give the dotted names of all properties of a JSON Schema, ``[]`` for the elements of a list."""
    for part in _parts(schema, node):
        properties = part.get("properties")
        for name, child in properties.items() if isinstance(properties, dict) else ():
            yield f"{prefix}{name}"
            yield from _keys(schema, child, f"{prefix}{name}.")
        if isinstance(part.get("items"), dict):
            yield from _keys(schema, part["items"], f"{prefix.removesuffix('.')}[].")


def _parts(schema: dict[str, object], node: object) -> Iterator[dict[str, object]]:
    if not isinstance(node, dict):
        return
    if isinstance(node.get("$ref"), str):
        target: object = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step] if isinstance(target, dict) else None
        yield from _parts(schema, target)
        return
    yield node
    for word in ("oneOf", "anyOf", "allOf"):
        for child in node.get(word, ()):
            yield from _parts(schema, child)


# ------------------------------------------------------------------------------------------------- all files

# Spelled with classes of one letter, so that this file is not found itself.
_MACHINE = re.compile(r"(?<![\w.$}~-])/(?:[h]ome/\w|[r]oot\b|[w]ork\b|[U]sers/\w|[t]mp/v\b)")
_LATER = re.compile(r"(?<![\"'`])\b(?:[T]ODO|[F]IXME)\b(?![\"'`])")  # quoted it is a placeholder that a test feeds in


def ours() -> Iterator[Path]:
    """Give every text file of the repository that is, or may yet be, committed."""
    git = shutil.which("git")
    assert git is not None
    listing = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    yield from (ROOT / name for name in names if name and (ROOT / name).is_file())


def offences(text: str) -> Iterator[str]:
    """Give each line that names a place on someone's machine or puts work off."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _MACHINE.search(line) or _LATER.search(line):
            yield f"{number}: {line.strip()[:120]}"


def test_no_file_names_a_machine_or_puts_work_off() -> None:
    files = list(ours())
    assert len(files) > 50
    text = {path: path.read_bytes().decode("utf-8", "replace") for path in files}
    assert [f"{path.relative_to(ROOT)}:{line}" for path in files for line in offences(text[path])] == []


@pytest.mark.parametrize("text", ["see /%home/li/x", "cd /%work/main", "'/%root/.ssh'", "# TO%DO: later"])
def test_a_line_that_names_a_machine_is_caught(text: str) -> None:
    assert list(offences(text.replace("%", "")))


@pytest.mark.parametrize(
    "text", ["/workspace", "docs/work", "$HOME/x", "~/root", "refs/heads/root", "a todo list", '("TO%DO", 0)']
)
def test_a_harmless_line_is_left_alone(text: str) -> None:
    assert list(offences(text.replace("%", ""))) == []


def rewrite() -> None:
    """Write the real help texts and reasons into the reference."""
    text = REFERENCE.read_text("utf-8")
    text = HELP.sub(lambda m: m[1] + real_help(m[2]) + m[4], text)
    text = REASONS.sub(lambda m: m[1] + reason_rows() + m[3], text)
    REFERENCE.write_text(text, "utf-8")


if __name__ == "__main__":
    rewrite()
