"""`ptguard keys`: who may release what, and changes to that: the policy's text edited, nothing else touched."""
