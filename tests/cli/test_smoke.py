"""`ptguard smoke` for real: run, signed, verified, committed, and judged by the guard itself."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptguard.errors import ExitCode
from ptguard.parse.smoke import pae
from tests.support import KeyChain, Repo, run, toml_list

DIGEST = "sha256:" + "3" * 64
IMAGE = f"registry.example.com/team/train:2.9@{DIGEST}"
RECORD = ".ptguard/smoke/registry.example.com-team-train-2.9.json"
TRY = [sys.executable, "-c", "import model; assert model.answer() == 42"]

POLICY = """\
schema = 1

[[tags]]
pattern = "v*"
checks = ["annotated", "signature", "image", "smoke"]
signers = ["li-wei"]

[image]
sources = ["Dockerfile"]

[smoke]
device = "cpu"
command = {command}
signers = ["gpu-runner"]
image-from = "{image_from}"

[signers.li-wei]
[[signers.li-wei.keys]]
kind = "ssh"
public-key = "{person}"

[signers.gpu-runner]
[[signers.gpu-runner.keys]]
kind = "ssh"
public-key = "{runner}"
[[signers.gpu-runner.keys]]
kind = "openpgp"
fingerprint = "{fingerprint}"
file = "keys/gpu.asc"
"""


@dataclass
class Lab:
    """A repository with a policy, an image and a model; ``keys`` of the people in it."""

    repo: Repo
    keys: KeyChain

    def policy(self, **changes: object) -> str:
        values = {
            "command": toml_list(TRY),
            "image_from": "operator",
            "person": self.keys.ssh("li-wei").public,
            "runner": self.keys.ssh("gpu").public,
            "fingerprint": self.keys.openpgp("gpu").fingerprint,
        }
        return POLICY.format(**{**values, **changes})

    def smoke(self, *args: str, image: str | None = IMAGE) -> subprocess.CompletedProcess[str]:
        """Run the command with the interpreter of the tests, as the GPU runner."""
        named = () if image is None else ("--image", image)
        sign = () if "--sign" in args else ("--sign", str(self.keys.ssh("gpu").private))
        return self.repo.ptguard("smoke", "--runner", "local", "--python", sys.executable, *named, *sign, *args)

    @property
    def records(self) -> list[str]:
        folder = self.repo.path / ".ptguard" / "smoke"
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def lab(repo: Repo, keychain: KeyChain) -> Lab:
    made = Lab(repo, keychain)
    repo.write(".ptguard/policy.toml", made.policy())
    repo.write(".ptguard/keys/gpu.asc", keychain.openpgp("gpu").public)
    repo.write("Dockerfile", f"FROM {IMAGE}\n")
    repo.write("model.py", "def answer():\n    return 42\n")
    repo.commit()
    return made


def refused(done: subprocess.CompletedProcess[str], words: str, lab: Lab) -> None:
    """The call is refused in clear words before anything was run, and nothing is left."""
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert words in done.stderr
    assert "command:" not in done.stderr
    assert done.stdout == ""
    assert lab.records == []


# --------------------------------------------------------------------------------------------- a good run


def test_a_run_is_recorded_signed_and_accepted_by_the_guard(lab: Lab, tmp_path: Path) -> None:
    done = lab.smoke()
    assert done.returncode == 0, done.stderr
    assert f"passed: wrote {RECORD} and its signature" in done.stdout
    record = (lab.repo.path / RECORD).read_bytes()
    allowed = tmp_path / "allowed"
    allowed.write_text(f"gpu {lab.keys.ssh('gpu').public}\n")
    run("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "gpu", "-n", "ptguard-smoke",
        "-s", lab.repo.path / f"{RECORD}.sig", stdin=pae(record))  # fmt: skip
    value = json.loads(record)
    assert value["predicate"]["result"] == "PASSED"
    assert "command" in value["predicate"]["passedTests"]
    assert lab.records == [Path(RECORD).name, f"{Path(RECORD).name}.sig"]
    assert lab.repo.git("status", "--porcelain", "--untracked-files=all").split() == [
        "??", RECORD, "??", f"{RECORD}.sig",
    ]  # fmt: skip

    (words,) = [line for line in done.stdout.splitlines() if line.startswith("next: ")]
    run("sh", "-c", words.removeprefix("next: "), cwd=lab.repo.path, env=lab.repo.env)
    verdict = judged(lab)
    assert verdict == [("pass", "ok", "gpu-runner")]
    lab.repo.write("model.py", "def answer():\n    return 41\n")
    lab.repo.commit("spoil it")
    assert [row[1] for row in judged(lab)] == ["wrong-tree"]


def judged(lab: Lab) -> list[tuple[str, str, str | None]]:
    """Tag HEAD, signed by Li Wei, and give what the guard's check says of it."""
    repo = lab.repo
    repo.git("-c", "gpg.format=ssh", "-c", f"user.signingkey={lab.keys.ssh('li-wei').private}",
             "tag", "-f", "-s", "-m", "v1.0.0", "v1.0.0")  # fmt: skip
    done = repo.ptguard("verify", "v1.0.0", "--format", "json")
    findings = json.loads(done.stdout)["tags"][0]["findings"]
    return [(f["status"], f["reason"], f.get("signer")) for f in findings if f["check"] == "smoke"]


