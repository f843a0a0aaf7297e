"""The probe tells what is there and says it once, whatever else prints; a lying framework is its own witness only."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ptguard.parse.smoke import checks_of, environment_of
from ptguard.smoke import probe as source
from ptguard.smoke.launch import PROBE

FAKE_TORCH = """
import sys
print("a banner that torch never prints")
sys.stderr.write("a warning\\n")
__version__ = type("TorchVersion", (str,), {"__eq__": lambda a, b: False, "__hash__": None})("2.9.0+cu128")
class version:
    cuda = "12.8"
    hip = HIP
    git_version = "0fabc3ba44823f257e70ce397d989c8de5e362c1"
class backends:
    class cudnn:
        version = staticmethod(lambda: 91002)
        is_available = staticmethod(lambda: True)
class _Properties:
    name, major, minor, total_memory, uuid = "H100", 9, 0, 85029158912, "1111-aa"
class _Sum:
    def __init__(self, n, device): self.n, self.device = n, type("device", (), {"type": device.partition(":")[0]})
    def sum(self): return self
    def item(self): return SUM
class cuda:
    is_available = staticmethod(lambda: GPU)
    device_count = staticmethod(lambda: 1)
    get_device_properties = staticmethod(lambda i: _Properties)
    class nccl:
        @staticmethod
        def version():
            NCCL
def arange(n, device):
    assert device in ("cpu", "cuda:0")
    HANG
    return _Sum(n, device)
