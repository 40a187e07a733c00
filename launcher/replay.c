/* A `run` that came before, without an interpreter: orlop/runtime/replay.py has kept its two programs, the container's
 * and the supervisor's, as executables.  The id is put into them, and this process becomes the supervisor's, which
 * looks whether all is as it was before it makes anything (orlop/plan/supervisor.py).
 *
 * What is kept is used only where nobody but root can have written it, and for root; in a directory of the host's that
 * is root's alone.  Whatever is not quite as expected is left to the interpreter. */

#include "replay.h"
#include "system.h"

#define DIRECTORY "/run/orlop-cache/runs"
#define MFD_CLOEXEC 1
#define MFD_ALLOW_SEALING 2
#define MFD_EXEC 0x10
#define F_ADD_SEALS 1033
#define ALL_SEALS 15 /* SEAL, SHRINK, GROW, WRITE */

enum { ENTRY_SIZE = 512 * 1024, KEY_SIZE = 3 * PATH_SIZE, NAME_LENGTH = 16, LONGEST_ID = 255, STREAMS = 3 };

struct head {
    char magic[8];
    unsigned int key, id, places, container, supervisor; /* sizes, but for the number of places */
    unsigned int number; /* where in the supervisor's goes the number of the descriptor of the container's */
};

struct key {
    unsigned length;
    char text[KEY_SIZE];
};

static union {
    struct head head;
    char bytes[ENTRY_SIZE];
} entry;

static void add_bytes(struct key *key, const char *bytes, unsigned length)
{
    for (unsigned i = 0; i < length && key->length < KEY_SIZE; i++)
        key->text[key->length++] = bytes[i];
}

/* A path with the id in it is named as that of all others. */
static void add_word(struct key *key, const char *word, const char *text, unsigned id)
{
    unsigned length = length_of(word), slash = 0;
    while (slash < length && word[slash] != '/')
        slash++;
    for (unsigned at = 0; at < length;) {
        unsigned same = 0;
        while (slash < length && same < id && word[at + same] == text[same])
            same++;
        if (same < id) {
            add_bytes(key, word + at++, 1);
            continue;
        }
        for (; same; same--, at++)
            add_bytes(key, "~", 1);
    }
    add_bytes(key, "", 1);
}

/* As orlop/state/store.py has it; and none that looks like a flag. */
static unsigned length_of_id(const char *word)
{
    unsigned length = 0;
    for (; word[length]; length++) {
        char c = word[length];
        int good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
                   c == '.' || c == '-';
        if (!good || length == LONGEST_ID)
            return 0;
    }
    return word[0] == '-' || (word[0] == '.' && (length == 1 || (length == 2 && word[1] == '.'))) ? 0 : length;
}

static int begins(const char *text, const char *with)
{
    while (*with && *text == *with)
        text++, with++;
    return *with == 0;
}

/* A container of socket activation, or whose service manager waits for it, is another one. */
static int asks_for_more(char **environment)
{
    for (; *environment; environment++)
        if (begins(*environment, "LISTEN_") || begins(*environment, "NOTIFY_SOCKET="))
            return 1;
    return 0;
}

/* A character for each standard stream: a regular file, /dev/null, or other (orlop/host/probe.py).  0 if one is closed.
 */
static int streams(char *kinds)
{
    enum { TYPE = 0170000, REGULAR = 0100000, CHARACTER = 0020000, NULL_DEVICE = 0x103 };
    for (long file = 0; file < STREAMS; file++) {
        struct stat stat;
        if (call(NR_NEWFSTATAT, file, (long)"", (long)&stat, AT_EMPTY_PATH) < 0)
            return 0;
        int null = (stat.mode & TYPE) == CHARACTER && stat.special == NULL_DEVICE;
        kinds[file] = (stat.mode & TYPE) == REGULAR ? 'f' : null ? 'n' : 'o';
    }
    return 1;
}

