"""`completion`: print what makes a shell complete this command line.  Everything comes from the flag tables."""

from __future__ import annotations

from orlop.cli.context import FLAGS as GLOBAL_FLAGS
from orlop.cli.flags import HELP, Command
from orlop.cli.output import put
from orlop.cli.table import COMMANDS, load
from orlop.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

_NEW_ID = ("create", "explain", "restore", "run")  # their id is yet to be chosen
_DIRECTORIES = frozenset(("bundle", "image-path", "parent-path", "root", "work-path"))
_CHOICES = {
    "log-format": "text json",
    "rootless": "true false auto",
    "manage-cgroups-mode": "soft full strict ignore",
    "empty-ns": "network",
}
_SHELLS = ("bash", "fish", "zsh")


def run(args: Args) -> int:
    shell = args.rest[0]
    if shell not in _SHELLS:
        raise ConfigError(f"no completion for the shell {shell}", hint=f"there are {', '.join(_SHELLS)}")
    put({"bash": bash, "fish": fish, "zsh": zsh}[shell](args.context.program))
    return 0


def visible(name: str) -> list[Flag]:
    """The flags of a command, and of the program where `name` is empty, that the help shows."""
    return [flag for flag in (*(load(name).flags if name else GLOBAL_FLAGS), HELP) if flag[4]]


def choices(name: str, flag: Flag) -> str:
    """The words that a flag's value may be; empty for any."""
    if flag[0] == "format":
        return "text json" if name == "explain" else "table json"
    return "" if flag[2] == "bool" else _CHOICES.get(flag[0], "")


def takes_container(name: str) -> bool:
    """Does a command take the id of a container that exists?"""
    return name not in _NEW_ID and "<container-id>" in load(name).usage


def _forms(flag: Flag) -> list[str]:
    return [f"--{flag[0]}", *([f"-{flag[1]}"] if flag[1] else [])]


def bash(program: str) -> str:
    """For bash: one function, whose tables are in two case statements."""
    values, words = [], []
    for name in ("", *COMMANDS):
        words.append(
            f"    {name or repr('')}) flags='{' '.join(each for flag in visible(name) for each in _forms(flag))}' ;;"
        )
        for flag in visible(name):
            if flag[2] == "bool":
                continue
            pattern = "|".join(f"{name}:{form}" for form in _forms(flag))
            found = choices(name, flag)
            how = f'-W "{found}"' if found else "-d" if flag[0] in _DIRECTORIES else "-f"
            values.append(f'    {pattern}) COMPREPLY=($(compgen {how} -- "$word")); return ;;')
    containers = "|".join(name for name in COMMANDS if takes_container(name))
    function = "_" + "".join(each if each.isalnum() else "_" for each in program)
    with_value = " ".join(form for flag in visible("") if flag[2] != "bool" for form in _forms(flag))
    return f"""\
# bash completion of {program}; made by `{program} completion bash`
{function}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} command= flags= index root=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case ${{COMP_WORDS[index]}} in
    --root) root=(--root "${{COMP_WORDS[index + 1]}}"); ((index++)) ;;
    {with_value.replace(" ", "|")}) ((index++)) ;;
    -*) ;;
    =) ((index++)) ;;
    *) command=${{COMP_WORDS[index]}}; break ;;
    esac
  done
  case $command:${{COMP_WORDS[COMP_CWORD - 1]}} in
{chr(10).join(values)}
  esac
  case $command in
{chr(10).join(words)}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [[ -z $command || $command == help ]]; then
    COMPREPLY=($(compgen -W "{" ".join(COMMANDS)}" -- "$word"))
  else
    case $command in
    {containers}) COMPREPLY=($(compgen -W "$("${{COMP_WORDS[0]}}" "${{root[@]}}" list -q 2>/dev/null)" -- "$word")) ;;
    completion) COMPREPLY=($(compgen -W "{" ".join(_SHELLS)}" -- "$word")) ;;
    esac
  fi
}}
complete -o default -F {function} {program}
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def fish(program: str) -> str:
    """For fish: one line for each command and flag."""
    lines = [f"# fish completion of {program}; made by `{program} completion fish`", f"complete -c {program} -f"]
    for name, about in COMMANDS.items():
        lines.append(f"complete -c {program} -n __fish_use_subcommand -a {name} -d {_quoted(about)}")
    for name in ("", *COMMANDS):
        condition = f"'__fish_seen_subcommand_from {name}'" if name else "__fish_use_subcommand"
        for flag in visible(name):
            short = f" -s {flag[1]}" if flag[1] else ""
            found = choices(name, flag)
            value = "" if flag[2] == "bool" else f" -x -a {_quoted(found)}" if found else " -r -F"
            lines.append(f"complete -c {program} -n {condition} -l {flag[0]}{short}{value} -d {_quoted(flag[4])}")
        if name and takes_container(name):
            lines.append(f"complete -c {program} -n {condition} -a '({program} list -q 2>/dev/null)'")
    return "\n".join(lines) + "\n"


def zsh(program: str) -> str:
    """For zsh: `_arguments` of the program, and of each command."""
    cases = []
    for name in COMMANDS:
        rest = f"'*:container:($({program} list -q 2>/dev/null))'" if takes_container(name) else "'*:file:_files'"
        specs = " \\\n      ".join([*(_spec(name, flag) for flag in visible(name)), rest])
        cases.append(f"    {name}) _arguments \\\n      {specs} ;;")
    described = " ".join(_quoted(f"{name}:{about}") for name, about in COMMANDS.items())
    specs = " \\\n    ".join(_spec("", flag) for flag in visible(""))
    return f"""\
#compdef {program}
# zsh completion of {program}; made by `{program} completion zsh`
_{program}() {{
  local state line context
  local -a commands=({described})
  _arguments -C \\
    {specs} \\
    '1:command:->command' '*::argument:->argument'
  case $state in
  command) _describe command commands ;;
  argument)
    case $words[1] in
{chr(10).join(cases)}
    esac ;;
  esac
}}
compdef _{program} {program}
"""


def _spec(name: str, flag: Flag) -> str:
    about = flag[4].translate({ord("["): "(", ord("]"): ")", ord(":"): ";"})
    found = choices(name, flag)
    place = "_files -/" if flag[0] in _DIRECTORIES else "_files"
    value = "" if flag[2] == "bool" else f":value:({found})" if found else f":value:{place}"
    return " ".join(_quoted(f"{form}[{about}]{value}") for form in _forms(flag))


COMMAND = Command(
    run,
    (),
    (1, 1),
    "bash|fish|zsh",
    """\
Prints the completion of this command line for a shell. To have it now, or always:

    $ source <({program} completion bash)
    # {program} completion bash > /usr/share/bash-completion/completions/{program}
    # {program} completion zsh > /usr/share/zsh/site-functions/_{program}
    # {program} completion fish > /usr/share/fish/vendor_completions.d/{program}.fish
""",
)
