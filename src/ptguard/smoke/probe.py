"""The probe of `ptguard smoke`: one file for `python - NONCE FRAMEWORK`, in any image, from Python 3.8 on.

It needs the standard library and whatever framework is there. It says what it sees (facts, devices) and what it
tried (checks) as exactly one JSON document on the standard output that it was started with; everything that is
printed beside it, by whomever, goes to standard error. It writes no file and asks no network.
"""

# What Python 3.8 does not have yet, and attribute chains that may raise:
# ruff: noqa: B905, PLW0108, PTH100, PTH109, PTH123, UP035
from __future__ import annotations

import os
import sys

# `python -` puts the current folder first on the path: a json.py or torch.py lying there must not be imported.
sys.path[:] = [p for p in sys.path if p and os.path.abspath(p) != os.getcwd()]
_OUT = os.dup(1)
os.dup2(2, 1)

import json  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from typing import Any, Callable  # noqa: E402

FRAMEWORKS = ("torch", "jax", "tensorflow")
SMI_FIELDS = "index,name,uuid,memory.total,compute_cap,driver_version"


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    """Give what ``function`` gives, or None: a fact that cannot be had is no reason to have none of them."""
    try:
        return function(*args)
    except Exception:
        return None


def text(value: Any) -> str | None:
    """Give ``value`` as one printable line of at most 200 characters, or None where nothing is left."""
    if value is None:
        return None
    line = "".join(c if c.isprintable() else " " for c in str(value).encode("utf-8", "replace").decode("utf-8"))
    return line.strip()[:200] or None


def answer(*argv: str) -> str:
    """Give what a program says on its standard output; an exception where it is not there or fails."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def read(path: str) -> str:
    """Give the text of a small file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(1 << 20)


# ------------------------------------------------------------------------------------------------ facts


def nvidia_smi() -> list[dict[str, str]]:
    """Give one row of SMI_FIELDS for each GPU that the driver shows."""
    out = answer("nvidia-smi", "--query-gpu=" + SMI_FIELDS, "--format=csv,noheader,nounits")
    rows = [[cell.strip() for cell in line.split(",")] for line in out.splitlines() if line.strip()]
    return [dict(zip(SMI_FIELDS.split(","), row)) for row in rows]


def operating_system() -> str:
    """Give the distribution as `ubuntu 22.04` (os-release(5))."""
    lines = (line.partition("=") for line in read("/etc/os-release").splitlines())
    found = {key: value.strip().strip("\"'") for key, _, value in lines}
    return " ".join(part for part in (found.get("ID"), found.get("VERSION_ID")) if part)


def nvcc_version() -> str:
    """Give the version of the CUDA compiler, such as 12.8.93."""
    return re.findall(r"V([0-9]+(?:\.[0-9]+)+)", answer("nvcc", "--version"))[0]  # type: ignore[no-any-return]


def installed(name: str) -> str:
    """Give the version of a distribution without importing it."""
    from importlib import metadata

    return metadata.version(name)


def rocm_version() -> str:
    """Give the version of ROCm, such as 7.2.0-43."""
    return read("/opt/rocm/.info/version").strip()


def nccl_version(torch: Any) -> Any:
    """Give NCCL's version with dots; torch gives a tuple, with a suffix at times, and an integer in old versions."""
    found = torch.cuda.nccl.version()
    return ".".join(str(part) for part in found if str(part)) if isinstance(found, tuple) else found


def facts(torch: Any, smi: list[dict[str, str]]) -> dict[str, Any]:
    """Give everything that an image's name may declare, as this process sees it."""
    nvcc = attempt(nvcc_version)
    seen: dict[str, Any] = {name: text(attempt(installed, name)) for name in FRAMEWORKS}
    cuda = os.environ.get("CUDA_VERSION") or nvcc
    seen.update({"torchCommit": None, "hip": None, "cudnn": None, "nccl": None})
    if torch is not None:
        # str(): TorchVersion('2.9.0+cu128') == '2.9.0' is False.
        seen["torch"] = text(attempt(lambda: str(torch.__version__)))
        seen["torchCommit"] = text(attempt(lambda: torch.version.git_version))
        cuda = attempt(lambda: torch.version.cuda)
        seen["hip"] = text(attempt(lambda: torch.version.hip))
        cudnn = attempt(lambda: torch.backends.cudnn.version())
        seen["cudnn"] = cudnn if type(cudnn) is int else None
        seen["nccl"] = text(attempt(nccl_version, torch))
    seen["cuda"] = text(cuda)
    seen["nvcc"] = text(nvcc)
    seen["rocm"] = text(attempt(rocm_version))
    seen["driver"] = text(smi[0].get("driver_version")) if smi else None
    seen["python"] = platform.python_version()
    seen["os"] = text(attempt(operating_system))
    ngc = ("NVIDIA_PYTORCH_VERSION", "NVIDIA_JAX_VERSION", "NVIDIA_TENSORFLOW_VERSION")
    seen["ngcRelease"] = text(next((os.environ[name] for name in ngc if os.environ.get(name)), None))
    return seen


# ------------------------------------------------------------------------------------------------ devices


def device(index: int, name: Any, uuid: Any = None, capability: Any = None, memory: Any = None) -> dict[str, Any]:
    """Give one entry of the record's list of devices."""
    memory = memory if type(memory) is int else None
    name = text(name) or "unknown"
    return {"index": index, "name": name, "uuid": text(uuid), "capability": text(capability), "memoryBytes": memory}


