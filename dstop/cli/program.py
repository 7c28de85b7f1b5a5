"""The verbs. Each loads what it needs when it runs: `dstop --once` never pays for the screen."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from dstop import __version__
from dstop.cli import INTERRUPTED, terminal
from dstop.cli.export_command import export
from dstop.cli.fleet_command import fleet
from dstop.cli.options import explain, request_of, typed, watch_options
from dstop.cli.plan_command import plan
from dstop.cli.plugins_command import plugins
from dstop.cli.record_command import record, replay
from dstop.cli.recorder_command import recorder
from dstop.cli.snapshot_command import snapshot
from dstop.cli.watching import watch
from dstop.cli.web_command import web
from dstop.errors import DstopError
from dstop.settings.values import COLORS, THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.sources.guests import Guests
    from dstop.sources.hands import Hands
    from dstop.sources.reach import Reach


class _Range(click.FloatRange):
    """A range that NaN is not in: it is neither below nor above any bound, and click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number.

        Raises:
            BadParameter: when it is none, or out of the range.
        """
        number = float(super().convert(value, param, ctx))
        if number != number:  # noqa: PLR0124 - only NaN differs from itself
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def run(arguments: Sequence[str]) -> int:
    """Run the command line and give its exit code; whatever a user can cause is one line on stderr."""
    if terminal.in_browser(os.environ):
        from dstop.cli.tab import end_with_reader  # noqa: PLC0415 - a tab alone has a reader that can go

        end_with_reader()
    try:
        code = dstop.main(args=list(arguments), prog_name="dstop", standalone_mode=False)
    except DstopError as error:
        return _complain(str(error), error.exit_code)
    except click.ClickException as error:
        hint = "try dstop --help"
        context = getattr(error, "ctx", None)
        if context is not None:
            hint = f"try {context.command_path} --help"
        return _complain(f"{error.format_message().rstrip('.')}: {hint}", error.exit_code)
    except (click.Abort, terminal.StoppedError, KeyboardInterrupt):
        return INTERRUPTED
    except terminal.ReaderGoneError:
        terminal.let_go()
        return 0
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    line = " ".join(message.split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    if sys.stderr is not None:
        encoding = sys.stderr.encoding or "ascii"
        print(f"dstop: {line}".encode(encoding, "replace").decode(encoding), file=sys.stderr)  # noqa: T201
    return code


class _Program(click.Group):
    """A group that leaves Ctrl-C alone: click's own way prints an empty line."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise terminal.StoppedError from None


@click.group(cls=_Program, invoke_without_command=True, context_settings=_CONTEXT)
@watch_options
@click.option("--source", metavar="NAME", help="Read from a plugin's source.")
@click.version_option(__version__, "-V", "--version", message="dstop %(version)s")
@click.pass_context
def dstop(context: click.Context, /, **_options: object) -> None:
    """See what holds the memory of your GPUs.

    Without a verb: a live screen, or one sample as text when the output is no terminal.
    """
    names = typed(context)
    if context.invoked_subcommand is not None:
        if names:
            verb = context.invoked_subcommand
            raise click.UsageError(f"{explain(dict.fromkeys(names))} must come after the verb {verb}")
        if context.invoked_subcommand == "plan":
            from dstop.plugin.models import offer  # noqa: PLC0415 - a verb loads what it needs

            offer()
        return
    from dstop.cli.sources import open_source  # noqa: PLC0415 - a verb loads what it needs

    request = request_of(context)
    watch(lambda: open_source(request), request, _host_hands, _host_guests, _host_reach)


def _host_hands() -> Hands:
    from dstop.sources.procfs.hands import HostHands  # noqa: PLC0415 - the screen alone has hands

    return HostHands()


def _host_reach() -> Reach:
    from dstop.sources.procfs.reach import HostReach  # noqa: PLC0415 - a plugin's source has none

    return HostReach()


def _host_guests(face: str) -> Guests:
    from dstop.pytorch.guests import LiveGuests  # noqa: PLC0415 - a plugin's source has none

    return LiveGuests(defer=1 if face == "live" else 0)


