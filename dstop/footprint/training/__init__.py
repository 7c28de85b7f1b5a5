"""What training holds: states, activations, logits, and where in a step the peak is."""
