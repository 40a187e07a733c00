"""The completions of the three shells.  Each looks at the line in the same way: the flags whose value is the next word,
the command, how many words stand behind it, and the --root below which its containers are."""

from __future__ import annotations

from orlop.cli.completion import WORDS, choices, forms, takes_container, visible, wants_directory
from orlop.cli.table import COMMANDS, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.cli.flags import Flag


def _with_value() -> Iterator[tuple[str, Flag]]:
    """Commands, and flags of theirs that have a value."""
    for name in ("", *COMMANDS):
        for flag in visible(name):
            if flag[2] != "bool":
                yield name, flag


def _identifier(program: str) -> str:
    return "_" + "".join(each if each.isalnum() else "_" for each in program)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _ends_flags(name: str) -> bool:
    """Is what stands behind the container's id the container's?"""
    return load(name).flags_first


def bash(program: str) -> str:
    """For bash: one function, whose tables are in case statements.  `=` is a word of its own there."""
    values = []
    for name, flag in _with_value():
        found = choices(flag)
        how = f'-W "{found}"' if found else "-d" if wants_directory(flag) else "-f"
        pattern = "|".join(f"{name}:{form}" for form in forms(flag))
        values.append(f'  {pattern}) COMPREPLY=($(compgen {how} -- "$word")); return ;;')
    takers = "|".join(f"{name}:{form}" for name, flag in _with_value() for form in forms(flag))
    flags = [
        f"    {name or repr('')}) flags='{' '.join(form for flag in visible(name) for form in forms(flag))}' ;;"
        for name in ("", *COMMANDS)
    ]
    words = [
        f'    {name}:{count}) COMPREPLY=($(compgen -W "{found}" -- "$word")) ;;'
        for (name, count), found in {("", 0): " ".join(COMMANDS), **WORDS}.items()
    ]
    containers = "|".join(f"{name}:0" for name in COMMANDS if takes_container(name))
    ended = "|".join(f"{name}:[1-9]*" for name in COMMANDS if _ends_flags(name))
    lines = "\n".join
    return f"""\
# bash completion of {program}; made by `{program} completion bash`
{_identifier(program)}() {{
  local command= count=0 each flags= index root=()
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  [[ $before == = ]] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
  [[ $word == = ]] && word=
  for ((index = 1; index < COMP_CWORD; index++)); do
    each=${{COMP_WORDS[index]}}
    case $command:$each in
    {takers})
      [[ ${{COMP_WORDS[index + 1]}} == = ]] && ((index++))
      ((index++))
      [[ $each == --root ]] && root=(--root "${{COMP_WORDS[index]}}") ;;
    *:=) ((index++)) ;;
    *:-*) ;;
    :*) command=$each ;;
    *) ((count++)) ;;
    esac
  done
  case $command:$before in
{lines(values)}
  esac
  if [[ $word == -* ]]; then
    case $command:$count in {ended}) return ;; esac
    case $command in
{lines(flags)}
    esac
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  else
    case $command:$count in
    {containers}) COMPREPLY=($(compgen -W "$("${{COMP_WORDS[0]}}" "${{root[@]}}" list -q 2>/dev/null)" -- "$word")) ;;
{lines(words)}
    check:0) COMPREPLY=($(compgen -d -- "$word")) ;;
    esac
  fi
}}
complete -o default -F {_identifier(program)} {program}
"""


