"""Run a chapter's cells where no package but SymPy is installed, as in a browser.

A statement that needs a missing package ends its cell, and each name that it would have bound becomes a placeholder for
that package: a later cell that uses the name ends too, and says why, instead of going on with a stale value.
"""

import ast
import contextlib
import io
import json
import linecache
import re
import symtable
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

import mpmath


@contextlib.contextmanager
def _formatted_numbers() -> Iterator[None]:
    """Format mpmath's numbers as floats while a cell runs: without NumPy formulas give them, and mpmath 1.3 cannot."""

    def as_float(number: mpmath.mpf, spec: str) -> str:
        return format(float(number), spec) if spec else str(number)

    mpmath.mpf.__format__ = as_float
    try:
        yield
    finally:
        del mpmath.mpf.__format__  # uncovers the inherited one


class _Absent:
    """Placeholder for a name whose package is missing; any use of it raises what the import raised."""

    package: str

    def __init__(self, package: str) -> None:
        self.__dict__["package"] = package

    def _refuse(self, *arguments: object, **named: object) -> NoReturn:
        raise ModuleNotFoundError(f"No module named {self.package!r}", name=self.package)

    __getattr__ = __setattr__ = __delattr__ = _refuse


_USES = """
lt le eq ne ge gt neg pos abs invert contains getitem setitem delitem call iter next len enter exit
add sub mul matmul truediv floordiv mod pow and or xor radd rsub rmul rmatmul rtruediv rfloordiv rmod rpow rand ror rxor
bool int float complex index round format str repr hash
"""
for _use in re.findall(r"\w+", _USES):
    setattr(_Absent, f"__{_use}__", _Absent._refuse)


@dataclass
class Result:
    """A cell's outputs, as data by MIME type; the missing package that ended it; its traceback if it raised."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    needs: str = ""
    error: str = ""


def run(source: str, names: dict[str, Any], file: str = "Cell") -> Result:
    """Run a cell statement by statement, and return what it prints and the value of its last expression.

    Args:
        source: the cell's text.
        names: the chapter's global names, which the cell reads and changes.
        file: what a traceback calls the cell: "Cell" and a number.
    """
    result, printed = Result(), io.StringIO()
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks
    try:
        with contextlib.redirect_stdout(printed), _formatted_numbers():
            last = _run_statements(_statements(source, file), names, file, result)
    except BaseException as error:  # SystemExit and KeyboardInterrupt must not end the kernel either
        last, result.error = None, _traceback(error)
    if text := printed.getvalue():
        result.outputs.append({"text/plain": text})
    if last:
        result.outputs.append(last)
    return result


def run_as_json(source: str, names: dict[str, Any], file: str) -> str:
    """Run a cell like `run`, and return the result as JSON, which the page's script reads."""
    return json.dumps(asdict(run(source, names, file)))


def _statements(source: str, file: str) -> list[ast.stmt]:
    """Return a cell's statements, with one import in each."""
    statements: list[ast.stmt] = []
    for statement in ast.parse(source, file).body:
        if isinstance(statement, ast.Import):
            statements += [ast.copy_location(ast.Import([alias]), statement) for alias in statement.names]
        else:
            statements.append(statement)
    return statements


def _run_statements(
    statements: list[ast.stmt], names: dict[str, Any], file: str, result: Result
) -> dict[str, Any] | None:
    """Run statements until one needs a missing package, which the result then names.

    Returns:
        The output of the last statement, if it is an expression and not None.
    """
    for n, statement in enumerate(statements):
        try:
            if isinstance(statement, ast.Expr) and statement is statements[-1]:
                value = eval(compile(ast.Expression(statement.value), file, "eval"), names)
                return None if value is None else _output_of(value)
            exec(compile(ast.Module([statement], []), file, "exec"), names)
        except ModuleNotFoundError as error:
            package = (error.name or "").split(".")[0]
            is_import = isinstance(statement, ast.Import | ast.ImportFrom)
            for lost in [statement] if is_import else statements[n:]:
                names.update(dict.fromkeys(_bound(lost), _Absent(package)))
            if not is_import:
                result.needs = package
                break
    return None


def _bound(statement: ast.stmt) -> list[str]:
    """Return the global names that a statement binds."""
    table = symtable.symtable(ast.unparse(statement), "Cell", "exec")
    return [s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()]


def _output_of(value: Any) -> dict[str, Any]:
    """Return what a notebook would show of a value: data by MIME type."""
    if hasattr(value, "_repr_mimebundle_"):
        return dict(value._repr_mimebundle_())
    formula = {"text/latex": value._repr_latex_()} if hasattr(value, "_repr_latex_") else {}
    return formula | {"text/plain": repr(value)}


def _traceback(error: BaseException) -> str:
    """Return an error's traceback with the frames of cells only."""
    told = traceback.TracebackException.from_exception(error)
    for frame in reversed(told.stack):
        if not frame.filename.startswith("Cell"):
            told.stack.remove(frame)
    return "".join(told.format())
