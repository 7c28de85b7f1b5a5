"""How a fix is written: for the framework that ran where the table knows it, else as plain PyTorch or shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_HF = ("transformers", "trl", "axolotl", "llama-factory", "accelerate", "deepspeed")

COMMANDS: dict[str, dict[str, str]] = {
    "expandable_segments": {"": "export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"},
    "max_split_size": {"": "export PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:256"},
    "disable_expandable_segments": {"": "unset PYTORCH_CUDA_ALLOC_CONF PYTORCH_ALLOC_CONF"},
    "grad_checkpointing": {
        "": "torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)",
        "transformers": "--gradient_checkpointing true",
        "trl": "gradient_checkpointing=True",
        "axolotl": "gradient_checkpointing: true",
        "llama-factory": "gradient_checkpointing: true",
        "deepspeed": "model.gradient_checkpointing_enable()",
        "accelerate": "model.gradient_checkpointing_enable()",
        "diffusers": "--gradient_checkpointing",
        "megatron": "--recompute-granularity full --recompute-method uniform --recompute-num-layers 1",
    },
    "mixed_precision": {
        "": "with torch.autocast('cuda', dtype=torch.bfloat16):",
        "transformers": "--bf16 true",
        "lightning": "Trainer(precision='bf16-mixed')",
        "accelerate": "accelerate launch --mixed_precision bf16",
        "diffusers": "--mixed_precision bf16",
    },
    "flash_attention": {
        "": "torch.nn.functional.scaled_dot_product_attention(q, k, v)",
        "transformers": "attn_implementation='sdpa'",
    },
    "no_grad_eval": {"": "with torch.inference_mode():"},
    "eval_accumulation_steps": {"": "--eval_accumulation_steps 8"},
    "prediction_loss_only": {"": "--prediction_loss_only true"},
    "map_location_cpu": {"": "torch.load(path, map_location='cpu')"},
    "offload_state_dict_cpu": {
        "": "model.cpu().state_dict()  # FSDP: FullStateDictConfig(offload_to_cpu=True, rank0_only=True)"
    },
    "sharded_state_dict": {
        "": "StateDictType.SHARDED_STATE_DICT",
        "accelerate": "fsdp_state_dict_type: SHARDED_STATE_DICT",
    },
    "fix_leak_detach": {"": "total_loss += loss.item()"},
    "empty_cache": {"": "gc.collect(); torch.cuda.empty_cache()"},
    "cuda_launch_blocking": {"": "CUDA_LAUNCH_BLOCKING=1 python …"},
    "nccl_debug": {
        "": "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,COLL,P2P,NET TORCH_NCCL_TRACE_BUFFER_SIZE=20000 TORCH_NCCL_DUMP_ON_TIMEOUT=1"
    },
    "nccl_timeout_raise": {"": "torch.distributed.init_process_group('nccl', timeout=timedelta(hours=2))"},
    "kill_other_process": {"": "nvidia-smi --query-compute-apps=pid,used_memory,name --format=csv; kill PID"},
    "fix_cuda_visible_devices": {"": "export CUDA_VISIBLE_DEVICES=$(dstop pick -n 1)"},
    "lower_gpu_memory_utilization": {
        "": "--gpu-memory-utilization 0.85",
        "tgi": "--cuda-memory-fraction 0.85",
    },
    "raise_gpu_memory_utilization": {"": "--gpu-memory-utilization 0.95"},
    "reduce_max_num_seqs": {
        "": "--max-num-seqs 64",
        "sglang": "--max-running-requests 32",
        "tgi": "--max-concurrent-requests 64",
        "lmdeploy": "--max-batch-size 32",
        "tensorrt-llm": "--max_batch_size 32",
        "llama.cpp": "-np 1",
        "ollama": "OLLAMA_NUM_PARALLEL=1",
    },
    "reduce_max_model_len": {
        "": "--max-model-len 8192",
        "sglang": "--context-length 8192",
        "exllama": "max_seq_len: 8192  # --ctx-size 8192 in text-generation-webui",
        "llama.cpp": "-c 8192",
        "ollama": "PARAMETER num_ctx 4096",
        "tgi": "--max-total-tokens 8192",
        "lmdeploy": "--session-len 8192",
        "tensorrt-llm": "--max_seq_len 8192",
    },
    "enforce_eager": {"": "--enforce-eager"},
    "kv_cache_fp8": {
        "": "--kv-cache-dtype fp8",
        "sglang": "--kv-cache-dtype fp8_e5m2",
        "tgi": "--kv-cache-dtype fp8_e4m3fn",
        "lmdeploy": "--quant-policy 8",
        "tensorrt-llm": "kv_cache_config: {dtype: fp8}",
        "exllama": "cache_mode Q8  # --cache_type q8 in text-generation-webui",
    },
    "kv_cache_quant": {
        "": "-fa -ctk q8_0 -ctv q8_0",
        "ollama": "OLLAMA_FLASH_ATTENTION=1 OLLAMA_KV_CACHE_TYPE=q8_0",
    },
    "enable_chunked_prefill": {"": "--enable-chunked-prefill"},
    "reduce_max_batch_tokens": {
        "": "--max-num-batched-tokens 2048",
        "tgi": "--max-batch-prefill-tokens 2048",
        "sglang": "--chunked-prefill-size 2048",
        "lmdeploy": "--max-prefill-token-num 2048",
        "tensorrt-llm": "--max_num_tokens 2048",
    },
    "raise_mem_fraction_static": {"": "--mem-fraction-static 0.92"},
    "lower_mem_fraction_static": {"": "--mem-fraction-static 0.75"},
    "reduce_chunked_prefill": {"": "--chunked-prefill-size 2048"},
    "reduce_cuda_graph_bs": {
        "": "--cuda-graph-max-bs 16",
        "vllm": "--compilation-config '{\"cudagraph_capture_sizes\": [1, 2, 4, 8]}'",
    },
    "disable_cuda_graph": {"": "--disable-cuda-graph", "vllm": "--enforce-eager", "tgi": "--cuda-graphs 0"},
    "disable_torch_compile": {"": "TORCHDYNAMO_DISABLE=1"},
    "lower_kv_cache_fraction": {
        "": "--kv_cache_free_gpu_memory_fraction 0.7",
        "lmdeploy": "--cache-max-entry-count 0.4",
    },
    "shard_more_gpus": {
        "": "torchrun --nproc-per-node 8 …",
        "vllm": "--tensor-parallel-size 8",
        "sglang": "--tp 8",
        "tgi": "--num-shard 8",
        "lmdeploy": "--tp 8",
        "tensorrt-llm": "--tp_size 8",
        "exllama": "gpu_split: 20,24",
        "llama.cpp": "-sm layer -ts 1,1",
    },
    "disable_pipeline_parallel": {"": "cmake -DGGML_SCHED_MAX_COPIES=1"},
    "reduce_ubatch": {"": "-b 512 -ub 128", "ollama": "PARAMETER num_batch 128"},
    "reduce_gpu_layers": {"": "-ngl 20", "ollama": "PARAMETER num_gpu 20"},
    "set_gpu_overhead": {"": "OLLAMA_GPU_OVERHEAD=1073741824"},
    "quantize": {
        "": "BitsAndBytesConfig(load_in_4bit=True)",
        "vllm": "--quantization fp8",
        "sglang": "--quantization fp8",
        "tensorrt-llm": "quantize.py --qformat fp8",
        "lmdeploy": "lmdeploy lite auto_awq MODEL",
        "tgi": "--quantize bitsandbytes-nf4",
    },
    "lowvram_mode": {
        "": "pipe.enable_model_cpu_offload()",
        "comfyui": "python main.py --lowvram",
        "stable-diffusion": "--medvram",
    },
    "vae_tiling": {"": "pipe.enable_vae_tiling()", "comfyui": "use the node VAE Decode (Tiled)"},
    "cpu_vae": {"": "--cpu-vae"},
    "attention_slicing": {"": "pipe.enable_attention_slicing()"},
    "cpu_offload_layers": {"": "device_map='auto', max_memory={0: '20GiB', 'cpu': '60GiB'}"},
    "zero3_offload": {"": '"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}'},
    "nvme_offload": {"": '"offload_optimizer": {"device": "nvme", "nvme_path": "/local_nvme"}'},
    "disable_param_offload": {"": '"offload_param": {"device": "none"}'},
    "lora": {
        "": "get_peft_model(model, LoraConfig(r=16))",
        "llama-factory": "finetuning_type: lora",
        "axolotl": "adapter: lora",
    },
    "increase_shm": {
        "": "docker run --shm-size=16g …  # Kubernetes: emptyDir with medium: Memory at /dev/shm"
    },
    "ipc_host": {"": "docker run --ipc=host …"},
    "num_workers_zero": {"": "DataLoader(num_workers=0)"},
    "reduce_num_workers": {"": "DataLoader(num_workers=2)"},
    "sharing_strategy_file_system": {"": "torch.multiprocessing.set_sharing_strategy('file_system')"},
    "raise_ulimit_nofile": {"": "ulimit -n 65536"},
    "raise_max_map_count": {"": "sysctl -w vm.max_map_count=1048576"},
    "raise_slurm_mem": {"": "#SBATCH --mem=0  # all of the node's; or --mem=128G"},
    "reduce_tasks_per_node": {"": "#SBATCH --ntasks-per-node=1"},
    "raise_memory_limit": {"": "docker run --memory=64g …  # Kubernetes: resources.limits.memory"},
    "reduce_build_jobs": {"": "MAX_JOBS=2 pip install --no-build-isolation …"},
    "increase_pagefile": {
        "": "SystemPropertiesAdvanced → Performance → Advanced → Virtual memory: 64 GB or more"
    },
    "add_swap": {
        "": "fallocate -l 32G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile"
    },
    "one_gpu_per_rank": {"": "CUDA_VISIBLE_DEVICES=$LOCAL_RANK"},
    "change_port": {"": "--master_port 29511"},
    "reduce_trt_workspace": {"": "config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 30)"},
    "disable_cudnn_benchmark": {"": "torch.backends.cudnn.benchmark = False"},
    "raise_cpu_kvcache_space": {"": "VLLM_CPU_KVCACHE_SPACE=40"},
    "reduce_host_cache_size": {"": "--hicache-ratio 1.2"},
    "restart_node": {
        "": "sudo reboot  # or reload the driver: sudo rmmod nvidia_uvm nvidia; sudo modprobe nvidia"
    },
    "check_hardware": {"": "nvidia-smi -q -d ECC,ROW_REMAPPER; dcgmi diag -r 3"},
    "reinstall_extension": {"": "TORCH_CUDA_ARCH_LIST=… pip install --no-cache-dir --force-reinstall …"},
    "match_cuda_arch": {
        "": "TORCH_CUDA_ARCH_LIST=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | sort -u | paste -sd';')"
    },
    "free_outside_except": {
        "": "retry after the except block, not in it: the exception keeps the frames and their tensors"
    },
    "limit_output_tokens": {"": "--max-new-tokens 512"},
    "fused_optimizer": {
        "": "torch.optim.AdamW(model.parameters(), fused=True)",
        "transformers": "--optim adamw_torch_fused",
    },
    "optimizer_8bit": {
        "": "bitsandbytes.optim.AdamW8bit(model.parameters())",
        "transformers": "--optim adamw_bnb_8bit",
    },
    "zero_grad_set_to_none": {"": "optimizer.zero_grad(set_to_none=True)"},
    "lower_roundup_divisions": {"": "export PYTORCH_CUDA_ALLOC_CONF=roundup_power2_divisions:8"},
    "limit_all_gathers": {"": "FSDP(model, limit_all_gathers=True)  # and TORCH_NCCL_AVOID_RECORD_STREAMS=1"},
    "smaller_workspaces": {
        "": "export CUBLAS_WORKSPACE_CONFIG=:16:8  # or torch._C._cuda_clearCublasWorkspaces() before the peak"
    },
    "wrap_per_layer": {"": "for block in model.layers: fully_shard(block)"},
    "raise_ulimit_virtual": {"": "ulimit -v unlimited"},
    "break_cycles": {
        "": "gc.collect()  # every few hundred steps; find them: torch.utils.viz._cycles.warn_tensor_cycles()"
    },
    "chunked_logprobs": {"": "compute the loss over slices of the tokens (or a fused linear cross entropy)"},
}
"""Fix -> framework -> line; the line under "" is for all others."""


def command_for(case: Case, name: str) -> str | None:
    """Give the line to paste; None where a fix has none."""
    if name in {"reduce_batch", "grad_accumulation"}:
        return _batch_line(case)
    lines = COMMANDS.get(name)
    if lines is None:
        return None
    framework = case.framework
    return lines.get(framework) or (lines.get("transformers") if framework in _HF else None) or lines.get("")


def _batch_line(case: Case) -> str:
    """Halve the batch and double the accumulation: the global batch stays what it was."""
    batch, accumulation = case.number("batch"), case.number("accumulation") or 1
    smaller = max(1, batch // 2) if batch else None
    steps = accumulation * (batch // smaller) if batch and smaller else accumulation * 2
    size = str(smaller) if smaller else "half of what it is"
    if case.framework == "deepspeed" and case.says(r"train_micro_batch_size_per_gpu"):
        return f'"train_micro_batch_size_per_gpu": {size}, "gradient_accumulation_steps": {steps}'
    if case.framework in _HF:
        return f"--per_device_train_batch_size {size} --gradient_accumulation_steps {steps}"
    if case.framework == "lightning":
        return f"DataLoader(batch_size={size}); Trainer(accumulate_grad_batches={steps})"
    if case.framework == "megatron":
        return f"--micro-batch-size {size}  # --global-batch-size stays: it accumulates {steps} steps"
    return f"batch_size={size}, and step the optimizer every {steps} batches"
