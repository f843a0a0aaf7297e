"""The checks that need no arithmetic of torch's, against a stand-in for it: each one passes, and fails where it should.

The others are tried with real torch in test_probe_torch.py.
"""

# A stand-in takes what the real one takes:
# ruff: noqa: ARG002, ARG005

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ptguard.parse.smoke import checks_of
from ptguard.smoke import probe

ROWS = {row.id: row for row in probe.TORCH}


def gpu(index: int = 0, **changes: Any) -> dict[str, Any]:
    return {**probe.device(index, "H100", f"GPU-{index}", "9.0", 1 << 36), **changes}


def made(identifier: str, module: Any, devices: list[dict[str, Any]] | None = None, kind: str = "cuda") -> Any:
    """Give the entry of a check that is made with the stand-in ``module``."""
    devices = [gpu()] if devices is None else devices
    row = ROWS[identifier]
    bench = probe.Bench(module, kind, devices, {}, True, None)
    entry = probe.tried(identifier, row.function, bench, *row.args)[1]
    checks_of([entry])
    return SimpleNamespace(**entry)


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError("CUDA error: the launch timed out")


# ------------------------------------------------------------------------------------------------ figures


@pytest.mark.parametrize(
    ("value", "limit", "status", "kept"),
    [
        (1e-7, 1e-5, "passed", 1e-7),
        (1e-5, 1e-5, "passed", 1e-5),
        (1.1e-5, 1e-5, "failed", 1.1e-5),
        (0.0, 0.0, "passed", 0.0),
        (5e9, None, "passed", 5e9),
        (math.nan, 1e-5, "failed", None),
        (math.nan, None, "failed", None),
        (math.inf, 1e-5, "failed", None),
        (-math.inf, 1e-5, "failed", None),
        (1e300, None, "failed", None),
    ],
)
def test_a_figure_decides_and_is_always_one_that_json_knows(
    value: float, limit: float | None, status: str, kept: float | None
) -> None:
    _, entry = probe.tried("torch.x", lambda: probe.Measured(value, limit, "bytes"))
    assert (entry["status"], entry["value"], entry["limit"], entry["unit"]) == (status, kept, limit, "bytes")
    assert (entry["reason"] is None) == (status == "passed")
    checks_of([entry])


def test_the_worst_of_several_figures_is_nan_where_one_is() -> None:
    assert probe.worst([1.0, 3.0, 2.0]) == 3.0
    for values in ([math.nan, 1.0], [1.0, math.nan], [2.0, math.nan, 1.0]):
        assert math.isnan(probe.worst(values))


def test_what_a_check_says_is_one_line_that_a_record_can_hold() -> None:
    def shouts() -> None:
        raise ValueError("\x1b[31m" + "a\n" * 500 + "\udc80\0")

    _, entry = probe.tried("torch.x", shouts)
    assert entry["status"] == "failed"
    assert len(entry["reason"]) <= 200
    assert entry["reason"].isprintable()
    checks_of([entry])
    mute = type("Mute", (Exception,), {"__str__": fails})

    def raises() -> None:
        raise mute

    assert probe.tried("torch.x", raises)[1]["reason"] == "Mute: None"
    assert probe.tried("torch.x", fails)[1]["reason"] == "RuntimeError: CUDA error: the launch timed out"


def test_the_ids_are_unique_and_what_records_take() -> None:
    for name, rows in probe.CHECKS.items():
        ids = [row.id for row in rows]
        assert len(set(ids)) == len(ids)
        assert all(one.startswith(name + ".") for one in ids)
        checks_of([probe.entry(one, "passed", None) for one in ids])


def test_the_page_names_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs" / "smoke.md").read_text("utf-8")
    section = page.split("\n## What the probe tries\n", 1)[1].split("\n## ", 1)[0]
    named: list[str] = []
    for cell in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE):
        for one in re.findall(r"`([a-z0-9_.]+)`", cell):
            named.append(one if one[0] != "." else named[-1].rpartition(".")[0] + one)
    ids = [f"{name}.import" for name in probe.CHECKS] + [row.id for rows in probe.CHECKS.values() for row in rows]
    assert sorted(named) == sorted(ids)


# ------------------------------------------------------------------------------------------------ versions


