"""A first policy for a repository: what it has is found, the policy drafted from that, and written beside nothing."""
