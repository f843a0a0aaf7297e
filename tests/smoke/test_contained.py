"""Runs in real containers: what the probe may say, what is mounted, and that nothing is ever left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptguard.errors import PtguardError, ToolFailedError, UsageError
from ptguard.gateways.container import Engine
from ptguard.smoke.contained import ContainerRunner
from ptguard.smoke.launch import Asked
from ptguard.value import replace
from tests.containers import PYTHON_IMAGE, Podman
from tests.runs import ASKED, reference, silent
from tests.support import Repo, run


def runner(podman: Podman, root: Path, image: str | None = None, device: str = "cpu") -> ContainerRunner:
    made = ContainerRunner(Engine("podman"), root, None, device)
    made.resolve(reference(image or podman.pinned(PYTHON_IMAGE)))
    return made


@pytest.fixture
def fake(podman: Podman, tmp_path: Path) -> "Fake":
    return Fake(podman, tmp_path)


class Fake:
    """Makes images whose ``python`` is a shell script of the test's: $2 is the nonce, standard input the probe."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self.podman, self.folder = podman, folder / "image"

    def image(self, script: str) -> str:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "python").write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / "python").chmod(0o755)
        name = f"localhost/ptguard/fake:{abs(hash(script))}"
        return self.podman.build(name, self.folder, f"FROM {PYTHON_IMAGE}\nCOPY python /usr/local/bin/python\n")


# --------------------------------------------------------------------------------------------- the probe


def test_the_real_probe_in_a_real_container(podman: Podman, tmp_path: Path) -> None:
    made = runner(podman, tmp_path)
    report = made.probe(ASKED, silent)
    assert (report.mode, report.device, report.facts["os"]) == ("facts", "cpu", "debian 12")
    assert (made.name, made.digest_source, made.network, made.platform) == ("podman", "launcher", "none", "linux/amd64")


def test_nothing_of_the_caller_goes_in(podman: Podman, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "PTGUARD_SECRET", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "http://proxy.example.com/secret")
    image = fake.image("cat >/dev/null; env >&2; cat /proc/mounts >&2; cat /proc/net/dev >&2; exit 9")
    with pytest.raises(ToolFailedError) as caught:
        runner(podman, fake.folder, image).probe(ASKED, silent)
    assert "secret" not in str(caught.value)
    printed = podman("run", "--rm", "--network", "none", "--http-proxy=false", "--entrypoint", "env", image)
    assert "SECRET" not in printed and "PROXY" not in printed


ANSWER = {
    "schema": "ptguard.probe/1", "mode": "full", "framework": "torch", "deviceKind": "cuda",
    "devices": [{"index": 0, "name": "H100", "uuid": None, "capability": "9.0", "memoryBytes": 1}], "facts": {},
    "checks": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cat >/dev/null; echo '{answer}' | sed s/NONCE/made-up/", "something else"),  # a record of its own making
        ("cat >/dev/null; echo '{answer}' | sed s/NONCE/$2/; echo and more", "something else"),
        ("cat >/dev/null; echo '{answer}' | sed s/NONCE/$2/; echo '{answer}' | sed s/NONCE/$2/", "something else"),
        ("cat >/dev/null; echo Welcome; echo '{answer}' | sed s/NONCE/$2/", "something else"),
        ("cat >/dev/null", "without an answer"),
        ("cat >/dev/null; echo '{answer}' | sed s/NONCE/$2/; exit 3", "ended with status 3 in its container"),
        ("cat >/dev/null; echo it broke >&2; exit 1", "in its container: it broke"),
        ("yes", "answered more than"),
        ("cat >/dev/null; sh -c 'kill -9 $$'; exit $?", "killed in its container"),
        ("cat >/dev/null; sh -c 'kill -SEGV $$'; exit $?", "was killed by SIGSEGV in its container"),
        ("exit 0", "without an answer"),
    ],
)
def test_an_image_that_lies_floods_or_dies_gives_no_report(podman: Podman, fake: Fake, script: str, words: str) -> None:
    text = json.dumps({**ANSWER, "nonce": "NONCE"})
    made = runner(podman, fake.folder, fake.image(script.replace("{answer}", text)))
    with pytest.raises(ToolFailedError, match=words):
        made.probe(ASKED, silent)


