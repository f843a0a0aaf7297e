"""Stand-ins for JAX and TensorFlow, made of numpy: whole, or broken on purpose.

Run by an interpreter that has numpy: ``python broken_numbers.py PROBE FOLDER`` makes every case of CASES once and
prints ``{case: entry}``. Imported without numpy it only tells the cases.
"""

# ruff: noqa: ARG002, ARG005, T201

import importlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Case:
    """``check`` is made with ``devices`` devices of ``kind`` while the layer below is ``how``."""

    check: str
    how: str
    kind: str = "cpu"
    devices: int = 1

    @property
    def id(self) -> str:
        return f"{self.check}:{self.how}:{self.kind}"


NUMERIC = ("wrong", "nan", "raise", "nothing")
GPU = (("cpu", 1), ("cuda", 2))
_ARITHMETIC = {
    "jax": ("matmul.fp32", "matmul.fp16", "matmul.bf16", "grad", "jit"),
    "tensorflow": ("matmul.fp32", "matmul.fp16", "matmul.bf16", "gradient", "function"),
}
CASES = (
    *(Case(f"{name}.{what}", how, *gpu) for name, all_ in _ARITHMETIC.items() for what in all_
      for how in ("whole", *NUMERIC) for gpu in GPU),
    *(Case(f"{name}.matmul.{what}", "other-dtype") for name in _ARITHMETIC for what in ("fp32", "fp16", "bf16")),
    *(Case(f"{name}.device", how, *gpu) for name in _ARITHMETIC for how in ("whole", *NUMERIC) for gpu in GPU),
    Case("jax.device", "lost", "cuda", 3),
    Case("tensorflow.device", "lost", "cuda", 0),
    *(Case(f"{name}.device", "elsewhere", "cuda", 2) for name in _ARITHMETIC),
    Case("jax.jit", "untraced"),
    Case("tensorflow.function", "untraced"),
)  # fmt: skip


class Layer:
    """What both stand-ins are made of: arrays of numpy that have a dtype of their own and lie on a device."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.np: Any = importlib.import_module("numpy")
        self.place = "GPU:0"

    def spoilt(self, data: Any) -> Any:
        if self.how == "raise":
            raise RuntimeError("the device is broken")
        return data * {"wrong": 1.05, "nan": math.nan, "nothing": 0.0}.get(self.how, 1.0)

    def rounded(self, data: Any, dtype: str) -> Any:
        np = self.np
        if dtype == "bfloat16":  # the upper half of a float32, rounded
            bits = np.ascontiguousarray(np.asarray(data, "float32")).view("uint32")
            return ((bits + 0x8000) & 0xFFFF0000).astype("uint32").view("float32")
        return np.asarray(data).astype(dtype)


class Array:
    """An array as JAX and TensorFlow have it, as far as the probe looks."""

    def __init__(self, layer: Layer, data: Any, dtype: str, place: Any = None) -> None:
        self.layer, self.place = layer, place
        self.data = layer.rounded(data, dtype)
        self.name = dtype
        self.device = f"/job:localhost/replica:0/task:0/device:{place}"

    @property
    def dtype(self) -> Any:
        """JAX has a dtype that reads as its name, TensorFlow one that has it."""
        return type("DType", (), {"name": self.name, "__str__": lambda s: self.name})()

    def devices(self) -> set[Any]:
        return {self.place}

    def astype(self, dtype: str) -> "Array":
        return Array(self.layer, self.data, dtype, self.place)

    def sum(self) -> "Array":
        return Array(self.layer, self.layer.spoilt(self.data.astype("float64").sum()), "float64", self.place)

    def numpy(self) -> Any:
        return self.data

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.data

    def __int__(self) -> int:
        return int(self.data)

    def __float__(self) -> float:
        return float(self.data)


def product(layer: Layer, left: Any, right: Any) -> Array:
    name = "float64" if layer.how == "other-dtype" else left.name
    exact = layer.np.asarray(left).astype("float64") @ layer.np.asarray(right).astype("float64")
    return Array(layer, layer.spoilt(exact), name, left.place)


def compiled(layer: Layer, function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that runs its Python code once, as one that was traced does."""
    kept: list[Any] = []

    def call(*args: Any) -> Any:
        if not kept or layer.how == "untraced":
            kept.append(function(*args))
        return kept[-1]

    return call


