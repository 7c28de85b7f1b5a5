# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201 - torch is not there when this is checked
"""Trainings that know their memory; `python trainings.py NAME FILE` runs one on a (simulated) CUDA device.

Results are zeros on a simulated device, so nothing here depends on them.
"""

from __future__ import annotations

import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional
from truth import Truth

torch.backends.cudnn.enabled = False
WORDS, WIDTH, LAYERS, HEADS = 8000, 512, 6, 8
AFTER = 2
"""How many steps a late recording misses."""


class Block(nn.Module):
    """A transformer's."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        """Attend, then widen."""
        y = self.first(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.wide(self.second(x))


class Transformer(nn.Module):
    """A small language model."""

    def __init__(self, *, again: str = "") -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, WORDS)
        self.again = again

    def forward(self, words):
        """Give logits."""
        from torch.utils.checkpoint import checkpoint  # noqa: PLC0415 - some need it

        x = self.embed(words)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=self.again == "reentrant") if self.again else block(x)
        return self.head(x)


class Low(nn.Module):
    """LoRA around a linear layer."""

    def __init__(self, inner: nn.Linear, rank: int = 8) -> None:
        super().__init__()
        self.inner = inner.requires_grad_(False)
        self.down = nn.Linear(inner.in_features, rank, bias=False)
        self.up = nn.Linear(rank, inner.out_features, bias=False)

    def forward(self, x):
        """Add a low rank."""
        return self.inner(x) + self.up(self.down(x))


class Factored(torch.optim.Optimizer):
    """A user's own optimizer, with factored state as Adafactor has."""

    def __init__(self, parameters) -> None:
        super().__init__(parameters, {})

    @torch.no_grad()
    def step(self) -> None:
        """Keep row and column means of the squared gradient."""
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            square = parameter.grad.square()
            if parameter.dim() < 2:  # noqa: PLR2004 - a vector
                state.setdefault("second", torch.zeros_like(parameter)).lerp_(square, 0.1)
                continue
            state.setdefault("rows", torch.zeros_like(square[:, 0])).lerp_(square.mean(1), 0.1)
            state.setdefault("columns", torch.zeros_like(square[0])).lerp_(square.mean(0), 0.1)
            parameter.sub_(parameter.grad * (state["rows"][:, None] * state["columns"][None]).rsqrt() * 1e-3)


def words(count: int = 8, length: int = 256):
    """Give a batch of text."""
    return torch.zeros(count, length, dtype=torch.long).cuda()


def entropy(logits, target):
    """Give the usual loss of a language model."""
    return functional.cross_entropy(logits.view(-1, logits.shape[-1]), target.view(-1))


def loop(
    truth, model, optimizer, steps: int = 4, *, pieces: int = 1, first: bool = False, dtype=None, watch=None
) -> None:
    """Train: `pieces` micro-batches a step; `first` zeroes gradients before and not after; `dtype` is autocast's."""
    for step in range(steps):
        if watch is not None:
            watch(step)
        if first:
            optimizer.zero_grad()
        for _ in range(pieces):
            batch = words()
            truth.say("input", batch)
            with truth.saved(), torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
                loss = truth.loss(entropy, model(batch), batch)
            loss.backward()
            truth.gradients(model)
        optimizer.step()
        truth.optimizer(optimizer)
        if not first:
            optimizer.zero_grad()


def transformer(truth, make=torch.optim.AdamW, *, again: str = "", **how) -> None:
    """Train the small language model."""
    model = Transformer(again=again).cuda()
    truth.model(model)
    loop(truth, model, make(model.parameters()), **how)


def adamw(truth) -> None:
    """AdamW, as everybody does."""
    transformer(truth)


def adamw_first(truth) -> None:
    """Gradients are zeroed before the next step's backward."""
    transformer(truth, first=True)


def momentum(truth) -> None:
    """SGD with momentum."""
    transformer(truth, lambda them: torch.optim.SGD(them, lr=0.1, momentum=0.9))


