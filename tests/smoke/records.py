"""A smoke record that is right in every way, for tests to spoil in one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptguard.parse.smoke import canonical
from ptguard.smoke.probe import SCHEMA, TORCH

TREE = "1" * 40
COMMIT = "2" * 40
IMAGE_HEX = "3" * 64
PROBE_HEX = "4" * 64
URI = "docker.io/pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"
COMMAND = ("python", "-m", "pytest", "-q", "tests/smoke")

ENVIRONMENT: Mapping[str, str | int | None] = {
    "torch": "2.9.0+cu128",
    "torchCommit": "0fabc3ba44823f257e70ce397d989c8de5e362c1",
    "jax": None,
    "tensorflow": None,
    "cuda": "12.8",
    "hip": None,
    "cudnn": 91002,
    "nccl": "2.27.5",
    "nvcc": "12.8.93",
    "driver": "570.86.15",
    "python": "3.11.13",
    "os": "ubuntu 22.04",
    "compiler": "gcc (Ubuntu 13.3.0) 13.3.0",
    "ngcRelease": None,
}


def check_entry(identifier: str, status: str = "passed", reason: str | None = None) -> dict[str, Any]:
    return {
        "id": identifier,
        "status": status,
        "value": None,
        "limit": None,
        "unit": None,
        "seconds": 0.41,
        "reason": reason,
    }


def statement() -> dict[str, Any]:
    """Give the statement of a good run on one GPU, fresh each time."""
    matmul = {**check_entry("torch.matmul.fp32"), "value": 3.1e-07, "limit": 1e-05, "unit": "relative-frobenius"}
    annotations = {
        "schema": "ptguard.smoke/1",
        "startedOn": "2026-11-20T10:00:00Z",
        "finishedOn": "2026-11-20T10:05:00Z",
        "mode": "full",
        "framework": "torch",
        "deviceKind": "cuda",
        "source": {"commit": COMMIT, "dirty": False},
        "launcher": {"runner": "docker", "digestSource": "launcher", "platform": "linux/amd64", "network": "none"},
        "command": {"argv": list(COMMAND), "exit": 0, "seconds": 12.1},
        "environment": dict(ENVIRONMENT),
        "devices": [
            {"index": 0, "name": "H100", "uuid": "GPU-1", "capability": "9.0", "memoryBytes": 85029158912},
        ],
        "checks": [check_entry("torch.import"), matmul],
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "subject": [
            {
                "name": "git-tree",
                "digest": {"gitTree": TREE},
                "annotations": {"objectFormat": "sha1", "excluded": [".ptguard"]},
            },
            {"name": "image", "uri": URI, "digest": {"sha256": IMAGE_HEX}},
        ],
        "predicate": {
            "result": "PASSED",
            "passedTests": ["torch.import", "torch.matmul.fp32", "command"],
            "warnedTests": [],
            "failedTests": [],
            "configuration": [
                {"name": "ptguard-probe", "digest": {"sha256": PROBE_HEX}, "annotations": annotations},
            ],
        },
    }


GONE = object()
"""Put in place of a value to take its key away."""


def spoilt(*changes: tuple[str, object]) -> dict[str, Any]:
    """Give the good statement with each ``(path, value)`` set; a path is ``predicate/result`` or ``devices/0/name``.

    A path that begins with a key of the annotations goes there.
    """
    return changed(statement(), *changes)


def changed(made: dict[str, Any], *changes: tuple[str, object]) -> dict[str, Any]:
    """Set each ``(path, value)`` in the statement ``made``, as :func:`spoilt` does, and give it."""
    for path, value in changes:
        parts: list[str | int] = [int(p) if p.isdigit() else p for p in path.split("/")]
        annotations = made["predicate"]["configuration"][0]["annotations"]
        place: Any = annotations if parts[0] not in made else made
        for part in parts[:-1]:
            place = place[part]
        if value is GONE:
            del place[parts[-1]]
        else:
            place[parts[-1]] = value
    return made


def record_bytes(*changes: tuple[str, object]) -> bytes:
    return canonical(spoilt(*changes))


def gpu_python(file: Path) -> Path:
    """Make an interpreter that answers as the probe does on a GPU in the image of URI, whatever it is fed."""
    skips = {"torch.nccl": "needs-two-gpus"}
    ids = ("torch.import", *(row.id for row in TORCH))
    document = {
        "schema": SCHEMA,
        "nonce": "NONCE",
        "mode": "full",
        "framework": "torch",
        "deviceKind": "cuda",
        "devices": statement()["predicate"]["configuration"][0]["annotations"]["devices"],
        "facts": dict(ENVIRONMENT),
        "checks": [check_entry(one, "skipped" if one in skips else "passed", skips.get(one)) for one in ids],
    }
    text = json.dumps(document).replace("NONCE", "'\"$2\"'")
    file.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{text}'\n")
    file.chmod(0o755)
    return file
