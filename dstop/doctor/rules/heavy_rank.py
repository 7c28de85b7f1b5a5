"""One rank holds more than its peers

What it means
    Ranks of a sharded job hold the same to within some blocks. One that holds more is the first that runs out, and takes all
    others with it: longer samples, the embedding's or the last stage, a checkpoint that every rank loaded to one card.

Evidence
    More than 10 % and more than 1 GiB above the median of at least three ranks of the same job on this machine.

Fix
    Buckets of like lengths, `map_location='cpu'` for checkpoints, one card per rank.

When it is wrong
    Pipeline stages differ by design: the first holds more activations, the last the logits.
"""

from __future__ import annotations

from dstop.doctor.live.heavy_rank import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS650",
    name="heavy-rank",
    cause="rank_imbalance",
    title="One rank holds more than its peers",
    page=__doc__ or "",
    watch=watch,
)