def test_an_openpgp_key_from_the_user_s_own_ring(lab: Lab) -> None:
    identity = lab.keys.openpgp("gpu")
    lab.repo.env["GNUPGHOME"] = str(identity.home)
    done = lab.smoke("--sign", identity.fingerprint)
    assert done.returncode == 0, done.stderr
    record = (lab.repo.path / RECORD).read_bytes()
    run("gpg", "--homedir", identity.home, "--batch", "--verify", lab.repo.path / f"{RECORD}.asc", "-",
        stdin=pae(record))  # fmt: skip
    lab.repo.commit("record")
    assert judged(lab) == [("pass", "ok", "gpu-runner")]


def test_git_s_own_key_signs_by_default(lab: Lab) -> None:
    lab.repo.git("config", "gpg.format", "ssh")
    lab.repo.git("config", "user.signingkey", str(lab.keys.ssh("gpu").private))
    done = lab.repo.ptguard("smoke", "--runner", "local", "--python", sys.executable, "--image", IMAGE)
    assert done.returncode == 0, done.stderr


def test_a_run_that_fails_is_recorded_as_failed(lab: Lab) -> None:
    lab.repo.write("model.py", "def answer():\n    print('the loss is nan')\n    return 41\n")
    lab.repo.commit()
    done = lab.smoke()
    assert done.returncode == ExitCode.REFUSED
    assert "FAILED: wrote" in done.stdout
    assert "the loss is nan" in done.stderr
    value = json.loads((lab.repo.path / RECORD).read_text())
    assert value["predicate"]["failedTests"] == ["command"]
    lab.repo.commit("record")
    assert [row[1] for row in judged(lab)] == ["failed"]


