"""A probe that lies, floods, hangs or dies gives a clear error and nothing else; nothing is left running."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError, ToolMissingError, UsageError
from ptguard.gateways import registry
from ptguard.model import ImageReference
from ptguard.smoke.launch import Asked, LocalRunner, pick
from ptguard.smoke.report import MAX_ANSWER, read_report
from ptguard.smoke.talk import converse
from tests.runs import silent
from tests.support import gone

GOOD: dict[str, object] = {
    "schema": "ptguard.probe/1",
    "nonce": "n",
    "mode": "facts",
    "framework": None,
    "deviceKind": "cpu",
    "devices": [],
    "facts": {},
    "checks": [],
}


def interpreter(folder: Path, text: str) -> LocalRunner:
    """Give a runner whose interpreter is a shell script: $2 is the nonce, standard input the probe."""
    file = folder / "lying-python"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return LocalRunner(folder, str(file))


def answer(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


# --------------------------------------------------------------------------------------------- the real one


def test_the_real_probe_answers(tmp_path: Path) -> None:
    said: list[str] = []
    report = LocalRunner(tmp_path, sys.executable).probe(Asked("auto", "full", 60), said.append)
    assert report.device in ("cpu", "cuda", "rocm")
    assert report.devices
    assert report.facts["python"].startswith("3.")


def test_the_real_probe_does_not_import_the_repository(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    assert LocalRunner(tmp_path, sys.executable).probe(Asked("none", "full", 60), silent).framework is None


# --------------------------------------------------------------------------------------------- lying ones


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cat >/dev/null", "without an answer"),
        ("cat >/dev/null; echo", "without an answer"),
        ("cat >/dev/null; echo Welcome to the image", "something else"),
        ("cat >/dev/null; echo Welcome; echo '%s'", "something else"),
        ("cat >/dev/null; echo '%s'; echo '%s'", "something else"),
        ("cat >/dev/null; printf '\\377\\376'", "something else"),
        ("cat >/dev/null; echo '{}'", "lacks"),
        ("cat >/dev/null; echo '%s' | sed s/NONCE/other/", "nonce"),
        ("cat >/dev/null; echo '%s'; exit 3", "ended with status 3 and said nothing"),
        ("cat >/dev/null; echo 'ImportError: x' >&2; exit 1", "ended with status 1: ImportError: x"),
        ("cat >/dev/null; kill -9 $$", "killed by SIGKILL, out of memory?"),
        ("cat >/dev/null; kill -SEGV $$", "killed by SIGSEGV"),
        ("exit 0", "without an answer"),
        ("head -c 2000000 /dev/zero", f"more than {MAX_ANSWER} bytes"),
        ("yes", f"more than {MAX_ANSWER} bytes"),
    ],
)
def test_a_lying_probe_is_a_clear_error(tmp_path: Path, script: str, words: str) -> None:
    good = answer(nonce="NONCE").decode()
    script = script.replace("%s", good.replace("NONCE", "'\"$2\"'") if "sed" not in script else good)
    with pytest.raises(ToolFailedError) as caught:
        interpreter(tmp_path, script).probe(Asked("auto", "full", 30), silent)
    assert words in caught.value.message


def test_a_probe_that_answers_well_is_believed_in_form_only(tmp_path: Path) -> None:
    good = answer(nonce="NONCE", deviceKind="cuda").decode().replace("NONCE", "'\"$2\"'")
    report = interpreter(tmp_path, f"cat >/dev/null; echo '{good}'").probe(Asked("auto", "full", 30), silent)
    assert (report.device, report.devices) == ("cuda", [])


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "ptguard.probe/2"},
        {"nonce": "m"},
        {"nonce": None},
        {"framework": "caffe"},
        {"deviceKind": "tpu"},
        {"devices": {}},
        {"facts": []},
        {"facts": {"torch": "x" * 5000}},
        {"facts": {"cudnn": 2**70}},
        {"checks": "all good"},
        {"facts": {"torch": ["2.9.0"]}},
        {"facts": {"torch": {"version": "2.9.0"}}},
        {"facts": {"cuda": 12.8}},
        {"facts": {"cudnn": True}},
        {"devices": ["H100"]},
        {"checks": [{"id": "torch.import", "status": "passed"}]},
        {"extra": 1},
    ],
)
def test_a_document_of_another_form_is_refused(change: dict[str, object]) -> None:
    assert read_report(answer(), "n").device == "cpu"
    with pytest.raises(ToolFailedError):
        read_report(answer(**change), "n")


@pytest.mark.parametrize("data", [b"[" * 100_000, b"null", b"1", b'"x"', b"\xff", b"{}{}", b"{" + b"9" * 5000])
def test_bytes_that_are_no_document_are_refused(data: bytes) -> None:
    with pytest.raises(ToolFailedError):
        read_report(data, "n")


def test_a_probe_that_hangs_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    begun = time.monotonic()
    runner = interpreter(tmp_path, f"sleep 600 & echo $! > {tmp_path}/pid; sleep 600")
    with pytest.raises(ToolFailedError, match="did not end in time"):
        runner.probe(Asked("auto", "full", 1.5), silent)
    assert time.monotonic() - begun < 30
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_flood_on_standard_error_is_only_a_tail(tmp_path: Path) -> None:
    good = answer(nonce="NONCE").decode().replace("NONCE", "'\"$2\"'")
    script = f"cat >/dev/null; head -c 30000000 /dev/zero | tr '\\0' x >&2; echo '{good}'"
    assert interpreter(tmp_path, script).probe(Asked("auto", "full", 60), silent).device == "cpu"


def test_progress_is_told_as_it_comes(tmp_path: Path) -> None:
    said: list[str] = []
    good = answer(nonce="NONCE").decode().replace("NONCE", "'\"$2\"'")
    script = f"cat >/dev/null; printf 'probe: a\\nnoise\\nprobe: \\033[31mb\\n' >&2; echo '{good}'"
    interpreter(tmp_path, script).probe(Asked("auto", "full", 30), said.append)
    assert said == ["probe: a", "probe: \\x1b[31mb"]


# --------------------------------------------------------------------------------------------- the command


def test_the_command_runs_in_the_work_tree_without_a_shell(tmp_path: Path) -> None:
    said: list[str] = []
    runner = LocalRunner(tmp_path, sys.executable)
    done = runner.command(
        [sys.executable, "-c", "import os, sys; print(os.getcwd(), sys.argv[1])", "$(id)"], 60, said.append
    )
    assert done.exit == 0
    assert done.seconds > 0
    assert said == [f"  {tmp_path} $(id)"]


def test_a_command_that_fails_is_an_outcome_and_its_last_lines_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    argv = ["sh", "-c", "printf '\\033]0;x\\007\\n' >&2; sleep 0.1; seq 19; exit 7"]
    done = LocalRunner(tmp_path, sys.executable).command(argv, 60, said.append)
    assert done.exit == 7
    assert said == ["  \\x1b]0;x\\x07", *(f"  {i}" for i in range(1, 20))]
    said.clear()
    assert LocalRunner(tmp_path, sys.executable).command(["seq", "1000"], 60, said.append).exit == 0
    assert said == [f"  {i}" for i in range(981, 1001)]


@pytest.mark.parametrize(
    ("script", "words"),
    [("kill -9 $$", "killed by SIGKILL"), ("kill -TERM $$", "killed by SIGTERM"), ("sleep 600", "did not end in time")],
)
def test_a_command_that_is_killed_or_hangs_is_an_error(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(ToolFailedError, match=words):
        LocalRunner(tmp_path, sys.executable).command(["sh", "-c", script], 0.5, silent)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError):
        LocalRunner(tmp_path, sys.executable).command(["no-such-program-here"], 5, silent)


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    argv = ["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; exit 0"]
    assert LocalRunner(tmp_path, sys.executable).command(argv, 60, silent).exit == 0
    assert time.monotonic() - begun < 30
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_flood_from_a_command_is_no_error(tmp_path: Path) -> None:
    argv = ["sh", "-c", "head -c 30000000 /dev/zero"]
    done = LocalRunner(tmp_path, sys.executable).command(argv, 60, lambda _: None)
    assert done.exit == 0
    assert len(done.tail) <= 1 << 16


def test_an_interrupt_ends_everything(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ptguard.smoke.launch import LocalRunner\n"
        f"LocalRunner(Path({str(tmp_path)!r}), sys.executable).command("
        f"['sh', '-c', 'echo $$ > {tmp_path}/pid; sleep 600'], 600, print)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert gone(int((tmp_path / "pid").read_text()))


def test_standard_input_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    done = converse(["true"], stdin=b"x" * 1_000_000, cwd=tmp_path, timeout=20, say=silent)
    assert done.exit == 0
    done = converse(["cat"], stdin=b"x" * 1_000_000, cwd=tmp_path, timeout=20, say=silent, keep=2_000_000)
    assert done.answer == b"x" * 1_000_000


# --------------------------------------------------------------------------------------------- which runner


def test_the_local_runner_is_an_operators_word(tmp_path: Path) -> None:
    runner = pick("local", tmp_path, None, "cpu")
    assert isinstance(runner, LocalRunner)
    assert (runner.name, runner.digest_source, runner.network) == ("local", "operator", "host")
    assert runner.platform.startswith("linux/")
    assert runner.python == str(Path(sys.executable).parent / "python")
    image = ImageReference("registry.example.com/x", "1", "sha256:" + "1" * 64)
    assert runner.resolve(image) == image
    assert runner.resolve(None) is None
    assert runner.digest_source == "operator"


def test_the_local_runner_asks_the_registry_where_nobody_says_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = "sha256:" + "2" * 64
    monkeypatch.setattr(registry, "resolve", lambda _: registry.Resolved(digest, "x", ()))
    runner = LocalRunner(tmp_path, sys.executable)
    found = runner.resolve(ImageReference("registry.example.com/x", "1", None))
    assert found == ImageReference("registry.example.com/x", "1", digest)
    assert runner.digest_source == "registry"


def stand_in(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_an_engine_is_taken_only_where_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", str(folder))
    assert pick("auto", tmp_path, sys.executable, "cpu").name == "local"
    for name in ("docker", "podman"):
        with pytest.raises(UsageError, match=f"{name} is not installed"):
            pick(name, tmp_path, None, "cpu")
    stand_in(folder, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ToolFailedError, match="does not answer: Cannot connect") as caught:
        pick("docker", tmp_path, None, "cpu")
    assert "systemctl start docker" in str(caught.value.fix)
    assert pick("auto", tmp_path, sys.executable, "cpu").name == "local"
    stand_in(folder, "podman", "echo 4.3.1")
    assert pick("auto", tmp_path, None, "cpu").name == "podman"
    stand_in(folder, "docker", "echo 28.0.0")
    assert pick("auto", tmp_path, None, "cpu").name == "docker"
    assert pick("local", tmp_path, sys.executable, "cpu").name == "local"


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no interpreter"):
        pick("local", tmp_path, "/no/such/python", "cpu")
