"""The sources of the policy in a commit's tree, and what lies over them."""

from ptguard.collect_image import MAX_SOURCE_BYTES, declared_images
from ptguard.gateways.git import Git
from ptguard.model import DeclaredImage, Location, Problem
from ptguard.snapshot import Snapshot
from tests.support import Repo

COMPOSE = "services:\n  t:\n    image: python:3.11\n"


def declared(repo: Repo, *sources: str) -> tuple[DeclaredImage | Problem, ...]:
    with Git.open(repo.path) as git:
        return declared_images(Snapshot(git, repo.git("rev-parse", "HEAD")), sources)


def problem(repo: Repo, *sources: str) -> Problem:
    (found,) = declared(repo, *sources)
    assert isinstance(found, Problem)
    return found


def test_each_source_gives_one_image_or_what_is_wrong_with_it(repo: Repo) -> None:
    repo.write("Dockerfile", "FROM python:3.11\n")
    repo.write("compose.yml", COMPOSE)
    commit = repo.commit()
    one, two, none = declared(repo, "Dockerfile", "compose.yml:t", "Containerfile")
    assert isinstance(one, DeclaredImage) and isinstance(two, DeclaredImage) and isinstance(none, Problem)
    assert (one.location, two.location) == (Location("Dockerfile", 1, commit), Location("compose.yml", 3, commit))
    assert one.reference == two.reference
    assert (none.reason, none.location) == ("missing", Location("Containerfile", None, commit))


def test_an_override_counts_where_it_lies_beside_its_file(repo: Repo) -> None:
    repo.write("a/compose.yaml", COMPOSE)
    repo.write("compose.override.yml", COMPOSE.replace("3.11", "3.12"))
    repo.commit()
    (found,) = declared(repo, "a/compose.yaml")
    assert isinstance(found, DeclaredImage)
    repo.write("a/docker-compose.override.yaml", COMPOSE.replace("3.11", "3.12"))
    repo.commit()
    assert problem(repo, "a/compose.yaml").reason == "conflict"
    repo.write("a/compose.override.yml", COMPOSE)
    repo.commit()
    assert problem(repo, "a/compose.yaml:t").reason == "conflict", "older versions of compose take the other one"


def test_an_override_that_cannot_be_read_is_no_override_that_is_not_there(repo: Repo) -> None:
    repo.write("compose.yml", COMPOSE)
    (repo.path / "compose.override.yml").symlink_to("elsewhere.yml")
    repo.commit()
    found = problem(repo, "compose.yml")
    assert (found.reason, found.message) == ("unresolvable", "compose.override.yml is a symbolic link")
    assert "a name of its own" in str(found.fix)
    (repo.path / "compose.override.yml").unlink()
    repo.write("compose.override.yml", "#" * (MAX_SOURCE_BYTES + 1))
    repo.commit()
    assert problem(repo, "compose.yml").reason == "unresolvable"


def test_expectations_that_cannot_be_read_are_the_one_problem(repo: Repo) -> None:
    repo.write("Dockerfile", "FROM python:3.11\n")
    repo.write("pyproject.toml", "[")
    repo.commit()
    assert problem(repo, "Dockerfile", "compose.yml").reason == "unresolvable"