"""


def fake_torch(folder: Path, gpu: str = "True", total: int = 499500, nccl: str = "return (2, 27, 5)",
               hip: str = "None", hang: str = "") -> Path:  # fmt: skip
    package = folder / "site" / "torch"
    package.mkdir(parents=True)
    text = FAKE_TORCH.replace("GPU", gpu).replace("SUM", str(total)).replace("NCCL", nccl).replace("HIP", hip)
    text = text.replace("HANG", hang)
    (package / "__init__.py").write_text(text)
    return package.parent


def program(folder: Path, name: str, text: str) -> Path:
    file = folder / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def probe(
    folder: Path, framework: str = "auto", env: dict[str, str] | None = None, words: tuple[str, ...] = ()
) -> tuple[dict[str, Any], str]:
    """Give the document and what was printed beside it; ``words`` are mode and seconds."""
    (folder / "bin").mkdir(exist_ok=True)
    program(folder, "nvcc", "exit 1") if not (folder / "bin" / "nvcc").exists() else None
    done = subprocess.run(
        [sys.executable, "-S", "-", "the-nonce", framework, *words],
        input=PROBE.read_bytes(),
        capture_output=True,
        check=True,
        cwd=folder,
        env={"PATH": f"{folder}/bin:/usr/bin:/bin", **(env or {})},
    )
    document = json.loads(done.stdout)
    assert document["schema"] == "ptguard.probe/1"
    assert document["nonce"] == "the-nonce"
    checks_of(document["checks"])
    environment_of(document["facts"])
    return document, done.stderr.decode()


LATER = {
    "removeprefix", "removesuffix", "cache", "is_relative_to", "readlink", "randbytes", "lcm", "nextafter", "pairwise",
    "zoneinfo", "tomllib", "graphlib", "to_thread", "aclosing", "nullcontext", "bit_count", "batched", "hardlink_to",
    "orig_argv", "stdlib_module_names", "packages_distributions", "walk_up",
}  # fmt: skip
"""Names that the standard library learnt after Python 3.8 (What's New in 3.9 to 3.13)."""


def test_it_is_written_for_python_3_8() -> None:
    tree = ast.parse(PROBE.read_text(), feature_version=(3, 8))
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported - {"numpy", "torch"} <= sys.stdlib_module_names
    eager = {name.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    assert eager <= sys.stdlib_module_names
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert used & LATER == set()
    assert any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body), "X | None needs it"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            assert not node.keywords, "zip(strict=) is of 3.10"


def test_a_machine_without_anything_is_one_cpu(tmp_path: Path) -> None:
    found, _ = probe(tmp_path)
    assert (found["framework"], found["mode"], found["deviceKind"], found["checks"]) == (None, "facts", "cpu", [])
    (device,) = found["devices"]
    assert device["name"]
    assert (device["index"], device["uuid"], device["capability"]) == (0, None, None)
    assert device["memoryBytes"] > 1 << 28
    facts = found["facts"]
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    os_release = dict(x.split("=", 1) for x in Path("/etc/os-release").read_text().splitlines() if "=" in x)
    assert facts["os"].split(" ")[0] == os_release["ID"].strip('"')
    for name in ("torch", "jax", "tensorflow", "cuda", "hip", "cudnn", "nccl", "nvcc", "driver", "ngcRelease"):
        assert facts[name] is None


def test_torch_on_a_gpu(tmp_path: Path) -> None:
    rows = "0, NVIDIA H100, GPU-1111-AA, 81559, 9.0, 570.86.15"
    program(tmp_path, "nvidia-smi", f"echo '{rows}'")
    program(tmp_path, "nvcc", "echo 'Cuda compilation tools, release 12.8, V12.8.93'")
    env = {"PYTHONPATH": str(fake_torch(tmp_path)), "NVIDIA_PYTORCH_VERSION": "25.09", "CUDA_VERSION": "9.9"}
    found, beside = probe(tmp_path, env=env)
    assert (found["framework"], found["deviceKind"]) == ("torch", "cuda")
    assert found["devices"] == [
        {"index": 0, "name": "H100", "uuid": "GPU-1111-AA", "capability": "9.0", "memoryBytes": 85029158912}
    ]
    facts = found["facts"]
    assert {k: facts[k] for k in ("torch", "cuda", "cudnn", "nccl", "nvcc", "driver", "ngcRelease", "hip")} == {
        "torch": "2.9.0+cu128", "cuda": "12.8", "cudnn": 91002, "nccl": "2.27.5", "nvcc": "12.8.93",
        "driver": "570.86.15", "ngcRelease": "25.09", "hip": None,
    }  # fmt: skip
    status = {c["id"]: c["status"] for c in found["checks"]}
    assert list(status) == ["torch.import", *(row.id for row in source.TORCH)]
    # It lies as well as it can; what it cannot do has failed.
    passed = {"torch.import", "torch.versions", "torch.device", "torch.device.listed", "torch.memory.host"}
    assert {one for one, result in status.items() if result == "passed"} == passed
    assert {one for one, result in status.items() if result == "skipped"} == {"torch.nccl"}
    assert "a banner that torch never prints" in beside
    assert "probe: torch.device" in beside


def test_torch_without_a_gpu_is_cpu_whatever_its_versions_say(tmp_path: Path) -> None:
    program(tmp_path, "nvidia-smi", "echo '0, NVIDIA H100, GPU-1, 81559, 9.0, 570.86.15'")
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(fake_torch(tmp_path, gpu="False"))})
    assert found["deviceKind"] == "cpu"
    assert len(found["devices"]) == 1
    assert found["devices"][0]["name"] != "H100"
    assert found["facts"]["cuda"] == "12.8"


def test_a_rocm_build_says_so(tmp_path: Path) -> None:
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(fake_torch(tmp_path, hip="'7.2.53211'"))})
    assert (found["deviceKind"], found["facts"]["hip"]) == ("rocm", "7.2.53211")


def test_a_device_that_cannot_count_fails(tmp_path: Path) -> None:
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(fake_torch(tmp_path, total=7, nccl="raise RuntimeError"))})
    check = next(c for c in found["checks"] if c["id"] == "torch.device")
    assert check["status"] == "failed"
    assert "499500" in check["reason"]
    assert found["facts"]["nccl"] is None


def test_an_import_that_fails_is_a_failed_check_not_a_missing_framework(tmp_path: Path) -> None:
    site = fake_torch(tmp_path)
    (site / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.12:\\n\\x1b[31mcannot open')")
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(site)})
    assert (found["framework"], found["deviceKind"]) == ("torch", "cpu")
    (check,) = found["checks"]
    assert (check["id"], check["status"]) == ("torch.import", "failed")
    assert check["reason"] == "OSError: libcudart.so.12:  [31mcannot open"


def test_a_framework_that_is_asked_for_and_not_there_fails(tmp_path: Path) -> None:
    found, _ = probe(tmp_path, "torch")
    assert [(c["id"], c["status"]) for c in found["checks"]] == [("torch.import", "failed")]


