"""What a model should need on its GPUs: arithmetic over an architecture and a layout, with sources.

    spec = parse_spec({"model": config, "phase": "training", "batch": 4})
    footprint = estimate(spec)

`architecture` reads a Hugging Face config into tensors and layers, `spec` holds what is asked, `sharding` and `stages`
say what one GPU has of it, `training` and `inference` add up the parts, `catalog` knows models, GPUs, servers, prices
and tiers.
"""
