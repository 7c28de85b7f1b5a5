"""Questions to a machine, one file a subject: pure functions from Facts to checks."""
