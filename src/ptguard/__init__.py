"""ptguard refuses the push of a release tag that is not a reproducible, signed, GPU-tested release."""

__all__ = ["HOMEPAGE", "__version__"]

__version__ = "0.1.0"

HOMEPAGE = "https://git.example.com/ptguard"
"""Where people read the pages of docs/ (SARIF's helpUri); change it here when it has an address."""
