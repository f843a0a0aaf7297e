"""The probe's answer: one JSON document of its own form, or nothing."""

import json
from typing import Any, Final

from ptguard.errors import ToolFailedError
from ptguard.parse import shape
from ptguard.parse.shape import Bad
from ptguard.parse.smoke import DEVICE_KINDS, FRAMEWORKS, MODES, checks_of, devices_of, environment_of
from ptguard.text import shown
from ptguard.value import value

PROBE_SCHEMA: Final = "ptguard.probe/1"
MAX_ANSWER: Final = 1 << 20


@value
class Report:
    """The probe's answer, in the form that a record takes but not yet believed."""

    mode: str
    framework: str | None
    device: str
    devices: list[Any]
    facts: dict[str, Any]
    checks: list[Any]


def read_report(data: bytes, nonce: str) -> Report:
    """Give the answer of the probe that was started with ``nonce``.

    Raises:
        ToolFailedError: there is none, or it is not one JSON document of the probe's own form.
    """
    if not data.strip():
        raise ToolFailedError("the probe ended without an answer", fix="run it again; see what was printed above")
    try:
        value = json.loads(data.decode("ascii"))
        keys = ("schema", "nonce", "mode", "framework", "deviceKind", "devices", "facts", "checks")
        found = shape.record(value, "the answer", keys)
        shape.one_of(found["schema"], "schema", (PROBE_SCHEMA,))
        shape.one_of(found["nonce"], "nonce", (nonce,))
        framework = found["framework"]
        devices_of(found["devices"])
        checks_of(found["checks"])
        return Report(
            shape.one_of(found["mode"], "mode", MODES),
            None if framework is None else shape.one_of(framework, "framework", FRAMEWORKS),
            shape.one_of(found["deviceKind"], "deviceKind", DEVICE_KINDS),
            found["devices"],
            environment_of(found["facts"]),
            found["checks"],
        )
    except (ValueError, RecursionError, Bad) as error:
        what = f"{error}" if isinstance(error, Bad) else f"it begins with {shown(data, 60)!r}"
        raise ToolFailedError(
            f"something else than the probe's answer came out: {what}",
            fix="silence what prints at the start of this Python (sitecustomize, a .pth file), and run again",
        ) from None
