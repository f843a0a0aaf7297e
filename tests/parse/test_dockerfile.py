"""Dockerfiles: the image that the final stage is based on, or why no file can say."""

import builtins
import time
import unicodedata
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptguard.model import Location, Problem, Status
from ptguard.parse.dockerfile import MAX_BYTES, declared_reference

DECIDED: list[tuple[str, str, str, int]] = [
    ("plain", "FROM a:1\n", "a:1", 1),
    ("no final line break", "FROM a:1", "a:1", 1),
    ("lower case", "from a:1 as b\n", "a:1", 1),
    ("blank lines and comments", "\n# FROM c\n\n  FROM a:1\n", "a:1", 4),
    ("BOM", "\ufeffFROM a:1\n", "a:1", 1),
    ("CRLF", "# x\r\nFROM a:1\r\nRUN y\r\n", "a:1", 2),
    ("tabs", "\tFROM\ta:1\tAS\tb\n", "a:1", 1),
    ("platform", "FROM --platform=linux/amd64 a:1\n", "a:1", 1),
    ("platform of the builder", "FROM --platform=$BUILDPLATFORM a:1 AS b\n", "a:1", 1),
    ("digest", "FROM a:1@sha256:" + "0" * 64 + "\n", "a:1@sha256:" + "0" * 64, 1),
    ("quoted", 'FROM "a:1"\n', "a:1", 1),
    ("continued", "FROM \\\n  a:1 \\\n  AS x\n", "a:1", 1),
    ("continued over a comment", "FROM \\\n# FROM c\n  a:1\n", "a:1", 1),
    ("escape directive", "# escape=`\nFROM `\n  a:1\n", "a:1", 2),
    ("escape directive after a BOM", "\ufeff# escape=`\nFROM `\n  a:1\n", "a:1", 2),
    ("escape after check", "# check=skip=all\n# escape=`\nFROM `\n  a:1\n", "a:1", 3),
    ("escape after syntax", "# syntax=docker/dockerfile:1\n# escape=`\nFROM `\n  a:1\n", "a:1", 3),
    ("escape directive too late", "# x\n# escape=`\nFROM a:1\nRUN `\nFROM b\nRUN x\n", "b", 5),
    ("a comment is no directive", "#!/bin/sh\n# escape=`\nFROM a\\\n:1\n", "a:1", 3),
    ("Docker's own frontend", "# syntax=docker.io/docker/dockerfile:1.7-labs\nFROM a:1\n", "a:1", 2),
    ("ARG", "ARG V=1\nFROM a:$V\n", "a:1", 2),
    ("ARG in braces", "ARG V=1\nFROM a:${V}-devel\n", "a:1-devel", 2),
    ("ARG in quotes", "ARG I=\"a:1\" J='b'\nFROM $I\n", "a:1", 2),
    ("chain of ARGs", "ARG V=2.9.0\nARG T=${V}-cuda12.8\nARG I=pytorch/pytorch:$T\nFROM ${I}\n",
     "pytorch/pytorch:2.9.0-cuda12.8", 4),
    ("several in one ARG", "ARG R=a V=1\nFROM $R:$V\n", "a:1", 2),
    ("later ARG counts", "ARG V=1\nARG V=2\nFROM a:$V\n", "a:2", 3),
    ("default", "ARG V\nFROM a:${V:-1}\n", "a:1", 2),
    ("default without ARG", "FROM a:${V:-1}\n", "a:1", 1),
    ("alternative", "ARG CUDA=12\nFROM a:1${CUDA:+-cuda}\n", "a:1-cuda", 2),
    ("alternative of nothing", "ARG CUDA\nFROM a:1${CUDA:+-cuda}\n", "a:1", 2),
    ("nested default", "ARG V\nARG W=2\nFROM a:${V:-${W:-1}}\n", "a:2", 3),
    ("escaped dollar stays", "ARG V=1\nFROM a:1 AS x\nRUN echo \\$V\n", "a:1", 2),
    ("unused ARG without default", "ARG TOKEN\nFROM a:1\n", "a:1", 2),
    ("ARG of a stage is another", "ARG V=1\nFROM x:9 AS x\nARG V=2\nFROM a:$V\n", "a:1", 4),
    ("last stage", "FROM a:1 AS one\nFROM b:2\n", "b:2", 2),
    ("stage name followed", "FROM a:1 AS base\nFROM b:2 AS other\nFROM base\n", "a:1", 1),
    ("stage names in any case", "FROM a:1 AS Base\nFROM BASE\n", "a:1", 1),
    ("chain of stages", "FROM a:1 AS x\nFROM x AS y\nFROM y AS z\nFROM z\n", "a:1", 1),
    ("stage named by an ARG", "ARG S=x\nFROM a:1 AS x\nFROM b AS y\nFROM $S\n", "a:1", 2),
    ("a stage of its image's name", "FROM a AS a\nFROM a\n", "a", 1),
    ("same name twice, the later", "FROM a:1 AS x\nFROM b:2 AS x\nFROM x\n", "b:2", 2),
    ("a number is no stage", "FROM a:1\nFROM 0\n", "0", 2),
    ("COPY --from does not matter", "FROM a:1 AS x\nFROM b:2\nCOPY --from=x /a /b\nCOPY --from=c:3 /a /b\n", "b:2", 2),
    ("an undecided stage that is not used", "FROM a:$NONE AS x\nFROM scratch AS y\nFROM b:2\n", "b:2", 3),
    ("heredoc", "FROM a:1\nRUN <<EOF\nFROM evil\nEOF\n", "a:1", 1),
    ("heredoc with tabs", "FROM a:1\nRUN <<-EOF\n\tFROM evil\n\tEOF\nRUN x\n", "a:1", 1),
    ("quoted heredoc", "FROM a:1\nCOPY <<\"E F\" <<X /d\nFROM evil\nE F\nFROM worse\nX\n", "a:1", 1),
    ("heredoc, then a stage", "FROM a:1\nRUN <<EOF\nx\nEOF\nFROM b:2\n", "b:2", 5),
    ("no heredoc in quotes", 'FROM a:1\nRUN echo "<<EOF"\nFROM b:2\n', "b:2", 3),
    ("no heredoc in arithmetic", "FROM a:1\nRUN echo $((1<<2))\nFROM b:2\n", "b:2", 3),
    ("here-string is no heredoc", "FROM a:1\nRUN cat <<< x\nFROM b:2\n", "b:2", 3),
    ("ONBUILD is for later builds", "FROM a:1\nONBUILD COPY --from=c:3 /a /b\nONBUILD RUN x\n", "a:1", 1),
    ("heredoc in ONBUILD", "FROM a:1\nONBUILD RUN <<E\nFROM evil\nE\nRUN x\n", "a:1", 1),
    ("another registry", "FROM nvcr.io/nvidia/pytorch:25.09-py3\n", "nvcr.io/nvidia/pytorch:25.09-py3", 1),
]  # fmt: skip