def test_output_and_folders(lab: Lab, tmp_path: Path) -> None:
    done = lab.smoke("--output", str(tmp_path / "there.json"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there.json.sig").exists()
    assert lab.records == []
    refused(lab.smoke("--output", "record.txt"), "ends in .json", lab)
    below = lab.repo.path / "below"
    below.mkdir()
    done = run(sys.executable, "-I", "-m", "ptguard", "smoke", "--runner", "local", "--python", sys.executable,
               "--image", IMAGE, "--sign", lab.keys.ssh("gpu").private, cwd=below, env=lab.repo.env)  # fmt: skip
    assert f"git add ../{RECORD} ../{RECORD}.sig" in done.stdout
    done = run(sys.executable, "-I", "-m", "ptguard", "smoke", "--runner", "local", "--python", sys.executable,
               "--image", IMAGE, "--sign", lab.keys.ssh("gpu").private, "-C", lab.repo.path,
               cwd=tmp_path, env=lab.repo.env)  # fmt: skip
    assert f"git -C {lab.repo.path} add {RECORD} {RECORD}.sig" in done.stdout


# --------------------------------------------------------------------------------------------- refused early


@pytest.mark.parametrize(
    ("args", "image", "words"),
    [
        ([], None, "not said which image"),
        ([], f"registry.example.com/team/train:2.9@sha256:{'4' * 64}", "HEAD declares"),
        ([], f"registry.example.com/team/other:2.9@{DIGEST}", "HEAD declares"),
        ([], "not an image", "--image: "),
        (["--command", "true"], IMAGE, "the policy asks for the command"),
        (["--command", "'"], IMAGE, "cannot be split"),
        (["--command", " "], IMAGE, "--command is empty"),
        (["--sign", "/no/such/key"], IMAGE, "neither the file"),
        (["--framework", "caffe"], IMAGE, "caffe"),
        (["--timeout", "0"], IMAGE, "0"),
        (["--python", "/no/such/python"], IMAGE, "no interpreter"),
        (["--policy-ref", "nowhere"], IMAGE, "nowhere"),
    ],
)
def test_what_cannot_count_is_refused_before_it_runs(lab: Lab, args: list[str], image: str | None, words: str) -> None:
    refused(lab.smoke(*args, image=image), words, lab)


def test_another_image_is_mended_by_a_call_of_the_same_runner(lab: Lab) -> None:
    done = lab.smoke(image="registry.example.com/team/train:2.8")
    refused(done, f"HEAD declares {IMAGE}, the run would be one in registry.example.com/team/train:2.8", lab)
    assert f"  mend      ptguard smoke --runner local --image {IMAGE}\n" in done.stderr


def test_where_no_engine_answers_it_is_said_that_this_machine_is_meant(lab: Lab, tmp_path: Path) -> None:
    """Whoever has docker and forgot to start it must not read of local only."""
    for engine in ("docker", "podman"):
        (tmp_path / engine).write_text("#!/bin/sh\necho it does not run >&2\nexit 1\n")
        (tmp_path / engine).chmod(0o755)
    sign = str(lab.keys.ssh("gpu").private)
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = lab.repo.ptguard("smoke", "--sign", sign, "--python", sys.executable, env=env)
    refused(done, "it is not said which image this machine runs", lab)
    assert "neither docker nor podman answers here, so this machine is tried as it is (local)" in done.stderr
    done = lab.smoke()
    assert done.returncode == 0 and "neither docker nor podman" not in done.stderr


def test_a_key_that_may_not_vouch_is_refused_before_the_run(lab: Lab) -> None:
    refused(lab.smoke("--sign", str(lab.keys.ssh("li-wei").private)), "may not vouch", lab)
    refused(lab.smoke("--sign", str(lab.keys.ssh("stranger").private)), "does not know", lab)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_from": "registry"}, "told by operator, and the policy takes registry"),
        ({"image_from": "launcher"}, "told by operator, and the policy takes launcher"),
    ],
)
def test_a_digest_source_that_the_policy_will_not_take(lab: Lab, changes: dict[str, object], words: str) -> None:
    lab.repo.write(".ptguard/policy.toml", lab.policy(**changes))
    lab.repo.commit()
    refused(lab.smoke(), words, lab)


def test_a_device_that_the_policy_will_not_take(lab: Lab) -> None:
    lab.repo.write(".ptguard/policy.toml", lab.policy().replace('device = "cpu"', 'device = "rocm"'))
    lab.repo.commit()
    refused(lab.smoke("--framework", "none"), "and the policy asks for rocm", lab)


def test_an_image_that_is_not_what_its_name_says(lab: Lab) -> None:
    lab.repo.write("Dockerfile", f"FROM pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel@{DIGEST}\n")
    lab.repo.commit()
    image = f"pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel@{DIGEST}"
    refused(lab.smoke("--framework", "none", image=image), "2.9.0 declared by Dockerfile", lab)


