"""Words of memory trouble from runs that go on: retries, allocators that try elsewhere, estimates, advice; and progress."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_OOM = r"(?:out[ -]of[ -]memory|OOM\b|insufficient (?:memory|vram)|not enough (?:gpu |device |free )?(?:memory|vram))"

MESSAGES: tuple[Pattern, ...] = (
    # A refused allocation that its own program goes on from; in the line itself, or in one near it.
    Pattern(
        "benign.bfc",
        "not a failure",
        r"Allocator \(\w{1,40}\) ran out of memory trying to allocate [\d.]+ ?\w{1,4}[^\n]{0,80}?caller indicates that this is not a failure",
    ),
    Pattern(
        "benign.retry",
        "etry",
        rf"(?i){_OOM}[^\n]{{0,120}}\bretry(?:ing)?\b(?! policy| count)[^\n]{{0,80}}|\bretrying\b[^\n]{{0,80}}{_OOM}[^\n]{{0,40}}",
    ),
    Pattern(
        "benign.retry", "recover from OOM", r"(?i)(?:attempting to )?recover(?:ing|ed)? from OOM[^\n]{0,80}"
    ),
    Pattern("benign.retry", "retrying with tiled VAE", r"retrying with tiled VAE[^\n]{0,40}"),
    Pattern(
        "benign.batch_finder",
        "trying batch size",
        r"Batch size \d{1,9} (?:failed|succeeded), trying batch size \d{1,9}",
    ),
    Pattern(
        "benign.batch_finder",
        "atch",
        r"(?i)(?:decreasing|reducing|lowering|halving|reduced|lowered|decreased)[^\n]{0,20} batch[ _-]?size (?:from \d{1,9} )?to:? ?\d{1,9}[^\n]{0,40}",
    ),
    Pattern("benign.batch_finder", "educing to batch=", r"Reducing to batch=\d{1,9} and retrying[^\n]{0,40}"),
    Pattern(
        "benign.batch_finder",
        "batch size",
        r"(?i)(?:determined largest batch size|finished batch size finder|largest batch size that fits|found (?:executable|maximum|optimal) batch size)[^\n]{0,80}",
    ),
    Pattern("benign.batch_finder", "AutoBatch", r"AutoBatch: (?:Using|Computing)[^\n]{0,120}"),
    Pattern(
        "benign.skipped_batch",
        "kip",
        rf"(?i)skip(?:ping|ped)?\b[^\n]{{0,60}}(?:batch|step|sample|example|iteration|request)?[^\n]{{0,60}}{_OOM}[^\n]{{0,60}}|{_OOM}[^\n]{{0,100}}\bskip(?:ping|ped)?\b[^\n]{{0,80}}",
    ),
    Pattern(
        "benign.skipped_batch",
        "discard",
        rf"(?i){_OOM}[^\n]{{0,80}}\bdiscard(?:ed|ing)\b[^\n]{{0,60}}|discard(?:ed|ing)[^\n]{{0,60}}{_OOM}[^\n]{{0,60}}",
    ),
    Pattern(
        "benign.fallback",
        "fall",
        rf"(?i){_OOM}[^\n]{{0,100}}\b(?:falling back|fall back|falls back|fallback)\b[^\n]{{0,80}}",
    ),
    Pattern(
        "benign.fallback",
        "nstead",
        rf"(?i){_OOM}[^\n]{{0,100}}\b(?:using|use|switching to)[^\n]{{0,40}}\binstead\b[^\n]{{0,40}}",
    ),
    Pattern(
        "benign.tactic",
        "actic",
        r"(?i)skipping tactic[^\n]{0,80}insufficient memory[^\n]{0,80}|device memory is insufficient to use tactic[^\n]{0,40}",
    ),
    Pattern("benign.autotune", "gnoring this choice", r"[Ii]gnoring this choice[^\n]{0,40}"),
    Pattern("benign.gave_up", "o executable batch size", r"No executable batch size found[^\n]{0,40}"),
    Pattern(
        "benign.gave_up",
        "iving up",
        r"(?i)(?:after \d{1,4} (?:retries|attempts|ooms?)[^\n]{0,60})?giving up\b[^\n]{0,60}",
    ),
    Pattern(
        "benign.gave_up",
        "etries",
        r"(?i)(?:exhausted (?:all )?retries|max(?:imum)? (?:number of )?retries (?:reached|exceeded)(?! with url))[^\n]{0,60}",
    ),
    # Notices.
    Pattern(
        "benign.alloc_conf",
        "not supported on this platform",
        r"expandable_segments not supported on this platform",
    ),
    Pattern(
        "benign.deprecated",
        "deprecated",
        r"(?i)(?:PYTORCH_(?:CUDA|HIP)_ALLOC_CONF|torch\.cuda\.\w{0,10}memory\w{0,20}|memory_\w{2,20}|pin_memory\w{0,20}|pynvml|max_memory\w{0,20})[^\n]{0,60}(?:is|are) deprecated[^\n]{0,80}",
    ),
    Pattern(
        "benign.pin",
        "pin_memory",
        r"'?pin_memory'? argument is set as true but (?:no accelerator is found|not supported on MPS)[^\n]{0,60}",
    ),
    Pattern(
        "benign.exit",
        "NOT been destroyed",
        r"(?i)warning: process group has NOT been destroyed before we destruct",
    ),
    Pattern(
        "benign.exit",
        "destroy_process_group() was not called",
        r"destroy_process_group\(\) was not called before program exit",
    ),
    Pattern(
        "benign.leaked",
        "leaked",
        r"resource_tracker: There appear to be \d{1,6} leaked [\w ]{1,30} ?(?:objects)?",
    ),
    Pattern(
        "benign.leaked",
        "resource_tracker",
        r"resource_tracker: [^\n]{0,60}(?:No such file or directory|No such process)[^\n]{0,80}",
    ),
    Pattern("benign.preempted", "preempted", r"(?i)\bpreempted by PreemptionMode\.\w{1,20}[^\n]{0,160}"),
    Pattern(
        "benign.preempted",
        "etract",
        r"(?:KV cache pool is full\.|Decode out of memory happened\.)[^\n]{0,40}Retract requests[^\n]{0,80}",
    ),
    Pattern(
        "benign.system_memory",
        "of free system memory",
        r"Allocation of \d{1,15} exceeds \d{1,3}% of free system memory",
    ),
    Pattern(
        "benign.estimate",
        "emory",
        r"(?i)(?:estimated?|expected|approximate(?:ly)?)[^\n]{0,30} (?:memory|vram)[^\n]{0,120}|memory estimat\w{1,5}[^\n]{0,80}",
    ),
    Pattern("benign.pressure", "emory pressure", r"(?i)(?:high|under) memory pressure[^\n]{0,120}"),
    Pattern(
        "benign.low",
        "emory",
        r"(?i)(?:(?:running )?low (?:on )?(?:gpu |free |system |video )?memory|memory (?:is )?(?:running )?low|memory usage (?:is )?(?:high|above|over)|high memory usage)[^\n]{0,80}",
    ),
    Pattern(
        "benign.words",
        "emory",
        rf"(?i)(?:\b(?:may|might|could|can|avoid|prevent|risk of|in case of|potential(?:ly)?|if you (?:run|get|hit|encounter|see))\b[^\n]{{0,60}}){_OOM}[^\n]{{0,80}}",
    ),
    Pattern(
        "benign.words",
        "OOM",
        r"\b(?:may|might|could|can|avoid|prevent|risk of|in case of|potential(?:ly)?|if you (?:run|get|hit|encounter|see))\b[^\n]{0,60}\bOOM\b[^\n]{0,80}",
    ),
    Pattern(
        "shell.command",
        "$ ",
        r"(?:^|\n)(?:\([\w.-]{1,40}\) ?)?(?:[\w.-]{1,40}@[\w.-]{1,80}[: ][^\n$#]{0,100})?\$ (?P<command>[^\n]{1,200})",
    ),
    Pattern(
        "shell.command",
        "# ",
        r"(?:^|\n)(?:\([\w.-]{1,40}\) ?)?[\w.-]{1,40}@[\w.-]{1,80}:[^\n$#]{0,100}# (?P<command>[^\n]{1,200})",
    ),
    # The run goes on, or has ended well.
    Pattern("progress.step", "it", r"\d{1,9}/\d{1,9} \[[^\n\]]{1,60}(?:it/s|s/it)[^\n\]]{0,120}\]"),
    Pattern(
        "progress.step",
        "oss",
        r"(?i)(?:\bstep|\biter(?:ation)?|\bepoch|\bepochs|\bbatch|\bupdate)\b[^\n]{0,100}\bloss[\"']?\s{0,2}[:=]?\s{0,4}[\d.]+",
    ),
    Pattern(
        "progress.step",
        "oss",
        r"['\"]loss['\"]: ?['\"]?[\d.]{1,12}[^\n]{0,160}['\"](?:epoch|step|learning_rate)['\"]",
    ),
    Pattern("progress.step", "ETA", r"\d{1,9}/\d{1,9} \[[=>.]{5,60}\][^\n]{0,20}ETA[^\n]{0,80}"),
    Pattern(
        "progress.step",
        "consumed samples",
        r"iteration\s{1,8}\d{1,9}/\s{0,8}\d{1,9} \| consumed samples[^\n]{0,60}",
    ),
    Pattern(
        "progress.done", "raining", r"(?i)training (?:is )?(?:complete|completed|finished|done)\b[^\n]{0,80}"
    ),
    Pattern(
        "progress.done",
        "inished",
        r"(?i)finished (?:training|evaluation|successfully)[^\n]{0,60}|(?:run|job|process|benchmark|evaluation) finished(?: with exit code 0| successfully)[^\n]{0,40}",
    ),
    Pattern(
        "progress.done",
        "ompleted",
        r"(?i)(?:run|job|benchmark|evaluation|inference|task|pipeline) completed(?: successfully)?\b[^\n]{0,60}",
    ),
    Pattern(
        "progress.done", "reached", r"`?Trainer\.fit`? stopped: `?max_(?:epochs|steps)=\d{1,9}`? reached"
    ),
    Pattern("progress.done", "train_runtime", r"'?train_runtime'?\s{0,6}[:=]\s{0,3}'?[\d.:]+"),
    Pattern("progress.done", "Prompt executed in", r"Prompt executed in [\d.:]+[^\n]{0,20}"),
    Pattern("progress.done", "exit code 0", r"(?i)exit(?:ed)?[^\n]{0,12} code 0\b"),
    Pattern("progress.done", "Results saved", r"Results saved to [^\n]{0,80}"),
    Pattern("progress.done", "Application startup complete"),
    Pattern("progress.ready", "fired up and ready to roll"),
    Pattern("progress.ready", "llama runner started", r"llama runner started in [\d.]+ seconds"),
    Pattern(
        "progress.ready",
        "istening",
        r"(?:server is listening|[Ll]istening on|running on) (?:on )?https?://[^\n]{0,60}",
    ),
)
