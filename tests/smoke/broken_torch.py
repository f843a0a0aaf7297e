"""Real torch on the processor whose device layer is broken on purpose, or that calls itself cuda.

Run by an interpreter that has torch: ``python broken_torch.py PROBE FOLDER`` makes every case of CASES once and prints
``{case: entry}``, the entries as the probe makes them. Imported without torch it only tells the cases.
"""

# ruff: noqa: ARG005, PT008, T201

import importlib
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class Case:
    """``how`` the operators named ``ops`` are broken while ``check`` is made on ``kind``, or what is put in place.

    ``exact``: float64 is broken as well, which otherwise stays right for the reference's sake.
    """

    check: str
    how: str
    ops: tuple[str, ...] = ()
    kind: str = "cpu"
    exact: bool = False

    @property
    def id(self) -> str:
        return f"{self.check}:{self.how}:{self.ops[0] if self.ops else ''}:{self.kind}{':exact' if self.exact else ''}"


NUMERIC = ("wrong", "nan", "raise", "nothing")
ATTENTION = ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
UPDATE = ("addcdiv_", "_foreach_addcdiv_")

CASES = (
    *(Case(f"torch.matmul.{name}", how, ("mm",), kind) for name in ("fp32", "tf32", "fp16", "bf16") for how in NUMERIC
      for kind in ("cpu", "cuda") if (name, kind) != ("tf32", "cpu")),
    *(Case("torch.matmul.fp32", how, ("mm",), exact=True) for how in NUMERIC),
    Case("torch.matmul.fp32", "elsewhere", kind="cuda"),
    *(Case("torch.conv.forward", how, ("convolution",), kind) for how in NUMERIC for kind in ("cpu", "cuda")),
    *(Case("torch.conv.backward", how, ("convolution_backward",), kind) for how in NUMERIC for kind in ("cpu", "cuda")),
    *(Case("torch.conv.forward", how, ("convolution",), exact=True) for how in NUMERIC),
    *(Case("torch.conv.backward", how, ("convolution_backward",), exact=True) for how in NUMERIC),
    Case("torch.conv.forward", "no-cudnn", kind="cuda"),
    Case("torch.conv.backward", "no-cudnn", kind="cuda"),
    *(Case(f"torch.sdpa.{name}", how, ATTENTION, kind) for name in ("fp32", "fp16", "bf16") for how in NUMERIC
      for kind in ("cpu", "cuda")),
    *(Case("torch.gradcheck", how, ("tanh_backward",), exact=True) for how in NUMERIC),
    Case("torch.gradcheck", "shrug"),
    *(Case(f"torch.{name}", how, ops, kind) for name in ("train", "amp.bf16", "amp.fp16") for kind in ("cpu", "cuda")
      for how, ops in (("raise", ("addmm",)), ("nan", ("addmm",)), ("nothing", UPDATE),
                       ("negated", ("mse_loss_backward",)))),
    *(Case(f"torch.amp.{name}", "no-autocast", kind=kind) for name in ("bf16", "fp16") for kind in ("cpu", "cuda")),
    Case("torch.amp.fp16", "old-scaler", kind="cuda"),  # without a real GPU it turns itself off
    Case("torch.amp.fp16", "nothing", ("_amp_foreach_non_finite_check_and_unscale_",)),
    Case("torch.amp.fp16", "nothing", ("_amp_update_scale_",)),
    *(Case("torch.determinism", "drift", (op,)) for op in ("index_add_", "mm", "embedding_dense_backward",
                                                           "convolution_backward")),
    *(Case("torch.determinism", how, ("index_add_",)) for how in ("nan", "raise", "nothing")),
    Case("torch.determinism", "no-determinism"),
    *(Case(f"torch.compile.{name}", how) for name in ("aot_eager", "inductor")
      for how in ("compiles-wrong", "compiles-nan", "compiles-nothing", "compile-raises")),
    *(Case("torch.checkpoint", how) for how in ("saves-nothing", "loads-zeros", "loads-nothing", "load-raises",
                                                "loads-nan")),
    *(Case("torch.checkpoint.hostile", how) for how in ("runs-code", "loads-nothing", "load-raises")),
)  # fmt: skip


# ------------------------------------------------------------------------------------------------ breaking