/* FNV-1a in hexadecimal. */
static void name_of(char *name, const struct key *key, unsigned id)
{
    unsigned long value = 0xcbf29ce484222325;
    for (unsigned i = 0; i < key->length; i++)
        value = (value ^ (unsigned char)key->text[i]) * 0x100000001b3;
    value = (value ^ id) * 0x100000001b3;
    for (unsigned i = 0; i < NAME_LENGTH; i++)
        name[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    name[NAME_LENGTH] = 0;
}

/* A file or directory that nobody but root may read or write. */
static long open_own(long directory, const char *name, long flags, struct stat *stat)
{
    long file = call(NR_OPENAT, directory, (long)name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0);
    if (file < 0)
        return file;
    if (call(NR_NEWFSTATAT, file, (long)"", (long)stat, AT_EMPTY_PATH) < 0 || stat->user != 0 || stat->mode & 077) {
        call(NR_CLOSE, file, 0, 0, 0);
        return -1;
    }
    return file;
}

/* The size of what was read, 0 where there is nothing to read. */
static unsigned long read_entry(const char *name)
{
    struct stat stat;
    long directory = open_own(AT_FDCWD, DIRECTORY, O_DIRECTORY, &stat);
    if (directory < 0)
        return 0;
    long file = open_own(directory, name, 0, &stat), got = 0;
    if (file >= 0 && stat.size <= ENTRY_SIZE)
        got = call(NR_READ, file, (long)entry.bytes, ENTRY_SIZE, 0);
    if (file >= 0)
        call(NR_CLOSE, file, 0, 0, 0);
    call(NR_CLOSE, directory, 0, 0, 0);
    return got > 0 && (unsigned long)got == stat.size ? stat.size : 0;
}

/* Is it whole, and for this very command? */
static int fits(unsigned long size, const struct key *key, unsigned id)
{
    const struct head *head = &entry.head;
    unsigned long whole =
        sizeof(*head) + (unsigned long)head->key + 4 * (unsigned long)head->places + head->container + head->supervisor;
    if (size < sizeof(*head) || !begins(head->magic, "orlopru\1") || whole != size || head->key != key->length ||
        head->id != id || head->number % 4 || head->supervisor < 4 || head->number > head->supervisor - 4)
        return 0;
    for (unsigned i = 0; i < key->length; i++)
        if (entry.bytes[sizeof(*head) + i] != key->text[i])
            return 0;
    return 1;
}

static int put_id(char *programs, const unsigned int *places, const char *text, unsigned id)
{
    const struct head *head = &entry.head;
    for (unsigned i = 0; i < head->places; i++) {
        if (places[i] > head->container + head->supervisor - id)
            return 0;
        for (unsigned j = 0; j < id; j++)
            programs[places[i] + j] = text[j];
    }
    return 1;
}

/* In memory, sealed: what runs in a container is a copy that nothing can write to (CVE-2019-5736). */
static long sealed(const char *program, unsigned size, long flags)
{
    long file = call(NR_MEMFD_CREATE, (long)"orlop", flags | MFD_ALLOW_SEALING | MFD_EXEC, 0, 0);
    if (file < 0) /* before Linux 6.3 */
        file = call(NR_MEMFD_CREATE, (long)"orlop", flags | MFD_ALLOW_SEALING, 0, 0);
    if (file < 0)
        return file;
    /* One of the standard streams is closed: the interpreter knows what to do. */
    if (file <= 2 || call(NR_WRITE, file, (long)program, size, 0) != size ||
        call(NR_FCNTL, file, F_ADD_SEALS, ALL_SEALS, 0) < 0) {
        call(NR_CLOSE, file, 0, 0, 0);
        return -1;
    }
    return file;
}

static void become(char **words, char **environment, char *programs)
{
    const struct head *head = &entry.head;
    char *supervisor = programs + head->container;
    long container = head->container ? sealed(programs, head->container, 0) : -1;
    if (container < 0 && head->container)
        return;
    for (unsigned i = 0; i < 4; i++)
        supervisor[head->number + i] = (char)(container >> 8 * i);
    long file = sealed(supervisor, head->supervisor, MFD_CLOEXEC);
    if (file >= 0) {
        call5(NR_EXECVEAT, file, (long)"", (long)words, (long)environment, AT_EMPTY_PATH);
        call(NR_CLOSE, file, 0, 0, 0);
    }
    if (container >= 0)
        call(NR_CLOSE, container, 0, 0, 0);
}

void replay(const char *code, char **words, char **environment)
{
    static struct key key;
    static char directory[PATH_SIZE];
    char name[NAME_LENGTH + 1], kinds[STREAMS];
    unsigned count = 0;
    while (words[count])
        count++;
    unsigned id = count >= 3 ? length_of_id(words[count - 1]) : 0;
    if (id == 0 || asks_for_more(environment) || call(NR_GETEUID, 0, 0, 0, 0) != 0 || !streams(kinds))
        return;
    if (call(NR_GETCWD, (long)directory, PATH_SIZE, 0, 0) <= 0 || directory[0] != '/')
        return;
    add_bytes(&key, code, CODE_SIZE);
    add_bytes(&key, kinds, STREAMS);
    add_word(&key, directory, words[count - 1], id);
    for (unsigned i = 0; i + 1 < count; i++)
        add_word(&key, words[i], words[count - 1], id);
    static const char zeros[8];
    add_bytes(&key, zeros, -key.length % 8);
    if (key.length >= KEY_SIZE) /* cut */
        return;
    name_of(name, &key, id);
    unsigned long size = read_entry(name);
    if (size == 0 || !fits(size, &key, id))
        return;
    char *after = entry.bytes + sizeof(struct head) + key.length;
    char *programs = after + 4 * entry.head.places;
    if (put_id(programs, (const unsigned int *)(const void *)after, words[count - 1], id))
        become(words, environment, programs);
}
