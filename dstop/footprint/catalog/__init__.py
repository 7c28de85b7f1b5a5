"""What is known by name: models, the tiers of the sizing guide, GPUs, servers and prices. One TOML entry per thing."""