@pytest.mark.parametrize("wanted", ["none", "jax"])
def test_another_framework_than_the_one_that_is_there(tmp_path: Path, wanted: str) -> None:
    site = fake_torch(tmp_path)
    (site / "jax.py").write_text("def devices(): return [type('D', (), {'platform': 'cpu'})]")
    found, beside = probe(tmp_path, wanted, {"PYTHONPATH": str(site)})
    assert "banner" not in beside
    assert found["framework"] == (None if wanted == "none" else "jax")
    assert found["deviceKind"] == "cpu"


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("return (2, 27, 5)", "2.27.5"),
        ("return (2, 25, 1, '')", "2.25.1"),
        ("return (2, 27, 7, 'nvb1')", "2.27.7.nvb1"),
        ("return 2708", "2708"),
        ("raise RuntimeError", None),
    ],
)
def test_the_version_of_nccl_in_all_its_forms(tmp_path: Path, version: str, shown: str | None) -> None:
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(fake_torch(tmp_path, nccl=version))})
    assert found["facts"]["nccl"] == shown


def test_a_gpu_that_is_claimed_and_cannot_be_described_fails(tmp_path: Path) -> None:
    site = fake_torch(tmp_path)
    with (site / "torch" / "__init__.py").open("a") as file:
        file.write("\ndef _(index): raise RuntimeError('no such device')\ncuda.get_device_properties = _\n")
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(site)})
    assert (found["deviceKind"], found["devices"]) == ("cuda", [])
    assert {c["id"]: c["status"] for c in found["checks"]}["torch.device"] == "failed"


# ------------------------------------------------------------------------------------------------ mode and time


def test_the_mode_says_what_was_tried(tmp_path: Path) -> None:
    site = {"PYTHONPATH": str(fake_torch(tmp_path))}
    inductor = "torch.compile.inductor"
    for words, mode in (
        ((), "full"),
        (("full",), "full"),
        (("quick",), "quick"),
        (("quick", "900.5"), "quick"),
    ):
        found, _ = probe(tmp_path, env=site, words=words)
        assert found["mode"] == mode
        assert (inductor in {c["id"] for c in found["checks"]}) == (mode == "full")
    assert probe(tmp_path, "none", words=("quick",))[0]["mode"] == "facts"