UNDECIDED: list[tuple[str, str | bytes, int | None, str]] = [
    ("empty", "", None, "no instructions"),
    ("comments only", "# FROM a\n", None, "no instructions"),
    ("no FROM", "ARG A=1\n", None, "no FROM"),
    ("RUN first", "RUN x\nFROM a\n", 1, "RUN stands before the first FROM"),
    ("ONBUILD first", "ONBUILD RUN x\nFROM a\n", 1, "ONBUILD stands before the first FROM"),
    ("open heredoc in ONBUILD", "FROM a\nONBUILD RUN <<E\nFROM b\n", None, "unterminated heredoc"),
    ("scratch", "# x\nFROM scratch\n", 2, "scratch"),
    ("scratch under a name", "FROM scratch AS x\nRUN y\nFROM x\n", 1, "scratch"),
    ("a stage called scratch", "FROM a:1 AS scratch\nFROM scratch\n", 2, "scratch"),
    ("ARG without default", "ARG V\nFROM a:$V\n", 2, "ARG V at line 1 has no default"),
    ("ARG without default in a chain", "ARG V\nARG T=x-$V\nFROM a:$T\n", 3, "ARG V at line 1 has no default"),
    ("ARG declared again, bare", "ARG V=1\nARG V\nFROM a:${V:-2}\n", 3, "ARG V at line 2 has no default"),
    ("no ARG", "FROM a:$V\n", 1, "no ARG before the first FROM declares V"),
    ("ARG too late", "FROM b AS b\nARG V=1\nFROM a:$V\n", 3, "no ARG before the first FROM declares V"),
    ("ARGs in a ring", "ARG A=$B\nARG B=$A\nFROM $A\n", 3, "ARG A at line 1 has no value"),
    ("ARG of itself", "ARG A=$A\nFROM $A\n", 2, "ARG A at line 1 has no value"),
    ("the builder's ARG", "FROM a:$TARGETARCH\n", 1, "TARGETARCH is set by the builder"),
    ("the builder's ARG redeclared", "ARG TARGETARCH=amd64\nFROM a:${TARGETARCH:-x}\n", 2, "set by the builder"),
    ("empty after expansion", "ARG V=\nFROM $V\n", 2, "names nothing"),
    ("pattern substitution", "ARG V=12.8\nFROM a:${V%.*}\n", 2, "cannot be decided here"),
    ("growing without end", "ARG A=" + "x" * 60 + "\n" + "ARG A=$A$A\n" * 40 + "FROM $A\n", 42, "longer than"),
    ("Jinja", "FROM {{ base }}\n", 1, "FROM takes an image"),
    ("Jinja without blanks", "FROM {{base}}\n", 1, "a template"),
    ("Jinja block", "{% if gpu %}\nFROM a\n{% endif %}\n", 1, "no instruction"),
    ("shell", "FROM a:$(cat VERSION)\n", 1, "FROM takes an image"),
    ("misspelled", "FRM a\n", 1, "no instruction"),
    ("no-break space", "FROM\u00a0a\n", 1, "no instruction"),
    ("a lone continuation", "FROM a\n\\", 2, "a lone continuation is no instruction"),
    ("FROM alone", "FROM\n", 1, "FROM takes an image"),
    ("FROM with too much", "FROM a b c\n", 1, "FROM takes an image"),
    ("AS nothing", "FROM a AS\n", 1, "FROM takes an image"),
    ("comment behind", "FROM a # c\n", 1, "FROM takes an image"),
    ("CR alone", "FROM a\rRUN x\r", 1, "FROM takes an image"),
    ("bad stage name", "FROM a AS 1x\n", 1, "no name of a stage"),
    ("unknown flag", "FROM --pull=always a\n", 1, "no flag"),
    ("foreign frontend", "# syntax=evil/frontend:1\nFROM a\n", 1, "foreign frontend"),
    ("foreign frontend behind a shebang", "#!/x\n# syntax=evil/frontend:1\nFROM a\n", 2, "foreign frontend"),
    ("foreign frontend after check", "# check=skip=all\n#SYNTAX = evil/f\nFROM a\n", 2, "foreign frontend"),
    ("a frontend that only looks like Docker's", "# syntax=docker/dockerfilex:1\nFROM a\n", 1, "foreign frontend"),
    ("heredoc for an old frontend", "# syntax=docker/dockerfile:1.2\nFROM a\nRUN <<E\nFROM b\nE\n", 1, "no heredocs"),
    ("bad escape", "# escape=x\nFROM a\n", 1, "neither"),
    ("escape twice", "# escape=`\n# escape=`\nFROM a\n", 2, "twice"),
    ("open heredoc", "FROM a\nRUN <<EOF\nFROM b\n", None, "unterminated heredoc"),
    ("NUL", "FROM a\nRUN x\0\nFROM b\n", 2, "NUL"),
    ("not UTF-8", b"FROM a\nRUN \xff\nFROM b\n", 2, "not UTF-8"),
    ("surrogates", b"FROM a\xed\xa0\x80\n", 1, "not UTF-8"),
    ("UTF-16", "FROM a\n".encode("utf-16"), 1, "NUL"),
    ("a long line", "FROM a\nRUN " + "x" * 70_000 + "\n", None, "line greater than"),
    ("too large", b"#" * (MAX_BYTES + 1), None, "more than"),
    ("ELF", b"\x7fELF\x02\x01\x01" + bytes(range(256)), 1, "NUL"),
]


