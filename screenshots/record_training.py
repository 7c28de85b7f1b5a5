"""Record the training whose snapshot the pictures show.

`CUDASIM_TOTAL=24GiB python screenshots/record_training.py FILE`, with a Python whose PyTorch has a simulated device:
no figure in it was measured on a GPU. What is allocated when is PyTorch's own doing; what a kernel computes is not.

A small GPT is trained with sequences that grow longer, and a list that keeps every prediction, until memory runs out.
The names of this machine's folders are replaced.
"""

from __future__ import annotations

import gzip
import pickle
import sys
import time
from pathlib import Path

import torch  # type: ignore[import-not-found]  # of the Python that records
from torch import nn
from torch.nn import functional  # type: ignore[import-not-found]

WORDS, WIDTH, HEADS, LAYERS, BATCH = 32_000, 1024, 16, 6, 8
SHORT, SAME, LONGER = 512, 4, 384
"""The first sequences, how many steps have such, and by how much the later ones grow."""
HERE = str(Path(__file__).resolve())
PACKAGES = str(Path(torch.__file__).parents[1])


class Block(nn.Module):  # type: ignore[misc]  # as above
    """Attention and a feed-forward net."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what attention and the net say."""
        batch, length, _ = x.shape
        parts = self.query(self.before(x)).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        x = x + self.mix(seen.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.narrow(functional.gelu(self.wide(self.after(x))))


class Gpt(nn.Module):  # type: ignore[misc]  # as above
    """Words to words."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        x = self.words(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def train() -> None:
    """Train until memory runs out."""
    model = Gpt().cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    kept = []
    for step in range(40):
        length = SHORT + LONGER * max(0, step + 1 - SAME)
        words = torch.zeros(BATCH, length, dtype=torch.long).cuda()
        logits = model(words)
        loss = functional.cross_entropy(logits.view(-1, WORDS), words.view(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        kept.append(logits.detach()[:, -64:].clone())


def renamed(name: str) -> str:
    """Give a file's name without the folders of this machine."""
    if name == HERE:
        return "/home/ann/gpt/train.py"
    if name.startswith(PACKAGES):
        return "/opt/env/lib/python3.11/site-packages" + name.removeprefix(PACKAGES)
    return "/usr" + name[name.index("/lib/python3") :] if "/lib/python3" in name else Path(name).name


def main(path: str) -> None:
    """Record, rename, write."""
    torch.backends.cudnn.enabled = False
    torch.cuda.memory._record_memory_history(max_entries=1_000_000)  # noqa: SLF001 - there is no other name for it
    try:
        train()
    except torch.cuda.OutOfMemoryError as error:
        print(error)
        # While the error is held, so are the tensors of the frames that it went through.
        snapshot = torch.cuda.memory._snapshot()  # noqa: SLF001 - as above
    else:
        sys.exit("memory did not run out: give the simulated device less of it")
    seen = set()
    lists = [event["frames"] for trace in snapshot["device_traces"] for event in trace if "frames" in event]
    for segment in snapshot["segments"]:
        lists += [segment.get("frames", []), *(block.get("frames", []) for block in segment["blocks"])]
    for frames in lists:
        for frame in frames:
            if id(frame) not in seen:
                seen.add(id(frame))
                frame["filename"] = (
                    renamed(frame["filename"]) if "/" in frame["filename"] else frame["filename"]
                )
    Path(path).write_bytes(gzip.compress(pickle.dumps(snapshot, protocol=4), mtime=0))
    time.sleep(0.3)


if __name__ == "__main__":
    main(sys.argv[1])
