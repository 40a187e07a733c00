#compdef orlop
# zsh completion of orlop; made by `orlop completion zsh`
_orlop() {
  local state line context
  local -a commands=('check:find what is wrong with a bundle, and run nothing' 'checkpoint:save a running container to disk (not available yet)' 'completion:print the completion of this command line for a shell' 'create:create a container' 'delete:delete a container and everything that is kept of it' 'events:show what a container uses, and when it runs out of memory' 'exec:run another process in a container' 'explain:show all that the kernel would be asked to do, and do nothing' 'features:show what this runtime can do, as JSON' 'kill:send a signal (default: SIGTERM) to a container'\''s init process' 'list:list the containers below the state root' 'pause:stop the processes of a container where they are' 'ps:show the processes of a container' 'restore:make a container anew from a checkpoint (not available yet)' 'resume:let a paused container go on' 'run:create a container and start it' 'spec:write a config.json to begin with' 'start:start the process of a created container' 'state:show the state of a container, as JSON' 'update:change the limits of a container' 'help:list the commands, or show the help of one')
  _arguments -C \
    '--debug[log what is done, and show the traceback of an internal error]' \
    '--log[append log lines to this file (default is standard error)]:value:_files' \
    '--log-format[format of log lines; '\''text'\'' or '\''json'\'']:value:(text json)' \
    '--root[directory for the state of containers, best on a tmpfs]:value:_files -/' \
    '--systemd-cgroup[let systemd make the cgroups; cgroupsPath is then "slice;prefix;name"]' \
    '--rootless[go on without access to cgroups; '\''true'\'', '\''false'\'' or '\''auto'\'']:value:(true false auto)' \
    '--version[print the version]' '-v[print the version]' \
    '--help[show help]' '-h[show help]' \
    '1:command:->command' '*::argument:->argument'
  case $state in
  command) _describe command commands ;;
  argument)
    case $words[1] in
    check) _arguments \
      '--bundle[directory of the bundle (default is the current directory)]:value:_files -/' '-b[directory of the bundle (default is the current directory)]:value:_files -/' \
      '--format['\''text'\'' or '\''json'\'']:value:(table json)' '-f['\''text'\'' or '\''json'\'']:value:(table json)' \
      '--strict[end with status 1 for warnings too]' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    checkpoint) _arguments \
      '--image-path[directory of the images (default is ./checkpoint)]:value:_files -/' \
      '--work-path[directory for CRIU'\''s logs]:value:_files -/' \
      '--parent-path[directory of an earlier pre-dump, relative to the images]:value:_files -/' \
      '--leave-running[let the container go on afterwards]' \
      '--tcp-established[allow open TCP connections]' \
      '--tcp-skip-in-flight[leave out TCP connections that are being made]' \
      '--link-remap[allow files that are open and deleted]' \
      '--ext-unix-sk[allow unix sockets whose other end is outside]' \
      '--shell-job[allow a session whose leader is outside]' \
      '--lazy-pages[move memory when it is used (userfaultfd)]' \
      '--status-fd[descriptor that gets a zero byte when the page server is ready]:value:_files' \
      '--page-server[ADDRESS;PORT of the page server to send memory to]:value:_files' \
      '--file-locks[handle locks of files]' \
      '--pre-dump[only save the memory, and let the container go on]' \
      '--manage-cgroups-mode['\''soft'\'', '\''full'\'', '\''strict'\'' or '\''ignore'\'']:value:(soft full strict ignore)' \
      '--empty-ns[make this namespace, and nothing in it; '\''network'\'']:value:(network)' \
      '--auto-dedup[drop pages from older images once they are in newer ones]' \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    completion) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    create) _arguments \
      '--bundle[directory of the bundle (default is the current directory)]:value:_files -/' '-b[directory of the bundle (default is the current directory)]:value:_files -/' \
      '--console-socket[unix socket that is sent the master end of the terminal]:value:_files' \
      '--pidfd-socket[unix socket that is sent a pidfd of the process]:value:_files' \
      '--pid-file[write the process id to this file]:value:_files' \
      '--no-pivot[enter the root file system without pivot_root, for one on a ramdisk]' \
      '--no-new-keyring[keep the session keyring of the caller]' \
      '--preserve-fds[pass on N more descriptors after standard error and those of $LISTEN_FDS]:value:_files' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    delete) _arguments \
      '--force[kill the container first where it still runs; no error where there is none]' '-f[kill the container first where it still runs; no error where there is none]' \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    events) _arguments \
      '--interval[time between two lines of statistics]:value:_files' \
      '--stats[print the statistics once, and return]' \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    exec) _arguments \
      '--console-socket[unix socket that is sent the master end of the terminal]:value:_files' \
      '--pidfd-socket[unix socket that is sent a pidfd of the process]:value:_files' \
      '--cwd[working directory in the container]:value:_files' \
      '--env[add NAME=VALUE to the environment; may be repeated]:value:_files' '-e[add NAME=VALUE to the environment; may be repeated]:value:_files' \
      '--tty[give the process a terminal]' '-t[give the process a terminal]' \
      '--user[UID(;GID), as numbers]:value:_files' '-u[UID(;GID), as numbers]:value:_files' \
      '--additional-gids[add a supplementary group; may be repeated]:value:_files' '-g[add a supplementary group; may be repeated]:value:_files' \
      '--process[file with a process object as in config.json, in place of the other options]:value:_files' '-p[file with a process object as in config.json, in place of the other options]:value:_files' \
      '--detach[return as soon as the process is started]' '-d[return as soon as the process is started]' \
      '--pid-file[write the process id to this file]:value:_files' \
      '--process-label[SELinux label of the process]:value:_files' \
      '--apparmor[AppArmor profile of the process]:value:_files' \
      '--no-new-privs[let the process gain no privileges by execve]' \
      '--cap[add a capability, such as CAP_NET_ADMIN; may be repeated]:value:_files' '-c[add a capability, such as CAP_NET_ADMIN; may be repeated]:value:_files' \
      '--preserve-fds[pass on N more descriptors after standard error and those of $LISTEN_FDS]:value:_files' \
      '--cgroup[run in this cgroup below the container'\''s; (CONTROLLER(,CONTROLLER);)PATH]:value:_files' \
      '--ignore-paused[accept a paused container; the process waits until it is resumed]' \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    explain) _arguments \
      '--bundle[directory of the bundle (default is the current directory)]:value:_files -/' '-b[directory of the bundle (default is the current directory)]:value:_files -/' \
      '--format['\''text'\'' or '\''json'\'']:value:(text json)' '-f['\''text'\'' or '\''json'\'']:value:(text json)' \
      '--no-pivot[enter the root file system without pivot_root, for one on a ramdisk]' \
      '--no-new-keyring[keep the session keyring of the caller]' \
      '--preserve-fds[pass on N more descriptors after standard error and those of $LISTEN_FDS]:value:_files' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    features) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    kill) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    list) _arguments \
      '--format['\''table'\'' or '\''json'\'']:value:(table json)' '-f['\''table'\'' or '\''json'\'']:value:(table json)' \
      '--quiet[print only the ids]' '-q[print only the ids]' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    pause) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    ps) _arguments \
      '--format['\''table'\'' or '\''json'\'']:value:(table json)' '-f['\''table'\'' or '\''json'\'']:value:(table json)' \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    restore) _arguments \
      '--console-socket[unix socket that is sent the master end of the terminal]:value:_files' \
      '--image-path[directory of the images (default is ./checkpoint)]:value:_files -/' \
      '--work-path[directory for CRIU'\''s logs]:value:_files -/' \
      '--tcp-established[allow open TCP connections]' \
      '--ext-unix-sk[allow unix sockets whose other end is outside]' \
      '--shell-job[allow a session whose leader is outside]' \
      '--file-locks[handle locks of files]' \
      '--manage-cgroups-mode['\''soft'\'', '\''full'\'', '\''strict'\'' or '\''ignore'\'']:value:(soft full strict ignore)' \
      '--bundle[directory of the bundle (default is the current directory)]:value:_files -/' '-b[directory of the bundle (default is the current directory)]:value:_files -/' \
      '--detach[return as soon as the process is started]' '-d[return as soon as the process is started]' \
      '--pid-file[write the process id to this file]:value:_files' \
      '--no-subreaper[do not reap the orphans of the container]' \
      '--no-pivot[enter the root file system without pivot_root, for one on a ramdisk]' \
      '--empty-ns[make this namespace, and nothing in it; '\''network'\'']:value:(network)' \
      '--auto-dedup[drop pages from older images once they are in newer ones]' \
      '--lazy-pages[move memory when it is used (userfaultfd)]' \
      '--lsm-profile[TYPE;NAME of the LSM profile to restore with]:value:_files' \
      '--lsm-mount-context[LSM context of the mounts to restore with]:value:_files' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    resume) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    run) _arguments \
      '--account[write how it ended and what it used to this file, as JSON]:value:_files' \
      '--bundle[directory of the bundle (default is the current directory)]:value:_files -/' '-b[directory of the bundle (default is the current directory)]:value:_files -/' \
      '--console-socket[unix socket that is sent the master end of the terminal]:value:_files' \
      '--pidfd-socket[unix socket that is sent a pidfd of the process]:value:_files' \
      '--detach[return as soon as the process is started]' '-d[return as soon as the process is started]' \
      '--keep[keep the state and the cgroup when the process has ended]' \
      '--pid-file[write the process id to this file]:value:_files' \
      '--no-subreaper[do not reap the orphans of the container]' \
      '--no-pivot[enter the root file system without pivot_root, for one on a ramdisk]' \
      '--no-new-keyring[keep the session keyring of the caller]' \
      '--preserve-fds[pass on N more descriptors after standard error and those of $LISTEN_FDS]:value:_files' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    spec) _arguments \
      '--bundle[directory to write to (default is the current directory)]:value:_files -/' '-b[directory to write to (default is the current directory)]:value:_files -/' \
      '--rootless[for a container that a user without privileges starts]' \
      '--host[with this host'\''s own /usr, read-only, in place of a root file system]' \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    start) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    state) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    update) _arguments \
      '--resources[read the limits from a file, or with - from standard input; see below]:value:_files' '-r[read the limits from a file, or with - from standard input; see below]:value:_files' \
      '--blkio-weight[weight of block I/O, from 10 to 1000]:value:_files' \
      '--cpu-period[length of a period of the CPU quota, in microseconds]:value:_files' \
      '--cpu-quota[CPU time in a period, in microseconds; -1 for no limit]:value:_files' \
      '--cpu-burst[unused CPU time that may be saved up, in microseconds]:value:_files' \
      '--cpu-share[CPU shares, relative to other containers]:value:_files' \
      '--cpu-rt-period[length of a real-time period, in microseconds]:value:_files' \
      '--cpu-rt-runtime[real-time CPU time in a period, in microseconds]:value:_files' \
      '--cpuset-cpus[processors to use, such as 0-3,7]:value:_files' \
      '--cpuset-mems[memory nodes to use, such as 0]:value:_files' \
      '--cpu-idle[1 to run only when nothing else wants the CPU, 0 for the ordinary way]:value:_files' \
      '--memory[memory, in bytes or with a unit (b k m g); -1 for no limit]:value:_files' \
      '--memory-reservation[memory that is not taken back without need]:value:_files' \
      '--memory-swap[memory and swap together; -1 for no limit]:value:_files' \
      '--pids-limit[number of processes and threads; -1 for no limit]:value:_files' \
      '--l3-cache-schema[schema of the L3 cache, for Intel RDT/CAT]:value:_files' \
      '--mem-bw-schema[schema of the memory bandwidth, for Intel RDT/MBA]:value:_files' \
      '--help[show help]' '-h[show help]' \
      '*:container:($(orlop list -q 2>/dev/null))' ;;
    help) _arguments \
      '--help[show help]' '-h[show help]' \
      '*:file:_files' ;;
    esac ;;
  esac
}
compdef _orlop orlop