def versioned(version: str = "2.9.0+cu128", cuda: str | None = "12.8", hip: str | None = None) -> Any:
    # As torch has it: a string that compares as a version does.
    kind = type("TorchVersion", (str,), {"__eq__": lambda a, b: False, "__hash__": None})
    return SimpleNamespace(__version__=kind(version), version=SimpleNamespace(cuda=cuda, hip=hip))


@pytest.mark.parametrize(
    ("module", "kind", "package", "words"),
    [
        (versioned(), "cuda", "2.9.0", None),
        (versioned(), "cuda", "2.9.0+cu128", None),
        (versioned(), "cuda", None, None),
        (versioned("2.10.0a0+b4e4ee81d3.nv25.09"), "cuda", "2.10.0a0+b4e4ee81d3.nv25.09", None),
        (versioned("2.0.1+cpu", None), "cpu", "2.0.1+cpu", None),
        (versioned("2.7.1", None, "6.4"), "rocm", "2.7.1", None),
        (versioned(), "cuda", "2.8.0", "torch 2.9.0+cu128 is imported, torch 2.8.0 is what"),
        (versioned("nonsense"), "cuda", None, "is no version"),
        (versioned(cuda=None), "cuda", None, "a build for cuda says no version"),
        (versioned(), "rocm", None, "a build for hip says no version"),
        (SimpleNamespace(), "cuda", None, "AttributeError"),
    ],
)
def test_versions(
    monkeypatch: pytest.MonkeyPatch, module: Any, kind: str, package: str | None, words: str | None
) -> None:
    monkeypatch.setattr(probe, "installed", lambda name: package)
    entry = made("torch.versions", module, kind=kind)
    assert entry.status == ("failed" if words else "passed")
    assert words is None or words in entry.reason


# ------------------------------------------------------------------------------------------------ the device


class Row:
    """Stands for a tensor of numbers on a device."""

    def __init__(self, values: list[float], where: str) -> None:
        self.values, self.device = values, SimpleNamespace(type=where.partition(":")[0])

    def sum(self) -> "Row":
        return Row([sum(self.values)], self.device.type)

    def item(self) -> float:
        return self.values[0]

    def cpu(self) -> "Row":
        return Row(self.values, "cpu")

    double = cpu

    def __sub__(self, other: float) -> "Row":
        return Row([value - other for value in self.values], self.device.type)

    def abs(self) -> "Row":
        return Row([abs(value) for value in self.values], self.device.type)

    def max(self) -> float:
        return math.nan if any(map(math.isnan, self.values)) else max(self.values)


def arange(factor: float = 1.0, place: str | None = None, broken: str = "") -> Any:
    """Give a stand-in that counts; the device ``broken`` counts ``factor`` times as far."""

    def count(n: int, device: str) -> Row:
        step = factor if broken in ("", device) else 1.0
        return Row([i * step for i in range(n)], place or device)

    return SimpleNamespace(arange=count)


@pytest.mark.parametrize(
    ("module", "devices", "kind", "words"),
    [
        (arange(), [gpu(0), gpu(1)], "cuda", None),
        (arange(), [gpu(0)], "rocm", None),
        (arange(), [gpu(0)], "cpu", None),
        (arange(0.5), [gpu(0)], "cpu", "is 499500, the device says 249750"),
        (arange(2.0, broken="cuda:1"), [gpu(0), gpu(1)], "cuda", "on cuda:1 is 499500, the device says 999000"),
        (arange(0.0), [gpu(0)], "cuda", "the device says 0"),
        (arange(math.nan), [gpu(0)], "cuda", "ValueError"),
        (arange(place="cpu"), [gpu(0)], "cuda", "what was made on cuda:0 lies on cpu"),
        (arange(), [], "cuda", "lists none"),
        (SimpleNamespace(arange=fails), [gpu(0)], "cuda", "the launch timed out"),
    ],
)
def test_every_device_counts(module: Any, devices: list[dict[str, Any]], kind: str, words: str | None) -> None:
    entry = made("torch.device", module, devices, kind)
    assert entry.status == ("failed" if words else "passed")
    assert words is None or words in entry.reason


def counted(number: Any) -> Any:
    return SimpleNamespace(cuda=SimpleNamespace(device_count=number if callable(number) else lambda: number))


