"""Which layout on which cards is the cheapest that fits: over TP, PP, DP, ZeRO, checkpointing and precision."""
