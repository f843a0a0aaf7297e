"""The team of the end-to-end tests serves here too."""

from tests.e2e.conftest import team

__all__ = ["team"]
