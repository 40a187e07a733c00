/* The `orlop` on PATH: finds the package and its interpreter, and becomes `python3 -I -S -X utf8 .../orlop/boot.py`.
 *
 * pip's own stub imports `re` and runs `site` with every .pth file; a shell script costs a shell.  This costs one
 * execve. Where the package is, follows from where this file is (/proc/self/exe, so that a link named `runc` works):
 *
 *   a checkout       <root>/build/orlop   package <root>/orlop
 *   an installation  <prefix>/bin/orlop   package <prefix>/lib/python3.X/site-packages/orlop  (venv, --prefix, --user)
 *                                              or the same with dist-packages                 (Debian's pip)
 *                                              or <prefix>/lib/python3/dist-packages/orlop    (Debian's packages)
 *                                              or <prefix>/orlop                              (--target)
 *
 * The interpreter is what the file orlop.python beside this one names, if there is one (`make` writes it in a checkout,
 * a distribution may); else python3.X (python3 where no X is known) in <prefix>/bin, /usr/local/bin, /usr/bin or PATH.
 *
 * boot.py is compiled at each start, which takes longer than all else that it does, so its .pyc is given to the
 * interpreter if there is one: `make` and pip write it, and it is checked here as the interpreter checks a module's.
 *
 * The pack of modules (orlop/pack.py) is to be used as long as no source of them has changed since it was made.  To ask
 * for all of them takes a tenth of the time here that it takes in Python: where none has, boot.py is told `-X fresh`.
 *
 * Then a `run` that came before can do without the interpreter (replay.c).
 *
 * For a container in a scope of systemd's a child goes ahead (hasten_cgroup), of which `-X ahead=PID` tells.
 *
 * The environment, the descriptors and the command's own name are passed on as they are.  System calls only: no libc.
 */

#include "replay.h"
#include "system.h"

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n\thlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl launch\n\tbrk #1\n");
#endif

/* Versions of CPython 3: a new one appears each year, and each costs two system calls of a microsecond. */
enum { OLDEST = 11, NEWEST = 30, OWN_WORDS = 14 };

struct path {
    unsigned length;
    char text[PATH_SIZE];
};

void launch(char **stack);

/* A path that does not fit becomes empty, and so names nothing. */
static void add(struct path *path, const char *text)
{
    unsigned length = length_of(text);
    if (path->length + length >= PATH_SIZE) {
        path->text[path->length = 0] = 0;
        return;
    }
    for (unsigned i = 0; i <= length; i++)
        path->text[path->length + i] = text[i];
    path->length += length;
}

static void set(struct path *path, const char *text)
{
    path->text[path->length = 0] = 0;
    add(path, text);
}

static void cut_last_component(struct path *path)
{
    while (path->length > 0 && path->text[--path->length] != '/')
        ;
    path->text[path->length] = 0;
}

static void add_number(struct path *path, int number)
{
    char digits[3] = {(char)('0' + number / 10), (char)('0' + number % 10), 0};
    add(path, digits);
}

static _Noreturn void refuse(const char *one, const char *two, const char *three)
{
    static struct path line;
    set(&line, "orlop: ");
    add(&line, one);
    add(&line, two);
    add(&line, three);
    add(&line, "\n");
    call(NR_WRITE, 2, (long)line.text, line.length, 0);
    for (;;)
        call(NR_EXIT_GROUP, 1, 0, 0, 0);
}

static int may(const char *path, int mode)
{
    return path[0] == '/' && call(NR_FACCESSAT, AT_FDCWD, (long)path, mode, 0) == 0;
}

/* Is the package below `root`? */
static int holds_package(const struct path *root)
{
    static struct path boot;
    set(&boot, root->text);
    add(&boot, "/orlop/boot.py");
    return may(boot.text, F_OK);
}

static int runs(struct path *python, const char *directory, const char *name)
{
    set(python, directory);
    add(python, "/");
    add(python, name);
    return may(python->text, X_OK);
}

static int in_search_path(struct path *python, const char *name, char **environment)
{
    static struct path directory;
    for (; *environment; environment++) {
        const char *at = *environment;
        if (at[0] != 'P' || at[1] != 'A' || at[2] != 'T' || at[3] != 'H' || at[4] != '=')
            continue;
        at += 5;
        for (;;) {
            directory.length = 0;
            while (*at && *at != ':' && directory.length < PATH_SIZE - 1)
                directory.text[directory.length++] = *at++;
            directory.text[directory.length] = 0;
            if (runs(python, directory.text, name))
                return 1;
            if (*at++ != ':')
                return 0;
        }
    }
    return 0;
}

