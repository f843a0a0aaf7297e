"""Whatever a check is asked in these tests, what it says must be whole: its id, words, and how to mend a refusal."""

from collections.abc import Iterator, Sequence

import pytest

from ptguard.model import Evidence, Finding, Policy, Problem, Status
from ptguard.value import fields


def problems(held: object) -> Iterator[Problem]:
    """Give every problem that ``held`` holds at any depth."""
    if isinstance(held, Problem):
        yield held
    elif isinstance(held, tuple):
        for part in held:
            yield from problems(part)
    elif hasattr(held, "__value_fields__"):
        for name in fields(type(held)):
            yield from problems(getattr(held, name))


def whole(found: Finding, check: str, evidence: Evidence) -> None:
    """Hold one finding to what every finding must have; what a parser or gateway said is passed on as it is."""
    assert found.check == check, found
    assert isinstance(found.message, str) and found.message.strip(), found
    if found.status is Status.FAIL:
        assert found.fix, f"a refusal says how to mend it: {found}"
        own = not any(problem.message in found.message for problem in problems(evidence))
        assert not own or (found.got and found.expected), f"a refusal says what was seen and expected: {found}"


@pytest.fixture(autouse=True)
def every_finding_is_whole(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand between the tests of a module and the check that they ask."""
    ask, name = request.module.check, request.module.__name__.rpartition("test_")[2]

    def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
        findings: Sequence[Finding] = ask(evidence, policy)
        assert findings
        for found in findings:
            whole(found, name, evidence)
        return findings

    monkeypatch.setattr(request.module, "check", check)