@pytest.mark.parametrize(
    ("module", "devices", "words"),
    [
        (counted(1), [gpu(0)], None),
        (counted(2), [gpu(0), gpu(1)], None),
        (counted(2), [gpu(0, uuid=None), gpu(1, uuid=None)], None),
        (counted(2), [gpu(0)], "counts 2 devices and lists 1"),
        (counted(2), [gpu(0), gpu(1, uuid="GPU-0")], "the same uuid"),
        (counted(1), [gpu(0, name="unknown")], "no name"),
        (counted(0), [gpu(0)], "counts 0"),
        (counted(math.nan), [gpu(0)], "ValueError"),
        (counted(fails), [gpu(0)], "the launch timed out"),
    ],
)
def test_the_list_of_devices(module: Any, devices: list[dict[str, Any]], words: str | None) -> None:
    entry = made("torch.device.listed", module, devices)
    assert (entry.status, entry.value) == (("failed", None) if words else ("passed", len(devices)))
    assert words is None or words in entry.reason


@pytest.mark.parametrize(
    ("arch", "capability", "runs"),
    [
        ("sm_90", (9, 0), True),
        ("sm_80", (8, 6), True),
        ("sm_86", (8, 0), False),
        ("sm_80", (9, 0), False),
        ("sm_90a", (9, 0), True),
        ("sm_90a", (9, 1), False),
        ("sm_100", (10, 0), True),
        ("sm_100f", (10, 3), True),
        ("sm_100f", (12, 0), False),
        ("sm_120", (12, 1), True),
        ("compute_80", (8, 0), True),
        ("compute_80", (9, 0), True),
        ("compute_90", (12, 0), True),
        ("compute_90", (8, 6), False),
        ("compute_90a", (10, 0), False),
        ("compute_100f", (12, 0), False),
        ("gfx90a", (9, 0), False),
        ("sm_", (9, 0), False),
        ("", (9, 0), False),
    ],
)
def test_which_code_runs_on_which_gpu(arch: str, capability: tuple[int, int], runs: bool) -> None:
    assert probe.runs_on(arch, *capability) is runs


def built(*archs: str, gfx: str = "") -> Any:
    cuda = SimpleNamespace(
        get_arch_list=lambda: list(archs), get_device_properties=lambda i: SimpleNamespace(gcnArchName=gfx)
    )
    return SimpleNamespace(cuda=cuda)


@pytest.mark.parametrize(
    ("module", "devices", "kind", "words"),
    [
        (built("sm_80", "sm_90"), [gpu()], "cuda", None),
        (built("sm_50", "compute_80"), [gpu()], "cuda", None),
        (built("sm_80", "sm_90", "compute_90"), [gpu(0, capability="12.0")], "cuda", None),
        (built("sm_80", "sm_90"), [gpu(0, capability="12.0")], "cuda", "torch is built for sm_80 sm_90"),
        (built("sm_80", "sm_90"), [gpu(), gpu(1, capability="7.5")], "cuda", "has compute capability 7.5"),
        (built("sm_90"), [gpu(0, capability=None)], "cuda", "compute capability None"),
        (built(), [gpu()], "cuda", "built for none"),
        (built("gfx90a", "gfx942", gfx="gfx942:sramecc+:xnack-"), [gpu()], "rocm", None),
        (built("gfx90a", gfx="gfx1100"), [gpu()], "rocm", "has gfx1100"),
        (SimpleNamespace(cuda=SimpleNamespace(get_arch_list=fails)), [gpu()], "cuda", "the launch timed out"),
    ],
)
def test_the_build_fits_the_gpu(module: Any, devices: list[dict[str, Any]], kind: str, words: str | None) -> None:
    entry = made("torch.device.arch", module, devices, kind)
    assert entry.status == ("failed" if words else "passed")
    assert words is None or words in entry.reason


@pytest.mark.parametrize("identifier", ["torch.device.arch", "torch.memory.device", "torch.matmul.tf32"])
def test_what_a_processor_does_not_have_is_skipped(identifier: str) -> None:
    entry = made(identifier, SimpleNamespace(), kind="cpu")
    assert (entry.status, entry.reason) == ("skipped", "not-on-cpu")


# ------------------------------------------------------------------------------------------------ several GPUs


def nccl(add: Callable[[list[Row]], None], there: bool = True) -> Any:
    library = SimpleNamespace(is_available=lambda tensors: there, all_reduce=add)
    full = lambda shape, value, device: Row([value] * 4, device)  # noqa: E731
    return SimpleNamespace(full=full, cuda=SimpleNamespace(nccl=library))