def fish(program: str) -> str:
    """For fish: a function that looks at the line, and one line for each command and flag."""
    look = "_" + _identifier(program)
    takers = " ".join(_quoted(f"{name} {form}") for name, flag in _with_value() for form in forms(flag))
    lines = [
        f"# fish completion of {program}; made by `{program} completion fish`",
        f"""\
function {look}_look
    set -g {look}_command ''
    set -g {look}_count 0
    set -g {look}_root
    set -l words (commandline -opc)
    set -l index 2
    while test $index -le (count $words)
        set -l each $words[$index]
        switch "${look}_command $each"
            case ' --root=*'
                set {look}_root --root (string sub -s 8 -- $each)
            case {takers}
                set index (math $index + 1)
                test "$each" = --root; and set {look}_root --root $words[$index]
            case '* -*'
            case ' *'
                set {look}_command $each
            case '*'
                set {look}_count (math ${look}_count + 1)
        end
        set index (math $index + 1)
    end
end
function {look}_at -a command count
    {look}_look
    test "${look}_command" = "$command"; and string match -q -- "$count" "${look}_count"
end
function {look}_ids
    {look}_look
    {program} ${look}_root list -q 2>/dev/null
end""",
        f"complete -c {program} -f",
    ]

    def at(name: str, count: int | str) -> str:
        return f"complete -c {program} -n {_quoted(f'{look}_at {_quoted(name)} {_quoted(str(count))}')}"

    for name, about in COMMANDS.items():
        lines.append(f"{at('', 0)} -a {name} -d {_quoted(about)}")
    for name in ("", *COMMANDS):
        here = at(name, 0 if name and _ends_flags(name) else "*")
        for flag in visible(name):
            short = f" -s {flag[1]}" if flag[1] else ""
            lines.append(f"{here} -l {flag[0]}{short}{_fish_value(flag)} -d {_quoted(flag[4])}")
        if name and takes_container(name):
            lines.append(f"{at(name, 0)} -a '({look}_ids)'")
    for (name, count), found in WORDS.items():
        lines.append(f"{at(name, count)} -a {_quoted(found)}")
    lines.append(f"{at('check', 0)} -a '(__fish_complete_directories)'")
    return "\n".join(lines) + "\n"


def _fish_value(flag: Flag) -> str:
    if flag[2] == "bool":
        return ""
    if found := choices(flag):
        return f" -x -a {_quoted(found)}"
    return " -x -a '(__fish_complete_directories)'" if wants_directory(flag) else " -r -F"


def zsh(program: str) -> str:
    """For zsh: `_arguments` of the program, and of each command."""
    function = _identifier(program)
    cases = []
    for name in COMMANDS:
        options = "-A '-*' " if _ends_flags(name) else ""
        specs = " \\\n      ".join([*(_spec(flag) for flag in visible(name)), *_zsh_positionals(function, name)])
        cases.append(f"    {name}) _arguments {options}\\\n      {specs} ;;")
    described = " ".join(_quoted(f"{name}:{about}") for name, about in COMMANDS.items())
    specs = " \\\n    ".join(_spec(flag) for flag in visible(""))
    return f"""\
#compdef {program}
# zsh completion of {program}; made by `{program} completion zsh`
{function}_ids() {{
  local -a ids=(${{(f)"$({program} $root list -q 2>/dev/null)"}})
  compadd -a ids
}}
{function}() {{
  local state line context curcontext=$curcontext
  local -A opt_args
  local -a root commands=({described})
  _arguments -C \\
    {specs} \\
    '1:command:->command' '*::argument:->argument'
  root=(${{opt_args[--root]:+--root}} ${{(Q)opt_args[--root]}})
  case $state in
  command) _describe command commands ;;
  argument)
    case $words[1] in
{chr(10).join(cases)}
    esac ;;
  esac
}}
compdef {function} {program}
"""


def _zsh_positionals(function: str, name: str) -> list[str]:
    found = [f"'1:container:{function}_ids'"] if takes_container(name) else []
    found += [f"'{count + 1}:word:({words})'" for (owner, count), words in WORDS.items() if owner == name]
    return found or ["'1:directory:_files -/'" if name == "check" else "'*:word:'"]


def _spec(flag: Flag) -> str:
    about = flag[4].translate({ord("["): "(", ord("]"): ")", ord(":"): ";"})
    found = choices(flag)
    place = "_files -/" if wants_directory(flag) else "_files"
    value = "" if flag[2] == "bool" else f":value:({found})" if found else f":value:{place}"
    long, *short = forms(flag)
    equals = "=" if value else ""
    return " ".join(_quoted(f"{form}[{about}]{value}") for form in (long + equals, *short))
