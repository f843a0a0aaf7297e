import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptguard import pep440


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2.9.0", "2.9.0"),
        ("2.9.0", "2.9"),
        ("2.9.0", "v2.9.0"),
        ("2.9.0rc1", "2.9.0-rc1"),
        ("2.9.0rc1", "2.9.0-RC.1"),
        ("2.9.0rc1", "2.9.0c1"),
        ("2.9.0.post1", "2.9.0-1"),
        ("1!2.9.0", "1!2.9"),
        ("2.9.0+cu128", "2.9.0+CU128"),
        ("2025.04.05", "2025.4.5"),
    ],
)
def test_same(a: str, b: str) -> None:
    assert pep440.same(a, b)
    assert pep440.same(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2.9.0", "2.9.1"),
        ("2.9.0", "12.9.0"),
        ("2.9.0", "2.9.0rc1"),
        ("2.9.0", "2.9.0.post1"),
        ("2.9.0", "2.9.0a"),
        ("2.9.0", "2.9.0+cu128"),
        ("2.9.0", "1!2.9.0"),
        ("2x9x0", "2x9x0"),
        ("nightly", "nightly"),
        ("", ""),
    ],
)
def test_not_same(a: str, b: str) -> None:
    assert not pep440.same(a, b)
    assert not pep440.same(b, a)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 2.9.0",
        "2.9.0\n",
        "2.9.0 ",
        "2. 9.0",
        "2.9.0-foo",
        "2.9.x",
        "\uff12.9.0",
        "2.9.0po\u017ft1",
        "1" * 129,
        "v",
        "2.9.0\0",
    ],
)
def test_is_no_version(text: str) -> None:
    assert pep440.parse(text) is None
    assert pep440.base(text) is None


def test_longest_text_that_is_read() -> None:
    assert str(pep440.parse("1" * pep440.MAX_LENGTH)) == "1" * 128


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("2.9.0", "2.9.0"),
        ("2.9.0rc1", "2.9.0"),
        ("2.9.0a1", "2.9.0"),
        ("2.9.0.dev20250720", "2.9.0"),
        ("2.9.0rc1.dev1", "2.9.0"),
        ("2.9.0rc1.post2", "2.9.0"),
        ("2.9.0.post1", "2.9.0.post1"),
        ("2.9.0.post1.dev2", "2.9.0.post1"),
        ("2.9.0rc1+cu128", "2.9.0+cu128"),
        ("1!2.9rc1", "1!2.9"),
    ],
)
def test_base(text: str, base: str) -> None:
    assert str(pep440.base(text)) == base


@pytest.mark.parametrize(
    ("texts", "upward"),
    [
        ([], False),
        (["1.0"], False),
        (["1.0", "1.0.0"], False),
        (["1.0", "1.1"], True),
        (["1.1", "1.0"], False),
        (["2.0", "1.9", "1.8", "1.9.1"], False),
        (["0.1", "0.2", "0.10", "x", "1.0"], True),
    ],
)
def test_oldest_first(texts: list[str], upward: bool) -> None:
    assert pep440.oldest_first(texts) is upward


@given(st.text())
def test_arbitrary_text_never_raises(text: str) -> None:
    version = pep440.parse(text)
    assert version is None or pep440.same(text, str(version))


def test_import_does_not_load_packaging() -> None:
    code = "import sys, ptguard.pep440; sys.exit('packaging' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
