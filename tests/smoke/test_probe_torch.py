"""The probe with real torch and JAX: whole it passes, and each check fails where the device layer is broken."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ptguard.parse.smoke import checks_of, environment_of
from ptguard.smoke import probe
from ptguard.smoke.launch import PROBE
from tests.smoke import broken_numbers, broken_torch
from tests.torchpython import jax_python, once, torch_python

Entries = dict[str, dict[str, Any]]


def broken(script: str, tmp_path_factory: pytest.TempPathFactory) -> Entries:
    folder = tmp_path_factory.mktemp("work")
    script = str(Path(__file__).with_name(script))

    def make() -> str:
        argv = [torch_python(), "-W", "ignore", script, str(PROBE), str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert list(folder.iterdir()) == [], "a check left a file behind"
        return done.stdout

    found: Entries = json.loads(once(tmp_path_factory.getbasetemp(), Path(script).stem, make))
    return found


@pytest.fixture(scope="session")
def torch_entries(tmp_path_factory: pytest.TempPathFactory) -> Entries:
    return broken("broken_torch.py", tmp_path_factory)


@pytest.fixture(scope="session")
def number_entries(tmp_path_factory: pytest.TempPathFactory) -> Entries:
    return broken("broken_numbers.py", tmp_path_factory)


def run(folder: Path, *words: str, framework: str = "torch", **env: str) -> dict[str, Any]:
    """Give the document of a run that can write into empty folders only; they must be empty again when it ends."""
    places = {"HOME": folder / "home", "TMPDIR": folder / "tmp"}
    for place in (*places.values(), folder / "here"):
        place.mkdir()
    done = subprocess.run(
        [{"torch": torch_python, "jax": jax_python}[framework](), "-", "the-nonce", framework, *words],
        input=PROBE.read_bytes(),
        capture_output=True,
        check=True,
        cwd=folder / "here",
        env={"PATH": os.environ["PATH"], **{k: str(v) for k, v in places.items()}, **env},
    )
    assert [p for p in folder.rglob("*") if p.is_file()] == [], "it left a file behind"
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["nonce"] == "the-nonce"
    checks_of(document["checks"])
    environment_of(document["facts"])
    said = [line for line in done.stderr.decode().splitlines() if line.startswith("probe: ")]
    assert said == ["probe: " + check["id"] for check in document["checks"]]
    return document


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["reason"] or check["status"] for check in document["checks"]}


CPU_SKIPS = {
    "torch.device.arch": "not-on-cpu",
    "torch.matmul.tf32": "not-on-cpu",
    "torch.memory.device": "not-on-cpu",
    "torch.nccl": "needs-two-gpus",
}
IDS = ["torch.import", *(row.id for row in probe.TORCH)]


def test_a_full_run_passes_on_a_processor(tmp_path: Path) -> None:
    document = run(tmp_path, "full", "600")
    assert (document["mode"], document["framework"], document["deviceKind"]) == ("full", "torch", "cpu")
    skips = dict(CPU_SKIPS)
    if document["facts"]["compiler"] is None:
        skips["torch.compile.inductor"] = "no-compiler"
    assert statuses(document) == {one: skips.get(one, "passed") for one in IDS}
    measured = {c["id"]: c for c in document["checks"] if c["limit"] is not None}
    assert all(0 <= c["value"] <= c["limit"] for c in measured.values())
    assert {"torch.matmul.fp32": 1e-5, "torch.matmul.fp16": 2e-3, "torch.matmul.bf16": 1e-2}.items() <= {
        one: check["limit"] for one, check in measured.items()
    }.items()
    assert measured["torch.memory.host"]["value"] < 1.5e9
    assert all(document["facts"][name] for name in ("torch", "python", "os"))


def test_a_quick_run_without_a_compiler_in_the_image(tmp_path: Path) -> None:
    document = run(tmp_path, "quick", PATH=str(tmp_path / "here"))
    assert document["mode"] == "quick"
    assert document["facts"]["compiler"] is None
    assert statuses(document) == {one: CPU_SKIPS.get(one, "passed") for one in IDS if one != "torch.compile.inductor"}


def test_inductor_is_skipped_without_a_compiler_and_the_record_bears_it_out(tmp_path: Path) -> None:
    document = run(tmp_path, PATH=str(tmp_path / "here"))
    assert document["mode"] == "full"
    assert document["facts"]["compiler"] is None
    assert statuses(document)["torch.compile.inductor"] == "no-compiler"
    assert statuses(document)["torch.compile.aot_eager"] == "passed"


def test_real_jax_passes_on_a_processor(tmp_path: Path) -> None:
    document = run(tmp_path, "full", "600", framework="jax")
    assert (document["mode"], document["framework"], document["deviceKind"]) == ("full", "jax", "cpu")
    assert statuses(document) == dict.fromkeys(["jax.import", *(row.id for row in probe.JAX)], "passed")
    assert document["facts"]["jax"]


# ------------------------------------------------------------------------------------------------ broken on purpose


@pytest.mark.parametrize("case", broken_torch.CASES, ids=lambda case: case.id)
def test_a_broken_device_layer_fails_the_check(torch_entries: Entries, case: broken_torch.Case) -> None:
    entry = torch_entries[case.id]
    assert (entry["id"], entry["status"]) == (case.check, "failed")
    assert entry["reason"]
    assert "lies on" not in entry["reason"] or case.how == "elsewhere", "it failed for another reason"
    checks_of([entry])


@pytest.mark.parametrize("identifier", broken_torch.whole(probe))
def test_the_same_check_passes_where_nothing_is_broken(torch_entries: Entries, identifier: str) -> None:
    """On the stand-in for a GPU, with the very code that runs on one."""
    assert torch_entries[broken_torch.Case(identifier, "whole", kind="cuda").id]["status"] == "passed"


def test_every_check_is_seen_failing() -> None:
    by_hand = {"torch.versions", "torch.device", "torch.device.listed", "torch.device.arch", "torch.nccl",
               "torch.memory.device", "torch.memory.host"}  # fmt: skip
    assert {case.check for case in broken_torch.CASES} | by_hand == {row.id for row in probe.TORCH}
    shown = Path(__file__).with_name("test_probe_checks.py").read_text()
    assert all(f'"{one}"' in shown for one in by_hand)


@pytest.mark.parametrize("case", broken_numbers.CASES, ids=lambda case: case.id)
def test_a_broken_jax_or_tensorflow_fails_the_check(number_entries: Entries, case: broken_numbers.Case) -> None:
    entry = number_entries[case.id]
    assert (entry["id"], entry["status"]) == (case.check, "passed" if case.how == "whole" else "failed")
    checks_of([entry])


def test_every_check_of_jax_and_tensorflow_is_seen_passing_and_failing() -> None:
    rows = {row.id for row in (*probe.JAX, *probe.TENSORFLOW) if not row.id.endswith("memory.host")}
    assert {case.check for case in broken_numbers.CASES if case.how == "whole"} == rows
    assert {case.check for case in broken_numbers.CASES if case.how != "whole"} == rows
