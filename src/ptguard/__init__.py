"""ptguard refuses the push of a release tag that is not a reproducible, signed, GPU-tested release."""

__all__ = ["__version__"]

__version__ = "0.1.0"
