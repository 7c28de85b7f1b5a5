"""A model as memory sees it: its tensors, and the shapes of what flows through its layers."""