@dstop.command()
@watch_options
@click.option("--gpus", type=click.IntRange(1, 64), default=8, show_default=True, help="How many cards.")
@click.option(
    "--speed",
    type=_Range(0, 1000),
    default=1.0,
    show_default=True,
    help="Story seconds per second.",
)
@click.pass_context
def demo(context: click.Context, /, gpus: int, speed: float, **_options: object) -> None:
    """Show a simulated training server: no GPU is needed."""
    from dstop.sources.demo.source import DemoSource  # noqa: PLC0415 - a verb loads what it needs

    request = request_of(context)
    source = DemoSource(gpus=gpus, speed=speed)

    def hands() -> Hands:
        from dstop.sources.demo.hands import DemoHands  # noqa: PLC0415 - the screen alone has hands

        return DemoHands(source)

    def guests(_: str) -> Guests:
        from dstop.sources.demo.guests import DemoGuests  # noqa: PLC0415 - as above

        return DemoGuests(source)

    def reach() -> Reach:
        from dstop.sources.demo.reach import DemoReach  # noqa: PLC0415 - as above

        return DemoReach(source)

    watch(lambda: source, request, hands, guests, reach, at_once=True)


@dstop.command(short_help="Look into running PyTorch processes.")
@click.argument("pids", metavar="PID...", nargs=-1, required=True, type=click.IntRange(1, 2**22))
@click.option("-1", "--once", is_flag=True, help="Print what it says as text and stop.")
@click.option("--json", is_flag=True, help="Print it as JSON, one object a line.")
@click.option("-i", "--interval", type=_Range(0.25), metavar="S", help="Print again each S seconds.")
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Stop after N times.")
@click.option("--snapshot", metavar="FILE", help="Write a memory snapshot; gzip if so named.")
@click.option(
    "--history",
    type=click.Choice(["on", "off"]),
    help="Begin to record allocations with their stacks, or stop.",
)
@click.option("--detach", is_flag=True, help="Have the hook restore what it changed, and leave.")
@click.option("--without-torch", is_flag=True, help="Take a Python process that has no PyTorch yet, too.")
@click.option(
    "--timeout",
    type=_Range(0.1, 3600),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Give up after this.",
)
@click.option("--ascii", is_flag=True, help="Draw with ASCII alone.")
@click.option("--color", type=click.Choice(COLORS), help="When to use colour.")
@click.option("--theme", type=click.Choice(THEMES), help="Colours of the screen.")
@click.option("--readonly", is_flag=True, help="Offer nothing that changes a process.")
@click.option("--config", metavar="FILE", help="Read this configuration file.")
@click.pass_context
def attach(context: click.Context, /, pids: tuple[int, ...], **options: object) -> None:
    """Look into running PyTorch processes: what their allocators hold.

    dstop attach 4242

    Nothing needs to be installed in the process and nothing in it is restarted: a small hook is
    brought in, which answers through a socket of its own user until the process ends or --detach.
    """
    from dstop.cli.attach import attach_verb, settings_of  # noqa: PLC0415 - a verb loads what it needs

    attach_verb(pids, options, settings_of(context))


@dstop.command()
@click.option(
    "-n", "--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many GPUs."
)
@click.option("-f", "--free", default="0", metavar="SIZE", help="What each must have free, such as 40GiB.")
@click.option("--max-util", type=_Range(0, 100), help="Percent busy that each may be at most.")
@click.option("--max-processes", type=click.IntRange(min=0), help="Processes on each at most.")
@click.option("-o", "--only", multiple=True, metavar="GPU", help="Choose from these GPUs.")
@click.option(
    "--sort", type=click.Choice(["free", "utilization", "index"]), default="free", help="Best first."
)
@click.option("--uuid", is_flag=True, help="Print UUIDs instead of indices.")
@click.option("--mig", is_flag=True, help="Choose MIG instances; prints UUIDs.")
def pick(**options: object) -> None:
    """Print GPUs with room, for CUDA_VISIBLE_DEVICES.

    CUDA_VISIBLE_DEVICES=$(dstop pick -n 2 -f 40GiB --uuid) python train.py
    """
    from dstop.cli.pick import pick_line  # noqa: PLC0415 - a verb loads what it needs
    from dstop.sources.nvml.source import NvmlSource  # noqa: PLC0415 - as above

    terminal.write(pick_line(NvmlSource(), options).encode())