def adds(factor: float) -> Callable[[list[Row]], None]:
    def add(tensors: list[Row]) -> None:
        total = [sum(column) * factor for column in zip(*(one.values for one in tensors), strict=True)]
        for one in tensors:
            one.values = list(total)

    return add


def only_the_first(tensors: list[Row]) -> None:
    tensors[0].values = [6.0] * 4


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nccl(adds(1.0)), None),
        (nccl(adds(1.05)), "over the limit 0"),
        (nccl(adds(0.0)), "over the limit 0"),
        (nccl(adds(math.nan)), "the figure is nan"),
        (nccl(only_the_first), "over the limit 0"),
        (nccl(lambda tensors: None), "over the limit 0"),
        (nccl(fails), "the launch timed out"),
        (nccl(adds(1.0), there=False), "no NCCL"),
    ],
)
def test_all_gpus_add_up(module: Any, words: str | None) -> None:
    entry = made("torch.nccl", module, [gpu(0), gpu(1), gpu(2)])
    assert entry.status == ("failed" if words else "passed")
    assert words is None or words in entry.reason


@pytest.mark.parametrize(("count", "kind"), [(1, "cuda"), (1, "cpu"), (0, "cuda")])
def test_fewer_than_two_gpus_add_up_nothing(count: int, kind: str) -> None:
    entry = made("torch.nccl", nccl(fails), [gpu(i) for i in range(count)], kind)
    assert (entry.status, entry.reason) == ("skipped", "needs-two-gpus")


# ------------------------------------------------------------------------------------------------ memory


class Memory:
    """Stands for a GPU whose driver counts what is taken, or does not."""

    def __init__(self, counts: float = 1.0, gives_back: float = 1.0, peak: float = 1 << 30) -> None:
        self.counts, self.gives_back, self.used, self.peak = counts, gives_back, 1000.0, peak
        self.uint8 = "uint8"
        self.cuda = SimpleNamespace(
            memory_allocated=lambda index: self.used, max_memory_allocated=lambda index: self.peak
        )

    def ones(self, size: int, dtype: str, device: str) -> Any:
        memory = self
        memory.used += size * memory.counts

        class Block:
            def __del__(self) -> None:
                memory.used -= size * memory.counts * memory.gives_back

        return Block()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Memory(), None),
        (Memory(counts=0.5), "8388608.0 more are in use"),
        (Memory(counts=0), "0.0 more are in use"),
        (Memory(counts=math.nan, peak=math.nan), "the figure is nan"),
        (Memory(gives_back=0), "were not given back"),
        (Memory(peak=1 << 37), "over the limit"),
        (SimpleNamespace(cuda=SimpleNamespace(memory_allocated=fails)), "the launch timed out"),
    ],
)
def test_memory_of_the_device(module: Any, words: str | None) -> None:
    entry = made("torch.memory.device", module)
    assert entry.status == ("failed" if words else "passed")
    assert words is None or words in entry.reason
    assert words is not None or (entry.value, entry.limit) == (1 << 30, 1 << 36)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("Name:\tpython\nVmHWM:\t  500000 kB\n", "cpu", None),
        ("VmHWM:\t 9000000 kB\n", "cuda", None),
        ("VmHWM:\t 9000000 kB\n", "cpu", "over the limit"),
        ("VmHWM:\t99000000 kB\n", "cuda", "over the limit"),
        ("VmHWM:\tnan kB\n", "cpu", "does not say"),
        ("", "cpu", "does not say"),
    ],
)
def test_memory_of_the_host(monkeypatch: pytest.MonkeyPatch, status: str, kind: str, words: str | None) -> None:
    monkeypatch.setattr(probe, "read", lambda path: status)
    for identifier in ("torch.memory.host", "jax.memory.host", "tensorflow.memory.host"):
        row = {row.id: row for rows in probe.CHECKS.values() for row in rows}[identifier]
        entry = probe.tried(identifier, row.function, probe.Bench(None, kind, [gpu()], {}, True, None))[1]
        assert entry["status"] == ("failed" if words else "passed")
        assert words is None or words in entry["reason"]


# ------------------------------------------------------------------------------------------------ versions' ways


