"""The words of `dstop plan`; what it does is in `dstop.cli.plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from dstop.settings.values import COLORS, THEMES

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., Any])

_SPEC = (
    click.option("--training", is_flag=True, help="Plan training."),
    click.option("--inference", is_flag=True, help="Plan inference (the default)."),
    click.option("--phase", metavar="PHASE", help="training or inference."),
    click.option("--weights", metavar="FORMAT", help="bf16, fp32, fp8, int8, int4, q4_k_m, ..."),
    click.option("--kv-cache", metavar="FORMAT", help="Format of cached keys and values."),
    click.option("-b", "--batch", type=int, metavar="N", help="Sequences per replica (micro-batch)."),
    click.option(
        "-s", "--sequence", "--context", "sequence", type=int, metavar="N", help="Tokens of a sequence."
    ),
    click.option("--optimizer", metavar="NAME", help="adamw, adamw8bit, adafactor, sgd, muon, ..."),
    click.option("--master-weights", is_flag=True, help="Keep an fp32 copy of the weights."),
    click.option("--checkpointing", metavar="HOW", help="none, selective, full or offload."),
    click.option("--attention", metavar="KERNEL", help="sdpa, flash or eager."),
    click.option("--lora", type=int, metavar="RANK", help="Train adapters of this rank."),
    click.option("--framework", metavar="NAME", help="pytorch, hf, megatron, deepspeed, vllm, sglang, ..."),
)
_LAYOUT = (
    click.option("--tp", type=int, metavar="N", help="Tensor parallelism."),
    click.option("--pp", type=int, metavar="N", help="Pipeline stages."),
    click.option("--dp", type=int, metavar="N", help="Data parallelism."),
    click.option("--ep", type=int, metavar="N", help="Expert parallelism."),
    click.option("--cp", type=int, metavar="N", help="Context parallelism."),
    click.option("--zero", type=int, metavar="0..3", help="ZeRO stage; 3 is FSDP."),
    click.option("--sequence-parallel", is_flag=True, help="Divide what tensor parallelism leaves whole."),
    click.option(
        "--gpus", type=int, metavar="N", help="GPUs in all: data parallelism, or tensor parallelism to serve."
    ),
)
_ANSWER = (
    click.option("-g", "--gpu", multiple=True, metavar="NAME", help="Judge against this card; repeat it."),
    click.option("--search", is_flag=True, help="Find the cheapest layout that fits."),
    click.option("--price", multiple=True, metavar="GPU=USD", help="Your price of one card an hour."),
    click.option("--hours", type=float, metavar="H", help="What a run of so many hours costs."),
    click.option("--tokens", metavar="N", help="What so many tokens cost, such as 20B."),
    click.option("--mfu", type=float, metavar="SHARE", help="Share of peak FLOPS taken for granted (0.4)."),
    click.option("--compare", is_flag=True, help="Two models or specs side by side."),
    click.option("--list", "catalog", is_flag=True, help="List models, tiers and GPUs known by name."),
    click.option("-a", "--all", "every", is_flag=True, help="All assumptions, every card."),
    click.option("-1", "--once", is_flag=True, help="Print it as text and stop."),
    click.option("--json", is_flag=True, help="Print it as JSON."),
    click.option("--ascii", is_flag=True, help="Draw with ASCII alone."),
    click.option("--color", type=click.Choice(COLORS), help="When to use colour."),
    click.option("--theme", type=click.Choice(THEMES), help="Colours of the screen."),
    click.option("--config", metavar="FILE", help="Read this configuration file."),
)


def _options(command: F) -> F:
    for option in reversed((*_SPEC, *_LAYOUT, *_ANSWER)):
        command = option(command)
    return command


@click.command(short_help="What a model should need, and on which GPUs it fits.")
@click.argument("models", metavar="[MODEL|CONFIG.json|SPEC.json|-]...", nargs=-1)
@_options
@click.pass_context
def plan(context: click.Context, /, models: tuple[str, ...], **options: object) -> None:
    """Say what a model should need, part by part, on which GPUs it fits, and what that costs.

    \b
    dstop plan llama-3-8b --training --zero 3 --dp 8
    dstop plan deepseek-v3 --framework vllm --gpu H200 --gpus 8
    dstop plan ./config.json --context 32768 --search
    dstop plan SPEC.json --json
    dstop plan --compare qwen3-8b llama-3-8b

    Totals are a band with its assumptions, never a promise. No driver is asked and nothing is loaded.
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.plan import plan_verb  # noqa: PLC0415 - a verb loads what it needs

    plan_verb(models, options, context)
