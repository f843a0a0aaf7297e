"""The probe of `ptguard smoke`: one file for `python - NONCE FRAMEWORK [MODE [SECONDS]]`, from Python 3.8 on.

It needs the standard library and whatever framework is there. It says what it sees (facts, devices) and what it
tried (checks) as exactly one JSON document on the standard output that it was started with; everything that is
printed beside it, by whomever, goes to standard error. FRAMEWORK is torch, jax, tensorflow, none, or auto for the
first that is installed; MODE is full or quick; SECONDS is the time that all of it may take. It asks no network, and
writes into one temporary folder of its own only, which it takes away.
"""

# What Python 3.8 does not have yet, attribute chains that may raise, and plain os.path, which is there before imports:
# ruff: noqa: B905, PLC0207, PLW0108, PTH100, PTH106, PTH107, PTH109, PTH112, PTH118, PTH123, PTH202, UP035
from __future__ import annotations

import os
import sys

_OUT = 1
if __name__ == "__main__":
    # `python -` puts the current folder first on the path: a json.py or torch.py lying there must not be imported.
    _HERE = os.path.realpath(os.getcwd())
    sys.path[:] = [os.path.abspath(p) for p in sys.path if p and os.path.realpath(p) != _HERE]
    sys.dont_write_bytecode = True
    _OUT = os.dup(1)
    os.dup2(2, 1)

import contextlib  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import shlex  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from typing import Any, Callable, Iterator, NamedTuple, NoReturn  # noqa: E402

SCHEMA = "ptguard.probe/1"
FRAMEWORKS = ("torch", "jax", "tensorflow")
MODES = ("full", "quick")
SMI_FIELDS = "index,name,uuid,memory.total,compute_cap,driver_version"
SEED = 20240229
USAGE = f"usage: python - NONCE {'|'.join((*FRAMEWORKS, 'auto', 'none'))} [{'|'.join(MODES)} [SECONDS]]"


# ------------------------------------------------------------------------------------------------ small tools


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


def compiler_version(kind: str) -> str | None:
    """Give what the compiler that torch.compile needs says of itself, or None where there is none.

    For a processor inductor takes $CXX, else g++ (torch/_inductor/config.py); for a GPU triton takes $CC, else gcc,
    else clang (triton/runtime/build.py).
    """
    named = os.environ.get("CXX" if kind == "cpu" else "CC")
    for words in [named] if named else ["g++"] if kind == "cpu" else ["gcc", "clang"]:
        said = attempt(lambda words=words: answer(*shlex.split(words), "--version"))
        if said:
            return text(said.splitlines()[0]) or words
    return None


def facts(framework: str | None, module: Any, smi: list[dict[str, str]], kind: str) -> dict[str, Any]:
    """Give everything that an image's name may declare, and what a skip leans on, as this process sees it."""
    nvcc = attempt(nvcc_version)
    seen: dict[str, Any] = {name: text(attempt(installed, name)) for name in FRAMEWORKS}
    cuda = os.environ.get("CUDA_VERSION") or nvcc
    seen.update({"torchCommit": None, "hip": None, "cudnn": None, "nccl": None})
    if framework is not None and module is not None:
        # str(): TorchVersion('2.9.0+cu128') == '2.9.0' is False. The package may have another name (tensorflow-cpu).
        seen[framework] = text(attempt(lambda: str(module.__version__)))
    if framework == "torch" and module is not None:
        torch = module
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
    seen["compiler"] = compiler_version(kind)
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
            kind = "rocm" if attempt(lambda: module.version.hip) else "cuda"
            return kind, attempt(torch_devices, module, smi) or []
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


# ------------------------------------------------------------------------------------------------ what a check is


class Skip(Exception):  # noqa: N818
    """A check cannot be made here; its text is one of the reasons that `ptguard` knows and holds against the record."""


class Wrong(Exception):  # noqa: N818
    """What the device or the framework did is not what it should; the text is the whole reason."""


class Measured(NamedTuple):
    """What a check measured: it passes where ``value`` is finite and at most ``limit`` (None: any)."""

    value: float
    limit: float | None
    unit: str


class Bench(NamedTuple):
    """What a check works with: the framework's module, the devices, a folder to write into (None: there is none)."""

    module: Any
    kind: str
    devices: list[dict[str, Any]]
    facts: dict[str, Any]
    quick: bool
    folder: str | None

    @property
    def cpu(self) -> bool:
        """Whether the processor is the device."""
        return self.kind == "cpu"

    @property
    def type(self) -> str:
        """The device's type in torch's words, which calls ROCm cuda, too."""
        return "cpu" if self.cpu else "cuda"

    def places(self) -> list[str]:
        """Give all devices in torch's words."""
        return ["cpu"] if self.cpu else [f"cuda:{index}" for index in range(len(self.devices))]

    def path(self, name: str) -> str:
        """Give the path of a file in the temporary folder."""
        if self.folder is None:
            raise Wrong("there is no temporary folder that can be written")
        return os.path.join(self.folder, name)


class Check(NamedTuple):
    """One row of a table of checks; ``full`` means that the quick run leaves it out."""

    id: str
    function: Callable[..., Measured | None]
    args: tuple[Any, ...] = ()
    full: bool = False


def entry(identifier: str, status: str, reason: str | None, seconds: float = 0.0) -> dict[str, Any]:
    """Give one entry of the record's list of checks, without a figure."""
    return {
        "id": identifier, "status": status, "value": None, "limit": None, "unit": None,
        "seconds": round(max(seconds, 0.0), 3), "reason": reason,
    }  # fmt: skip


