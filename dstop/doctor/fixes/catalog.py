"""Every fix: what it is called, and what it takes from the user. Ids are those of the taxonomy of fixes."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A fix without its figures."""

    title: str
    effort: int
    """0: an environment variable; 1: an option; 2: configuration or a command; 3: code; 4: a rebuild; 5: hardware."""
    cost: str


CATALOG: dict[str, Entry] = {
    "add_swap": Entry("Add swap space", 2, "swapping is slow"),
    "allocate_largest_first": Entry(
        "Run or allocate the largest shape first so blocks can be reused", 2, "a warm-up step"
    ),
    "attention_slicing": Entry("Slice attention (diffusion)", 1, "slower attention"),
    "bigger_gpu": Entry("Use a card with more memory", 5, "another card"),
    "bigger_mig_slice": Entry(
        "Use a larger MIG slice or the whole card", 4, "an administrator, and room on the card"
    ),
    "break_cycles": Entry("Break reference cycles, or collect them", 3, "a line of code"),
    "bucket_sequence_lengths": Entry(
        "Bucket or pad to few distinct lengths", 3, "a change of the data loader"
    ),
    "change_config": Entry("Change the configuration value that the error names", 2, ""),
    "change_port": Entry("Use another port", 1, ""),
    "check_hardware": Entry("Check, reseat or replace hardware; run diagnostics", 5, "downtime of the node"),
    "check_labels_indices": Entry("Check labels, token ids and number of classes", 3, ""),
    "chunked_logprobs": Entry("Compute logits or log-probabilities in chunks", 3, "a little speed"),
    "cpu_offload_layers": Entry("Keep some layers or modules on the CPU", 2, "much slower layers on the CPU"),
    "cpu_vae": Entry("Run the VAE on the CPU", 1, "slow decoding"),
    "cuda_launch_blocking": Entry(
        "Rerun with CUDA_LAUNCH_BLOCKING=1 to find the true frame", 1, "a slow run, for the diagnosis alone"
    ),
    "disable_cuda_graph": Entry("Turn CUDA graphs off", 1, "slower decoding"),
    "disable_cudnn_benchmark": Entry("Turn cuDNN autotuning off", 1, "a few percent of speed"),
    "disable_expandable_segments": Entry("Turn expandable segments off", 0, ""),
    "disable_metric": Entry("Turn the leaking metric off", 2, "that metric"),
    "disable_nvml_check": Entry("Avoid the NVML query inside the slice", 3, ""),
    "disable_offload": Entry("Stop offloading to host memory", 1, "more GPU memory"),
    "disable_param_offload": Entry("Stop offloading parameters", 1, "more GPU memory"),
    "disable_pipeline_parallel": Entry(
        "Turn llama.cpp pipeline copies off", 1, "a little speed with several requests"
    ),
    "disable_prefix_caching": Entry("Turn prefix caching off", 1, "repeated prefixes are computed again"),
    "disable_sample_packing": Entry("Turn sample packing off", 1, "padding"),
    "disable_torch_compile": Entry("Turn torch.compile off", 1, "compiled speed"),
    "empty_cache": Entry("Release caches between iterations (gc, empty_cache)", 2, "a pause each time"),
    "enable_chunked_prefill": Entry("Chunk the prefill", 1, "a little latency"),
    "enforce_eager": Entry("No CUDA graphs", 1, "slower decoding"),
    "eval_accumulation_steps": Entry("Move eval outputs to the CPU every few steps", 1, "copies to the CPU"),
    "expandable_segments": Entry(
        "Expandable segments",
        0,
        "none; not for memory shared with other processes",
    ),
    "fix_cuda_visible_devices": Entry("Set CUDA_VISIBLE_DEVICES correctly and early", 0, ""),
    "fix_device_placement": Entry("Place components on free devices", 2, ""),
    "fix_leak_detach": Entry("Detach, .item() or delete what keeps the graph alive", 3, "a line of code"),
    "fix_tensor_size": Entry("Correct the wrong shape or dtype", 3, "a line of code"),
    "flash_attention": Entry("Use a memory-efficient attention kernel", 2, "none"),
    "free_checkpoint_after_load": Entry("Drop the loaded checkpoint object", 3, "a line of code"),
    "free_outside_except": Entry("Recover outside the except clause", 3, "a line of code"),
    "fused_optimizer": Entry(
        "A fused or for-loop optimizer instead of foreach temporaries", 1, "a little speed"
    ),
    "grad_accumulation": Entry(
        "Smaller micro-batch with accumulation", 1, "as many more steps; the same global batch"
    ),
    "grad_checkpointing": Entry("Activation checkpointing", 1, "about a third more compute in the step"),
    "ignore_warning": Entry("Nothing to do", 0, ""),
    "increase_context": Entry("A larger context size", 1, "more KV cache"),
    "increase_host_ram": Entry("More host memory", 5, "another machine, or a larger limit"),
    "increase_pagefile": Entry("Larger Windows page file", 2, "disk space, a restart of Windows"),
    "increase_shm": Entry("A larger /dev/shm", 1, "a restart of the container"),
    "ipc_host": Entry("Share /dev/shm with the host", 1, "a restart of the container"),
    "kill_other_process": Entry("End or move the other process", 1, "what that process was doing"),
    "kv_cache_fp8": Entry("Fp8 KV cache", 1, "a little accuracy"),
    "kv_cache_quant": Entry("Quantized KV cache (llama.cpp/Ollama)", 1, "a little accuracy"),
    "limit_all_gathers": Entry("Fewer all-gathers in flight", 2, "a little overlap"),
    "limit_output_tokens": Entry("Cap generated tokens", 1, "shorter answers"),
    "load_optimizer_on_cpu": Entry("Load optimizer state on the CPU", 2, "a slower resume"),
    "local_ddp_buffers": Entry("DDP implementation without the flat buffer", 2, "a little speed"),
    "lora": Entry("Train adapters instead of all weights", 4, "adapters instead of a full fine-tune"),
    "lower_gpu_memory_utilization": Entry("Lower gpu_memory_utilization", 1, "a smaller KV cache"),
    "lower_kv_cache_fraction": Entry("A smaller share for the KV cache", 1, "a smaller KV cache"),
    "lower_mem_fraction_static": Entry("Lower --mem-fraction-static", 1, "a smaller KV cache"),
    "lower_roundup_divisions": Entry("Less rounding up of requests", 0, "more distinct block sizes"),
    "lowvram_mode": Entry("The application's low-VRAM mode", 1, "slower"),
    "map_location_cpu": Entry("Load onto the CPU first", 3, "a slower load"),
    "match_cuda_arch": Entry("Build for the compute capability of this card", 4, "a build"),
    "match_tokenizer_model": Entry("Use the tokenizer that belongs to the model", 2, ""),
    "max_split_size": Entry("No splitting of large blocks (max_split_size_mb)", 0, "a little speed"),
    "mixed_precision": Entry("16-bit training or inference", 1, "check the loss"),
    "nccl_debug": Entry("Have NCCL say what it does", 0, "a long log, for the diagnosis alone"),
    "nccl_timeout_raise": Entry(
        "Raise the process-group timeout", 1, "a longer wait before a real hang is seen"
    ),
    "newer_gpu": Entry("A card of a newer generation", 5, "another card"),
    "no_grad_eval": Entry("No gradients in evaluation and inference", 3, "a line of code"),
    "num_workers_zero": Entry("Load data in the main process", 1, "slower data loading"),
    "nvme_offload": Entry("Offload to NVMe", 3, "slower steps"),
    "offload_state_dict_cpu": Entry("Gather the state dict on the CPU, rank 0 only", 2, "a slower save"),
    "one_gpu_per_rank": Entry("Expose one GPU per rank", 1, ""),
    "optimizer_8bit": Entry("Optimizer states in 8 bits", 2, "a little accuracy of the states"),
    "pin_version": Entry("Pin the last good version", 3, ""),
    "prediction_loss_only": Entry("Keep only the loss of predictions", 1, "no metrics of predictions"),
    "preprocess_logits_for_metrics": Entry("Reduce logits before they are stored", 3, "a few lines of code"),
    "pretokenize_dataset": Entry("Tokenize beforehand", 3, "a pass over the data"),
    "quantize": Entry("Quantize the weights", 3, "a little accuracy"),
    "raise_cpu_kvcache_space": Entry("More host memory for the KV cache", 1, "host memory"),
    "raise_gpu_memory_utilization": Entry(
        "Raise gpu_memory_utilization", 1, "less room for anything else on the card"
    ),
    "raise_igpu_uma": Entry("Larger carve-out for the integrated GPU", 4, "host memory"),
    "raise_max_map_count": Entry("Raise vm.max_map_count", 1, "root"),
    "raise_mem_fraction_static": Entry("Raise --mem-fraction-static", 1, "less room for activations"),
    "raise_memory_limit": Entry("Raise the limit", 1, "host memory"),
    "raise_slurm_mem": Entry("Ask Slurm for more memory", 1, "a longer wait in the queue"),
    "raise_ulimit_nofile": Entry("A higher limit of open files", 1, ""),
    "raise_ulimit_virtual": Entry("Raise the limit of virtual memory", 1, ""),
    "reduce_batch": Entry("Smaller batch", 1, "smaller steps; accumulate to keep the global batch"),
    "reduce_build_jobs": Entry("Fewer parallel build jobs", 0, "a longer build"),
    "reduce_chunked_prefill": Entry("Smaller chunked-prefill size", 1, "a little throughput"),
    "reduce_cuda_graph_bs": Entry("Capture fewer or smaller graphs", 1, "large batches run without a graph"),
    "reduce_dataset_in_ram": Entry("Do not hold the whole data set in memory", 3, "slower data loading"),
    "reduce_eval_batch": Entry("Smaller eval batch", 1, "a slower evaluation"),
    "reduce_eval_set": Entry("Smaller evaluation set", 1, "a coarser metric"),
    "reduce_gpu_layers": Entry("Offload fewer layers", 1, "slower: layers on the CPU"),
    "reduce_host_cache_size": Entry("Smaller host cache pool", 1, "fewer cached prefixes"),
    "reduce_max_batch_tokens": Entry("Fewer batched tokens", 1, "a little throughput"),
    "reduce_max_model_len": Entry("Shorter maximum context", 1, "a shorter context"),
    "reduce_max_num_seqs": Entry("Fewer concurrent sequences", 1, "fewer requests at once"),
    "reduce_num_workers": Entry("Fewer data-loader workers", 1, "slower data loading"),
    "reduce_parallelism": Entry("Fewer parallel requests or jobs", 1, "fewer jobs at once"),
    "reduce_resolution": Entry("Lower resolution or fewer frames", 1, "smaller pictures or fewer frames"),
    "reduce_seq_len": Entry("Shorter training sequences", 1, "longer samples are cut"),
    "reduce_tasks_per_node": Entry("Fewer tasks per node", 1, "fewer tasks a node"),
    "reduce_trt_workspace": Entry("Limit the TensorRT workspace", 1, "perhaps slower tactics"),
    "reduce_ubatch": Entry("Smaller (u)batch in llama.cpp", 1, "slower prompt processing"),
    "reinstall_driver": Entry("Reinstall the driver", 4, "root, a reboot"),
    "reinstall_extension": Entry("Rebuild the CUDA extension", 4, "a build"),
    "restart_node": Entry("Reboot or reset the node", 3, "everything that runs there"),
    "set_gpu_overhead": Entry("Leave headroom on the card", 1, "fewer layers on the GPU"),
    "shard_more_gpus": Entry("Shard over more GPUs or nodes", 5, "more cards"),
    "sharded_state_dict": Entry("Save a sharded state dict", 2, "a checkpoint in parts"),
    "sharing_strategy_file_system": Entry(
        "Share tensors through files",
        2,
        "files in /dev/shm that a crash leaves behind",
    ),
    "skip_optimizer_load": Entry("Resume without the optimizer state", 2, "the optimizer warms up again"),
    "upgrade_driver": Entry("Newer driver", 4, "root, a reboot"),
    "upgrade_version": Entry("Version that carries the fix", 3, "a new version"),
    "use_prequantized_checkpoint": Entry("Load an already quantized checkpoint", 3, "a little accuracy"),
    "use_smaller_model": Entry("A smaller model, or a smaller quantization", 4, "quality"),
    "smaller_workspaces": Entry("Give cuBLAS smaller workspaces, or clear them", 0, "a little speed"),
    "vae_tiling": Entry("Tiled VAE", 1, "slower decoding, seldom a seam"),
    "wrap_per_layer": Entry("Shard layer by layer instead of the whole model", 3, "a few lines of code"),
    "zero3_offload": Entry("ZeRO-3 / CPU offload", 3, "slower steps"),
    "zero_grad_set_to_none": Entry("Free gradients between steps", 3, "a line of code"),
}