def test_the_same_answer_with_the_nonce_is_one(podman: Podman, fake: Fake) -> None:
    text = json.dumps({**ANSWER, "nonce": "NONCE"})
    made = runner(podman, fake.folder, fake.image(f"cat >/dev/null; echo '{text}' | sed s/NONCE/$2/"))
    assert made.probe(ASKED, silent).device == "cuda"


def test_an_image_that_hangs_is_stopped(podman: Podman, fake: Fake) -> None:
    made = runner(podman, fake.folder, fake.image("cat >/dev/null; trap '' TERM INT; while :; do sleep 1; done"))
    begun = time.monotonic()
    with pytest.raises(ToolFailedError, match="did not end in time"):
        made.probe(Asked("none", "full", 2), silent)
    assert time.monotonic() - begun < 30
    assert podman.containers() == []


def test_an_image_without_python(podman: Podman, tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "x").write_text("x")
    image = podman.build("localhost/ptguard/empty:1", folder, "FROM scratch\nCOPY x /x\n")
    with pytest.raises(UsageError, match="no python or python3 on its PATH") as caught:
        runner(podman, tmp_path, image).probe(ASKED, silent)
    assert "--python PATH" in str(caught.value.fix)
    made = ContainerRunner(Engine("podman"), tmp_path, "/usr/bin/python3", "cpu")
    made.resolve(reference(podman.pinned(PYTHON_IMAGE)))
    assert made.probe(ASKED, silent).framework is None


