# bash completion of orlop; made by `orlop completion bash`
_orlop() {
  local word=${COMP_WORDS[COMP_CWORD]} command= flags= index root=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case ${COMP_WORDS[index]} in
    --root) root=(--root "${COMP_WORDS[index + 1]}"); ((index++)) ;;
    --log|--log-format|--root|--rootless) ((index++)) ;;
    -*) ;;
    =) ((index++)) ;;
    *) command=${COMP_WORDS[index]}; break ;;
    esac
  done
  case $command:${COMP_WORDS[COMP_CWORD - 1]} in
    :--log) COMPREPLY=($(compgen -f -- "$word")); return ;;
    :--log-format) COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
    :--root) COMPREPLY=($(compgen -d -- "$word")); return ;;
    :--rootless) COMPREPLY=($(compgen -W "true false auto" -- "$word")); return ;;
    check:--bundle|check:-b) COMPREPLY=($(compgen -d -- "$word")); return ;;
    check:--format|check:-f) COMPREPLY=($(compgen -W "table json" -- "$word")); return ;;
    checkpoint:--image-path) COMPREPLY=($(compgen -d -- "$word")); return ;;
    checkpoint:--work-path) COMPREPLY=($(compgen -d -- "$word")); return ;;
    checkpoint:--parent-path) COMPREPLY=($(compgen -d -- "$word")); return ;;
    checkpoint:--status-fd) COMPREPLY=($(compgen -f -- "$word")); return ;;
    checkpoint:--page-server) COMPREPLY=($(compgen -f -- "$word")); return ;;
    checkpoint:--manage-cgroups-mode) COMPREPLY=($(compgen -W "soft full strict ignore" -- "$word")); return ;;
    checkpoint:--empty-ns) COMPREPLY=($(compgen -W "network" -- "$word")); return ;;
    create:--bundle|create:-b) COMPREPLY=($(compgen -d -- "$word")); return ;;
    create:--console-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    create:--pidfd-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    create:--pid-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    create:--preserve-fds) COMPREPLY=($(compgen -f -- "$word")); return ;;
    events:--interval) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--console-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--pidfd-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--cwd) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--env|exec:-e) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--user|exec:-u) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--additional-gids|exec:-g) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--process|exec:-p) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--pid-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--process-label) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--apparmor) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--cap|exec:-c) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--preserve-fds) COMPREPLY=($(compgen -f -- "$word")); return ;;
    exec:--cgroup) COMPREPLY=($(compgen -f -- "$word")); return ;;
    explain:--bundle|explain:-b) COMPREPLY=($(compgen -d -- "$word")); return ;;
    explain:--format|explain:-f) COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
    explain:--preserve-fds) COMPREPLY=($(compgen -f -- "$word")); return ;;
    list:--format|list:-f) COMPREPLY=($(compgen -W "table json" -- "$word")); return ;;
    ps:--format|ps:-f) COMPREPLY=($(compgen -W "table json" -- "$word")); return ;;
    restore:--console-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    restore:--image-path) COMPREPLY=($(compgen -d -- "$word")); return ;;
    restore:--work-path) COMPREPLY=($(compgen -d -- "$word")); return ;;
    restore:--manage-cgroups-mode) COMPREPLY=($(compgen -W "soft full strict ignore" -- "$word")); return ;;
    restore:--bundle|restore:-b) COMPREPLY=($(compgen -d -- "$word")); return ;;
    restore:--pid-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    restore:--empty-ns) COMPREPLY=($(compgen -W "network" -- "$word")); return ;;
    restore:--lsm-profile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    restore:--lsm-mount-context) COMPREPLY=($(compgen -f -- "$word")); return ;;
    run:--account) COMPREPLY=($(compgen -f -- "$word")); return ;;
    run:--bundle|run:-b) COMPREPLY=($(compgen -d -- "$word")); return ;;
    run:--console-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    run:--pidfd-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    run:--pid-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    run:--preserve-fds) COMPREPLY=($(compgen -f -- "$word")); return ;;
    spec:--bundle|spec:-b) COMPREPLY=($(compgen -d -- "$word")); return ;;
    update:--resources|update:-r) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--blkio-weight) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-period) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-quota) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-burst) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-share) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-rt-period) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-rt-runtime) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpuset-cpus) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpuset-mems) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--cpu-idle) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--memory) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--memory-reservation) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--memory-swap) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--pids-limit) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--l3-cache-schema) COMPREPLY=($(compgen -f -- "$word")); return ;;
    update:--mem-bw-schema) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case $command in
    '') flags='--debug --log --log-format --root --systemd-cgroup --rootless --version -v --help -h' ;;
    check) flags='--bundle -b --format -f --strict --help -h' ;;
    checkpoint) flags='--image-path --work-path --parent-path --leave-running --tcp-established --tcp-skip-in-flight --link-remap --ext-unix-sk --shell-job --lazy-pages --status-fd --page-server --file-locks --pre-dump --manage-cgroups-mode --empty-ns --auto-dedup --help -h' ;;
    completion) flags='--help -h' ;;
    create) flags='--bundle -b --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --preserve-fds --help -h' ;;
    delete) flags='--force -f --help -h' ;;
    events) flags='--interval --stats --help -h' ;;
    exec) flags='--console-socket --pidfd-socket --cwd --env -e --tty -t --user -u --additional-gids -g --process -p --detach -d --pid-file --process-label --apparmor --no-new-privs --cap -c --preserve-fds --cgroup --ignore-paused --help -h' ;;
    explain) flags='--bundle -b --format -f --no-pivot --no-new-keyring --preserve-fds --help -h' ;;
    features) flags='--help -h' ;;
    kill) flags='--help -h' ;;
    list) flags='--format -f --quiet -q --help -h' ;;
    pause) flags='--help -h' ;;
    ps) flags='--format -f --help -h' ;;
    restore) flags='--console-socket --image-path --work-path --tcp-established --ext-unix-sk --shell-job --file-locks --manage-cgroups-mode --bundle -b --detach -d --pid-file --no-subreaper --no-pivot --empty-ns --auto-dedup --lazy-pages --lsm-profile --lsm-mount-context --help -h' ;;
    resume) flags='--help -h' ;;
    run) flags='--account --bundle -b --console-socket --pidfd-socket --detach -d --keep --pid-file --no-subreaper --no-pivot --no-new-keyring --preserve-fds --help -h' ;;
    spec) flags='--bundle -b --rootless --host --help -h' ;;
    start) flags='--help -h' ;;
    state) flags='--help -h' ;;
    update) flags='--resources -r --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime --cpuset-cpus --cpuset-mems --cpu-idle --memory --memory-reservation --memory-swap --pids-limit --l3-cache-schema --mem-bw-schema --help -h' ;;
    help) flags='--help -h' ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [[ -z $command || $command == help ]]; then
    COMPREPLY=($(compgen -W "check checkpoint completion create delete events exec explain features kill list pause ps restore resume run spec start state update help" -- "$word"))
  else
    case $command in
    checkpoint|delete|events|exec|kill|pause|ps|resume|start|state|update) COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "${root[@]}" list -q 2>/dev/null)" -- "$word")) ;;
    completion) COMPREPLY=($(compgen -W "bash fish zsh" -- "$word")) ;;
    esac
  fi
}
complete -o default -F _orlop orlop