def to_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize(("text", "reference", "line"), [r[1:] for r in DECIDED], ids=[r[0] for r in DECIDED])
def test_the_image_of_the_final_stage(text: str, reference: str, line: int) -> None:
    assert declared_reference("Dockerfile", text.encode()) == (reference, line)


@pytest.mark.parametrize(("text", "line", "why"), [r[1:] for r in UNDECIDED], ids=[r[0] for r in UNDECIDED])
def test_what_the_file_does_not_decide_is_never_guessed(text: str | bytes, line: int | None, why: str) -> None:
    problem = declared_reference("docker/Dockerfile", to_bytes(text))
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.status) == ("unresolvable", Status.FAIL)
    assert why in str(problem.got)
    assert problem.location == Location("docker/Dockerfile", line)
    assert problem.fix
    assert problem.expected
    assert not any(unicodedata.category(c).startswith("C") for c in problem.message)
    assert len(problem.message) < 600


TARGETS = "FROM a:1 AS base\nFROM base AS test\nFROM b:2 AS Final\nFROM test\n"


@pytest.mark.parametrize(
    ("target", "expected"),
    [("base", ("a:1", 1)), ("TEST", ("a:1", 1)), ("final", ("b:2", 3)), ("0", ("a:1", 1)), ("2", ("b:2", 3)),
     (None, ("a:1", 1))],
)  # fmt: skip
def test_a_target_stage(target: str | None, expected: tuple[str, int]) -> None:
    assert declared_reference("Dockerfile", TARGETS.encode(), target) == expected


