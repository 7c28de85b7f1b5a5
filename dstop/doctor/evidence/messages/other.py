"""Failures of the job's own making that have nothing to do with memory, although some of their words do."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_TOKENS = r"(?P<{0}_count>\d{{1,9}})"
_HAS = _TOKENS.format("has")
_WANTS = _TOKENS.format("wants")

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "other.setting",
        "in AlignedAllocator",
        r"Failed to allocate memory for \w{1,60} with size (?P<tried_bytes>\d{1,15}) and alignment \d{1,6} in AlignedAllocator",
    ),
    Pattern("other.no_operator", "No operator found for", r"No operator found for `?\w{1,80}"),
    Pattern(
        "other.no_operator",
        "Could not run '",
        r"Could not run '[\w:.]{1,80}' with arguments from the '\w{1,40}' backend",
    ),
    Pattern(
        "other.context_length",
        "input is too large to process",
        r"input is too large to process[^\n]{0,80}",
    ),
    # A context that is too short: each server says it in its own words, and each has a number and a limit.
    Pattern(
        "other.context_length",
        "maximum context length",
        rf"maximum context length (?:is|of) {_HAS} tokens(?:[^\n]{{0,40}}(?:you requested|(?:messages|prompt)\w* resulted in|your (?:prompt|request) (?:has|contains)) (?:about |at least )?{_WANTS})?[^\n]{{0,160}}",
    ),
    Pattern(
        "other.context_length",
        "longer than the maximum model length",
        rf"(?:\(length (?:of )?{_WANTS}\) )?(?:is )?(?:too long|longer than the maximum model length)[^\n]{{0,20}} {_HAS}\b[^\n]{{0,80}}",
    ),
    Pattern(
        "other.context_length",
        "too long",
        rf"(?i)(?:input |decoder )?prompt \((?:length )?{_WANTS}(?: tokens)?\) is too long and exceeds limit of {_HAS}",
    ),
    Pattern(
        "other.context_length",
        "too long",
        rf"(?i)(?:prompt|input|request) (?:is )?too long(?: \({_WANTS} tokens, max\.? {_HAS}\))?[^\n]{{0,60}}",
    ),
    Pattern(
        "other.context_length",
        "derived max_model_len",
        rf"User-specified max_model_len \({_WANTS}\) is greater than the derived max_model_len \([^\n\d]{{0,60}}{_HAS}[^\n]{{0,120}}",
    ),
    Pattern(
        "other.context_length",
        "context length",
        rf"(?i)(?:\({_WANTS} tokens\)[^\n]{{0,20}})?(?:is longer than|exceeds?|exceeded|larger than)[^\n]{{0,40}}context length[^\n\d]{{0,10}}{_HAS}[^\n]{{0,80}}",
    ),
    Pattern("other.context_length", "context_length_exceeded"),
    Pattern(
        "other.context_length",
        "must be <=",
        rf"`inputs` tokens \+ `max_new_tokens` must be <= {_HAS}(?:\. Given: {_WANTS})?[^\n]{{0,60}}",
    ),
    Pattern(
        "other.context_length",
        "must have less than",
        rf"`inputs` must have less than {_HAS} tokens(?:\. Given: {_WANTS})?",
    ),
    Pattern(
        "other.context_length",
        "exceed context window",
        rf"Requested tokens (?:\({_WANTS}\) )?exceed context window of {_HAS}",
    ),
    Pattern(
        "other.context_length",
        "context size",
        rf"(?i)(?:exceeds?|exceeded|larger than)[^\n]{{0,30}}context size(?: \({_HAS}[^)\n]{{0,20}}\))?[^\n]{{0,60}}",
    ),
    Pattern(
        "other.context_length",
        "KV cache",
        r"failed to find free space in the KV cache[^\n]{0,80}|could not find a KV (?:cache )?slot for the batch[^\n]{0,80}",
    ),
    Pattern("other.context_length", "KV slot", r"could not find a KV slot for the batch[^\n]{0,80}"),
    Pattern("other.context_length", "NoKvSlot"),
    Pattern("other.context_length", "context shift is disabled", r"context shift is disabled[^\n]{0,60}"),
    Pattern(
        "other.context_length",
        "physical batch size",
        r"input is too large to process\. increase the physical batch size[^\n]{0,80}",
    ),
    Pattern(
        "other.context_length",
        "exceeds maximum input length",
        rf"[Pp]rompt length \({_WANTS}\) exceeds maximum input length \({_HAS}\)[^\n]{{0,80}}",
    ),
    Pattern(
        "other.context_length",
        "exceeds the maximum allowed length",
        rf"[Ii]nput length \({_WANTS} tokens\) exceeds the maximum allowed length \({_HAS} tokens\)[^\n]{{0,80}}",
    ),
    Pattern(
        "other.context_length",
        "max_new_tokens",
        r"(?:Input length of input_ids is \d{1,9}, but `max_length` is set to \d{1,9})[^\n]{0,120}",
    ),
    Pattern(
        "other.context_warning",
        "longer than the specified maximum sequence length",
        r"Token indices sequence length is longer than the specified maximum sequence length for this model \((?P<wants_count>\d{1,9}) > (?P<has_count>\d{1,9})\)",
    ),
    # Weights, tokenizers and configurations that do not belong together.
    Pattern("other.model_mismatch", "size mismatch for", r"size mismatch for [^\n]{0,200}"),
    Pattern(
        "other.model_mismatch",
        "Error(s) in loading state_dict",
        r"Error\(s\) in loading state_dict for [\w.]{1,80}",
    ),
    Pattern(
        "other.model_mismatch",
        "in state_dict:",
        r"(?:Missing|Unexpected) key\(s\) in state_dict: [^\n]{0,120}",
    ),
    Pattern(
        "other.model_mismatch",
        "rying to set a tensor of shape",
        r"Trying to set a tensor of shape [^\n]{0,160}",
    ),
    Pattern(
        "other.model_mismatch",
        "ocab",
        r"[Vv]ocab(?:ulary)?[ _]size mismatch[^\n]{0,120}|vocab size[^\n]{0,60}(?:does not|doesn't) match[^\n]{0,80}",
    ),
    Pattern(
        "other.model_mismatch", "wrong shape", r"tensor '[\w.]{1,80}' has wrong shape; expected [^\n]{0,120}"
    ),
    Pattern(
        "other.tokenizer",
        "okenizer",
        r"(?:Can't load tokenizer|Tokenizer class \w{1,60} does not exist|Couldn't instantiate the backend tokenizer|unknown pre-tokenizer type|tokenizer and (?:the )?model[^\n]{0,40}(?:mismatch|not match))[^\n]{0,120}",
    ),
    Pattern(
        "other.tokenizer",
        "chat template",
        r"(?i)(?:no|not have a|without a|default) chat[ _]template[^\n]{0,80}(?:allowed|set|provided|defined|error)[^\n]{0,60}",
    ),
    Pattern(
        "other.unsupported_model",
        "supported for now",
        r"Model architectures? \[[^\n]{0,120}(?:not supported for now|failed to be inspected)[^\n]{0,60}",
    ),
    Pattern(
        "other.unsupported_model",
        "failed to be inspected",
        r"Model architectures? \[[^\n]{0,120}failed to be inspected[^\n]{0,60}",
    ),
    Pattern(
        "other.unsupported_model",
        "does not recognize this architecture",
        r"model (?:of )?type `?\w{1,60}`? but Transformers does not recognize this architecture",
    ),
    Pattern(
        "other.unsupported_model", "unknown model architecture", r"unknown model architecture: '[\w.-]{1,40}'"
    ),
    Pattern("other.unsupported_model", "missing tensor", r"missing tensor '[\w.]{1,80}'"),
    Pattern(
        "other.unsupported_model",
        "nrecognized configuration class",
        r"Unrecognized configuration class [^\n]{0,160}",
    ),
    Pattern(
        "other.unsupported_model",
        "unsupported model",
        r"(?i)(?:unsupported model(?: type| architecture)?:? |model type )[\w.-]{1,60}(?: is)?(?: not supported| unsupported)?[^\n]{0,40}",
    ),
    # Settings that the program refuses.
    Pattern(
        "other.divisible",
        "divisible",
        r"(?i)(?:must|should|not|is) (?:be )?(?:evenly )?divisible by[^\n]{0,120}",
    ),
    Pattern(
        "other.setting",
        "nrecognized arguments",
        r"(?:[\w./-]{1,80}: error: )?unrecognized arguments: [^\n]{0,120}",
    ),
    Pattern("other.setting", "invalid choice", r"error: argument [^\n]{0,80}invalid choice[^\n]{0,120}"),
    Pattern("other.setting", "are required", r"error: the following arguments are required: [^\n]{0,120}"),
    Pattern("other.setting", "validation error", r"\d{1,3} validation errors? for \w{1,60}[^\n]{0,60}"),
    Pattern(
        "other.setting",
        "uantization",
        r"(?i)(?:unknown quantization method|quantization method specified in the model config[^\n]{0,60}does not match|not supported for quantization|quantization (?:method )?\w{1,30} (?:is not supported|does not support))[^\n]{0,120}",
    ),
    Pattern(
        "other.graph_capture_op",
        "when stream is capturing",
        r"operation not permitted when stream is capturing[^\n]{0,60}",
    ),
    Pattern("other.graph_capture_op", "StreamCapture", r"cudaErrorStreamCapture\w{1,40}"),
    Pattern(
        "other.graph_capture_op",
        "dependency created on uncaptured work",
        r"dependency created on uncaptured work in another stream",
    ),
    # Tensors that do not belong together.
    Pattern(
        "other.devices_differ",
        "to be on the same device",
        r"Expected all tensors to be on the same device[^\n]{0,120}",
    ),
    Pattern(
        "other.devices_differ",
        "should be the same",
        r"Input type \([\w.]{1,40}\) and (?:weight|bias) type \([\w.]{1,40}\) should be the same[^\n]{0,60}",
    ),
    Pattern(
        "other.devices_differ",
        "must have its parameters and buffers on device",
        r"module must have its parameters and buffers on device \S{1,20}[^\n]{0,100}",
    ),
    Pattern(
        "other.devices_differ",
        "cpu tensor?",
        r"Pointer argument (?:\(at \d{1,3}\) )?cannot be accessed from Triton \(cpu tensor\?\)",
    ),
    Pattern("other.devices_differ", "out of meta tensor", r"Cannot copy out of meta tensor[^\n]{0,40}"),
    Pattern(
        "other.devices_differ",
        "convert cuda:",
        r"can't convert cuda:\d{1,3} device type tensor to numpy[^\n]{0,60}",
    ),
    Pattern(
        "other.fork",
        "Cannot re-initialize CUDA in forked subprocess",
        r"Cannot re-initialize CUDA in forked subprocess[^\n]{0,100}",
    ),
    Pattern(
        "other.fork",
        "bootstrapping phase",
        r"An attempt has been made to start a new process before the\s{1,12}current process has finished its bootstrapping phase",
    ),
    Pattern(
        "other.shape", "shapes cannot be multiplied", r"mat1 and mat2 shapes cannot be multiplied[^\n]{0,60}"
    ),
    Pattern(
        "other.shape",
        "must match",
        r"The size of tensor a \(\d{1,12}\) must match the size of tensor b[^\n]{0,80}",
    ),
    Pattern("other.shape", "xpanded size of the tensor", r"The expanded size of the tensor[^\n]{0,160}"),
    Pattern(
        "other.shape",
        "is invalid for input of size",
        r"shape '\[[^\n\]]{1,80}\]' is invalid for input of size \d{1,18}",
    ),
    Pattern(
        "other.shape",
        "Sizes of tensors must match",
        r"Sizes of tensors must match except in dimension[^\n]{0,80}",
    ),
    Pattern(
        "other.shape",
        "stack expects each tensor to be equal size",
        r"stack expects each tensor to be equal size[^\n]{0,80}",
    ),
    Pattern(
        "other.shape", "alculated padded input size", r"Calculated padded input size per channel[^\n]{0,100}"
    ),
    Pattern(
        "other.shape", "channels", r"expected input\[[^\n\]]{1,60}\] to have \d{1,6} channels[^\n]{0,80}"
    ),
    Pattern(
        "other.dtype",
        "expected",
        r"expected (?:scalar type \w{1,20} but found \w{1,20}|m1 and m2 to have the same dtype[^\n]{0,80}|mat1 and mat2 to have the same dtype[^\n]{0,80})",
    ),
    Pattern("other.dtype", "not implemented for", r"\"?\w{1,80}\"? not implemented for '\w{1,30}'"),
    Pattern("other.training", "Expected to have finished reduction in the prior iteration"),
    Pattern("other.training", "Trying to backward through the graph a second time"),
    Pattern("other.training", "modified by an inplace operation"),
    Pattern(
        "other.training",
        "does not require grad",
        r"element 0 of tensors does not require grad and does not have a grad_fn",
    ),
    Pattern(
        "other.training",
        "marked as ready twice",
        r"Expected to mark a variable ready only once[^\n]{0,40}|marked as ready twice[^\n]{0,60}",
    ),
    Pattern("other.training", "No inf checks were recorded"),
    Pattern(
        "other.nan",
        "nan",
        r"(?:[Ll]oss(?: is|=|:| =) ?nan\b|nan (?:loss )?detected|[Ff]ound nan\b|Function '\w{1,40}' returned nan values)[^\n]{0,80}",
    ),
    Pattern(
        "other.nan",
        "NaN",
        r"(?:[Ll]oss(?: is|=|:| =) ?NaN\b|NaN (?:loss )?detected|[Ff]ound NaN\b|[Nn]an or [Ii]nf[^\n]{0,20}found)[^\n]{0,80}",
    ),
    Pattern(
        "other.nan",
        "oss scale",
        r"[Cc]urrent loss scale already at minimum[^\n]{0,60}|Minimum loss scale reached[^\n]{0,60}",
    ),
)
