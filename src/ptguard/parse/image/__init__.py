"""Image references and what their names declare; nothing here asks a registry."""

from ptguard.imagename import floating, same_image
from ptguard.parse.image.families import facts_of
from ptguard.parse.image.reference import parse_reference

__all__ = ["facts_of", "floating", "parse_reference", "same_image"]
