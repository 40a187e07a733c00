"""Read the flags of a command line in the grammar of Go's `flag` package, which engines and scripts write for runc.

`-x` is `--x`; a value follows after `=` or as the next word; a bool takes a value only after `=`; short flags are not
bundled; `--` ends the flags; `-` is an ordinary word.  Flags may stand behind positionals, unless the command passes
the rest of the line on (`exec`).
"""

from __future__ import annotations

from orlop.errors import OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orlop.cli.context import Context

    Value = str | bool | int | list[str | int]
    # name, short name, kind (bool text texts int ints duration), default, help.  A flag without help is hidden.
    Flag = tuple[str, str, str, str | bool | int | None, str]

HELP: Flag = ("help", "h", "bool", False, "show help")

_BOOLS = {
    "1": True, "t": True, "T": True, "true": True, "TRUE": True, "True": True,
    "0": False, "f": False, "F": False, "false": False, "FALSE": False, "False": False,
}  # fmt: skip


class UsageError(OrlopError):
    """The command line is not understood.  `arity` says that only the number of positionals is wrong, `flag` which one
    is not known."""

    def __init__(self, message: str, *, arity: bool = False, flag: str = "") -> None:
        super().__init__(message)
        self.arity = arity
        self.flag = flag


class Args:
    """What a command was called with: flag values by name, the positionals, and the context of the whole call."""

    __slots__ = ("context", "given", "rest", "values")

    def __init__(self, context: Context, values: dict[str, Value], given: set[str], rest: list[str]) -> None:
        self.context = context
        self.values = values
        self.given = given
        self.rest = rest

    def text(self, name: str) -> str:
        """Return a text flag; empty where it is not given or the command has no such flag."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        return self.values.get(name) is True

    def number(self, name: str) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) else 0

    def texts(self, name: str) -> list[str]:
        value = self.values.get(name)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    def numbers(self, name: str) -> list[int]:
        value = self.values.get(name)
        return [each for each in value if isinstance(each, int)] if isinstance(value, list) else []


class Command:
    """One command: its flags, how many positionals it takes (least, most), its help, and what it does."""

    __slots__ = ("detail", "flags", "flags_first", "positionals", "run", "usage")

    def __init__(
        self,
        run: Callable[[Args], int],
        flags: tuple[Flag, ...],
        positionals: tuple[int, int | None],
        usage: str,
        detail: str,
        *,
        flags_first: bool = False,
    ) -> None:
        self.run = run
        self.flags = flags
        self.positionals = positionals
        self.usage = usage
        self.detail = detail
        self.flags_first = flags_first


def parse(context: Context, flags: Sequence[Flag], words: Sequence[str], *, flags_first: bool = False) -> Args:
    """Read `words`; with `flags_first` the first positional ends the flags.  Raises UsageError."""
    index = {"help": HELP, "h": HELP}
    values: dict[str, Value] = {}
    for flag in flags:
        index[flag[0]] = flag
        if flag[1]:
            index[flag[1]] = flag
        if flag[3] is not None:
            values[flag[0]] = flag[3]
    args = Args(context, values, set(), [])
    position, count = 0, len(words)
    while position < count:
        word = words[position]
        position += 1
        if word == "--":
            args.rest += words[position:]
            break
        if word[:1] != "-" or word == "-":
            if flags_first:
                args.rest += words[position - 1 :]
                break
            args.rest.append(word)
            continue
        name, equals, value = word[2 if word[:2] == "--" else 1 :].partition("=")
        if not name or name[0] == "-":
            raise UsageError(f"bad flag syntax: {word}")
        found = index.get(name)
        if found is None:
            raise UsageError(f"flag provided but not defined: -{name}", flag=name)
        if not equals:
            if found[2] == "bool":
                value = "true"
            elif position == count:
                raise UsageError(f"flag needs an argument: -{name}")
            else:
                value = words[position]
                position += 1
        _keep(args, found, name, value)
    return args


def check_positionals(program: str, name: str, count: int, positionals: tuple[int, int | None]) -> None:
    """Raise UsageError unless `count` positionals are between the two bounds."""
    least, most = positionals
    if least == most and count != least:
        rule = f"exactly {least}"
    elif count < least:
        rule = f"a minimum of {least}"
    elif most is not None and count > most:
        rule = f"a maximum of {most}"
    else:
        return
    raise UsageError(f'{program}: "{name}" requires {rule} argument(s)', arity=True)


def _keep(args: Args, flag: Flag, name: str, text: str) -> None:
    """Convert the text of a flag to its kind and keep it; `name` is the form that was typed."""
    values, long, kind = args.values, flag[0], flag[2]
    args.given.add(long)
    if kind == "text":
        values[long] = text
    elif kind == "bool":
        if text not in _BOOLS:
            raise UsageError(f'invalid boolean value "{text}" for -{name}: parse error')
        values[long] = _BOOLS[text]
    elif kind in ("texts", "ints"):
        before = values.get(long)
        value = text if kind == "texts" else _integer(name, text)
        values[long] = [*before, value] if isinstance(before, list) else [value]
    elif kind == "int":
        values[long] = _integer(name, text)
    else:
        from orlop.cli.duration import nanoseconds

        duration = nanoseconds(text)
        if duration is None:
            raise UsageError(f'invalid value "{text}" for flag -{name}: parse error')
        values[long] = duration


def _integer(name: str, text: str) -> int:
    """Read a number as Go does with base 0: 0x, 0o, 0b, and unlike Python a bare leading 0 for octal."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if digits[:1] == "0" and (digits[1:2].isdigit() or digits[1:2] == "_"):
        digits = "0o" + digits[1:]
    try:
        if not digits.isascii() or not digits.isprintable() or digits[:1] in ("", " ", "+", "-") or digits[-1] == " ":
            raise ValueError
        number = int(sign + digits, 0)
    except ValueError:
        raise UsageError(f'invalid value "{text}" for flag -{name}: parse error') from None
    if not -(2**63) <= number < 2**63:
        raise UsageError(f'invalid value "{text}" for flag -{name}: value out of range')
    return number
