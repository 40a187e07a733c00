/* Runs damaged programs in the executor, built for a hosted environment with sanitizers, on a kernel that only
 * pretends.
 *
 *   fuzz SEED COUNT PROGRAM...      each PROGRAM is a file with an encoded program (orlop/program/encode.py)
 *
 * Half of the programs are valid ones with some damage, half are random.  Whatever they hold, the executor must leave
 * by exit_group, read and write only the memory of the program, change neither its header nor its operations, make at
 * most one call an operation (openat2 a thousand times, while the kernel says EAGAIN), and report an operation that
 * exists.  A violation ends in the sanitizer's report or in abort().
 *
 * The addresses of a program are fixed, so the real ones are mapped; what lies behind a program's end is poisoned. That
 * the sizes in the header are those of the mapped memory is the supervisor's business (orlop/executor/image.py). */

#include <sanitizer/asan_interface.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "init.h"

static long system_call(u64 number, const u64 *a);

#include "init.c"

#define REGION (1ul << 20)
#define OTHER_CALL 1000

static struct {
    jmp_buf end;
    u64 random;
    u64 calls;
    u64 again;
    int stubborn;
    u32 failed_op;
    long error;
    int started;
} now;

static u64 next_random(void)
{
    now.random ^= now.random << 13;
    now.random ^= now.random >> 7;
    now.random ^= now.random << 17;
    return now.random;
}

static u64 below(u64 limit)
{
    return limit ? next_random() % limit : 0;
}

static void require(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the executor %s\n", what);
    abort();
}

static struct header *program(void)
{
    return (struct header *)PROGRAM_BASE;
}

/* What the kernel would be able to read. */
static int readable(u64 address, u64 size)
{
    return (address >= PROGRAM_BASE && address - PROGRAM_BASE <= program()->size &&
            size <= program()->size - (address - PROGRAM_BASE)) ||
           (address >= SCRATCH_BASE && address - SCRATCH_BASE <= program()->scratch &&
            size <= program()->scratch - (address - SCRATCH_BASE));
}

static long take_event(const struct message *message)
{
    struct event head;
    require(message->part_count == 1 || message->part_count == 2, "sends an event of neither one part nor two");
    require(message->parts[0].size == sizeof head, "sends an event without its head");
    memcpy(&head, message->parts[0].base, sizeof head);
    if (head.kind == EVENT_FAILED && message->part_count == 1) {
        now.failed_op = head.op;
        now.error = head.value;
    }
    if (message->part_count == 2) {
        require((u64)message->parts[1].base == 0 || readable((u64)message->parts[1].base, 0),
                "sends memory of its own");
        if (!readable((u64)message->parts[1].base, message->parts[1].size))
            return -14; /* EFAULT */
    }
    if (message->control)
        require(message->control_size == 20 || message->control_size == 24, "sends neither one descriptor nor two");
    return (long)sizeof head;
}

static long pretended(void)
{
    switch (below(4)) {
    case 0:
        return 0;
    case 1:
        return -(long)below(4200);
    case 2:
        return (long)next_random();
    default:
        return (long)below(64);
    }
}

static long lookup(void)
{
    long result = now.stubborn ? -EAGAIN : pretended();
    if (result == -EAGAIN)
        now.again++;
    else
        now.calls++;
    return result;
}

static long system_call(u64 number, const u64 *a)
{
    switch (number) {
    case NR_exit_group:
        longjmp(now.end, 1);
    case NR_clock_gettime:
        ((u64 *)a[1])[0] = below(1000000);
        ((u64 *)a[1])[1] = below(1000000000);
        return 0;
    case NR_sendmsg:
        now.calls++;
        return below(16) ? take_event((const struct message *)a[1]) : -32; /* EPIPE */
    case NR_recvfrom:
        if (below(4) == 0)
            return -EINTR;
        now.calls++;
        if (below(16) == 0)
            return 0;
        memset((void *)a[1], (int)next_random(), a[2]);
        return (long)(a[2] ? a[2] : 1);
    case NR_openat2:
        return lookup();
    default:
        now.calls++;
        return pretended();
    }
}