def tried(identifier: str, function: Callable[..., Any], *args: Any) -> tuple[Any, dict[str, Any]]:
    """Try something: it passes unless it raises or measures too much. Gives what it gave, and the record's entry."""
    print("probe: " + identifier, file=sys.stderr, flush=True)
    started, found, status, reason = time.monotonic(), None, "passed", None
    try:
        found = function(*args)
    except Skip as skip:
        status, reason = "skipped", text(skip)
    except Wrong as wrong:
        status, reason = "failed", text(wrong)
    except (Exception, SystemExit) as error:
        status, reason = "failed", text(f"{type(error).__name__}: {attempt(str, error)}")
    made = entry(identifier, status, reason, time.monotonic() - started)
    if isinstance(found, Measured):
        made.update(judged(found))
    return found, made


def judged(found: Measured) -> dict[str, Any]:
    """Give the keys of an entry that a figure decides. What is no finite number cannot be written and has failed."""
    value, limit = float(found.value), found.limit
    made: dict[str, Any] = {"limit": limit, "unit": found.unit}
    if not abs(value) <= 2.0**53:  # so that nan is caught as well
        return {**made, "status": "failed", "reason": f"the figure is {value}"}
    made["value"] = value
    if limit is not None and value > limit:
        made.update({"status": "failed", "reason": f"{value:.3g} is over the limit {limit:.3g}"})
    return made


def worst(values: list[float]) -> float:
    """Give the largest value, or nan where one is nan: max() alone may lose it."""
    return math.nan if any(math.isnan(value) for value in values) else max(values)


def same_number(found: int, wanted: int, what: str) -> None:
    """Raise Wrong where the two are not the same."""
    if found != wanted:
        raise Wrong(f"{what} is {wanted}, the device says {found}")


# ------------------------------------------------------------------------------------------------ torch: tools


def seeded(torch: Any, *shape: int, count: int = 1) -> list[Any]:
    """Give ``count`` tensors of float32 on the processor, the same ones in every run."""
    generator = torch.Generator().manual_seed(SEED)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def on_device(bench: Bench, tensor: Any, where: str) -> Any:
    """Give ``tensor`` if it lies on the kind of device that it should, else raise Wrong."""
    if tensor.device.type != bench.type:
        raise Wrong(f"what was made on {where} lies on {tensor.device.type}")
    return tensor


def frobenius(found: Any, wanted: Any) -> float:
    """Give the relative Frobenius distance of ``found`` to ``wanted``, a float64 tensor on the processor."""
    if found.shape != wanted.shape:
        raise Wrong(f"the shape is {tuple(found.shape)}, not {tuple(wanted.shape)}")
    return float((found.detach().cpu().double() - wanted).norm() / wanted.norm())


def precision_switches(backends: Any, name: str) -> list[tuple[Any, str, Any]]:
    """Give (object, attribute, value) of what makes GPUs multiply and convolve float32 as ``name`` says.

    `allow_tf32` keeps old and new settings the same in every version that has it. From 2.9 on there is
    `fp32_precision` as well; where that alone is set, whatever still reads the old one raises (inductor does in 2.9).
    """
    found: list[tuple[Any, str, Any]] = []
    for old, new in ((backends.cuda.matmul, "cuda.matmul"), (backends.cudnn, "cudnn.conv")):
        if attempt(getattr, old, "allow_tf32") is not None:
            found.append((old, "allow_tf32", name == "tf32"))
        else:
            family, _, operation = new.partition(".")
            found.append((getattr(getattr(backends, family), operation), "fp32_precision", name))
    return found


@contextlib.contextmanager
def fp32_precision(bench: Bench, name: str) -> Iterator[None]:
    """Have GPUs compute float32 as ``name`` says (ieee or tf32), and put back what was set before."""
    switches = [] if bench.cpu else precision_switches(bench.module.backends, name)
    before = [getattr(place, key) for place, key, _ in switches]
    try:
        for place, key, value in switches:
            setattr(place, key, value)
        yield
    finally:
        for (place, key, _), old in zip(switches, before):
            setattr(place, key, old)


@contextlib.contextmanager
def half_on_cpu(bench: Bench) -> Iterator[None]:
    """Skip what old versions of torch do not have in half precision on a processor; on a GPU it is missing."""
    try:
        yield
    except RuntimeError as error:
        if bench.cpu and "not implemented for" in str(error):
            raise Skip("not-on-cpu") from error
        raise


