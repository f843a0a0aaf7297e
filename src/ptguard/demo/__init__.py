"""``ptguard demo``: a small project, a bare remote and throwaway keys, and real pushes that the guard judges."""
