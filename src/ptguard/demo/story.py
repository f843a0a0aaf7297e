"""What happens in the demo: one step a push, each with what the guard must say."""

from collections.abc import Callable, Iterator

from ptguard.demo.world import PLAIN_IMAGE, STRANGER, TORCH_IMAGE, World
from ptguard.errors import ToolFailedError
from ptguard.value import value


@value
class Step:
    """A push: what is tried, how it is prepared, the refspecs, and the reason that must refuse it (None: accepted)."""

    title: str
    prepare: Callable[[World], None]
    push: tuple[str, ...]
    reason: str | None


@value
class Told:
    """What came of a step: git's screen, and whether all came as it must."""

    step: Step
    screen: str
    as_expected: bool


def steps() -> tuple[Step, ...]:
    """Give the demo's pushes in their order."""
    return (
        Step("v0.1.0, a good release: signed, in the changelog, smoke-tested", _first, ("--tags",), None),
        Step("v0.2.0, a lightweight tag", _lightweight, ("--tags",), "lightweight"),
        Step("v0.2.0, annotated but not signed", _unsigned, ("--tags",), "unsigned"),
        Step("v0.2.0, signed by a stranger's key", _stranger, ("--tags",), "unknown-signer"),
        Step("v0.2.0, without its changelog section", _no_section, ("--tags",), "missing-section"),
        Step("v0.2.0, whose smoke record saw another torch", _other_torch, ("--tags",), "version-mismatch"),
        Step("v0.1.0, moved after its release", _moved, ("--force", "--tags"), "moved"),
        Step("v0.2.0, the good one", _good, ("--tags",), None),
    )


def play(world: World) -> Iterator[Told]:
    """Do each step for real and tell what came of it; the remote's refs are compared before and after.

    Raises:
        PtguardError: the demo itself could not go on.
    """
    _must(world, "install")
    for step in steps():
        step.prepare(world)
        before = world.remote_refs()
        done = world.push(*step.push)
        after = world.remote_refs()
        screen = (done.stderr + done.stdout).decode("utf-8", "replace")
        if step.reason is None:
            fine = done.returncode == 0 and before != after
        else:
            fine = done.returncode != 0 and before == after and f"{step.reason}:" in screen
        yield Told(step, screen, fine)


def _must(world: World, *args: str) -> None:
    done = world.ptguard(*args)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
        raise ToolFailedError(f"ptguard {args[0]} failed: {said}")


def _run_smoke(world: World) -> None:
    done = world.smoke()
    if done.returncode != 0:
        raise ToolFailedError(f"ptguard smoke failed: {(done.stderr + done.stdout).decode('utf-8', 'replace').strip()}")


def _proved(world: World, message: str) -> None:
    """Commit the tree, run its smoke check, commit the record; all of it reaches main."""
    world.commit(message)
    _run_smoke(world)
    world.commit("Add the smoke record")


def _first(world: World) -> None:
    _run_smoke(world)
    world.commit("Add the smoke record")
    world.tag("v0.1.0")


def _lightweight(world: World) -> None:
    world.release_files("0.2.0")
    _proved(world, "Prepare 0.2.0")
    world.git("tag", "v0.2.0")


def _unsigned(world: World) -> None:
    world.tag("v0.2.0", signer=None)


def _stranger(world: World) -> None:
    world.tag("v0.2.0", signer=STRANGER)


def _no_section(world: World) -> None:
    world.release_files("0.2.0", section=False)
    _proved(world, "Lose the changelog section")
    world.tag("v0.2.0")


def _other_torch(world: World) -> None:
    world.release_files("0.2.0")
    world.write("Dockerfile", f"FROM {TORCH_IMAGE}\nCOPY . /src\n")
    world.commit("Take the image with torch 2.9.0")
    world.forge(TORCH_IMAGE, "2.8.0+cu128")
    world.commit("Add the smoke record")
    world.tag("v0.2.0")


def _moved(world: World) -> None:
    world.git("tag", "-d", "v0.2.0")
    world.tag("v0.1.0", "v0.1.0^{commit}", "Released once more")


def _good(world: World) -> None:
    world.git("fetch", "-q", "origin", "+refs/tags/v0.1.0:refs/tags/v0.1.0")
    for record in (world.clone / ".ptguard/smoke").glob("*.json*"):
        record.unlink()
    world.write("Dockerfile", f"FROM {PLAIN_IMAGE}\nCOPY . /src\n")
    _proved(world, "Prepare 0.2.0 for good")
    world.tag("v0.2.0")