def spot_check(left: Any, right: Any, product: Any) -> None:
    """Hold a few entries of the float64 reference against sums that Python itself makes."""
    size = len(product)
    for row, column in ((0, 0), (1, size - 1), (size // 2, size // 3), (size - 1, size - 1)):
        by_hand = math.fsum(a * b for a, b in zip(left[row].tolist(), right[:, column].tolist()))
        if not abs(by_hand - float(product[row, column])) <= 1e-9 * size:
            raise Wrong(f"the float64 reference says {float(product[row, column])!r} where {by_hand!r} is right")


def small_model(torch: Any, where: str) -> Any:
    """Give a small network with the same weights in every run."""
    torch.manual_seed(SEED)
    nn = torch.nn
    return nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.LayerNorm(64), nn.Linear(64, 1)).to(where)


def lesson(torch: Any, where: str) -> tuple[Any, Any]:
    """Give inputs and targets that the small network can learn."""
    (inputs,) = seeded(torch, 256, 16)
    targets = (inputs[:, :4].sum(1, keepdim=True) / 2).sin() + inputs[:, 4:5]
    return inputs.to(where), targets.to(where)


# ------------------------------------------------------------------------------------------------ torch: the device


def torch_versions(bench: Bench) -> None:
    """Hold what torch says of itself against its package's metadata and the kind of device that it uses."""
    torch = bench.module
    version = str(torch.__version__)
    if not re.match(r"[0-9]+(\.[0-9]+)+", version):
        raise Wrong(f"{version!r} is no version of torch")
    package = attempt(installed, "torch")
    if package and package.split("+")[0] != version.split("+")[0]:
        raise Wrong(f"torch {version} is imported, torch {package} is what the package's metadata say")
    built = {"cuda": "cuda", "rocm": "hip"}.get(bench.kind)
    if built and not getattr(torch.version, built, None):
        raise Wrong(f"a build for {built} says no version of it")


def torch_device(bench: Bench) -> None:
    """Add up integers on every device that is claimed: version fields alone prove no GPU."""
    if not bench.devices:
        raise Wrong("torch says that it has a GPU and lists none")
    for where in bench.places():
        row = on_device(bench, bench.module.arange(1000, device=where), where)
        same_number(int(row.sum().item()), 499500, f"0 + 1 + ... + 999 on {where}")


def torch_device_listed(bench: Bench) -> Measured:
    """Hold the list of devices against itself: as many as torch counts, named, no two with the same uuid."""
    count = 1 if bench.cpu else int(bench.module.cuda.device_count())
    if count != len(bench.devices):
        raise Wrong(f"torch counts {count} devices and lists {len(bench.devices)}")
    if any(one["name"] == "unknown" for one in bench.devices):
        raise Wrong("a device has no name")
    uuids = [one["uuid"] for one in bench.devices if one["uuid"]]
    if len(set(uuids)) != len(uuids):
        raise Wrong("two devices have the same uuid")
    return Measured(float(count), None, "devices")


def runs_on(arch: str, major: int, minor: int) -> bool:
    """Tell whether code that was built for ``arch`` runs on a GPU of that compute capability.

    sm_86 runs on 8.6 and later minors of 8; compute_86 is PTX, which the driver compiles for 8.6 and anything later.
    sm_90a and compute_90a are for 9.0 alone, sm_100f for 10.0 and later minors of 10 (CUDA C++ Programming Guide,
    "Compute Capability" and "Family-Specific Features").
    """
    found = re.match(r"(sm|compute)_([0-9]+)([0-9])([af]?)$", arch)
    if found is None:
        return False
    built, suffix = (int(found.group(2)), int(found.group(3))), found.group(4)
    if suffix == "a":
        return built == (major, minor)
    if found.group(1) == "sm" or suffix == "f":
        return built[0] == major and built[1] <= minor
    return built <= (major, minor)


def torch_device_arch(bench: Bench) -> None:
    """Hold each GPU's capability against the architectures that torch was built for."""
    if bench.cpu:
        raise Skip("not-on-cpu")
    cuda = bench.module.cuda
    built = list(cuda.get_arch_list())
    for index, one in enumerate(bench.devices):
        if bench.kind == "rocm":  # gfx90a:sramecc+:xnack- runs what was built for gfx90a
            gfx = str(cuda.get_device_properties(index).gcnArchName)
            fits = any(gfx == arch or gfx.split(":")[0] == arch for arch in built)
            name = gfx
        else:
            major, _, minor = (one["capability"] or "0.0").partition(".")
            fits = any(runs_on(arch, int(major), int(minor)) for arch in built)
            name = "compute capability " + str(one["capability"])
        if not fits:
            raise Wrong(f"{one['name']} has {name}, torch is built for {' '.join(built) or 'none'}")


# ------------------------------------------------------------------------------------------------ torch: arithmetic


def torch_matmul(bench: Bench, dtype: str, precision: str, limit: float) -> Measured:
    """Multiply matrices on every device; the reference is float64 on the processor, from the same rounded inputs."""
    torch = bench.module
    if bench.cpu and precision == "tf32":
        raise Skip("not-on-cpu")
    size = 256 if bench.quick else 512
    left, right = (one.to(getattr(torch, dtype)) for one in seeded(torch, size, size, count=2))
    wanted = left.double() @ right.double()
    spot_check(left.double(), right.double(), wanted)
    found = []
    with fp32_precision(bench, precision), half_on_cpu(bench):
        for where in bench.places():
            product = on_device(bench, left.to(where) @ right.to(where), where)
            if product.dtype != left.dtype:
                raise Wrong(f"the product of two {dtype} matrices is {product.dtype}")
            found.append(frobenius(product, wanted))
    return Measured(worst(found), limit, "relative-frobenius")


def convolution(torch: Any, image: Any, kernel: Any, bias: Any) -> Any:
    """Give the convolution that is tried."""
    return torch.nn.functional.conv2d(image, kernel, bias, padding=1)


def convolution_by_hand(torch: Any, image: Any, kernel: Any, bias: Any) -> Any:
    """Give the same as one multiplication of matrices, which no library for convolutions has a part in."""
    patches = torch.nn.functional.unfold(image, 3, padding=1)
    return (kernel.flatten(1) @ patches + bias[:, None]).reshape(len(image), len(kernel), *image.shape[2:])


def torch_conv(bench: Bench, part: str) -> Measured:
    """Convolve with cuDNN (MIOpen, oneDNN), forward or backward, in ieee float32 against float64 by hand."""
    torch = bench.module
    if not bench.cpu and not (torch.backends.cudnn.is_available() and torch.backends.cudnn.enabled):
        raise Wrong("cuDNN is not there or is turned off")
    side = 16 if bench.quick else 32
    shapes = ((4, 16, side, side), (32, 16, 3, 3), (32,))
    plain = [seeded(torch, *shape)[0] for shape in shapes]
    exact = [one.double().requires_grad_() for one in plain]
    wanted = convolution_by_hand(torch, *exact)
    ours = [one.to(bench.type).requires_grad_() for one in plain]
    with fp32_precision(bench, "ieee"):
        found = on_device(bench, convolution(torch, *ours), bench.type)
        if part == "forward":
            return Measured(frobenius(found, wanted.detach()), 1e-4, "relative-frobenius")
        slope = seeded(torch, *wanted.shape)[0]
        gradients = torch.autograd.grad(found, ours, slope.to(bench.type))
        by_hand = torch.autograd.grad(wanted, exact, slope.double())
        distances = [frobenius(ours, exact) for ours, exact in zip(gradients, by_hand)]
    return Measured(worst(distances), 1e-4, "relative-frobenius")


def torch_sdpa(bench: Bench, dtype: str, limit: float) -> Measured:
    """Hold scaled dot product attention against softmax written out in float64, with and without a causal mask."""
    torch = bench.module
    rows = 64 if bench.quick else 128
    given = [one.to(getattr(torch, dtype)) for one in seeded(torch, 2, 4, rows, 64, count=3)]
    query, key, value = (one.double() for one in given)
    scores = query @ key.transpose(-2, -1) / math.sqrt(64)
    past = torch.ones(rows, rows, dtype=torch.bool).tril()
    found = []
    with fp32_precision(bench, "ieee"), half_on_cpu(bench):
        for causal in (False, True):
            weights = (scores.masked_fill(~past, -math.inf) if causal else scores).softmax(-1)
            ours = (one.to(bench.type) for one in given)
            attended = torch.nn.functional.scaled_dot_product_attention(*ours, is_causal=causal)
            found.append(frobenius(on_device(bench, attended, bench.type), weights @ value))
    return Measured(worst(found), limit, "relative-frobenius")


def torch_gradcheck(bench: Bench) -> None:
    """Hold gradients in float64 against finite differences."""
    torch = bench.module
    inputs, weights = (one.double().to(bench.type).requires_grad_() for one in seeded(torch, 5, 5, count=2))

    def function(x: Any, w: Any) -> Any:
        return (x @ w).tanh().softmax(1) * x.exp()

    if torch.autograd.gradcheck(function, (inputs, weights), nondet_tol=1e-9) is not True:
        raise Wrong("gradcheck does not say that the gradients are right")


# ------------------------------------------------------------------------------------------------ torch: training


def steps(bench: Bench, model: Any, optimizer: Any, dtype: Any = None, scaler: Any = None) -> float:
    """Train for 20 steps, under autocast where ``dtype`` is given; give the last loss over the first."""
    torch = bench.module
    inputs, targets = lesson(torch, bench.type)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        mixed = torch.autocast(bench.type, dtype=dtype) if dtype is not None else contextlib.ExitStack()
        with mixed:
            guess = model(inputs)
        if dtype is not None and guess.dtype is not dtype:
            raise Wrong(f"autocast to {dtype} gave {guess.dtype}")
        loss = torch.nn.functional.mse_loss(guess.float(), targets)
        losses.append(loss.item())
        (scaler.scale(loss) if scaler else loss).backward()
        if scaler:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
    return float(losses[-1] / losses[0])


def learner(bench: Bench) -> tuple[Any, Any]:
    """Give the small network and its optimizer."""
    model = small_model(bench.module, bench.type)
    on_device(bench, next(model.parameters()), bench.type)
    return model, bench.module.optim.AdamW(model.parameters(), lr=0.02)


def torch_train(bench: Bench) -> Measured:
    """Train a small network for 20 steps in float32; its loss must fall."""
    return Measured(steps(bench, *learner(bench)), 0.5, "last-over-first-loss")


def torch_amp_bf16(bench: Bench) -> Measured:
    """Train a small network for 20 steps under autocast to bfloat16; its loss must fall."""
    return Measured(steps(bench, *learner(bench), bench.module.bfloat16), 0.5, "last-over-first-loss")


def torch_amp_fp16(bench: Bench) -> Measured:
    """Train under autocast to float16 with a GradScaler, which must also hold back a step with infinite gradients."""
    torch = bench.module
    if hasattr(torch.amp, "GradScaler"):  # since 2.3
        scaler = torch.amp.GradScaler(bench.type, init_scale=1024.0)
    elif bench.cpu:
        raise Skip("not-on-cpu")
    else:
        scaler = torch.cuda.amp.GradScaler(init_scale=1024.0)
    model, optimizer = learner(bench)
    with half_on_cpu(bench):
        found = steps(bench, model, optimizer, torch.float16, scaler)
    scale, before = scaler.get_scale(), [one.detach().clone() for one in model.parameters()]
    inputs, _ = lesson(torch, bench.type)
    scaler.scale(model(inputs).sum()).backward()
    for one in model.parameters():
        one.grad.fill_(math.inf)
    scaler.step(optimizer)
    scaler.update()
    if not all(torch.equal(a, b) for a, b in zip(before, model.parameters())):
        raise Wrong("GradScaler took a step with infinite gradients")
    if not scaler.get_scale() < scale:
        raise Wrong(f"GradScaler left its scale at {scale} after infinite gradients")
    return Measured(found, 0.5, "last-over-first-loss")


def one_round(torch: Any, where: str) -> list[Any]:
    """Give results of what runs in another order each time where nobody forbids it: many sums into few places."""
    generator = torch.Generator().manual_seed(SEED)
    places = torch.randint(0, 8, (4096,), generator=generator).to(where)
    values, image = seeded(torch, 4096, 8)[0].to(where), seeded(torch, 2, 8, 16, 16)[0].to(where)
    sums = torch.zeros(8, 8, device=where).index_add_(0, places, values)
    table = seeded(torch, 8, 8)[0].to(where).requires_grad_()
    kernel = seeded(torch, 8, 8, 3, 3)[0].to(where).requires_grad_()
    made = torch.nn.functional.embedding(places, table).tanh() @ sums
    (made.sum() + convolution(torch, image, kernel, None).tanh().sum()).backward()
    return [one.detach().cpu() for one in (sums, table.grad, kernel.grad, made)]


def torch_determinism(bench: Bench) -> None:
    """Do the same three times with deterministic algorithms; the results must be the same to the bit."""
    torch = bench.module
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        if not torch.are_deterministic_algorithms_enabled():
            raise Wrong("use_deterministic_algorithms(True) turns nothing on")
        first, *others = (one_round(torch, bench.type) for _ in range(3))
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
    if not all(float(one.abs().sum()) > 0 for one in first):
        raise Wrong("a result is zero or no number")
    for other in others:
        if not all(torch.equal(a, b) for a, b in zip(first, other)):
            raise Wrong("the same work gave other bits the second or third time")


# ------------------------------------------------------------------------------------------------ torch: around it


def torch_compile(bench: Bench, backend: str) -> Measured:
    """Hold a compiled function against the same one as it is; gradients, too, but for inductor on a processor.

    There each more graph costs several seconds of C++ compiler.
    """
    torch = bench.module
    if backend == "inductor" and bench.facts.get("compiler") is None:
        raise Skip("no-compiler")
    with_gradients = not (bench.cpu and backend == "inductor")

    def function(x: Any, w: Any) -> Any:
        return (torch.nn.functional.gelu(x @ w / 8) * x).tanh().sum(1)

    def results(tried: Any) -> list[Any]:
        given = [one.to(bench.type).requires_grad_(with_gradients) for one in seeded(torch, 64, 64, count=2)]
        made = tried(*given)
        return [made, *(torch.autograd.grad(made.sum(), given) if with_gradients else ())]

    import torch._dynamo.utils as dynamo_utils  # type: ignore[import-not-found]

    torch._dynamo.reset()
    try:
        before = dynamo_utils.counters["stats"]["unique_graphs"]
        found = results(torch.compile(function, backend=backend, fullgraph=True))
        if not dynamo_utils.counters["stats"]["unique_graphs"] > before:
            raise Wrong("torch.compile ran the function as it is: nothing was compiled")
    finally:
        torch._dynamo.reset()
    wanted = [one.detach().cpu().double() for one in results(function)]
    return Measured(worst([frobenius(a, b) for a, b in zip(found, wanted)]), 1e-3, "relative-frobenius")


def same_state(torch: Any, left: Any, right: Any) -> bool:
    """Tell whether two nested states hold the same, tensors to the bit."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and left.dtype == right.dtype and bool(torch.equal(left, right))
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same_state(torch, left[key], right[key]) for key in left)
        )
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(same_state(torch, a, b) for a, b in zip(left, right))
    return bool(left == right)


def torch_checkpoint(bench: Bench) -> Measured:
    """Save network and optimizer after some training, load them with weights_only, and hold every bit against it."""
    torch, path = bench.module, bench.path("checkpoint.pt")
    model, optimizer = learner(bench)
    steps(bench, model, optimizer)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 20}
    try:
        torch.save(state, path)
        size = os.path.getsize(path)
        loaded = torch.load(path, map_location=bench.type, weights_only=True)
    finally:
        with contextlib.suppress(OSError):
            os.remove(path)
    if not same_state(torch, state, loaded):
        raise Wrong("what was loaded is not what was saved")
    fresh = small_model(torch, bench.type)
    fresh.load_state_dict(loaded["model"])
    inputs, _ = lesson(torch, bench.type)
    if not torch.equal(model(inputs), fresh(inputs)):
        raise Wrong("the loaded network answers otherwise than the saved one")
    return Measured(float(size), None, "bytes")


class Planted:
    """Stands in a checkpoint for code that its loading would run: it makes a folder."""

    def __init__(self, path: str) -> None:
        """``path`` is the folder that a careless reader makes."""
        self.path = path

    def __reduce__(self) -> Any:
        """Give what pickle calls when it is loaded."""
        return os.mkdir, (self.path,)


def torch_checkpoint_hostile(bench: Bench) -> None:
    """Load a checkpoint that holds code; with weights_only it must be refused, and the code not run."""
    torch, path, mark = bench.module, bench.path("hostile.pt"), bench.path("was-run")
    torch.save({"model": Planted(mark)}, path)
    refused = None
    try:
        torch.load(path, weights_only=True)
    except Exception as error:
        refused = error
    finally:
        with contextlib.suppress(OSError):
            os.remove(path)
    if os.path.isdir(mark):
        os.rmdir(mark)
        raise Wrong("torch.load(weights_only=True) ran code out of a checkpoint")
    if refused is None:
        raise Wrong("torch.load(weights_only=True) took a checkpoint that holds code")
    if "weights" not in str(refused).lower():
        raise refused  # something else than a refusal


def torch_nccl(bench: Bench) -> Measured:
    """Add up one tensor a GPU with NCCL (RCCL) over all of them."""
    if len(bench.devices) < 2 or bench.cpu:
        raise Skip("needs-two-gpus")
    torch, count = bench.module, len(bench.devices)
    tensors = [torch.full((1 << 16,), index + 1.0, device=where) for index, where in enumerate(bench.places())]
    if not torch.cuda.nccl.is_available(tensors):
        raise Wrong("this build of torch has no NCCL")
    torch.cuda.nccl.all_reduce(tensors)
    sums = [one.cpu().double() - count * (count + 1) / 2 for one in tensors]
    return Measured(worst([float(one.abs().max()) for one in sums]), 0.0, "max-difference")


def torch_memory_device(bench: Bench) -> Measured:
    """Give the most bytes that one GPU held during the run; memory must be counted when taken, and given back."""
    if bench.cpu:
        raise Skip("not-on-cpu")
    torch, size = bench.module, 1 << 24
    gc.collect()  # what earlier checks left in cycles must not be given back in between
    before = torch.cuda.memory_allocated(0)
    block = torch.ones(size, dtype=torch.uint8, device="cuda:0")
    held = torch.cuda.memory_allocated(0)
    del block
    if held - before < size:
        raise Wrong(f"{size} bytes were taken on the device, {held - before} more are in use")
    left = torch.cuda.memory_allocated(0)
    if left > before:
        raise Wrong(f"{left - before} bytes were not given back")
    peak = max(torch.cuda.max_memory_allocated(index) for index in range(len(bench.devices)))
    totals = [one["memoryBytes"] for one in bench.devices if one["memoryBytes"]]
    return Measured(float(peak), float(max(totals)) if totals else None, "bytes")


def peak_memory() -> int:
    """Give the most bytes that this process held (proc(5), VmHWM); getrusage(2) would count its parent's, too."""
    found = re.search(r"(?m)^VmHWM:\s*([0-9]+) kB$", attempt(read, "/proc/self/status") or "")
    if found is None:
        raise Wrong("the system does not say how much memory this process held")
    return int(found.group(1)) << 10


def memory_host(bench: Bench) -> Measured:
    """Give the most bytes that the process held on the host."""
    return Measured(float(peak_memory()), float(4 << 30 if bench.cpu else 32 << 30), "bytes")


TORCH = (
    Check("torch.versions", torch_versions),
    Check("torch.device", torch_device),
    Check("torch.device.listed", torch_device_listed),
    Check("torch.device.arch", torch_device_arch),
    Check("torch.matmul.fp32", torch_matmul, ("float32", "ieee", 1e-5)),
    Check("torch.matmul.tf32", torch_matmul, ("float32", "tf32", 2e-3)),
    Check("torch.matmul.fp16", torch_matmul, ("float16", "ieee", 2e-3)),
    Check("torch.matmul.bf16", torch_matmul, ("bfloat16", "ieee", 1e-2)),
    Check("torch.conv.forward", torch_conv, ("forward",)),
    Check("torch.conv.backward", torch_conv, ("backward",)),
    Check("torch.sdpa.fp32", torch_sdpa, ("float32", 1e-4)),
    Check("torch.sdpa.fp16", torch_sdpa, ("float16", 2e-3)),
    Check("torch.sdpa.bf16", torch_sdpa, ("bfloat16", 1e-2)),
    Check("torch.gradcheck", torch_gradcheck),
    Check("torch.train", torch_train),
    Check("torch.amp.bf16", torch_amp_bf16),
    Check("torch.amp.fp16", torch_amp_fp16),
    Check("torch.determinism", torch_determinism),
    Check("torch.checkpoint", torch_checkpoint),
    Check("torch.checkpoint.hostile", torch_checkpoint_hostile),
    Check("torch.nccl", torch_nccl),
    Check("torch.compile.aot_eager", torch_compile, ("aot_eager",)),
    Check("torch.compile.inductor", torch_compile, ("inductor",), full=True),
    Check("torch.memory.device", torch_memory_device),
    Check("torch.memory.host", memory_host),
)


# ------------------------------------------------------------------------------------------------ jax and tensorflow


def numbers(*shape: int, count: int) -> list[Any]:
    """Give ``count`` numpy arrays of float32, the same ones in every run."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]

    generator = np.random.RandomState(SEED)
    return [generator.standard_normal(shape).astype("float32") for _ in range(count)]


def distance(found: Any, wanted: Any) -> float:
    """Give the relative Frobenius distance of what numpy can read to a numpy array of float64."""
    import numpy as np

    seen = np.asarray(found).astype("float64")
    if seen.shape != wanted.shape:
        raise Wrong(f"the shape is {seen.shape}, not {wanted.shape}")
    return float(np.linalg.norm(seen - wanted) / np.linalg.norm(wanted))


def layer_numbers() -> list[Any]:
    """Give inputs and weights of one small layer, tanh(inputs @ weights), that is not saturated."""
    inputs, weights = numbers(32, 32, count=2)
    return [inputs, weights / 8]


def layer_by_hand(inputs: Any, weights: Any) -> Any:
    """Give what the layer makes, in float64."""
    import numpy as np

    return np.tanh(inputs.astype("float64") @ weights.astype("float64"))


def slope_by_hand(inputs: Any, weights: Any) -> Any:
    """Give the gradient of the sum of what the layer makes with respect to ``inputs``, in float64."""
    return (1 - layer_by_hand(inputs, weights) ** 2) @ weights.astype("float64").T


def jax_places(bench: Bench) -> list[Any]:
    """Give the devices to use; without a GPU the processor, also where jax would rather take something else."""
    jax = bench.module
    if bench.cpu:
        return list(jax.devices("cpu")[:1])
    return [one for one in jax.devices() if one.platform in ("gpu", "cuda", "rocm")]


def jax_device(bench: Bench) -> None:
    """Add up integers on every device that is claimed."""
    places = jax_places(bench)
    if not places or len(places) != len(bench.devices):
        raise Wrong(f"jax lists {len(places)} devices, {len(bench.devices)} were there before")
    for place in places:
        row = bench.module.device_put(bench.module.numpy.arange(1000), place)
        if place not in (row.devices() if callable(getattr(row, "devices", None)) else {row.device()}):
            raise Wrong(f"what was put on {place} lies elsewhere")
        same_number(int(row.sum()), 499500, f"0 + 1 + ... + 999 on {place}")


def jax_matmul(bench: Bench, dtype: str, limit: float) -> Measured:
    """Multiply matrices on every device; the reference is numpy's float64, from the same rounded inputs."""
    import numpy as np

    jnp, size = bench.module.numpy, 256 if bench.quick else 512
    left, right = (jnp.asarray(one).astype(dtype) for one in numbers(size, size, count=2))
    exact = [np.asarray(one.astype("float32")).astype("float64") for one in (left, right)]
    wanted, found = exact[0] @ exact[1], []
    for place in jax_places(bench):
        given = (bench.module.device_put(one, place) for one in (left, right))
        product = jnp.matmul(*given, precision="highest")
        if str(product.dtype) != dtype:
            raise Wrong(f"the product of two {dtype} matrices is {product.dtype}")
        found.append(distance(product.astype("float32"), wanted))
    return Measured(worst(found), limit, "relative-frobenius")


def jax_put(bench: Bench, given: list[Any]) -> list[Any]:
    """Put arrays of numpy on the first device."""
    place = jax_places(bench)[0]
    return [bench.module.device_put(one, place) for one in given]


def jax_grad(bench: Bench) -> Measured:
    """Hold a gradient against the one that is worked out by hand, in float64."""
    jnp, given = bench.module.numpy, layer_numbers()

    def function(x: Any, w: Any) -> Any:
        return jnp.tanh(jnp.matmul(x, w, precision="highest")).sum()

    found = bench.module.grad(function)(*jax_put(bench, given))
    return Measured(distance(found, slope_by_hand(*given)), 1e-4, "relative-frobenius")


def jax_jit(bench: Bench) -> Measured:
    """Hold a compiled function against numpy's float64; a second call must not run its Python code again."""
    jnp, given, seen = bench.module.numpy, layer_numbers(), []

    def function(x: Any, w: Any) -> Any:
        seen.append(1)
        return jnp.tanh(jnp.matmul(x, w, precision="highest"))

    compiled, ours = bench.module.jit(function), jax_put(bench, given)
    found = [compiled(*ours) for _ in range(2)]
    if len(seen) != 1:
        raise Wrong(f"jit ran the Python code {len(seen)} times: nothing was compiled")
    return Measured(worst([distance(one, layer_by_hand(*given)) for one in found]), 1e-4, "relative-frobenius")


JAX = (
    Check("jax.device", jax_device),
    Check("jax.matmul.fp32", jax_matmul, ("float32", 1e-5)),
    Check("jax.matmul.fp16", jax_matmul, ("float16", 2e-3)),
    Check("jax.matmul.bf16", jax_matmul, ("bfloat16", 1e-2)),
    Check("jax.grad", jax_grad),
    Check("jax.jit", jax_jit),
    Check("jax.memory.host", memory_host),
)


def tensorflow_places(bench: Bench) -> list[str]:
    """Give the devices to use, in tensorflow's words."""
    return ["/CPU:0"] if bench.cpu else [f"/GPU:{index}" for index in range(len(bench.devices))]


def tensorflow_device(bench: Bench) -> None:
    """Add up integers on every device that is claimed."""
    tf = bench.module
    if not bench.devices:
        raise Wrong("tensorflow says that it has a GPU and lists none")
    for place in tensorflow_places(bench):
        with tf.device(place):
            total = tf.reduce_sum(tf.range(1000.0))
        if place[1:].replace(":", "").lower() not in str(total.device).lower().replace(":", ""):
            raise Wrong(f"what was made on {place} lies on {total.device}")
        same_number(int(total), 499500, f"0 + 1 + ... + 999 on {place}")


def tensorflow_matmul(bench: Bench, dtype: str, limit: float) -> Measured:
    """Multiply matrices on every device without TF32; the reference is numpy's float64, from the same inputs."""
    tf, size = bench.module, 256 if bench.quick else 512
    switch = tf.config.experimental
    before = switch.tensor_float_32_execution_enabled()
    switch.enable_tensor_float_32_execution(False)
    found = []
    try:
        left, right = (tf.cast(one, dtype) for one in numbers(size, size, count=2))
        exact = [tf.cast(one, "float32").numpy().astype("float64") for one in (left, right)]
        for place in tensorflow_places(bench):
            with tf.device(place):
                product = tf.linalg.matmul(left, right)
            if product.dtype.name != dtype:
                raise Wrong(f"the product of two {dtype} matrices is {product.dtype.name}")
            found.append(distance(tf.cast(product, "float32").numpy(), exact[0] @ exact[1]))
    finally:
        switch.enable_tensor_float_32_execution(before)
    return Measured(worst(found), limit, "relative-frobenius")


def tensorflow_gradient(bench: Bench) -> Measured:
    """Hold a gradient against the one that is worked out by hand, in float64."""
    tf, given = bench.module, layer_numbers()
    with tf.device(tensorflow_places(bench)[0]), tf.GradientTape() as tape:
        inputs, weights = (tf.constant(one) for one in given)
        tape.watch(inputs)
        total = tf.reduce_sum(tf.tanh(tf.linalg.matmul(inputs, weights)))
    found = tape.gradient(total, inputs)
    return Measured(distance(found.numpy(), slope_by_hand(*given)), 2e-3, "relative-frobenius")


def tensorflow_function(bench: Bench) -> Measured:
    """Hold a traced function against numpy's float64; a second call must not run its Python code again."""
    tf, given, seen = bench.module, layer_numbers(), []

    def function(x: Any, w: Any) -> Any:
        seen.append(1)
        return tf.tanh(tf.linalg.matmul(x, w))

    traced = tf.function(function, autograph=False)
    with tf.device(tensorflow_places(bench)[0]):
        found = [traced(*(tf.constant(one) for one in given)).numpy() for _ in range(2)]
    if len(seen) != 1:
        raise Wrong(f"tf.function ran the Python code {len(seen)} times: nothing was traced")
    return Measured(worst([distance(one, layer_by_hand(*given)) for one in found]), 2e-3, "relative-frobenius")


TENSORFLOW = (
    Check("tensorflow.device", tensorflow_device),
    Check("tensorflow.matmul.fp32", tensorflow_matmul, ("float32", 1e-5)),
    Check("tensorflow.matmul.fp16", tensorflow_matmul, ("float16", 2e-3)),
    Check("tensorflow.matmul.bf16", tensorflow_matmul, ("bfloat16", 1e-2)),
    Check("tensorflow.gradient", tensorflow_gradient),
    Check("tensorflow.function", tensorflow_function),
    Check("tensorflow.memory.host", memory_host),
)

CHECKS = {"torch": TORCH, "jax": JAX, "tensorflow": TENSORFLOW}


# ------------------------------------------------------------------------------------------------ the run


class Run:
    """All that is known so far, so that the document can be given at any moment."""

    def __init__(self, nonce: str, wanted: str, mode: str = "full", seconds: float = math.inf) -> None:
        """``wanted`` is the framework, or auto or none; ``seconds`` from now is when all must be said."""
        self.nonce, self.wanted, self.seconds = nonce, wanted, seconds
        self.deadline = time.monotonic() + seconds
        self.quick = mode == "quick"
        self.folder: str | None = None
        self.framework: str | None = None
        self.kind, self.devices = "cpu", [processor()]
        self.facts: dict[str, Any] = {}
        self.checks: list[dict[str, Any]] = []
        self.waiting: list[str] = []
        self._lock = threading.Lock()

    def try_(self, identifier: str, function: Callable[..., Any], *args: Any) -> Any:
        """Try something if there is time left, and keep its entry."""
        if time.monotonic() >= self.deadline:
            self.checks.append(entry(identifier, "failed", self._no_time("no time is left for it")))
            return None
        found, made = tried(identifier, function, *args)
        self.checks.append(made)
        return found

    def _no_time(self, words: str) -> str:
        return f"{words}: the run may take {self.seconds:g} seconds"

    def document(self) -> dict[str, Any]:
        """Give the answer; what is not done by now has failed."""
        done = list(self.checks)
        words = ["did not end in time"] + ["no time is left for it"] * len(self.waiting)
        late = [one for one in list(self.waiting) if one not in {check["id"] for check in done}]
        return {
            "schema": SCHEMA,
            "nonce": self.nonce,
            "mode": "facts" if self.framework is None else "quick" if self.quick else "full",
            "framework": self.framework,
            "deviceKind": self.kind,
            "devices": self.devices,
            "facts": self.facts,
            "checks": done + [entry(one, "failed", self._no_time(why)) for one, why in zip(late, words)],
        }

    def leave(self) -> NoReturn:
        """Say the document and end, unless the deadline was first: then wait for that end."""
        self._lock.acquire()
        self._answer()

    def late(self) -> None:
        """Answer at the deadline. Without a framework no check can be failed instead, so there is no document then."""
        if not self._lock.acquire(blocking=False):
            return
        if self.framework is None:
            print(self._no_time("the facts could not be had in time"), file=sys.stderr, flush=True)
            self.tidy()
            os._exit(1)
        self._answer()

    def _answer(self) -> NoReturn:
        """Say the document. The lock is held and never released: whichever thread comes first is the only one."""
        status = 0
        try:
            document = json.dumps(self.document(), allow_nan=False).encode("ascii") + b"\n"
            for stream in (sys.stdout, sys.stderr):
                attempt(stream.flush)
            self.tidy()
            while document:
                document = document[os.write(_OUT, document) :]
        except BaseException:
            status = 1
            raise
        finally:
            # Some frameworks crash or hang while they are being unloaded; all is said by now.
            os._exit(status)

    def tidy(self) -> None:
        """Take the temporary folder away."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stopped(self, *_: Any) -> NoReturn:
        """End at a SIGTERM without an answer, but leave no folder."""
        self.tidy()
        os._exit(128 + signal.SIGTERM)

    def watch(self) -> None:
        """Answer at the deadline, whatever runs then: a thread that a hanging driver or compiler does not stop."""
        if self.seconds < threading.TIMEOUT_MAX:
            timer = threading.Timer(self.seconds, self.late)
            timer.daemon = True
            timer.start()


def chosen(wanted: str) -> str | None:
    """Give the framework to use: the one that is asked for, else the first that is installed, else None."""
    if wanted == "none":
        return None
    if wanted != "auto":
        return wanted
    return next((name for name in FRAMEWORKS if attempt(importlib.util.find_spec, name)), None)


def settle(folder: str | None) -> None:
    """Set what must be set before a framework starts: bounded memory, few processes, nothing written elsewhere."""
    bounds = {
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # read when CUDA starts; deterministic algorithms need it
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    for name, value in bounds.items():
        os.environ.setdefault(name, value)
    if folder is not None:
        for name in ("CUDA_CACHE_PATH", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TRITON_HOME",
                     "TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME", "TMPDIR"):  # fmt: skip
            os.environ[name] = folder
        tempfile.tempdir = folder
        os.chdir(folder)  # a Python that a framework starts looks into the current folder first


def explore(run: Run) -> None:
    """Find the framework, the devices and the facts, and go through the table of checks."""
    run.framework = chosen(run.wanted)
    run.folder = attempt(lambda: tempfile.mkdtemp(prefix="ptguard-probe-"))
    settle(run.folder)
    module, rows = None, [row for row in CHECKS.get(run.framework or "", ()) if not (row.full and run.quick)]
    if run.framework is not None:
        run.waiting = [run.framework + ".import", *(row.id for row in rows)]
        module = run.try_(run.waiting[0], importlib.import_module, run.framework)
    smi = attempt(nvidia_smi) or []
    run.kind, run.devices = used_devices(run.framework, module, smi)
    run.facts = facts(run.framework, module, smi, run.kind)
    if module is None:
        run.waiting = []
        return
    bench = Bench(module, run.kind, run.devices, run.facts, run.quick, run.folder)
    for row in rows:
        run.try_(row.id, row.function, bench, *row.args)


def main(nonce: str, wanted: str, mode: str = "full", seconds: str = "inf") -> None:
    """Make the run and say its document; the process ends here."""
    if wanted not in (*FRAMEWORKS, "auto", "none") or mode not in MODES:
        sys.exit(USAGE)
    limit = attempt(float, seconds)
    if not (limit and limit > 0):
        sys.exit(f"SECONDS is a number above 0, not {text(seconds)}")
    run = Run(nonce, wanted, mode, limit)
    signal.signal(signal.SIGTERM, run.stopped)
    run.watch()
    try:
        explore(run)
    except BaseException:
        run.tidy()
        raise
    run.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