static int find_python(struct path *python, const char *prefix, const char *name, char **environment)
{
    static struct path own;
    set(&own, prefix);
    add(&own, "/bin");
    return runs(python, own.text, name) || runs(python, "/usr/local/bin", name) || runs(python, "/usr/bin", name) ||
           in_search_path(python, name, environment);
}

/* The first line of the file `<launcher>.python`. */
static int named_python(struct path *python, const struct path *self)
{
    set(python, self->text);
    add(python, ".python");
    long file = call(NR_OPENAT, AT_FDCWD, (long)python->text, O_CLOEXEC, 0);
    if (file < 0)
        return 0;
    long length = call(NR_READ, file, (long)python->text, PATH_SIZE - 1, 0);
    call(NR_CLOSE, file, 0, 0, 0);
    python->length = 0;
    while (python->length < length && python->text[python->length] != '\n')
        python->length++;
    python->text[python->length] = 0;
    return may(python->text, X_OK); /* one below /root, say, is not for every user: look for another then */
}

/* The package and its interpreter, in an installation below `prefix`. */
static int installed(struct path *root, struct path *python, const char *prefix, int named, char **environment)
{
    static const char *const places[] = {"/lib/python3", "/lib64/python3"};
    static const char *const kinds[] = {"/site-packages", "/dist-packages"};
    static struct path library, name;
    for (int minor = NEWEST; minor >= OLDEST - 1; minor--) {
        for (unsigned place = 0; place < 2; place++) {
            set(&name, "python3");
            set(&library, prefix);
            add(&library, places[place]);
            if (minor >= OLDEST) { /* else the directory that all versions share */
                add(&name, ".");
                add_number(&name, minor);
                add(&library, ".");
                add_number(&library, minor);
            }
            for (unsigned kind = 0; may(library.text, F_OK) && kind < 2; kind++) {
                set(root, library.text);
                add(root, kinds[kind]);
                if (holds_package(root) && (named || find_python(python, prefix, name.text, environment)))
                    return 1;
            }
        }
    }
    return 0;
}

/* The X of a name that ends in python3.X, or 0. */
static int minor_of(const char *name, unsigned length)
{
    static const char before[] = "python3.";
    const unsigned digits = 2, start = sizeof(before) - 1 + digits;
    if (length < start)
        return 0;
    name += length - start;
    for (unsigned i = 0; i < sizeof(before) - 1; i++)
        if (name[i] != before[i])
            return 0;
    int tens = name[start - 2] - '0', ones = name[start - 1] - '0';
    return tens < 1 || tens > 9 || ones < 0 || ones > 9 ? 0 : tens * 10 + ones;
}

/* The X of an interpreter that is python3.X, or a link to one; or 0. */
static int version_of(const struct path *python)
{
    static struct path target;
    int minor = minor_of(python->text, python->length);
    if (minor)
        return minor;
    long length = call(NR_READLINKAT, AT_FDCWD, (long)python->text, (long)target.text, PATH_SIZE - 1);
    return length > 0 ? minor_of(target.text, (unsigned)length) : 0;
}

/* What the interpreter of this version keeps of the package under this name. */
static void kept(struct path *file, const struct path *root, const char *name, int minor, const char *suffix)
{
    set(file, root->text);
    add(file, "/orlop/__pycache__/");
    add(file, name);
    add(file, ".cpython-3");
    add_number(file, minor);
    add(file, suffix);
}

/* boot.py's .pyc, if it was made by this version of the interpreter from boot.py as it is now. */
static int compiled(struct path *boot, const struct path *root, int minor)
{
    static struct path text;
    struct stat stat;
    set(&text, root->text);
    add(&text, "/orlop/boot.py");
    if (call(NR_NEWFSTATAT, AT_FDCWD, (long)text.text, (long)&stat, 0) < 0)
        return 0;

    kept(boot, root, "boot", minor, ".pyc");
    unsigned int header[4] = {0}; /* the format's magic number, flags, then the source's mtime and size */
    long file = call(NR_OPENAT, AT_FDCWD, (long)boot->text, O_CLOEXEC, 0);
    if (file < 0)
        return 0;
    call(NR_READ, file, (long)header, sizeof(header), 0);
    call(NR_CLOSE, file, 0, 0, 0);
    return header[0] != 0 && header[1] == 0 && header[2] == (unsigned int)stat.mtime &&
           header[3] == (unsigned int)stat.size;
}

