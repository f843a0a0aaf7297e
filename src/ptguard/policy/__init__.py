"""The policy, ``.ptguard/policy.toml``: TOML text to a value with every mistake located, and what it says of a tag.

The form is in docs/policy.md. Nothing here reads files or asks git: whose copy counts is decided elsewhere.
"""

from ptguard.policy.match import changelog_paths, expired_waivers, match_rule, version_sources, waiver_for
from ptguard.policy.read import parse_policy

__all__ = ["changelog_paths", "expired_waivers", "match_rule", "parse_policy", "version_sources", "waiver_for"]
