"""Frozen value classes that cost nothing to define; used for every value of the model.

``dataclasses.dataclass(frozen=True, slots=True)`` compiles six methods for each class: 0.9 ms apiece, and some seventy
classes stand between a push and its verdict (docs/adr/0011-cheap-values.md). Here all classes share the same methods.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, TypeVar, cast, dataclass_transform

T = TypeVar("T")
_MAX_SHOWN = 200


class _Value(Protocol):
    __value_fields__: ClassVar[tuple[str, ...]]
    __value_defaults__: ClassVar[Mapping[str, Any]]


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen class with slots, equality, hash and representation from its annotated fields.

    A field may have a default, which must be immutable: it is shared. A method of these that the class has is kept.
    Type checkers see a frozen dataclass (typing.dataclass_transform, PEP 681).
    """
    names = tuple(cls.__annotations__)  # of a class without bases: its own, in their order
    defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    body = {key: item for key, item in cls.__dict__.items() if key not in defaults and key not in _OWN}
    body = _METHODS | body  # what a class says of itself counts: one that holds a password shows nothing
    body |= {"__slots__": names, "__match_args__": names, "__value_fields__": names, "__value_defaults__": defaults}
    return cast(type[T], type(cls.__name__, cls.__bases__, body))


def replace(given: T, **changes: Any) -> T:
    """Give ``given``, an instance of a value class, with some fields changed.

    Raises:
        TypeError: there is no such field.
    """
    names = cast(_Value, given).__value_fields__
    return type(given)(**{**{name: getattr(given, name) for name in names}, **changes})


def fields(cls: type) -> tuple[str, ...]:
    """Give the names of the fields of a value class, in their order."""
    return cast(_Value, cls).__value_fields__


def _init(self: Any, *args: Any, **named: Any) -> None:
    names, defaults = self.__value_fields__, self.__value_defaults__
    if len(args) > len(names):
        raise TypeError(f"{type(self).__name__} has {len(names)} fields, {len(args)} were given")
    put = object.__setattr__
    for name, given in zip(names, args, strict=False):
        put(self, name, given)
    for name in names[len(args) :]:
        if name in named:
            put(self, name, named.pop(name))
        elif name in defaults:
            put(self, name, defaults[name])
        else:
            raise TypeError(f"{type(self).__name__} lacks its field {name}")
    if named:
        raise TypeError(f"{type(self).__name__} has no field {next(iter(named))}, or it was given twice")


def _all(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__value_fields__)


def _equal(self: Any, other: object) -> bool:
    return bool(_all(self) == _all(other)) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash((type(self), _all(self)))


def _show(self: Any) -> str:
    parts = (f"{name}={getattr(self, name)!r:.{_MAX_SHOWN}}" for name in self.__value_fields__)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _reduce(self: Any) -> tuple[type, tuple[Any, ...]]:
    return type(self), _all(self)  # for copies: the default way would set attributes


def _refuse(self: Any, name: str, *_: object) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} is frozen")


_OWN = ("__dict__", "__weakref__")
_METHODS = {
    "__init__": _init,
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _show,
    "__reduce__": _reduce,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