/* The files, and the damage */

static struct base {
    unsigned char data[1 << 16];
    u64 size;
} bases[16];

static void load_file(struct base *base, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    base->size = fread(base->data, 1, sizeof base->data, file);
    fclose(file);
}

static u64 interesting(void)
{
    static const u64 values[] = {0,
                                 1,
                                 4,
                                 8,
                                 0x7f,
                                 0xff,
                                 0xffff,
                                 0xfffd,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x8000000000000000,
                                 ~0ull,
                                 PROGRAM_BASE,
                                 PROGRAM_BASE - 1,
                                 PROGRAM_BASE + 64,
                                 SCRATCH_BASE,
                                 SCRATCH_BASE + 8,
                                 SCRATCH_BASE - 4,
                                 STAMPS_BASE};
    return below(3) ? values[below(sizeof values / sizeof *values)] : next_random() >> below(64);
}

static struct op *ops_at(u64 offset)
{
    return (struct op *)(PROGRAM_BASE + offset);
}

/* The operations, where the header lets them be in the region. */
static struct op *ops(void)
{
    const struct header *header = program();
    u64 size = header->size < REGION ? header->size : REGION;
    u64 room = size > header->ops ? (size - header->ops) / sizeof(struct op) : 0;
    return header->ops % 8 == 0 && header->op_count && header->op_count <= room ? ops_at(header->ops) : NULL;
}

static void damage(void)
{
    struct header *header = program();
    unsigned char *bytes = (unsigned char *)PROGRAM_BASE;
    struct op *op = ops();
    switch (below(op ? 8 : 2)) {
    case 0:
        bytes[below(header->size - 1 < REGION ? header->size : 64)] ^= (unsigned char)(1u << below(8));
        break;
    case 1:
        ((u32 *)PROGRAM_BASE)[below(sizeof *header / 4)] = (u32)interesting();
        break;
    case 2:
        op[below(header->op_count)].arguments[below(ARGUMENTS)] = interesting();
        break;
    case 3:
        op[below(header->op_count)].kind = (u8)below(KIND_COUNT + 1);
        break;
    case 4:
        op[below(header->op_count)].registers = (u8)next_random();
        break;
    case 5: {
        u64 index = below(header->op_count);
        op[index].policies = (u8)below(POLICIES + 2);
        for (u32 i = 0; i < POLICIES; i++) {
            op[index].policy[i].condition = (u16)interesting();
            op[index].policy[i].target = (u16)(below(8) ? index + 1 + below(4) : next_random());
        }
        break;
    }
    case 6:
        op[below(header->op_count)].result = (u8)next_random();
        break;
    default:
        op[below(header->op_count)] = op[below(header->op_count)];
    }
}

static void invent(void)
{
    struct header *header = program();
    u32 count = 1 + (u32)below(40);
    u32 data = 64 + 8 * (u32)below(16);
    *header =
        (struct header){MAGIC, VERSION, count, data, data + count * sizeof(struct op), below(512), 3, (u32)below(2)};
    for (u32 index = 0; index < count; index++) {
        struct op *op = ops_at(data) + index;
        op->kind = (u8)below(KIND_COUNT);
        op->result = below(2) ? (u8)below(REGISTERS) : NO_REGISTER;
        op->number = (u32)below(450);
        op->policies = index + 1 < count ? (u8)below(3) : 0;
        for (u32 i = 0; i < ARGUMENTS; i++)
            op->arguments[i] = interesting();
        for (u32 i = 0; i < op->policies; i++) {
            op->policy[i].condition = below(2) ? (u16)(WHEN_ZERO + below(3)) : (u16)below(40);
            op->policy[i].target = (u16)(index + 1 + below(count - index - 1));
        }
        if (op->kind != KIND_CALL && op->kind != KIND_SET && below(8)) { /* mostly memory that may be named */
            u32 at = op->kind == KIND_EVENT ? 2 : 0;
            op->arguments[at] = (below(2) ? PROGRAM_BASE + 64 : SCRATCH_BASE) + 8 * below(8);
            op->arguments[at + 1] = below(2) ? 4 : 8;
            if (op->kind == KIND_COMPARE) {
                op->arguments[1] = (below(2) ? PROGRAM_BASE : SCRATCH_BASE) + below(64);
                op->arguments[2] = below(80);
            }
        } else if (below(2)) {
            u32 place = (u32)below(ARGUMENTS);
            op->registers = (u8)(1u << place);
            op->arguments[place] = below(REGISTERS + 2);
        }
    }
}