def test_nothing_to_try_is_refused(lab: Lab) -> None:
    text = lab.policy().replace(f"command = {toml_list(TRY)}\n", "")
    lab.repo.write(".ptguard/policy.toml", text)
    lab.repo.commit()
    refused(lab.smoke("--framework", "none"), "nothing to try", lab)
    assert lab.smoke("--framework", "none", "--command", f"{sys.executable} -c 'import model'").returncode == 0


def test_a_dirty_work_tree_is_refused_by_name_and_recorded_when_allowed(lab: Lab) -> None:
    lab.repo.write("model.py", "def answer():\n    return 42  # not committed\n")
    refused(lab.smoke(), "model.py", lab)
    done = lab.smoke("--allow-dirty")
    assert done.returncode == 0, done.stderr
    assert "no tag passes with it" in done.stderr
    lab.repo.git("checkout", "-q", "model.py")
    lab.repo.commit("record")
    assert [row[1] for row in judged(lab)] == ["dirty"]


def test_a_policy_that_names_no_image_takes_a_run_on_the_bare_machine(lab: Lab) -> None:
    text = lab.policy().replace('[image]\nsources = ["Dockerfile"]\n', "").replace('"image", ', "")
    lab.repo.write(".ptguard/policy.toml", text)
    lab.repo.commit()
    done = lab.smoke(image=None)
    assert done.returncode == 0, done.stderr
    assert lab.records == ["no-image.json", "no-image.json.sig"]
    lab.repo.commit("record")
    assert judged(lab) == [("pass", "ok", "gpu-runner")]


def test_no_policy_and_no_smoke_section(lab: Lab) -> None:
    text = lab.policy()
    without = text[: text.index("[smoke]")] + text[text.index("[signers.li-wei]") :]
    lab.repo.write(".ptguard/policy.toml", without.replace(', "smoke"', ""))
    lab.repo.commit()
    refused(lab.smoke(), "no [smoke] section", lab)
    lab.repo.git("rm", "-q", ".ptguard/policy.toml")
    lab.repo.git("commit", "-q", "-m", "no policy")
    refused(lab.smoke(), "no policy", lab)


def test_outside_of_a_work_tree(lab: Lab, tmp_path: Path) -> None:
    assert lab.smoke("-C", str(tmp_path)).returncode == ExitCode.USAGE
    run("git", "init", "-q", "--bare", tmp_path / "bare.git", env=lab.repo.env)
    done = lab.smoke("-C", str(tmp_path / "bare.git"))
    assert (done.returncode, "no work tree" in done.stderr) == (ExitCode.USAGE, True)


# --------------------------------------------------------------------------------------------- no end, no record


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("import time; time.sleep(600)", "did not end in time"),
        ("open('model.py', 'a').write('# changed by its own test')", "changed while it was tried"),
    ],
)
def test_a_run_that_comes_to_no_end_leaves_no_record(lab: Lab, code: str, words: str) -> None:
    lab.repo.write(".ptguard/policy.toml", lab.policy(command=toml_list([sys.executable, "-c", code])))
    lab.repo.commit()
    done = lab.smoke("--timeout", "3")
    assert done.returncode == ExitCode.UNDECIDED, done.stderr
    assert words in done.stderr
    assert lab.records == []


def test_a_lying_probe_leaves_no_record(lab: Lab, tmp_path: Path) -> None:
    lying = tmp_path / "python"
    lying.write_text('#!/bin/sh\ncat > /dev/null\necho \'{"deviceKind": "cuda"}\'\n')
    lying.chmod(0o755)
    done = lab.smoke("--python", str(lying))
    assert done.returncode == ExitCode.UNDECIDED
    assert "something else than the probe's answer" in done.stderr
    assert lab.records == []


def test_a_signature_that_fails_leaves_no_record(lab: Lab, tmp_path: Path) -> None:
    public = tmp_path / "gpu.pub"
    public.write_text(lab.keys.ssh("gpu").public + "\n")
    done = lab.smoke("--sign", str(public))
    assert done.returncode == ExitCode.UNDECIDED
    assert "did not sign" in done.stderr
    assert lab.records == []
