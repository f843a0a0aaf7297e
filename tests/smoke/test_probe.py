"""The probe tells what is there and says it once, whatever else prints; a lying framework is its own witness only."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
    def __init__(self, n): self.n = n
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
    assert device in ("cpu", "cuda")
    return _Sum(n)
"""


def fake_torch(folder: Path, gpu: str = "True", total: int = 499500, nccl: str = "return (2, 27, 5)",
               hip: str = "None") -> Path:  # fmt: skip
    package = folder / "site" / "torch"
    package.mkdir(parents=True)
    text = FAKE_TORCH.replace("GPU", gpu).replace("SUM", str(total)).replace("NCCL", nccl).replace("HIP", hip)
    (package / "__init__.py").write_text(text)
    return package.parent


def program(folder: Path, name: str, text: str) -> Path:
    file = folder / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def probe(folder: Path, framework: str = "auto", env: dict[str, str] | None = None) -> tuple[dict[str, Any], str]:
    """Give the document and what was printed beside it."""
    (folder / "bin").mkdir(exist_ok=True)
    program(folder, "nvcc", "exit 1") if not (folder / "bin" / "nvcc").exists() else None
    done = subprocess.run(
        [sys.executable, "-S", "-", "the-nonce", framework],
        input=PROBE.read_bytes(),
        capture_output=True,
        check=True,
        cwd=folder,
        env={"PATH": f"{folder}/bin:/usr/bin:/bin", **(env or {})},
    )
    document = json.loads(done.stdout)
    assert document["schema"] == "ptguard.probe/1"
    assert document["nonce"] == "the-nonce"
    return document, done.stderr.decode()


def test_it_is_written_for_python_3_8() -> None:
    tree = ast.parse(PROBE.read_text(), feature_version=(3, 8))
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported <= sys.stdlib_module_names


def test_a_machine_without_anything_is_one_cpu(tmp_path: Path) -> None:
    found, _ = probe(tmp_path)
    assert (found["framework"], found["deviceKind"], found["checks"]) == (None, "cpu", [])
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
    assert [(c["id"], c["status"], c["reason"]) for c in found["checks"]] == [
        ("torch.import", "passed", None),
        ("torch.device", "passed", None),
    ]
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
    assert [(c["id"], c["status"]) for c in found["checks"]] == [("torch.import", "passed"), ("torch.device", "failed")]
    assert "499500" in found["checks"][1]["reason"]
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