@pytest.mark.parametrize(
    "words",
    [("caffe",), ("auto", "slow"), ("auto", "full", "0"), ("auto", "full", "-1"), ("auto", "full", "nan"),
     ("auto", "full", "soon")],
)  # fmt: skip
def test_a_wrong_call_gives_no_document(tmp_path: Path, words: tuple[str, ...]) -> None:
    argv = [sys.executable, "-S", "-", "the-nonce", *words]
    done = subprocess.run(argv, input=PROBE.read_bytes(), capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"usage: " in done.stderr or b"SECONDS" in done.stderr


@contextmanager
def started(folder: Path, *words: str, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the probe in a process group of its own, which is gone afterwards."""
    with PROBE.open("rb") as text:
        process = subprocess.Popen(
            [sys.executable, "-S", "-", "the-nonce", *words],
            stdin=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


HANG = "import threading; threading.Event().wait()"


def test_an_import_that_hangs_has_failed_and_so_has_all_that_waits_for_it(tmp_path: Path) -> None:
    site = fake_torch(tmp_path)
    (site / "torch" / "__init__.py").write_text(HANG)
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(site)}, words=("full", "1"))
    assert [c["id"] for c in found["checks"]] == ["torch.import", *(row.id for row in source.TORCH)]
    assert {c["status"] for c in found["checks"]} == {"failed"}
    assert found["checks"][0]["reason"] == "did not end in time: the run may take 1 seconds"
    assert found["checks"][1]["reason"] == "no time is left for it: the run may take 1 seconds"


def test_a_check_that_hangs_has_failed_and_what_was_done_before_counts(tmp_path: Path) -> None:
    site = fake_torch(tmp_path, hang=HANG)
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(site)}, words=("quick", "3"))
    reasons = {c["id"]: c["reason"] or c["status"] for c in found["checks"]}
    assert reasons["torch.import"] == reasons["torch.versions"] == "passed"
    assert reasons["torch.device"] == "did not end in time: the run may take 3 seconds"
    assert reasons["torch.memory.host"] == "no time is left for it: the run may take 3 seconds"
    assert found["facts"]["torch"] == "2.9.0+cu128"


def test_no_time_at_all_fails_everything(tmp_path: Path) -> None:
    run = source.Run("n", "torch", "full", 0.0)
    run.waiting = ["torch.import"]
    assert run.try_("torch.import", lambda: 1) is None
    assert run.checks[0]["status"] == "failed"
    assert run.checks[0]["reason"] == "no time is left for it: the run may take 0 seconds"


def test_facts_that_cannot_be_had_in_time_give_no_document(tmp_path: Path) -> None:
    program(tmp_path, "nvidia-smi", "sleep 600")
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    with started(tmp_path, "none", "full", "0.5", env=env) as process:
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, b"")
    assert b"the facts could not be had in time: the run may take 0.5 seconds" in said


def test_a_framework_that_wants_to_leave_has_failed(tmp_path: Path) -> None:
    site = fake_torch(tmp_path)
    (site / "torch" / "__init__.py").write_text("raise SystemExit(0)")
    found, _ = probe(tmp_path, env={"PYTHONPATH": str(site)})
    assert [(c["id"], c["status"], c["reason"]) for c in found["checks"]] == [
        ("torch.import", "failed", "SystemExit: 0")
    ]


@pytest.mark.parametrize("how", ["import", "term"])
def test_the_temporary_folder_goes_with_it(tmp_path: Path, how: str) -> None:
    """Also where the framework ends the run, or a signal does."""
    (tmp_path / "tmp").mkdir()
    site = fake_torch(tmp_path)
    wait = HANG if how == "term" else "raise KeyboardInterrupt"
    text = f"import os, tempfile\ntempfile.mkstemp()\nassert os.getcwd() == tempfile.gettempdir()\n{wait}"
    (site / "torch" / "__init__.py").write_text(text)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "TMPDIR": str(tmp_path / "tmp")}
    with started(tmp_path, "torch", env=env) as process:
        if how == "term":
            while not list((tmp_path / "tmp").glob("*/*")):
                assert process.poll() is None
            process.terminate()
        out, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert out == b""
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_a_folder_to_write_what_needs_none_still_runs(tmp_path: Path) -> None:
    bench = source.Bench(None, "cpu", [], {}, True, None)
    made = source.tried("torch.checkpoint", source.torch_checkpoint, bench)[1]
    assert (made["status"], made["reason"]) == ("failed", "there is no temporary folder that can be written")
    made = source.tried("torch.memory.host", source.memory_host, bench)[1]
    assert made["status"] == "passed"


# ------------------------------------------------------------------------------------------------ the rest


def test_without_a_framework_the_driver_tells_the_devices(tmp_path: Path) -> None:
    rows = "0, A, GPU-1, 100, 8.0, 570.1\\n1, B, GPU-2, [N/A], 8.0, 570.1"
    program(tmp_path, "nvidia-smi", f"printf '{rows}\\n'")
    found, _ = probe(tmp_path, "none")
    assert found["deviceKind"] == "cuda"
    assert [(d["name"], d["uuid"], d["memoryBytes"]) for d in found["devices"]] == [
        ("A", "GPU-1", 100 << 20),
        ("B", "GPU-2", None),
    ]


def test_nothing_is_imported_from_the_current_folder(tmp_path: Path) -> None:
    for name in ("json", "torch", "platform", "re", "subprocess"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the repository was imported')")
    found, _ = probe(tmp_path)
    assert found["framework"] is None


def test_what_writes_to_standard_output_by_itself_goes_beside(tmp_path: Path) -> None:
    site = fake_torch(tmp_path)
    with (site / "torch" / "__init__.py").open("a") as file:
        file.write("\nimport os\nos.write(1, b'{}raw')\nos.system('echo from a child')\n")
    found, beside = probe(tmp_path, env={"PYTHONPATH": str(site)})
    assert found["framework"] == "torch"
    assert "{}raw" in beside
    assert "from a child" in beside
