from datetime import date

import pytest

from ptguard.model import Changelog
from ptguard.parse.changelog import parse_changelog
from ptguard.pep440 import same


def parsed(text: str) -> Changelog:
    log = parse_changelog("CHANGES.rst", text.encode())
    assert isinstance(log, Changelog)
    return log


OLD = "\n\n2.8.1 (2025-01-02)\n------------------\n\n- older\n"


@pytest.mark.parametrize(
    "heading",
    [
        "2.9.0 (2025-04-05)\n------------------",
        "Version 2.9.0 (2025-04-05)\n--------------------------",
        "v2.9.0, 2025-04-05\n------------------",
        "pluggy 2.9.0 (2025-04-05)\n-------------------------",
        "Release 2.9.0 (released Apr 05, 2025)\n-------------------------------------",
        "``2.9.0`` (2025-04-05)\n----------------------",
        "`2.9.0 <https://example.com>`_ (2025-04-05)\n-------------------------------------------",
        "`2.9.0`_ (2025-04-05)\n---------------------",
        ":version:`2.9.0` (2025-04-05)\n-----------------------------",
        "2.9.0 (2025-04-05)\n----",
        ".. _v2.9.0:\n2.9.0 (2025-04-05)\n------------------",
        "Version 2.9.0\n-------------\n\nReleased 2025-04-05",
        "Version 2.9.0\n-------------\n\n:Date: April 5, 2025",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_accepted_forms(heading: str, newline: str) -> None:
    log = parsed(f"Changelog\n=========\n\n{heading}\n\n- new{OLD}".replace("\n", newline))
    found, old = log.sections
    assert same(found.version, "2.9.0")
    assert (found.date, found.body, found.level) == (date(2025, 4, 5), 1, 2)
    assert (old.version, old.body) == ("2.8.1", 1)


def test_overlined_titles() -> None:
    log = parsed("=========\nChangelog\n=========\n\n=====\n2.9.0\n=====\n\n- x\n\n====\n 2.8\n====\n")
    assert [(s.version, s.line, s.body) for s in log.sections] == [("2.9.0", 6, 1), ("2.8", 12, 0)]


def test_a_title_under_its_target_has_its_own_line() -> None:
    assert parsed("Log\n===\n\n.. _x:\n\n2.9.0\n-----\n\n- x\n").sections[0].line == 6


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("::\n\n   2.9.0\n   -----\n\n   - x", "an indented block"),
        (".. comment\n\n   2.9.0\n   -----\n", "a comment"),
        ("..\n   2.9.0\n   -----\n", "a comment"),
        (".. code-block:: rst\n\n   2.9.0\n   -----\n", "an indented block"),
        ("text\n2.9.0\n-----\n", None),
        ("- 2.9.0\n-------\n", None),
        ("| 2.9.0\n-------\n", None),
        ("2.9.0\n--\n", None),
        ("2.9.0\n-- --\n", None),
        ("2.9.0\n-=-=-\n", None),
        ("2.9.0\n\n-----\n", None),
        ("**2.9.0**\n", None),
        (".. _2.9.0: https://example.com\n", None),
        ("In 2.9.0 we did much.\n", None),
        ("## 2.9.0\n", None),
        ("12.9.0\n------\n", None),
    ],
)
def test_refused_forms(text: str, where: str | None) -> None:
    log = parsed(f"Changelog\n=========\n{OLD}\n{text}\n\n- x\n")
    assert [s.version for s in log.sections if same(s.version, "2.9.0")] == []
    assert [d[1] for d in log.decoys] == ([] if where is None else [where])


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("- one\n- two", 2),
        ("Fixed\n~~~~~", 0),
        ("Fixed\n~~~~~\n\n- x", 1),
        (".. nothing here but a comment\n   of two lines", 0),
        (".. _target: https://example.com", 0),
        (".. contents::", 0),
        (".. note:: read this", 1),
        ("- Nothing changed yet.", 0),
        ("", 0),
    ],
)
def test_what_counts_as_substance(body: str, count: int) -> None:
    (found,) = (s for s in parsed(f"2.9.0\n-----\n\n{body}\n{OLD}").sections if s.version == "2.9.0")
    assert found.body == count


def test_directives_are_not_followed(tmp_path: object) -> None:
    log = parsed(".. include:: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n\n2.9.0\n-----\n\n- x\n")
    assert [s.version for s in log.sections] == ["2.9.0"]


def test_wide_titles_may_have_their_own_width() -> None:
    assert [s.version for s in parsed("版2.9\n=====\n\n- x\n").sections] == ["2.9"]
