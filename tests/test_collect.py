"""Evidence is collected by several hands at once, and none gets into another's way."""

import threading
import time
from pathlib import Path

import pytest

from ptguard.collect import Collector, Scene
from ptguard.gateways import ssh
from ptguard.gateways.git import Git, Refs
from ptguard.model import Mode, SignatureFacts
from ptguard.remotes import Clone
from tests.build import NOW, REMOTE, policy
from tests.support import Repo


def test_two_signatures_are_never_verified_at_the_same_time(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    most = []

    def verify(*_: object) -> SignatureFacts:
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return SignatureFacts("ssh", "SHA256:x", "SHA512", None)

    monkeypatch.setattr(ssh, "verify", verify)
    repo.commit()
    with Git.open(repo.path) as git:
        clone = Clone(git, {}, Refs({}, {}), None, REMOTE)
        collector = Collector(Scene(clone, policy(), Mode.PUSH, NOW, tmp_path))
        threads = [threading.Thread(target=collector.verify_ssh, args=(b"", b"", "git")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == [1, 1, 1, 1]