def sgd(truth) -> None:
    """SGD without any state."""
    transformer(truth, lambda them: torch.optim.SGD(them, lr=0.1))


def fused(truth) -> None:
    """One kernel for all: no temporaries in the optimizer."""
    transformer(truth, lambda them: torch.optim.AdamW(them, fused=True))


def factored(truth) -> None:
    """A user's own optimizer."""
    transformer(truth, Factored)


def checkpointing(truth) -> None:
    """Activation checkpointing."""
    transformer(truth, again="plain")


def reentrant(truth) -> None:
    """Activation checkpointing, the old way."""
    transformer(truth, again="reentrant")


def autocast(truth) -> None:
    """Mixed precision."""
    transformer(truth, dtype=torch.bfloat16)


def scaled(truth) -> None:
    """Half precision with a gradient scaler and clipping."""
    model = Transformer().cuda()
    truth.model(model)
    optimizer, scaler = torch.optim.AdamW(model.parameters()), torch.amp.GradScaler()
    for _ in range(4):
        batch = words()
        truth.say("input", batch)
        with truth.saved(), torch.autocast("cuda", dtype=torch.float16):
            loss = truth.loss(entropy, model(batch), batch)
        scaler.scale(loss).backward()
        truth.gradients(model)
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        truth.optimizer(optimizer)
        optimizer.zero_grad()


def accumulated(truth) -> None:
    """Four micro-batches a step."""
    transformer(truth, pieces=4)


def late(truth) -> None:
    """The recording began after two steps: nothing knows where the weights came from."""
    transformer(truth, steps=5, watch=lambda step: truth.record() if step == AFTER else None)


def lora(truth) -> None:
    """A frozen model with adapters."""
    model = Transformer().requires_grad_(False)
    for block in model.blocks:
        block.wide[0], block.wide[2] = Low(block.wide[0]), Low(block.wide[2])
    model = model.cuda()
    truth.model(model)
    loop(truth, model, torch.optim.AdamW([each for each in model.parameters() if each.requires_grad]))


