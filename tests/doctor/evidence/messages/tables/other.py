"""Settings, models, tensors and prompts that do not fit."""

from __future__ import annotations

from dstop.doctor.evidence.messages.other import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("ValueError: Requested tokens exceed context window of 512", "other.context_length", {"has_count": 512}),
    (
        "RuntimeError: Failed to allocate memory for batch_prefill_tmp_v with size 435814400 and alignment 16 in AlignedAllocator",
        "other.setting",
        {"tried_bytes": 435814400},
    ),
    (
        "NotImplementedError: No operator found for `memory_efficient_attention_forward` with inputs:",
        "other.no_operator",
        {},
    ),
    (
        "NotImplementedError: Could not run 'torchvision::nms' with arguments from the 'CUDA' backend.",
        "other.no_operator",
        {},
    ),
    (
        "error: input is too large to process, please increase the physical batch size",
        "other.context_length",
        {},
    ),
    (
        "This model's maximum context length is 8192 tokens. However, you requested 8203 tokens (7691 in the messages, 512 in the completion).",
        "other.context_length",
        {"has_count": 8192, "wants_count": 8203},
    ),
    (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 5818 tokens.",
        "other.context_length",
        {"has_count": 4096, "wants_count": 5818},
    ),
    (
        "ValueError: The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
        "other.context_length",
        {"has_count": 8192, "wants_count": 9000},
    ),
    (
        "Input prompt (9001 tokens) is too long and exceeds limit of 8192",
        "other.context_length",
        {"has_count": 8192, "wants_count": 9001},
    ),
    (
        "the prompt is too long (5000 tokens, max 4096)",
        "other.context_length",
        {"has_count": 4096, "wants_count": 5000},
    ),
    (
        "User-specified max_model_len (65536) is greater than the derived max_model_len (max_position_embeddings=32768 or model_max_length=None in model's config.json).",
        "other.context_length",
        {"has_count": 32768, "wants_count": 65536},
    ),
    (
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        "other.context_length",
        {"has_count": 8192, "wants_count": 9000},
    ),
    ("'code': 'context_length_exceeded'", "other.context_length", {}),
    (
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 512 `max_new_tokens`",
        "other.context_length",
        {"has_count": 4096},
    ),
    (
        "`inputs` must have less than 1024 tokens. Given: 2000",
        "other.context_length",
        {"has_count": 1024, "wants_count": 2000},
    ),
    (
        "ValueError: Requested tokens (5219) exceed context window of 2048",
        "other.context_length",
        {"has_count": 2048, "wants_count": 5219},
    ),
    (
        "the request exceeds the available context size (4096 tokens), try increasing it",
        "other.context_length",
        {},
    ),
    (
        "decode: failed to find free space in the KV cache, retrying with smaller batch size",
        "other.context_length",
        {},
    ),
    (
        "init_batch: could not find a KV slot for the batch (try reducing the size of the batch)",
        "other.context_length",
        {},
    ),
    ("llama_decode failed: 'NoKvSlot'", "other.context_length", {}),
    ("context shift is disabled", "other.context_length", {}),
    (
        "input is too large to process. increase the physical batch size (current batch size: 512)",
        "other.context_length",
        {},
    ),
    (
        "Prompt length (5000) exceeds maximum input length (4096). Set log level to info",
        "other.context_length",
        {"wants_count": 5000},
    ),
    (
        "Input length (9000 tokens) exceeds the maximum allowed length (8192 tokens).",
        "other.context_length",
        {"wants_count": 9000},
    ),
    (
        "Input length of input_ids is 900, but `max_length` is set to 512. This can lead to unexpected behavior. You should consider increasing `max_new_tokens`",
        "other.context_length",
        {},
    ),
    (
        "Token indices sequence length is longer than the specified maximum sequence length for this model (1000 > 512).",
        "other.context_warning",
        {"wants_count": 1000},
    ),
    (
        "size mismatch for model.embed_tokens.weight: copying a param with shape torch.Size([32003, 4096])",
        "other.model_mismatch",
        {},
    ),
    ("Error(s) in loading state_dict for LlamaForCausalLM:", "other.model_mismatch", {}),
    ('Missing key(s) in state_dict: "a.b"', "other.model_mismatch", {}),
    ('ValueError: Trying to set a tensor of shape torch.Size([1]) in "weight"', "other.model_mismatch", {}),
    ("Vocab size mismatch (model has 32003, but tokenizer.model has 32000).", "other.model_mismatch", {}),
    (
        "check_tensor_dims: tensor 'token_embd.weight' has wrong shape; expected 1, 2, got 3, 4",
        "other.model_mismatch",
        {},
    ),
    ("OSError: Can't load tokenizer for 'x'.", "other.tokenizer", {}),
    (
        "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template",
        "other.tokenizer",
        {},
    ),
    (
        "Model architectures ['Foo'] are not supported for now. Supported architectures",
        "other.unsupported_model",
        {},
    ),
    (
        "Model architectures ['Foo'] failed to be inspected. Please check the logs for more details.",
        "other.unsupported_model",
        {},
    ),
    (
        "The checkpoint you are trying to load has model type `x` but Transformers does not recognize this architecture.",
        "other.unsupported_model",
        {},
    ),
    ("error loading model architecture: unknown model architecture: 'gemma3'", "other.unsupported_model", {}),
    ("missing tensor 'blk.0.attn_q'", "other.unsupported_model", {}),
    (
        "Unrecognized configuration class <class 'x'> for this kind of AutoModel",
        "other.unsupported_model",
        {},
    ),
    ("unsupported model type: foo", "other.unsupported_model", {}),
    (
        "Total number of attention heads (40) must be divisible by tensor parallel size (3).",
        "other.divisible",
        {},
    ),
    ("api_server.py: error: unrecognized arguments: --foo", "other.setting", {}),
    ("x.py: error: argument --dtype: invalid choice: 'bf17'", "other.setting", {}),
    ("error: the following arguments are required: --model", "other.setting", {}),
    ("pydantic: 1 validation error for ModelConfig", "other.setting", {}),
    ("ValueError: Unknown quantization method: foo", "other.setting", {}),
    ("CUDA error: operation not permitted when stream is capturing", "other.graph_capture_op", {}),
    ("cudaErrorStreamCaptureUnsupported", "other.graph_capture_op", {}),
    ("CUDA error: dependency created on uncaptured work in another stream", "other.graph_capture_op", {}),
    (
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
        "other.devices_differ",
        {},
    ),
    (
        "Input type (torch.cuda.FloatTensor) and weight type (torch.FloatTensor) should be the same",
        "other.devices_differ",
        {},
    ),
    (
        "module must have its parameters and buffers on device cuda:0 (device_ids[0])",
        "other.devices_differ",
        {},
    ),
    ("Pointer argument (at 0) cannot be accessed from Triton (cpu tensor?)", "other.devices_differ", {}),
    ("NotImplementedError: Cannot copy out of meta tensor; no data!", "other.devices_differ", {}),
    (
        "TypeError: can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()",
        "other.devices_differ",
        {},
    ),
    ("Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing", "other.fork", {}),
    (
        "An attempt has been made to start a new process before the\n        current process has finished its bootstrapping phase.",
        "other.fork",
        {},
    ),
    ("mat1 and mat2 shapes cannot be multiplied (4x768 and 1024x512)", "other.shape", {}),
    (
        "The size of tensor a (512) must match the size of tensor b (514) at non-singleton dimension 1",
        "other.shape",
        {},
    ),
    ("The expanded size of the tensor (600) must match the existing size (512)", "other.shape", {}),
    ("shape '[1, 2]' is invalid for input of size 3", "other.shape", {}),
    ("Sizes of tensors must match except in dimension 1.", "other.shape", {}),
    ("stack expects each tensor to be equal size, but got [3] at entry 0", "other.shape", {}),
    ("Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3).", "other.shape", {}),
    ("expected input[1, 4, 224, 224] to have 3 channels, but got 4 channels instead", "other.shape", {}),
    ("expected scalar type Half but found Float", "other.dtype", {}),
    ("\"addmm_impl_cpu_\" not implemented for 'Half'", "other.dtype", {}),
    ("Expected to have finished reduction in the prior iteration", "other.training", {}),
    ("Trying to backward through the graph a second time", "other.training", {}),
    ("has been modified by an inplace operation", "other.training", {}),
    ("element 0 of tensors does not require grad and does not have a grad_fn", "other.training", {}),
    ("Parameter at index 3 has been marked as ready twice.", "other.training", {}),
    ("AssertionError: No inf checks were recorded for this optimizer.", "other.training", {}),
    ("loss is nan, stopping training", "other.nan", {}),
    ("NaN detected in gradients", "other.nan", {}),
    ("Current loss scale already at minimum - cannot decrease scale anymore.", "other.nan", {}),
)
CALM = (
    "The model's max seq len (29000) is larger than the maximum number of tokens that can be stored in KV cache (23648).",
    "{'loss': 0.41, 'epoch': 1.0}",
    "divisible",
)
