"""Files and packages: missing modules and libraries, damaged files, full disks, refused downloads, ports in use."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern("other.port", "EADDRINUSE"),
    Pattern("other.port", "ddress already in use", r"(?i)address already in use[^\n]{0,60}"),
    Pattern(
        "other.port",
        "ort",
        r"\b[Pp]ort (?P<port_count>\d{2,5}) is (?:already (?:in use|allocated|used|occupied)|not available|occupied|in use)(?![^\n]{0,40}(?:trying|using) )[^\n]{0,60}",
    ),
    Pattern(
        "other.port",
        "Only one usage of each socket address",
        r"WinError 10048[^\n]{0,120}|Only one usage of each socket address[^\n]{0,80}",
    ),
    Pattern(
        "other.missing_module",
        "No module named",
        r"(?:ModuleNotFoundError|ImportError): No module named '?(?P<module>[\w.]{1,100})'?",
    ),
    Pattern(
        "other.missing_module",
        "cannot import name",
        r"cannot import name '(?P<name>\w{1,80})' from (?:partially initialized module )?'(?P<module>[\w.]{1,100})'[^\n]{0,40}",
    ),
    Pattern(
        "other.missing_module",
        "requires the following packages",
        r"This modeling file requires the following packages that were not found in your environment: (?P<module>[\w, -]{1,80})",
    ),
    Pattern("other.missing_module", "but it is not installed", r"(?i)but it is not installed[^\n]{0,60}"),
    Pattern(
        "other.missing_module",
        "package is not installed",
        r"(?:ImportError: )[^\n]{0,120}package is not installed",
    ),
    Pattern(
        "other.undefined_symbol",
        "undefined symbol",
        r"(?:(?P<library>[\w./+-]{1,200}\.so[.\d]{0,12}): )?undefined symbol:? (?P<symbol>\w{1,200})",
    ),
    Pattern("other.undefined_symbol", "DLL load failed", r"DLL load failed[^\n]{0,120}"),
    Pattern(
        "other.undefined_symbol",
        "not found (required by",
        r"version `(?P<symbol>GLIBC\w{0,4}_[\w.]{1,12}|CXXABI_[\w.]{1,12})' not found \(required by [^\n]{0,160}",
    ),
    Pattern(
        "other.undefined_symbol",
        "was compiled using",
        r"(?i)A module that was compiled using NumPy 1\.x cannot be run in NumPy[^\n]{0,40}|numpy\.dtype size changed[^\n]{0,80}",
    ),
    Pattern(
        "other.undefined_symbol",
        "has different CUDA versions",
        r"PyTorch and torchvision (?:were compiled with|has) different CUDA[^\n]{0,120}",
    ),
    Pattern(
        "other.undefined_symbol",
        "mismatches the version that was used to compile",
        r"The detected CUDA version \([\d.]{1,8}\) mismatches the version that was used to compile\s{0,3}PyTorch[^\n]{0,40}",
    ),
    Pattern("other.undefined_symbol", "does not exist", r"operator torchvision::nms does not exist"),
    Pattern(
        "other.undefined_symbol",
        "was not found",
        r"(?:Symbol|Entry ?point|procedure)[^\n]{0,60}was not found[^\n]{0,80}",
    ),
    Pattern(
        "other.missing_library",
        "cannot open shared object file",
        r"(?P<library>\b(?!libcuda\.so|libnvidia-ml)lib[\w.+-]{1,80}\.so[.\d]{0,12}): cannot open shared object file[^\n]{0,60}",
    ),
    Pattern("other.missing_library", "CUDA_HOME environment variable is not set"),
    Pattern("other.missing_library", "nable to load", r"Unable to load any of \{[^\n]{0,160}"),
    Pattern(
        "other.missing_library",
        "ould not load library",
        r"Could not load library (?P<library>lib[\w.]{1,60})[^\n]{0,120}",
    ),
    Pattern("other.missing_library", "Failed to find C compiler", r"Failed to find C compiler[^\n]{0,60}"),
    Pattern(
        "other.missing_library",
        "Error building extension",
        r"(?:RuntimeError: )?Error building extension '(?P<module>\w{1,60})'",
    ),
    Pattern(
        "other.cpu_instruction", "llegal instruction (core dumped)", r"[Ii]llegal instruction \(core dumped\)"
    ),
    Pattern(
        "other.disk_full",
        "No space left on device",
        r"(?:OSError: |IOError: )?(?:\[Errno 28\] )?No space left on device(?![^\n]{0,80}(?:/dev/shm|torch_\d|psm_|nccl-|shared memory))[^\n]{0,120}",
    ),
    Pattern("other.disk_full", "isk quota exceeded", r"(?:\[Errno 122\] )?Disk quota exceeded[^\n]{0,120}"),
    Pattern(
        "other.disk_full", "not enough space on the disk", r"There is not enough space on the disk[^\n]{0,60}"
    ),
    Pattern("other.disk_full", "Not enough free disk space", r"Not enough free disk space[^\n]{0,120}"),
    Pattern(
        "other.disk_full",
        "PytorchStreamWriter failed",
        r"(?:PytorchStreamWriter failed writing file|unexpected pos \d{1,20} vs \d{1,20})[^\n]{0,100}",
    ),
    Pattern("other.disk_full", "unexpected pos", r"unexpected pos \d{1,20} vs \d{1,20}"),
    Pattern(
        "other.damaged_file",
        "PytorchStreamReader failed",
        r"PytorchStreamReader failed (?:reading zip archive|locating file|reading file)[^\n]{0,120}",
    ),
    Pattern("other.damaged_file", "SafetensorError", r"SafetensorError[^\n]{0,160}"),
    Pattern(
        "other.damaged_file",
        "Error while deserializing header",
        r"Error while deserializing header: ?\w{0,60}",
    ),
    Pattern(
        "other.damaged_file",
        "gguf",
        r"(?i)invalid file magic|gguf_init_from_file\w{0,10}:[^\n]{0,40}(?:invalid magic|failed|bad)[^\n]{0,80}|invalid gguf[^\n]{0,60}|file is not in gguf format",
    ),
    Pattern(
        "other.damaged_file",
        "outside of the file bounds",
        r"tensor '[^'\n]{1,100}' data is not within the file bounds[^\n]{0,80}|outside of the file bounds[^\n]{0,40}",
    ),
    Pattern(
        "other.damaged_file", "not within the file bounds", r"data is not within the file bounds[^\n]{0,80}"
    ),
    Pattern(
        "other.damaged_file",
        "invalid load key",
        r"(?:_pickle\.)?UnpicklingError: invalid load key[^\n]{0,40}",
    ),
    Pattern("other.damaged_file", "pickle data was truncated"),
    Pattern("other.damaged_file", "Ran out of input", r"EOFError: Ran out of input"),
    Pattern(
        "other.damaged_file",
        "corrupted",
        r"(?i)(?:file|archive|checkpoint|model|download)[^\n]{0,40}(?:is|may be|seems|appears)[^\n]{0,20}corrupt(?:ed)?[^\n]{0,60}",
    ),
    Pattern(
        "other.damaged_file", "not a zip file", r"(?:zipfile\.)?BadZipFile[^\n]{0,40}|File is not a zip file"
    ),
    Pattern(
        "other.damaged_file", "unexpected EOF", r"unexpected EOF, expected \d{1,15} more bytes[^\n]{0,60}"
    ),
    Pattern(
        "other.damaged_file", "checksum", r"(?i)(?:sha256|checksum|digest)[^\n]{0,30} mismatch[^\n]{0,80}"
    ),
    Pattern("other.weights_only", "Weights only load failed", r"Weights only load failed[^\n]{0,120}"),
    Pattern("other.missing_file", "FileNotFoundError", r"FileNotFoundError: [^\n]{0,200}"),
    Pattern("other.missing_file", "no file named", r"(?:Error )?no file named [^\n]{0,160}"),
    Pattern("other.http", "gated repo", r"(?:GatedRepoError|gated repo)[^\n]{0,80}"),
    Pattern("other.http", "GatedRepoError", r"GatedRepoError[^\n]{0,100}"),
    Pattern("other.http", "RepositoryNotFoundError", r"RepositoryNotFoundError[^\n]{0,100}"),
    Pattern("other.http", "Client Error", r"\b(?P<status_count>4\d\d) Client Error[^\n]{0,120}"),
    Pattern("other.http", "Server Error", r"\b(?P<status_count>5\d\d) Server Error[^\n]{0,120}"),
    Pattern("other.http", "HTTPError", r"(?:HTTPError|HfHubHTTPError): [^\n]{0,160}"),
    Pattern("other.http", "Max retries exceeded", r"Max retries exceeded with url[^\n]{0,120}"),
    Pattern(
        "other.http", "connect to", r"(?:couldn't|can't|could not|cannot) connect to '?https?://[^\n]{0,120}"
    ),
    Pattern("other.http", "name resolution", r"Temporary failure in name resolution[^\n]{0,40}"),
    Pattern("other.http", "Name or service not known", r"Name or service not known"),
    Pattern(
        "other.http",
        "is not a local folder",
        r"\S{1,120} is not a local folder and is not a valid model identifier[^\n]{0,60}",
    ),
    Pattern("other.http", "CERTIFICATE_VERIFY_FAILED"),
    Pattern(
        "other.permission",
        "ermission denied",
        r"(?:PermissionError: |OSError: )(?:\[Errno 13\] )?[Pp]ermission denied[^\n]{0,120}",
    ),
)