def test_a_gpu_that_the_engine_does_not_hand_out(podman: Podman, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="podman hands no GPU to a container here") as caught:
        runner(podman, tmp_path, device="cuda").probe(ASKED, silent)
    assert "nvidia-ctk" in str(caught.value.fix)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_container(podman: Podman, fake: Fake, number: signal.Signals) -> None:
    image = fake.image("cat >/dev/null; while :; do sleep 1; done")
    script = (
        "import sys; from pathlib import Path; from tests.smoke.test_contained import ASKED, runner\n"
        "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "from tests import containers\n"
        f"runner(containers.podman(), Path({str(fake.folder)!r}), {image!r}).probe(ASKED, print)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not podman.containers() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
    assert podman.containers() == []


def test_a_container_that_somebody_kills_gives_no_report(podman: Podman, fake: Fake) -> None:
    image = fake.image("cat >/dev/null; while :; do sleep 1; done")
    killer = (
        "import time; from tests import containers; p = containers.podman()\n"
        "while not p.containers(): time.sleep(0.05)\n"
        "p('kill', p.containers()[0])"
    )
    process = subprocess.Popen([sys.executable, "-c", killer], cwd=Path(__file__).parents[2])
    try:
        with pytest.raises(ToolFailedError, match="killed in its container"):
            runner(podman, fake.folder, image).probe(ASKED, silent)
    finally:
        assert process.wait(60) == 0


# --------------------------------------------------------------------------------------------- which image


def test_an_image_is_known_by_its_digest_or_not_at_all(podman: Podman, tmp_path: Path) -> None:
    engine, image = Engine("podman"), reference(PYTHON_IMAGE)
    digest = podman.digest(PYTHON_IMAGE)
    assert engine.resolve(image) == replace(image, digest=digest)
    assert engine.resolve(replace(image, digest=digest)).digest == digest
    for wrong in (replace(image, digest="sha256:" + "1" * 64), replace(image, tag="none")):
        with pytest.raises(UsageError, match="here, and it could not be pulled") as caught:
            engine.resolve(wrong)
        assert "podman pull" in str(caught.value.fix)
    assert podman.containers() == []
    with pytest.raises(UsageError, match="no image is named"):
        ContainerRunner(engine, tmp_path, None, "cpu").resolve(None)


def test_what_was_resolved_is_what_runs(podman: Podman, fake: Fake) -> None:
    """The tag is moved to another image between the two: the run is still one of the digest."""
    moving = "localhost/ptguard/moving:1"
    podman("tag", PYTHON_IMAGE, moving)
    resolved = ContainerRunner(Engine("podman"), fake.folder, None, "cpu")
    image = resolved.resolve(reference(f"{moving}@{podman.digest(PYTHON_IMAGE)}"))
    other = fake.image("exit 7")
    podman("tag", other, moving)
    assert resolved.probe(ASKED, silent).facts["os"] == "debian 12"
    assert image.digest == podman.digest(PYTHON_IMAGE) != podman.digest(moving)


# --------------------------------------------------------------------------------------------- the project's check


@pytest.fixture
def project(repo: Repo) -> Repo:
    repo.write("model.py", "print('whole')\n")
    repo.write("secret.py", "print('left out of archives')\n")
    repo.write("version.txt", "$Format:%H$\n")
    repo.write("dos.txt", "a\r\nb\r\n")
    repo.write(".gitattributes", "secret.py export-ignore\nversion.txt export-subst\ndos.txt text\n")
    repo.write(".ptguard/policy.toml", "schema = 1\n")
    repo.write("deep/er/x", "x")
    (repo.path / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "link").symlink_to("deep/er/x")
    (repo.path / "away").symlink_to("/etc/passwd")
    repo.git("-c", "core.autocrlf=false", "add", "-A")
    repo.commit()
    repo.write("model.py", "print('changed, not committed')\n")
    return repo


def command(podman: Podman, project: Repo, *argv: str, timeout: float = 60) -> tuple[int, str]:
    said: list[str] = []
    done = runner(podman, project.path).command(argv, timeout, said.append)
    return done.exit, "\n".join(said)


def test_the_command_sees_the_very_tree_that_a_record_names(podman: Podman, project: Repo, tmp_path: Path) -> None:
    """Hashed by git inside out: what lies in the container has the tree id of HEAD without .ptguard."""
    out = run("git", "-C", project.path, "ls-tree", "-r", "HEAD", env=project.env).stdout
    wanted = sorted(line.split("\t")[1] for line in out.splitlines() if ".ptguard" not in line)
    script = (
        "import os, hashlib, stat\n"
        "for top, folders, files in os.walk('.'):\n"
        "    for name in files:\n"
        "        p = os.path.join(top, name); s = os.lstat(p)\n"
        "        data = os.readlink(p).encode() if stat.S_ISLNK(s.st_mode) else open(p, 'rb').read()\n"
        "        mode = '120000' if stat.S_ISLNK(s.st_mode) else '100755' if s.st_mode & 64 else '100644'\n"
        "        print(mode, 'blob', hashlib.sha1(b'blob %d\\0' % len(data) + data).hexdigest(), p[2:])\n"
    )
    code, said = command(podman, project, "python3", "-c", script)
    assert code == 0, said
    rows = sorted(tuple(line.split()) for line in said.splitlines())
    assert [row[3] for row in sorted(rows, key=lambda r: r[3])] == wanted
    listed = [tuple(line.replace("\t", " ").split()) for line in out.splitlines() if ".ptguard" not in line]
    assert rows == sorted(listed)


def test_the_command_cannot_change_the_source_and_may_use_tmp(podman: Podman, project: Repo) -> None:
    code, said = command(podman, project, "sh", "-c", "touch /tmp/x && touch here 2>&1; echo and $?; pwd; cat model.py")
    assert code == 0
    assert "Read-only file system" in said
    assert "and 1\n  /ptguard/source\n  print('whole')" in said


def test_the_exit_status_of_the_command_is_its_own(podman: Podman, project: Repo) -> None:
    assert command(podman, project, "./run.sh") == (0, "  ran")
    assert command(podman, project, "sh", "-c", "echo bad >&2; exit 5") == (5, "  bad")
    with pytest.raises(UsageError, match="the image has no program no-such"):
        command(podman, project, "no-such")
    with pytest.raises(ToolFailedError, match="did not end in time"):
        command(podman, project, "sleep", "60", timeout=1.5)
    with pytest.raises(ToolFailedError, match="killed in its container"):
        command(podman, project, "sh", "-c", "sh -c 'kill -9 $$'; exit $?")
    assert podman.containers() == []


def test_submodules_and_lfs_pointers_are_named(podman: Podman, project: Repo) -> None:
    project.write("weights.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{project.git('rev-parse', 'HEAD')},vendor")
    project.commit("odd", "weights.bin")
    code, said = command(podman, project, "ls", "vendor")
    assert code == 0
    assert "1 of the kind submodule, whose content is no part of it: vendor" in said
    assert "1 of the kind Git LFS pointer, whose content is no part of it: weights.bin" in said


def test_no_temporary_folder_is_left(
    podman: Podman, project: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert command(podman, project, "true")[0] == 0
    with pytest.raises(PtguardError):
        command(podman, project, "no-such")
    assert list(temporary.iterdir()) == []
    assert os.environ["PATH"].startswith(str(podman.folder))