@pytest.mark.parametrize("target", ["missing", "4", "-1", "", "٣", "9" * 5000])
def test_an_unknown_target_is_refused(target: str) -> None:
    problem = declared_reference("Dockerfile", TARGETS.encode(), target)
    assert isinstance(problem, Problem)
    assert "no stage" in problem.message


def test_the_foreign_frontend_is_answered_with_the_edit() -> None:
    problem = declared_reference("Dockerfile", b"# syntax=evil/frontend\nFROM a\n")
    assert isinstance(problem, Problem)
    assert problem.fix == "remove the syntax directive from line 1, or use docker/dockerfile:1"


def test_without_the_package_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> object:
        if name == "dockerfile":
            raise ImportError(name)
        return real(name, globals, locals, fromlist or (), level)

    monkeypatch.setattr(builtins, "__import__", without)
    problem = declared_reference("Dockerfile", b"FROM a\n")
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.status) == ("could-not-decide", Status.ERROR)
    assert problem.fix == "python -m pip install dockerfile"


def test_the_largest_file_is_read_in_bounded_time() -> None:
    data = b"FROM a\nRUN x" + b" \\\n y" * ((MAX_BYTES - 20) // 5)
    began = time.perf_counter()
    assert declared_reference("Dockerfile", data) == ("a", 1)
    assert time.perf_counter() - began < 20


def test_many_stages_are_read_in_bounded_time() -> None:
    data = b"FROM a\n" * (MAX_BYTES // 7)
    began = time.perf_counter()
    assert declared_reference("Dockerfile", data) == ("a", MAX_BYTES // 7)
    chain = b"FROM a AS s0\n" + b"".join(b"FROM s%d AS s%d\n" % (i, i + 1) for i in range(5_000))
    assert declared_reference("Dockerfile", chain) == ("a", 1)
    assert time.perf_counter() - began < 20


LINES = st.sampled_from(
    ["FROM a", "FROM $A", "FROM ${A:-b} AS x", "from x", "ARG A", "ARG A=1", "RUN <<E", "E", "RUN x \\", "# escape=`",
     "`", "\\", "", "COPY <<-'E' /x", "ONBUILD RUN <<E", "FROM --platform=x a", "\x85", "\u2028", "\"", "'", "{{x}}",
     "#", "HEALTHCHECK NONE", "SHELL [\"x\"]", "ADD [", "ENV A", "LABEL \"a", "\t", "\ufeff", "é"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(LINES, max_size=12).map("\n".join))
def test_no_lines_break_the_reader(text: str) -> None:
    read = declared_reference("Dockerfile", text.encode())
    if isinstance(read, tuple):
        assert 1 <= read[1] <= text.count("\n") + 1
        # An instruction begins where its first line does, also where that holds only a line continuation.
        assert "FROM" in "".join(text.split("\n")[read[1] - 1 :]).upper()
    else:
        assert read.reason == "unresolvable"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert isinstance(declared_reference("Dockerfile", b"FROM a\n" + data), tuple | Problem)