/* What the pack tells of its sources (orlop/packing.py). */
enum { COMMANDS = 8, NAME_SIZE = 8, SOURCES_SIZE = 32 * 1024 };

struct command {
    char name[NAME_SIZE];
    unsigned int at, length; /* of its sources, in the file */
};

struct source {
    unsigned long mtime; /* in nanoseconds */
    unsigned long size;
    char path[]; /* below the root; then zeros up to the next multiple of 8 */
};

static int is(const char *word, const char *name)
{
    unsigned i = 0;
    while (i < NAME_SIZE - 1 && word[i] && word[i] == name[i])
        i++;
    return word[i] == 0 && name[i] == 0;
}

/* The command that boot.py will take its modules for: the first word that names one. */
static const struct command *chosen(const struct command *commands, unsigned count, char **words)
{
    for (; *words; words++)
        for (unsigned i = 0; i < count; i++)
            if (is(*words, commands[i].name))
                return &commands[i];
    return 0;
}

static int unchanged(long directory, const char *sources, unsigned length)
{
    unsigned at = 0;
    while (at + sizeof(struct source) < length) {
        const struct source *source = (const struct source *)(const void *)(sources + at);
        struct stat stat;
        if (call(NR_NEWFSTATAT, directory, (long)source->path, (long)&stat, 0) < 0 || stat.size != source->size ||
            stat.mtime * 1000000000 + stat.mtime_nanoseconds != source->mtime)
            return 0;
        at += ((unsigned)sizeof(struct source) + length_of(source->path) + 8) & ~7U;
    }
    return at == length;
}

/* Are the sources of the modules that the called command needs those that the pack was made from?  `code` is then what
 * stands for them. */
static int fresh(const struct path *root, int minor, char **words, char *code)
{
    static struct path pack;
    static unsigned long sources[SOURCES_SIZE / 8 + 1]; /* a path in it ends before its end, which stays zero */
    struct {
        char magic[8];
        char code[CODE_SIZE];
        unsigned int length; /* of what boot.py reads */
        unsigned int count;
        struct command commands[COMMANDS];
    } head;
    kept(&pack, root, "hot", minor, ".pack");
    long file = call(NR_OPENAT, AT_FDCWD, (long)pack.text, O_CLOEXEC, 0);
    long directory = call(NR_OPENAT, AT_FDCWD, (long)root->text, O_PATH | O_CLOEXEC, 0);
    int found = 0;
    if (file >= 0 && directory >= 0 && call(NR_PREAD64, file, (long)&head, sizeof(head), 0) == sizeof(head) &&
        head.count <= COMMANDS) {
        const struct command *command = chosen(head.commands, head.count, words);
        found = command && command->length <= SOURCES_SIZE &&
                call(NR_PREAD64, file, (long)sources, command->length, command->at) == command->length &&
                unchanged(directory, (const char *)sources, command->length);
        for (unsigned i = 0; i < CODE_SIZE; i++)
            code[i] = head.code[i];
    }
    call(NR_CLOSE, file, 0, 0, 0);
    call(NR_CLOSE, directory, 0, 0, 0);
    return found;
}

static int among(const char *word, char **words)
{
    for (; *words; words++) {
        const char *one = *words, *other = word;
        while (*one && *one == *other)
            one++, other++;
        if (*one == *other)
            return 1;
    }
    return 0;
}

/* The file that moves processes into the cgroup of version 2 in which we are; opened for writing, or negative. */
static long own_cgroup(void)
{
    static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    static struct path place;
    static char lines[PATH_SIZE];
    long file = call(NR_OPENAT, AT_FDCWD, (long)"/proc/self/cgroup", O_CLOEXEC, 0);
    long length = call(NR_READ, file, (long)lines, sizeof(lines) - 1, 0);
    call(NR_CLOSE, file, 0, 0, 0);
    char *line = lines;
    while (line < lines + length) {
        char *end = line;
        while (*end && *end != '\n')
            end++;
        *end = 0;
        if (line[0] == '0' && line[1] == ':' && line[2] == ':')
            break;
        line = end + 1;
    }
    file = -1;
    for (unsigned i = 0; line < lines + length && file < 0 && i < 2; i++) {
        set(&place, mounts[i]);
        add(&place, line + 3);
        add(&place, "/cgroup.procs");
        file = call(NR_OPENAT, AT_FDCWD, (long)place.text, O_WRONLY | O_CLOEXEC, 0);
    }
    return file;
}

