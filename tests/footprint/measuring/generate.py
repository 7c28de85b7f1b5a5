"""One generation of one case: a prompt through the model, then one token after the other, as `generate` does.

`generate` itself ends when a token says so, which depends on results; this loop makes as many tokens as it is told.
"""

from __future__ import annotations

import torch
import transformers
from ranks import held
from routing import route_evenly
from train import DTYPES, config_of, counters, current


def kept_by(cache):
    """Give the bytes of all that a cache of transformers holds."""
    return held(each for layer in cache.layers for each in (layer.keys, layer.values))


def measure_generation(case):
    """Run a case, and give its figures in bytes."""
    torch.cuda.init()
    config = getattr(transformers, case.config)(**case.model, attn_implementation=case.attention)
    with torch.device("cuda"), torch.inference_mode(mode=False):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=DTYPES[case.weights]).eval()
    route_evenly(model, case.config)
    figures = {"built": current()}
    with torch.inference_mode():
        cache = transformers.DynamicCache(config=config)
        tokens = torch.zeros((case.batch, case.prompt), dtype=torch.int64, device="cuda")
        torch.cuda.reset_peak_memory_stats()
        model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        figures["prefill"] = counters() | {"kv_cache": kept_by(cache)}
        torch.cuda.reset_peak_memory_stats()
        token = torch.zeros((case.batch, 1), dtype=torch.int64, device="cuda")
        for _ in range(case.new):
            logits = model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
            token = logits[:, -1].float().argmax(-1, keepdim=True)
        figures["decode"] = counters() | {"kv_cache": kept_by(cache)}
    figures["static"] = {
        "weights": held(model.parameters()),
        "buffers": held(model.buffers()),
        "parameters": sum(each.numel() for each in model.parameters()),
    }
    figures["config"] = config_of(model)
    return figures