def perceptron(truth) -> None:
    """An MLP with a loss written by hand, made on the device."""
    with torch.device("cuda"):
        layers = [each for _ in range(8) for each in (nn.Linear(1024, 1024), nn.ReLU())]
        model = nn.Sequential(*layers)
    truth.model(model)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(5):
        batch = torch.zeros(4096, 1024).cuda()
        truth.say("input", batch)
        with truth.saved():
            loss = ((model(batch) - batch) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        truth.gradients(model)
        optimizer.step()
        truth.optimizer(optimizer)


def convolution(truth) -> None:
    """A convolutional network with batch norm, from a data loader."""
    layers = []
    for wide in (64, 128, 256, 256):
        layers += [nn.LazyConv2d(wide, 3, padding=1, stride=2), nn.BatchNorm2d(wide), nn.ReLU(inplace=True)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(1000))
    model(torch.zeros(2, 3, 64, 64))
    model = model.to("cuda")
    truth.model(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    pictures = torch.utils.data.TensorDataset(torch.zeros(256, 3, 64, 64), torch.zeros(256, dtype=torch.long))
    for pixels, answers in torch.utils.data.DataLoader(pictures, batch_size=64):
        pixels, answers = pixels.to("cuda"), answers.to("cuda")  # noqa: PLW2901 - as everybody writes it
        truth.say("input", pixels, answers)
        with truth.saved():
            loss = truth.loss(functional.cross_entropy, model(pixels), answers)
        loss.backward()
        truth.gradients(model)
        optimizer.step()
        truth.optimizer(optimizer)
        optimizer.zero_grad()


def llama(truth) -> None:
    """A Llama of Hugging Face's, from a configuration, in bfloat16."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415 - not everywhere

    config = LlamaConfig(
        vocab_size=8192,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
    )
    model = LlamaForCausalLM(config).to("cuda", torch.bfloat16)
    truth.model(model)
    optimizer = torch.optim.AdamW(model.parameters())
    usual = model.loss_function
    model.loss_function = lambda *, logits, labels, vocab_size, **more: truth.loss(
        lambda them, target: usual(logits=them, labels=target, vocab_size=vocab_size, **more), logits, labels
    )
    for _ in range(4):
        batch = words(8, 256)
        truth.say("input", batch)
        with truth.saved():
            found = model(input_ids=batch, labels=batch)
        found.loss.backward()
        truth.gradients(model)
        optimizer.step()
        truth.optimizer(optimizer)
        optimizer.zero_grad()


def sharded(truth) -> None:
    """FSDP2 with one rank."""
    from torch import distributed  # noqa: PLC0415 - not everywhere
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415 - not everywhere

    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(20000 + os.getpid() % 20000), RANK="0", WORLD_SIZE="1"
    )
    distributed.init_process_group("fake" if not distributed.is_nccl_available() else "nccl")
    model = Transformer().cuda()
    for block in model.blocks:
        fully_shard(block)
    fully_shard(model)
    truth.model(model)
    for part in model.modules():
        part.register_forward_pre_hook(
            lambda part, _: truth.say(
                "communication",
                *(each for each in part.parameters(recurse=False) if not hasattr(each, "_local_tensor")),
            )
        )
    loop(truth, model, torch.optim.AdamW(model.parameters()))


def compiled(truth) -> None:
    """torch.compile without a code generator: aot_eager."""
    model = Transformer().cuda()
    truth.model(model)
    loop(truth, torch.compile(model, backend="aot_eager"), torch.optim.AdamW(model.parameters()))


def leaking(truth) -> None:
    """What each step said is kept for later, on the device: `outputs.append(logits)`."""
    model = Transformer().cuda()
    truth.model(model)
    optimizer, losses = torch.optim.AdamW(model.parameters()), []
    for _ in range(6):
        batch = words(2, 64)
        truth.say("input", batch)
        with truth.saved():
            logits = model(batch)
            loss = truth.loss(entropy, logits, batch)
        losses.append(logits.detach())
        loss.backward()
        truth.gradients(model)
        optimizer.step()
        truth.optimizer(optimizer)
        optimizer.zero_grad()
    truth.kept.append(losses)


def ragged(truth) -> None:
    """Sequences of all lengths, and a cache that fills up and stays."""
    model = Transformer().cuda()
    truth.model(model)
    optimizer, cache = torch.optim.AdamW(model.parameters()), {}
    for length in (64, 100, 128, 160, 192, 200, 230, 256, 128, 64):
        batch = words(4, length)
        cache.setdefault(min(length, 160), torch.zeros(length, 4096, device="cuda"))
        truth.say("input", batch)
        with truth.saved():
            logits = model(batch)
            loss = truth.loss(entropy, logits, batch)
        loss.backward()
        truth.gradients(model)
        optimizer.step()
        truth.optimizer(optimizer)
        optimizer.zero_grad()
    truth.kept.append(cache)


def validated(truth) -> None:
    """Every step is followed by a validation without gradients."""
    model = Transformer().cuda()
    truth.model(model)
    optimizer = torch.optim.AdamW(model.parameters())

    @torch.no_grad()
    def validate() -> None:
        batch = words(16, 256)
        truth.say("input", batch)
        functional.cross_entropy(model(batch).view(-1, WORDS), batch.view(-1))

    for _ in range(4):
        loop(truth, model, optimizer, 1)
        validate()


def adversarial(truth) -> None:
    """Two networks with an optimizer each."""
    make = nn.Sequential(nn.Linear(256, 2048), nn.ReLU(), nn.Linear(2048, 1024)).cuda()
    tell = nn.Sequential(nn.Linear(1024, 2048), nn.ReLU(), nn.Linear(2048, 1)).cuda()
    truth.model(make)
    truth.model(tell)
    makes, tells = torch.optim.Adam(make.parameters()), torch.optim.Adam(tell.parameters())
    for _ in range(4):
        real, noise = torch.zeros(4096, 1024, device="cuda"), torch.zeros(4096, 256, device="cuda")
        truth.say("input", real, noise)
        with truth.saved():
            fake = make(noise)
            loss = tell(fake.detach()).mean() - tell(real).mean()
        loss.backward()
        truth.gradients(tell)
        tells.step()
        tells.zero_grad()
        with truth.saved():
            loss = tell(fake).mean()
        loss.backward()
        truth.gradients(make)
        makes.step()
        truth.optimizer(makes)
        truth.optimizer(tells)
        makes.zero_grad()
        tells.zero_grad()


class Plain:
    """A model that is no module: functions over a dictionary."""

    def __init__(self) -> None:
        self.weights = {
            f"{layer}.{part}": torch.zeros(WIDTH, WIDTH, device="cuda", requires_grad=True)
            for layer in range(LAYERS)
            for part in "ab"
        }

    def run(self, x):
        """Give what comes out."""
        for layer in range(LAYERS):
            x = x + torch.tanh(x @ self.weights[f"{layer}.a"]) @ self.weights[f"{layer}.b"]
        return x


def functions(truth) -> None:
    """No module anywhere, and an optimizer written by hand."""
    plain = Plain()
    for _ in range(4):
        truth.say("parameters", *plain.weights.values())
        batch = torch.zeros(2048, WIDTH).to("cuda")
        truth.say("input", batch)
        with truth.saved():
            loss = plain.run(batch).square().mean()
        loss.backward()
        truth.say("gradients", *(each.grad for each in plain.weights.values()))
        with torch.no_grad():
            for each in plain.weights.values():
                each -= 0.1 * each.grad  # noqa: PLW2901 - in place
                each.grad = None
    truth.kept.append(plain)


def failing(truth) -> None:
    """Out of memory in the first step's backward."""
    torch.cuda.set_per_process_memory_fraction(0.05)
    transformer(truth)


def failing_later(truth) -> None:
    """Out of memory in the third step's forward pass, whose batch is larger."""
    torch.cuda.set_per_process_memory_fraction(0.08)
    model = Transformer().cuda()
    truth.model(model)
    optimizer = torch.optim.AdamW(model.parameters())
    loop(truth, model, optimizer, 2)
    batch = words(32, 256)
    with truth.saved():
        truth.loss(entropy, model(batch), batch)


def failing_optimizer(truth) -> None:
    """Out of memory where the optimizer makes its state."""
    torch.cuda.set_per_process_memory_fraction(0.025)
    model = nn.Sequential(*(nn.Linear(2048, 2048) for _ in range(8))).cuda()
    truth.model(model)
    optimizer = torch.optim.AdamW(model.parameters())
    with truth.saved():
        loss = model(torch.zeros(16, 2048, device="cuda")).mean()
    loss.backward()
    truth.gradients(model)
    try:
        optimizer.step()
    finally:
        truth.optimizer(optimizer)


def mixed(truth) -> None:
    """The recording has C++ frames before the Python ones."""
    truth.record(stacks="all")
    transformer(truth)


TRAININGS = {
    made.__name__: made
    for made in (
        perceptron,
        convolution,
        adamw,
        adamw_first,
        momentum,
        sgd,
        fused,
        factored,
        checkpointing,
        reentrant,
        autocast,
        scaled,
        accumulated,
        lora,
        llama,
        sharded,
        compiled,
        leaking,
        ragged,
        validated,
        adversarial,
        functions,
        failing,
        failing_later,
        failing_optimizer,
        late,
        mixed,
    )
}

if __name__ == "__main__":
    truth_of_it = Truth()
    if sys.argv[1] not in {"late", "mixed"}:
        truth_of_it.record()
    try:
        TRAININGS[sys.argv[1]](truth_of_it)
    except torch.OutOfMemoryError as error:
        print(error, file=sys.stderr)
        truth_of_it.kept.append(error)  # with its frames, and what they hold
    truth_of_it.write(sys.argv[2])
    time.sleep(0.3)  # autograd's threads may abort a process that ends at once
    os._exit(0)
