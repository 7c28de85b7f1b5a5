"""Files, packages, disks, downloads and ports."""

from __future__ import annotations

from dstop.doctor.evidence.messages.files import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("code: -98, name: EADDRINUSE, message: x", "other.port", {}),
    ("OSError: [Errno 98] Address already in use", "other.port", {}),
    ("ValueError: port 8000 is already in use", "other.port", {"port_count": 8000}),
    (
        "OSError: [WinError 10048] Only one usage of each socket address is normally permitted",
        "other.port",
        {},
    ),
    ("ModuleNotFoundError: No module named 'flash_attn'", "other.missing_module", {"module": "flash_attn"}),
    (
        "ImportError: cannot import name 'x' from 'transformers.utils' (/a)",
        "other.missing_module",
        {"module": "transformers.utils"},
    ),
    (
        "ImportError: This modeling file requires the following packages that were not found in your environment: einops. Run",
        "other.missing_module",
        {"module": "einops"},
    ),
    ("Using the default loss but it is not installed", "other.missing_module", {}),
    ("ImportError: the flash_attn package is not installed", "other.missing_module", {}),
    (
        "ImportError: /x/flash_attn_2_cuda.so: undefined symbol: _ZN3c10",
        "other.undefined_symbol",
        {"symbol": "_ZN3c10"},
    ),
    (
        "ImportError: DLL load failed while importing _C: The specified module could not be found.",
        "other.undefined_symbol",
        {},
    ),
    (
        "/lib/libc.so.6: version `GLIBC_2.34' not found (required by /x/a.so)",
        "other.undefined_symbol",
        {"symbol": "GLIBC_2.34"},
    ),
    ("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.1", "other.undefined_symbol", {}),
    (
        "RuntimeError: Detected that PyTorch and torchvision were compiled with different CUDA major versions: torchvision has different CUDA versions: PyTorch and torchvision has different CUDA",
        "other.undefined_symbol",
        {},
    ),
    (
        "The detected CUDA version (12.4) mismatches the version that was used to compile PyTorch (11.8).",
        "other.undefined_symbol",
        {},
    ),
    ("RuntimeError: operator torchvision::nms does not exist", "other.undefined_symbol", {}),
    ("Entry point cudaX was not found", "other.undefined_symbol", {}),
    (
        "OSError: libcudart.so.11.0: cannot open shared object file: No such file or directory",
        "other.missing_library",
        {"library": "libcudart.so.11.0"},
    ),
    (
        "OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root.",
        "other.missing_library",
        {},
    ),
    ("Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so.9}", "other.missing_library", {}),
    ("Could not load library libcudnn_cnn_infer.so.8. Error: x", "other.missing_library", {}),
    ("RuntimeError: Failed to find C compiler. Please specify via CC", "other.missing_library", {}),
    (
        "RuntimeError: Error building extension 'fused_adam'",
        "other.missing_library",
        {"module": "fused_adam"},
    ),
    ("Illegal instruction (core dumped)", "other.cpu_instruction", {}),
    ("OSError: [Errno 28] No space left on device: '/home/u/out/x.pt'", "other.disk_full", {}),
    ("OSError: [Errno 122] Disk quota exceeded: '/home/u'", "other.disk_full", {}),
    ("OSError: [WinError 112] There is not enough space on the disk", "other.disk_full", {}),
    ("Not enough free disk space to download the file.", "other.disk_full", {}),
    (
        "RuntimeError: PytorchStreamWriter failed writing file data/3: file write failed",
        "other.disk_full",
        {},
    ),
    ("[enforce fail at inline_container.cc:595] . unexpected pos 704 vs 598", "other.disk_full", {}),
    (
        "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory",
        "other.damaged_file",
        {},
    ),
    (
        "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge",
        "other.damaged_file",
        {},
    ),
    ("gguf_init_from_file: invalid magic characters '<!DO'", "other.damaged_file", {}),
    ("tensor 'blk.1' data is outside of the file bounds", "other.damaged_file", {}),
    (
        "tensor 'blk.30.ffn_up.weight' data is not within the file bounds, model is corrupted or incomplete",
        "other.damaged_file",
        {},
    ),
    ("_pickle.UnpicklingError: invalid load key, '<'.", "other.damaged_file", {}),
    ("_pickle.UnpicklingError: pickle data was truncated", "other.damaged_file", {}),
    ("EOFError: Ran out of input", "other.damaged_file", {}),
    ("The checkpoint seems corrupted", "other.damaged_file", {}),
    ("zipfile.BadZipFile: File is not a zip file", "other.damaged_file", {}),
    (
        "RuntimeError: unexpected EOF, expected 3302200 more bytes. The file might be corrupted.",
        "other.damaged_file",
        {},
    ),
    ("sha256 checksum mismatch", "other.damaged_file", {}),
    (
        "_pickle.UnpicklingError: Weights only load failed. This file can still be loaded",
        "other.weights_only",
        {},
    ),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'x'", "other.missing_file", {}),
    (
        "OSError: Error no file named pytorch_model.bin, model.safetensors found in directory",
        "other.missing_file",
        {},
    ),
    ("Cannot access gated repo for url https://huggingface.co/x", "other.http", {}),
    ("huggingface_hub.errors.GatedRepoError: 401 Client Error.", "other.http", {"status_count": 401}),
    ("RepositoryNotFoundError: 404", "other.http", {}),
    ("503 Server Error: Service Unavailable for url", "other.http", {"status_count": 503}),
    ("requests.exceptions.HTTPError: 429", "other.http", {}),
    ("Max retries exceeded with url: /x", "other.http", {}),
    ("OSError: We couldn't connect to 'https://huggingface.co' to load this file", "other.http", {}),
    ("Temporary failure in name resolution", "other.http", {}),
    ("[Errno -2] Name or service not known", "other.http", {}),
    (
        "OSError: foo/bar is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
        "other.http",
        {},
    ),
    ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED]", "other.http", {}),
    ("PermissionError: [Errno 13] Permission denied: '/data'", "other.permission", {}),
)
CALM = (
    "unable to write to file </torch_812_3417>: ok",
    "No space left on device: '/dev/shm/x'",
    "ImportError: libcuda.so.1: cannot open shared object file",
    "Import of port finished",
)