def breaker(torch: Any, case: Case) -> Any:
    """Give a mode under which the operators of ``case`` are broken."""
    base: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    calls = [0]

    def spoilt(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        if value.dtype == torch.float64 and not case.exact:
            return value
        calls[0] += 1
        factor = {"wrong": 1.05, "nan": math.nan, "nothing": 0.0, "negated": -1.0, "drift": 1.0 + calls[0] / 1024}
        return value.mul_(factor[case.how])

    class Broken(base):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func.overloadpacket.__name__
            if name not in case.ops:
                return func(*args, **(kwargs or {}))
            if case.how == "raise":
                raise RuntimeError("the device is broken")
            if case.how == "nothing" and name.endswith("_"):
                return args[0] if func._schema.returns else None
            made = func(*args, **(kwargs or {}))
            return type(made)(map(spoilt, made)) if isinstance(made, (tuple, list)) else spoilt(made)

    return Broken()


class Without:
    """Something that lacks one attribute, as an older version of it does."""

    def __init__(self, whole: Any, name: str) -> None:
        self._whole, self._name = whole, name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise AttributeError(name)
        return getattr(self._whole, name)


def patches(torch: Any, how: str) -> list[Any]:
    """Give what is put in place of functions of torch for ``how``."""
    load, save, compiled = torch.load, torch.save, torch.compile

    def wrong(factor: float) -> Callable[..., Any]:
        def compile_(function: Any, **options: Any) -> Any:
            real = compiled(function, backend="aot_eager")
            return lambda *args: real(*args) * factor

        return compile_

    def zeros(*args: Any, **options: Any) -> Any:
        found = load(*args, **options)
        for one in found["model"].values():
            one.mul_(math.nan if how == "loads-nan" else 0)
        return found

    def fails(*args: Any, **options: Any) -> Any:
        raise OSError("the disk is broken")

    made: dict[str, list[Any]] = {
        "shrug": [mock.patch.object(torch.autograd, "gradcheck", lambda *a, **k: False)],
        "no-autocast": [mock.patch.object(torch, "autocast", lambda *a, **k: ExitStack())],
        "old-scaler": [mock.patch.object(torch, "amp", Without(torch.amp, "GradScaler"))],
        "no-determinism": [mock.patch.object(torch, "use_deterministic_algorithms", lambda *a, **k: None)],
        "compiles-wrong": [mock.patch.object(torch, "compile", wrong(1.05))],
        "compiles-nan": [mock.patch.object(torch, "compile", wrong(math.nan))],
        "compiles-nothing": [mock.patch.object(torch, "compile", lambda function, **k: function)],
        "compile-raises": [mock.patch.object(torch, "compile", fails)],
        "saves-nothing": [mock.patch.object(torch, "save", lambda value, path: save(None, path))],
        "loads-zeros": [mock.patch.object(torch, "load", zeros)],
        "loads-nan": [mock.patch.object(torch, "load", zeros)],
        "loads-nothing": [mock.patch.object(torch, "load", lambda *a, **k: {})],
        "load-raises": [mock.patch.object(torch, "load", fails)],
        "runs-code": [mock.patch.object(torch, "load", lambda path, **k: load(path, weights_only=False))],
        "no-cudnn": [mock.patch.object(torch.backends.cudnn, "is_available", lambda: False)],
    }
    return made.get(how, [])


@contextmanager
def calls_itself_cuda(torch: Any, lies_on: str = "cuda") -> Iterator[None]:
    """Have the processor answer where cuda is meant; tensors say that they lie on ``lies_on``."""
    base: Any = importlib.import_module("torch.overrides").TorchFunctionMode
    autocast, load, scaler = torch.autocast, torch.load, torch.amp.GradScaler

    def real(value: Any) -> Any:
        if isinstance(value, str) and value.partition(":")[0] == "cuda":
            return "cpu"
        return torch.device("cpu") if isinstance(value, torch.device) else value

    class Cuda(base):  # type: ignore[misc]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func == torch.Tensor.device.__get__:  # another object at each access
                return torch.device(lies_on)
            return func(*map(real, args), **{key: real(value) for key, value in (kwargs or {}).items()})

    with ExitStack() as stack:
        for target, name, value in (
            (torch, "autocast", lambda device, **k: autocast(real(device), **k)),
            (torch, "load", lambda path, map_location="cpu", **k: load(path, map_location=real(map_location), **k)),
            (torch.amp, "GradScaler", lambda device, **k: scaler(real(device), **k)),
            (torch.backends.cudnn, "is_available", lambda: True),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(Cuda())
        yield


def settings(torch: Any) -> tuple[Any, ...]:
    """Give the global settings that checks turn."""
    backends = torch.backends
    return (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
        backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, torch.get_float32_matmul_precision(),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ the run


class Stage:
    """The probe and torch, and how one check is made."""

    def __init__(self, probe: Any, folder: str) -> None:
        self.probe, self.folder = probe, folder
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(1)
        self.rows = {row.id: row for row in probe.TORCH}

    def made(self, case: Case) -> dict[str, Any]:
        """Give the entry of one case; a setting that it leaves behind is an error."""
        torch, row = self.torch, self.rows[case.check]
        device = self.probe.device(0, "stand-in", "GPU-1", "9.0", 1 << 30)
        bench = self.probe.Bench(torch, case.kind, [device], {"compiler": "g++"}, True, self.folder)
        before = settings(torch)
        with ExitStack() as stack:
            for one in self.worlds(case):
                stack.enter_context(one)
            found: dict[str, Any] = self.probe.tried(row.id, row.function, bench, *row.args)[1]
        if settings(torch) != before:
            raise SystemExit(f"{case.id} left {settings(torch)} where {before} was")
        return found

    def worlds(self, case: Case) -> Iterator[AbstractContextManager[Any]]:
        if case.kind == "cuda":
            yield calls_itself_cuda(self.torch, "cpu" if case.how == "elsewhere" else "cuda")
        yield from patches(self.torch, case.how)
        if case.ops:
            yield breaker(self.torch, case)


def load(path: str) -> ModuleType:
    """Give the probe as a module."""
    spec = importlib.util.spec_from_file_location("probe", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["probe"] = module
    spec.loader.exec_module(module)
    return module


def whole(probe: Any) -> list[str]:
    """Give the checks that the stand-in for cuda can pass as a whole: it has no GPU to ask, and compiles as itself."""
    left = ("torch.device", "torch.nccl", "torch.compile", "torch.memory", "torch.versions")
    return [row.id for row in probe.TORCH if not row.id.startswith(left)]


def main(path: str, folder: str) -> None:
    """Print all entries."""
    stage = Stage(load(path), folder)
    good = [Case(one, "whole", kind="cuda") for one in whole(stage.probe)]
    print(json.dumps({case.id: stage.made(case) for case in (*CASES, *good)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