@dstop.command(
    "run",
    context_settings={"allow_interspersed_args": False},
    short_help="Run a command that dstop can look into.",
)
@click.option(
    "--print-env", is_flag=True, help="Print the environment for a shell to evaluate, and run nothing."
)
@click.option("--name", metavar="NAME", help="What to call this run in its incidents.")
@click.option(
    "--tail",
    type=click.IntRange(0, 10_000),
    default=200,
    show_default=True,
    metavar="N",
    help="Lines of output an incident keeps; 0 leaves the output alone.",
)
@click.option(
    "--history",
    type=click.IntRange(1, 10_000_000),
    metavar="ENTRIES",
    help="Record this many allocations with their stacks.",
)
@click.option("--incidents", metavar="DIR", help="Where incidents go.")
@click.option("--no-black-box", is_flag=True, help="Let out-of-memory errors leave no incident.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run_(command: tuple[str, ...], **options: object) -> int:
    """Run a command so that dstop can look into its PyTorch processes.

    dstop run -- torchrun --nproc-per-node 8 train.py

    Only the environment changes. When the command ends badly, its last lines, out-of-memory errors,
    the kernel's word and more are kept as an incident, and one line says where.
    """
    from dstop.cli.run import run_verb  # noqa: PLC0415 - a verb loads what it needs

    return run_verb(command, options)


@dstop.command(short_help="Explain a crash: cause, proof, smallest fix.")
@click.argument("sources", metavar="[FILE|DIR|PID|-]...", nargs=-1)
@click.option("--json", is_flag=True, help="Print the report as JSON.")
@click.option("--markdown", is_flag=True, help="Print it for an issue tracker, redacted.")
@click.option("--html", metavar="FILE", help="Write it as a page that opens without a network.")
@click.option(
    "--bundle", metavar="FILE", help="Write report and evidence, redacted, as a zip for a colleague."
)
@click.option(
    "--since", default="1d", show_default=True, metavar="AGE", help="How far back to look, unasked."
)
@click.option("--no-kernel", is_flag=True, help="Leave the kernel's log out.")
@click.option(
    "--environment", is_flag=True, help="Check driver, container, limits and settings of this machine."
)
@click.option("-a", "--all", is_flag=True, help="Show all explanations whole, and all that passed.")
@click.option("--ascii", is_flag=True, help="Draw with ASCII alone.")
@click.option("--color", type=click.Choice(COLORS), help="When to use colour.")
def doctor(sources: tuple[str, ...], **options: object) -> int:
    """Explain a crash: what happened, what proves it, and the smallest change that helps.

    \b
    dstop doctor            what failed last here: black boxes, kernel log, the job's log
    dstop doctor crash.log  a log, or several (one a rank)
    ... | dstop doctor -    whatever is piped in
    dstop doctor 4242       a process that runs

    Exit code 3 when there is a finding, 0 when there is none.
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.doctor import doctor_verb  # noqa: PLC0415 - a verb loads what it needs

    return doctor_verb(sources, options)


dstop.add_command(snapshot)
dstop.add_command(recorder)
dstop.add_command(record)
dstop.add_command(replay)
dstop.add_command(export)
dstop.add_command(fleet)
dstop.add_command(plan)
dstop.add_command(web)
dstop.add_command(plugins)


@dstop.command("explain")
@click.argument("rule", required=False)
@click.option("--json", is_flag=True, help="Print it as JSON.")
@click.option("--markdown", is_flag=True, help="Print the table of README.")
@click.option("--ascii", is_flag=True, help="Draw with ASCII alone.")
@click.option("--color", type=click.Choice(COLORS), help="When to use colour.")
def explain_(rule: str | None, **options: object) -> None:
    """Print the page of a rule (DS201), or the list of all rules."""
    from dstop.cli.explain import explain_verb  # noqa: PLC0415 - a verb loads what it needs

    explain_verb(rule, options)


@dstop.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete dstop's words.

    eval "$(dstop completion bash)"
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - a verb loads what it needs

    kind = get_completion_class(shell)
    if kind is None:
        raise DstopError(f"click knows no completion for {shell}", fix="use another shell")
    terminal.write(kind(dstop, {}, "dstop", "_DSTOP_COMPLETE").source().encode())