/* systemd moves a process into the scope that it makes.  The first such move after a pause waits for a grace period of
 * RCU, 7 to 15 ms (kernel/cgroup/cgroup.c, cgroup_attach_lock; kernel/rcu/sync.c): more than all else that it does.  So
 * a child moves itself to where it is, and the period passes while the interpreter starts; again and again, because one
 * period after the last move there has been a pause.  orlop/host/ahead.py ends it. */
static long hasten_cgroup(char **words)
{
    if (!among("--systemd-cgroup", words) || !(among("run", words) || among("create", words)))
        return 0;
    long file = own_cgroup();
    if (file < 0)
        return 0;
    long pid = call(NR_CLONE, 0, 0, 0, 0);
    if (pid == 0) {
        static const long pause[2] = {0, 4000000};
        for (int i = 0; i < 16; i++) {
            call(NR_WRITE, file, (long)"0", 1, 0);
            call(NR_NANOSLEEP, (long)pause, 0, 0, 0);
        }
        for (;;)
            call(NR_EXIT_GROUP, 0, 0, 0, 0);
    }
    call(NR_CLOSE, file, 0, 0, 0);
    return pid;
}

/* `ahead=PID` */
static const char *ahead(long pid)
{
    static char text[32] = "ahead=";
    char *end = text + sizeof(text) - 1, *digit = end;
    for (; pid > 0; pid /= 10)
        *--digit = (char)('0' + pid % 10);
    unsigned at = 6;
    while (digit < end)
        text[at++] = *digit++;
    text[at] = 0;
    return text;
}

void launch(char **stack)
{
    static struct path self, prefix, root, python, boot;
    long count = *(long *)stack;
    char **arguments = stack + 1, **environment = arguments + count + 1;
    long child = count > 0 ? hasten_cgroup(arguments + 1) : 0;

    long length = call(NR_READLINKAT, AT_FDCWD, (long)"/proc/self/exe", (long)self.text, PATH_SIZE - 1);
    if (length <= 0 || length >= PATH_SIZE - 1)
        refuse("cannot read /proc/self/exe, which tells where orlop is", "", "");
    self.length = (unsigned)length;

    set(&prefix, self.text);
    cut_last_component(&prefix);
    cut_last_component(&prefix);
    int named = named_python(&python, &self);
    set(&root, prefix.text);
    if (holds_package(&root)) {
        if (!named && !find_python(&python, prefix.text, "python3", environment))
            refuse("no python3 was found for the package in ", root.text, "");
    } else if (!installed(&root, &python, prefix.text, named, environment)) {
        refuse("no package of orlop with a Python 3.11 or newer was found for ", self.text, "");
    }
    int minor = version_of(&python);
    if (minor == 0 || !compiled(&boot, &root, minor)) {
        set(&boot, root.text);
        add(&boot, "/orlop/boot.py");
    }

    const char **words = __builtin_alloca(((unsigned long)count + OWN_WORDS) * sizeof(*words));
    const char **word = words;
    *word++ = python.text;
    *word++ = "-I"; /* no PYTHON* variables, no user directory, no current directory on the path */
    *word++ = "-S"; /* no site, no .pth files */
    *word++ = "-X";
    *word++ = "utf8"; /* whatever the locale is */
    char code[CODE_SIZE];
    if (minor && count > 0 && fresh(&root, minor, arguments + 1, code)) {
        if (!child)
            replay(code, arguments, environment);
        *word++ = "-X";
        *word++ = "fresh";
    }
    if (child > 0) {
        *word++ = "-X";
        *word++ = ahead(child);
    }
    *word++ = boot.text;
    *word++ = count > 0 ? arguments[0] : "orlop";
    for (long i = 1; i < count; i++)
        *word++ = arguments[i];
    *word = 0;
    call(NR_EXECVE, (long)python.text, (long)words, (long)environment, 0);
    refuse("cannot run ", python.text, "");
}