class Settings:
    """Stands for a module of torch.backends: unknown attributes raise what version 2.0 raises."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"Unknown attribute {name}")


def backends(*, old: bool, new: bool) -> Any:
    before = {"allow_tf32": False} if old else {}
    after = {"fp32_precision": "none"} if new else {}
    cudnn = Settings(
        **({"allow_tf32": True} if old else {}), conv=Settings(**({"fp32_precision": "tf32"} if new else {}))
    )
    return SimpleNamespace(cuda=SimpleNamespace(matmul=Settings(**before, **after)), cudnn=cudnn)


@pytest.mark.parametrize(("old", "new"), [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize("name", ["ieee", "tf32"])
def test_the_precision_of_float32_is_set_and_put_back(old: bool, new: bool, name: str) -> None:
    """2.0 to 2.8, 2.9 and later, and a version that has dropped the old way."""
    module = SimpleNamespace(backends=backends(old=old, new=new))
    matmul, cudnn = module.backends.cuda.matmul, module.backends.cudnn
    bench = probe.Bench(module, "cuda", [gpu()], {}, True, None)

    def within() -> None:
        if old:
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (name == "tf32", name == "tf32")
        else:
            assert (matmul.fp32_precision, cudnn.conv.fp32_precision) == (name, name)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), probe.fp32_precision(bench, name):
        within()
    if old:
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, True)
    if new:
        assert (matmul.fp32_precision, cudnn.conv.fp32_precision) == ("none", "tf32")


def test_on_a_processor_no_setting_of_gpus_is_touched() -> None:
    with probe.fp32_precision(probe.Bench(SimpleNamespace(), "cpu", [], {}, True, None), "ieee"):
        pass


@pytest.mark.parametrize(
    ("kind", "error", "status", "reason"),
    [
        ("cpu", "\"addmm_impl_cpu_\" not implemented for 'Half'", "skipped", "not-on-cpu"),
        ("cuda", "\"baddbmm\" not implemented for 'Half'", "failed", "RuntimeError"),
        ("cpu", "out of memory", "failed", "RuntimeError: out of memory"),
    ],
)
def test_half_precision_that_an_old_version_lacks(kind: str, error: str, status: str, reason: str) -> None:
    bench = probe.Bench(None, kind, [], {}, True, None)

    def tries() -> None:
        with probe.half_on_cpu(bench):
            raise RuntimeError(error)

    entry = probe.tried("torch.x", tries)[1]
    assert entry["status"] == status
    assert entry["reason"].startswith(reason)


def test_a_scaler_that_an_old_version_has_for_gpus_only() -> None:
    entry = made("torch.amp.fp16", SimpleNamespace(amp=SimpleNamespace()), kind="cpu")
    assert (entry.status, entry.reason) == ("skipped", "not-on-cpu")
    old = SimpleNamespace(amp=SimpleNamespace(), cuda=SimpleNamespace(amp=SimpleNamespace(GradScaler=fails)))
    assert "the launch timed out" in made("torch.amp.fp16", old).reason


# ------------------------------------------------------------------------------------------------ the compiler


@pytest.mark.parametrize(
    ("kind", "programs", "env", "found"),
    [
        ("cpu", {"g++": "g++ (Debian) 12.2.0"}, {}, "g++ (Debian) 12.2.0"),
        ("cpu", {"gcc": "gcc 12", "clang": "clang 17"}, {}, None),
        ("cpu", {"g++": "g++ 12", "mine": "mine 1"}, {"CXX": "mine"}, "mine 1"),
        ("cpu", {"g++": "g++ 12"}, {"CXX": "mine"}, None),
        ("cpu", {"ccache": "ccache 4"}, {"CXX": "ccache g++ -O2"}, "ccache 4"),
        ("cuda", {"gcc": "gcc 12"}, {}, "gcc 12"),
        ("cuda", {"clang": "clang 17"}, {}, "clang 17"),
        ("rocm", {"gcc": "gcc 12", "clang": "clang 17"}, {"CC": "clang"}, "clang 17"),
        ("cuda", {"g++": "g++ 12"}, {}, None),
        ("cuda", {"gcc": "gcc 12"}, {"CC": "'"}, None),
        ("cpu", {}, {}, None),
    ],
)
def test_which_compiler_there_is(
    monkeypatch: pytest.MonkeyPatch, kind: str, programs: dict[str, str], env: dict[str, str], found: str | None
) -> None:
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    def answer(name: str, *_: str) -> str:
        return programs[name] + "\nCopyright\n"

    monkeypatch.setattr(probe, "answer", answer)
    assert probe.compiler_version(kind) == found
