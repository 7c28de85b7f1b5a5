"""The cooperative start: `dstop run` puts this directory first on PYTHONPATH, and Python's `site` imports this module.

It hands over to the user's own sitecustomize, which then behaves as if this one were not there, and leaves one finder
behind that starts the hook once torch has been imported. Every Python that the job starts runs this, so it imports
nothing that `site` has not loaded already, prints nothing, and is no syntax error in Python 2.7 or 3.6.
"""

# ruff: noqa: ANN001, ANN202, INP001, SIM105 - Python 2 has no annotations, and contextlib would cost a millisecond
# mypy: disable-error-code="no-untyped-def, no-untyped-call, import-not-found"

import os
import sys


class _TorchFinder(object):  # noqa: UP004 - Python 2 runs this file too
    """Finds torch as the others do, and starts the hook after torch's own code has run."""

    def find_spec(self, name, path=None, target=None):
        """Give torch's spec with a loader that starts the hook at its end; None for everything else."""
        if name != "torch":
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                self._follow(spec.loader)
                return spec
        return None

    def _follow(self, loader):
        """Make this one loader call us; the class, and any other loader of it, stay as they are."""
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module):
            try:
                del loader.exec_module
            except AttributeError:
                pass
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _start_hook()

        try:
            loader.exec_module = exec_module
        except AttributeError:
            return  # a loader that takes no attributes: this process goes without the hook


def _start_hook():
    try:
        from importlib.machinery import SourceFileLoader  # noqa: PLC0415 - torch has loaded it already
        from importlib.util import module_from_spec, spec_from_loader  # noqa: PLC0415 - as above

        above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - no pathlib here
        name = "_dstop_hook"
        loader = SourceFileLoader(name, os.path.join(above, "hook.py"))  # noqa: PTH118 - as above
        spec = spec_from_loader(name, loader)
        if spec is None:
            return
        hook = module_from_spec(spec)
        loader.exec_module(hook)
        hook.start(how="run")
    except Exception:  # noqa: BLE001, S110 - the guest may fail, never its host
        pass


def _wanted():
    return sys.version_info >= (3, 9) and os.environ.get("DSTOP_HOOK") != "0"


def _hand_over():
    """Import the sitecustomize that would have been imported without this one.

    Whatever it raises, also the ImportError when there is none, goes to `site` unchanged: that is what would have
    happened. The module object is kept alive, because Python 2 empties one that nobody holds.
    """
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - as above
    kept = sys.modules.pop("sitecustomize", None)
    sys.path[:] = [entry for entry in sys.path if not entry or os.path.abspath(entry) != here]  # noqa: PTH100 - as above
    for entry in [entry for entry in sys.path_importer_cache if entry == here]:
        del sys.path_importer_cache[entry]
    import sitecustomize  # noqa: F401, PLC0415 - the next one on the path

    return kept


if _wanted():
    sys.meta_path.insert(0, _TorchFinder())
_hand_over()