def by_hand(layer: Layer, x: Any, w: Any) -> Any:
    np = layer.np
    left, right = np.asarray(x).astype("float64"), np.asarray(w).astype("float64")
    return layer.spoilt((1 - np.tanh(left @ right) ** 2) @ right.T)


def jax(how: str, kind: str) -> Any:
    """Give a stand-in for the module jax."""
    layer = Layer(how)
    places = [Place("cpu", 0)] if kind == "cpu" else [Place("gpu", 0), Place("gpu", 1)]

    def put(array: Any, place: Any) -> Array:
        name = array.name if isinstance(array, Array) else "float32"
        return Array(layer, layer.np.asarray(array), name, None if how == "elsewhere" else place)

    numpy = SimpleNamespace(
        arange=lambda n: Array(layer, layer.np.arange(n), "int32"),
        asarray=lambda data: Array(layer, data, "float32"),
        tanh=lambda a: Array(layer, layer.np.tanh(a.data), a.name, a.place),
        matmul=lambda a, b, precision: product(layer, a, b),
    )
    return SimpleNamespace(
        devices=lambda platform=None: [p for p in places if platform in (None, p.platform)],
        device_put=put,
        numpy=numpy,
        grad=lambda function: lambda x, w: by_hand(layer, x, w),
        jit=lambda function: compiled(layer, function),
    )


@dataclass(frozen=True)
class Place:
    platform: str
    id: int


class Tape:
    """Stands for tf.GradientTape over sum(tanh(x @ w)) alone."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def __enter__(self) -> "Tape":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def watch(self, inputs: Any) -> None:
        self.inputs = inputs

    def gradient(self, total: Any, inputs: Any) -> Array:
        assert inputs is self.inputs
        return Array(self.layer, by_hand(self.layer, inputs, self.layer.weights), "float32")  # type: ignore[attr-defined]


def tensorflow(how: str, kind: str) -> Any:
    """Give a stand-in for the module tensorflow."""
    layer = Layer(how)
    switch = [True]

    @contextmanager
    def device(name: str) -> Iterator[None]:
        assert name[1:4] == ("CPU" if kind == "cpu" else "GPU")
        layer.place = "CPU:7" if how == "elsewhere" else name[1:]
        yield

    def matmul(left: Any, right: Any) -> Array:
        layer.weights = right  # type: ignore[attr-defined]
        return product(layer, left, right)

    return SimpleNamespace(
        device=device,
        range=lambda n: Array(layer, layer.np.arange(n), "float32", layer.place),
        reduce_sum=lambda a: Array(layer, a.sum().data, "float64", layer.place),
        cast=lambda a, dtype: Array(layer, layer.np.asarray(a), dtype),
        constant=lambda a: Array(layer, a, "float32"),
        tanh=lambda a: Array(layer, layer.np.tanh(a.data), a.name),
        linalg=SimpleNamespace(matmul=matmul),
        GradientTape=lambda: Tape(layer),
        function=lambda function, autograph: compiled(layer, function),
        config=SimpleNamespace(
            experimental=SimpleNamespace(
                tensor_float_32_execution_enabled=lambda: switch[0],
                enable_tensor_float_32_execution=lambda on: switch.__setitem__(0, on),
            )
        ),
    )


def main(path: str) -> None:
    """Print all entries."""
    sys.path.insert(0, str(Path(__file__).parent))
    probe: Any = importlib.import_module("broken_torch").load(path)
    rows = {row.id: row for row in (*probe.JAX, *probe.TENSORFLOW)}
    found = {}
    for case in CASES:
        row = rows[case.check]
        module = (jax if case.check.startswith("jax") else tensorflow)(case.how, case.kind)
        devices = [probe.device(i, "stand-in") for i in range(case.devices)]
        bench = probe.Bench(module, case.kind, devices, {}, True, None)
        found[case.id] = probe.tried(row.id, row.function, bench, *row.args)[1]
        if case.check.startswith("tensorflow") and not module.config.experimental.tensor_float_32_execution_enabled():
            raise SystemExit(f"{case.id} left TF32 off")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
