"""Value classes behave as frozen dataclasses do, and are what a type checker takes them for."""

import copy

import pytest

from ptguard.value import fields, replace, value


@value
class Point:
    """A place."""

    x: int
    y: int = 0
    label: str | None = None

    @property
    def far(self) -> bool:
        return self.x + self.y > 10

    @classmethod
    def origin(cls) -> "Point":
        return cls(0)


@value
class Other:
    x: int
    y: int = 0
    label: str | None = None


@value
class Secret:
    word: str

    def __repr__(self) -> str:
        return "Secret(…)"


def test_a_class_may_say_itself_how_it_is_shown() -> None:
    assert repr(Secret("word")) == "Secret(…)" and "word" not in f"{[Secret('word')]}"
    assert Secret("a") == Secret("a") != Secret("b") and Secret("a").word == "a"


def test_it_is_built_by_place_and_by_name_with_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(1, label="a").label) == (1, 0, "a")
    assert Point(1, 2) == Point(x=1, y=2)
    assert Point.origin() == Point(0) and Point(9, 9).far and Point.__doc__ == "A place."
    assert fields(Point) == Point.__match_args__ == ("x", "y", "label")


@pytest.mark.parametrize(
    ("args", "named"),
    [((), {}), ((1, 2, "a", 4), {}), ((1,), {"z": 1}), ((1,), {"x": 1})],
)
def test_a_wrong_call_raises(args: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Point(*args, **named)  # type: ignore[arg-type]


def test_it_is_frozen_and_has_no_room_for_more() -> None:
    point = Point(1)
    for name in ("x", "new"):
        with pytest.raises(AttributeError):
            setattr(point, name, 2)
    with pytest.raises(AttributeError):
        del point.x
    assert not hasattr(point, "__dict__")


def test_equality_hash_and_copies() -> None:
    others: list[object] = [Other(1), (1, 0, None), Point(2)]
    assert all(Point(1) != other for other in others)
    assert len({Point(1), Point(1), Other(1)}) == 2
    assert replace(Point(1), y=5) == Point(1, 5)
    with pytest.raises(TypeError):
        replace(Point(1), z=5)
    with pytest.raises(TypeError):
        hash(Point([]))  # type: ignore[arg-type]
    assert copy.copy(Point(1)) == copy.deepcopy(Point(1)) == Point(1)


def test_it_shows_itself_in_bounds() -> None:
    assert repr(Point(1, label="a")) == "Point(x=1, y=0, label='a')"
    assert len(repr(Point(1, label="x" * 10_000))) < 300
    assert repr(Point(1, label=None)).endswith("label=None)")