def torch_devices(torch: Any, smi: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Give the GPUs that torch itself can use; CUDA_VISIBLE_DEVICES renumbers them, so the uuid joins the two lists."""
    known: dict[str, str] = {row["uuid"].lower().replace("gpu-", ""): row["uuid"] for row in smi}
    found = []
    for index in range(torch.cuda.device_count()):
        seen = torch.cuda.get_device_properties(index)
        uuid = attempt(lambda seen=seen: str(seen.uuid))
        uuid = known.get(uuid.lower().replace("gpu-", ""), uuid) if uuid else None
        if uuid is None and len(smi) == 1:
            uuid = smi[0]["uuid"]
        capability = f"{seen.major}.{seen.minor}"
        found.append(device(index, seen.name, uuid, capability, int(seen.total_memory)))
    return found


def smi_devices(smi: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Give the GPUs that the driver shows, where no framework was asked."""
    found = []
    for index, row in enumerate(smi):
        memory = attempt(lambda row=row: int(row["memory.total"]) << 20)
        found.append(device(index, row["name"], row["uuid"], row["compute_cap"], memory))
    return found


def processor() -> dict[str, Any]:
    """Give the one entry of a machine that is used without a GPU."""
    names = re.search(r"(?m)^model name\s*:\s*(.+)$", attempt(read, "/proc/cpuinfo") or "")
    total = re.search(r"(?m)^MemTotal:\s*([0-9]+) kB$", attempt(read, "/proc/meminfo") or "")
    name = names.group(1) if names else platform.processor() or platform.machine()
    return device(0, name, memory=int(total.group(1)) << 10 if total else None)


def used_devices(framework: str | None, module: Any, smi: list[dict[str, str]]) -> tuple[str, list[dict[str, Any]]]:
    """Give the kind of device that the framework really uses, and those devices."""
    if framework == "torch" and module is not None:
        if attempt(lambda: module.cuda.is_available()):
            return ("rocm" if attempt(lambda: module.version.hip) else "cuda"), torch_devices(module, smi)
    elif framework == "jax" and module is not None:
        found = [d for d in attempt(module.devices) or [] if d.platform in ("gpu", "cuda", "rocm")]
        if found:
            rocm = "rocm" in str(attempt(lambda: found[0].client.platform_version)).lower()
            return ("rocm" if rocm else "cuda"), [device(i, d.device_kind) for i, d in enumerate(found)]
    elif framework == "tensorflow" and module is not None:
        found = attempt(module.config.list_physical_devices, "GPU") or []
        if found:
            rocm = attempt(module.test.is_built_with_rocm)
            return ("rocm" if rocm else "cuda"), [device(i, d.name) for i, d in enumerate(found)]
    elif framework is None and smi:
        return "cuda", smi_devices(smi)
    return "cpu", [processor()]


# ------------------------------------------------------------------------------------------------ checks


def check(identifier: str, function: Callable[..., Any], *args: Any) -> tuple[Any, dict[str, Any]]:
    """Try something: it passes unless it raises. Gives what it gave, and the record's entry."""
    print("probe: " + identifier, file=sys.stderr, flush=True)
    started, value, reason = time.monotonic(), None, None
    try:
        value = function(*args)
    except Exception as error:
        reason = text(f"{type(error).__name__}: {error}")
    entry: dict[str, Any] = {
        "id": identifier,
        "status": "failed" if reason else "passed",
        "value": None,
        "limit": None,
        "unit": None,
    }
    entry.update({"seconds": round(time.monotonic() - started, 3), "reason": reason})
    return value, entry


def count_on(torch: Any, kind: str) -> None:
    """Add up integers on the device that is claimed: version fields alone prove no GPU."""
    where = "cpu" if kind == "cpu" else "cuda"
    found = int(torch.arange(1000, device=where).sum().item())
    if found != 499500:
        raise ArithmeticError(f"0 + 1 + ... + 999 is 499500, the device says {found}")


def chosen(wanted: str) -> str | None:
    """Give the framework to use: the one that is asked for, else the first that is installed, else None."""
    import importlib.util

    if wanted == "none":
        return None
    if wanted != "auto":
        return wanted
    return next((name for name in FRAMEWORKS if attempt(importlib.util.find_spec, name)), None)


def main(nonce: str, wanted: str) -> dict[str, Any]:
    """Give the document."""
    import importlib

    framework, module, checks = chosen(wanted), None, []
    if framework is not None:
        module, entry = check(framework + ".import", importlib.import_module, framework)
        checks.append(entry)
    smi = attempt(nvidia_smi) or []
    kind, devices = used_devices(framework, module, smi)
    if framework == "torch" and module is not None:
        checks.append(check("torch.device", count_on, module, kind)[1])
    return {
        "schema": "ptguard.probe/1",
        "nonce": nonce,
        "framework": framework,
        "deviceKind": kind,
        "devices": devices,
        "facts": facts(module if framework == "torch" else None, smi),
        "checks": checks,
    }


if __name__ == "__main__":
    document = json.dumps(main(sys.argv[1], sys.argv[2]), allow_nan=False).encode("ascii") + b"\n"
    for stream in (sys.stdout, sys.stderr):
        attempt(stream.flush)
    while document:
        document = document[os.write(_OUT, document) :]
    # Some frameworks crash or hang while they are being unloaded; all is said by now.
    os._exit(0)