/* What the supervisor and the kernel vouch for: the sizes, and that calls of the program itself are not the executor's.
 */
static void settle(void)
{
    struct header *header = program();
    if (header->size > REGION)
        header->size = below(REGION);
    if (header->scratch > REGION)
        header->scratch = below(REGION);
    struct op *op = ops();
    for (u32 index = 0; op && index < header->op_count; index++)
        if (op[index].number == NR_sendmsg || op[index].number == NR_recvfrom || op[index].number == NR_clock_gettime)
            op[index].number = OTHER_CALL;
}

static void check(const unsigned char *before, u64 size)
{
    const struct header *old = (const void *)before;
    u64 head = size < sizeof *old ? size : sizeof *old;
    require(memcmp(before, (void *)PROGRAM_BASE, head) == 0, "changed the header");
    require(now.calls <= (u64)old->op_count + 1, "did more than the program says");
    require(now.again <= 1000 * (u64)old->op_count, "asks for ever");
    const struct op *op = ops();
    require(!op || memcmp(before + old->ops, op, old->op_count * sizeof(struct op)) == 0, "changed the operations");
    require(now.failed_op == 0 || (op && now.failed_op < old->op_count), "reports an operation that there is not");
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    static unsigned char before[REGION];
    static const u64 nothing[] = {0, 0, 0}; /* on its stack: no arguments, no environment */
    static const u64 places[] = {PROGRAM_BASE, SCRATCH_BASE, STAMPS_BASE};
    u64 refused = 0, failed = 0, ended = 0, count = strtoull(argv[2], NULL, 0);
    int files = argc - 3 < 16 ? argc - 3 : 16;
    for (int i = 0; i < files; i++)
        load_file(bases + i, argv[3 + i]);
    for (u32 i = 0; i < 3; i++)
        if (mmap((void *)places[i], REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                 -1, 0) != (void *)places[i]) {
            perror("mmap");
            return 2;
        }
    now.random = strtoull(argv[1], NULL, 0) * 2 + 1;
    for (u64 round = 0; round < count; round++) {
        ASAN_UNPOISON_MEMORY_REGION((void *)PROGRAM_BASE, REGION);
        ASAN_UNPOISON_MEMORY_REGION((void *)SCRATCH_BASE, REGION);
        if (below(2)) {
            const struct base *base = bases + below((u64)files);
            memcpy((void *)PROGRAM_BASE, base->data, base->size);
        } else {
            invent();
        }
        for (u64 times = below(6); times; times--)
            damage();
        settle();
        u64 size = program()->size;
        memcpy(before, (void *)PROGRAM_BASE, size > 64 ? size : 64);
        /* A page is the least that can be mapped, and an image always has a header. */
        u64 mapped = size > 64 ? size : 64;
        ASAN_POISON_MEMORY_REGION((void *)(PROGRAM_BASE + mapped + -mapped % 8), REGION - mapped - -mapped % 8);
        u64 scratch = program()->scratch + -program()->scratch % 8;
        ASAN_POISON_MEMORY_REGION((void *)(SCRATCH_BASE + scratch), REGION - scratch);
        now.calls = 0;
        now.again = 0;
        now.stubborn = below(8) == 0;
        now.failed_op = 0;
        now.error = 0;
        if (!setjmp(now.end))
            run(nothing);
        ASAN_UNPOISON_MEMORY_REGION((void *)PROGRAM_BASE, REGION);
        check(before, size);
        *(now.error == 0 ? &ended : now.error == ENOEXEC && now.calls == 1 ? &refused : &failed) += 1;
    }
    printf("%lu refused, %lu failed, %lu ended\n", refused, failed, ended);
    return 0;
}
