/* The executor: runs the operations of a program, and knows nothing about containers.
 *
 *   supervisor (Python)                       executor
 *   writes this image + program to a memfd,
 *   seals it, spawns it  ──────────────────▶  check the program; run its operations in order
 *          ◀── event (kind, op, value, fds) ─ EVENT
 *          ─── go (bytes) ──────────────────▶ WAIT
 *          ◀── event (FAILED, op, errno) ──── an operation that failed and has no policy for it; exit 1
 *
 * Both talk over one SOCK_SEQPACKET pair, whose number is in the program's header.  When the supervisor is gone, WAIT
 * reads end of file and the executor exits: a half-built container does not outlive its maker.
 *
 * System calls only: no libc, no allocation, no static state.  The program is a segment of the executable itself, so
 * the kernel maps it, and there is one sealed file that is both.  Programs are made by orlop/program/builder.py and are
 * as trusted as the supervisor; they are checked all the same, so that a damaged one ends in a clean refusal. */

#include "init.h"

#ifndef ORLOP_HOSTED

#if defined(__x86_64__)
static inline long system_call(u64 number, const u64 *a)
{
    long result;
    register u64 r10 __asm__("r10") = a[3];
    register u64 r8 __asm__("r8") = a[4];
    register u64 r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(
    ".section .text.start,\"ax\"\n.globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n\thlt\n.previous\n");
#elif defined(__aarch64__)
static inline long system_call(u64 number, const u64 *a)
{
    register u64 x8 __asm__("x8") = number;
    register u64 x0 __asm__("x0") = a[0];
    register u64 x1 __asm__("x1") = a[1];
    register u64 x2 __asm__("x2") = a[2];
    register u64 x3 __asm__("x3") = a[3];
    register u64 x4 __asm__("x4") = a[4];
    register u64 x5 __asm__("x5") = a[5];
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return (long)x0;
}
__asm__(
    ".section .text.start,\"ax\"\n.globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl run\n\tbrk #1\n.previous\n");
#else
#error "orlop's executor is for x86-64 and AArch64"
#endif

#endif

#define CALL(number, ...) system_call((number), (const u64[6]){__VA_ARGS__})

static _Noreturn void leave(int status)
{
    CALL(NR_exit_group, (u64)status);
    /* A seccomp profile that lets the container neither execve nor exit: an illegal instruction ends it. */
    __builtin_trap();
}

/* What a program may set as the handler of a signal: init of a pid namespace gets no signal without one.  It never
 * returns, so it is its own restorer, which the kernel of x86-64 wants to be told of. */
void end_on_signal(int number);
__attribute__((section(".text.signal"))) void end_on_signal(int number)
{
    leave(128 + number);
}

/* An event is one packet: its head, the payload, and descriptors beside it. */
struct event {
    u32 kind;
    u32 op;
    s64 value;
};

struct iovec {
    const void *base;
    u64 size;
};

struct descriptors {
    u64 size;
    s32 level;
    s32 type;
    s32 fd[EVENT_DESCRIPTORS];
};

struct message {
    void *name;
    u32 name_size;
    struct iovec *parts;
    u64 part_count;
    void *control;
    u64 control_size;
    s32 flags;
};

static long send_event(const struct header *header, u32 kind, u32 op, const u64 *a)
{
    struct event head = {kind, op, (s64)a[1]};
    struct iovec parts[2] = {{&head, sizeof head}, {(const void *)a[2], a[3]}};
    struct descriptors rights = {0, SOL_SOCKET, SCM_RIGHTS, {-1, -1}};
    struct message message = {0, 0, parts, a[3] ? 2 : 1, 0, 0, 0};
    u32 count = 0;
    for (u32 i = 4; i < 6; i++)
        if ((s64)a[i] >= 0)
            rights.fd[count++] = (s32)a[i];
    if (count) {
        rights.size = 16 + 4 * count;
        message.control = &rights;
        message.control_size = sizeof rights;
        if (count < EVENT_DESCRIPTORS)
            message.control_size -= 4 * (EVENT_DESCRIPTORS - count);
    }
    return CALL(NR_sendmsg, (u64)header->control, (u64)&message, MSG_NOSIGNAL);
}

static _Noreturn void fail(const struct header *header, u32 op, long error)
{
    const u64 event[6] = {0, (u64)error, 0, 0, ~0ull, ~0ull};
    send_event(header, EVENT_FAILED, op, event);
    leave(1);
}

/* Is [address, address + size) inside the program or its scratch memory? */
static int inside(const struct header *header, u64 address, u64 size)
{
    u64 at = address - PROGRAM_BASE;
    if (at < header->size)
        return size <= header->size - at;
    at = address - SCRATCH_BASE;
    return at < header->scratch && size <= header->scratch - at;
}

/* The same, but neither the header nor the operations: what was checked once stays as it is. */
static int inside_data(const struct header *header, u64 address, u64 size)
{
    u64 at = address - PROGRAM_BASE;
    if (at < header->size)
        return at >= sizeof *header && at < header->ops && size <= header->ops - at;
    return inside(header, address, size);
}

/* Memory that an operation names must be the program's own, and named directly. */
static int memory_is_inside(const struct header *header, const struct op *op)
{
    const u64 *a = op->arguments;
    switch (op->kind) {
    case KIND_LOAD:
    case KIND_STORE:
        return !(op->registers & 3) && (a[1] == 4 || a[1] == 8) && a[0] % a[1] == 0 && inside_data(header, a[0], a[1]);
    case KIND_WAIT:
        return !(op->registers & 3) && inside_data(header, a[0], a[1]);
    case KIND_COMPARE:
        return !(op->registers & 7) && inside(header, a[0], a[2]) && inside(header, a[1], a[2]);
    case KIND_DIGITS:
        return !(op->registers & 1) && inside_data(header, a[0], DIGITS_SIZE);
    case KIND_EVENT: /* the size of a payload may be a register: the kernel checks what it reads */
        return !(op->registers & 4) && (a[2] == 0 || inside(header, a[2], 0));
    default:
        return 1;
    }
}

static int well_formed(const struct header *header, const struct op *op, u32 index)
{
    if (op->kind >= KIND_COUNT || op->policies > POLICIES || !memory_is_inside(header, op))
        return 0;
    if (op->result != NO_REGISTER && op->result >= REGISTERS)
        return 0;
    for (u32 i = 0; i < ARGUMENTS; i++)
        if (op->registers >> i & 1 && op->arguments[i] >= REGISTERS)
            return 0;
    for (u32 i = 0; i < op->policies; i++)
        if (op->policy[i].target <= index || op->policy[i].target >= header->op_count)
            return 0;
    return 1;
}

/* The index of the first operation that is not well formed, or -1. */
static long first_malformed(const struct header *header)
{
    if (header->magic != MAGIC || header->version != VERSION || header->size < sizeof *header)
        return 0;
    if (header->op_count == 0 || header->op_count > MAX_OPS || header->ops % 8 || header->ops < sizeof *header)
        return 0;
    if (header->ops > header->size || header->op_count > (header->size - header->ops) / sizeof(struct op))
        return 0;
    const struct op *ops = (const void *)((const char *)header + header->ops);
    for (u32 i = 0; i < header->op_count; i++)
        if (!well_formed(header, ops + i, i))
            return (long)i;
    return -1;
}

static long load(u64 address, u64 width)
{
    return width == 4 ? *(volatile s32 *)address : *(volatile s64 *)address;
}

static long store(u64 address, u64 width, u64 value)
{
    if (width == 4)
        *(volatile u32 *)address = (u32)value;
    else
        *(volatile u64 *)address = value;
    return 0;
}

static long compare(u64 one, u64 other, u64 size)
{
    const volatile char *a = (const void *)one, *b = (const void *)other;
    while (size && *a == *b)
        a++, b++, size--;
    return size != 0;
}

static long digits(u64 address, u64 value)
{
    char reversed[DIGITS_SIZE];
    volatile char *out = (void *)address;
    u32 count = 0;
    do
        reversed[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count)
        *out++ = reversed[--count];
    *out = 0;
    return 0;
}

static long wait(const struct header *header, u64 buffer, u64 size)
{
    long got;
    do
        got = CALL(NR_recvfrom, (u64)header->control, buffer, size);
    while (got == -EINTR);
    if (got <= 0)
        leave(1);
    return got;
}

/* Below RESOLVE_IN_ROOT the kernel gives up on a path with `..` when anything on the host is renamed or mounted
 * meanwhile (openat2(2)), which a container may do all the time: it is asked again, but not for ever. */
static long persistent_call(u64 number, const u64 *a)
{
    enum { TRIES = 1000 };
    long result = system_call(number, a);
    for (u32 i = 1; i < TRIES && number == NR_openat2 && result == -EAGAIN; i++)
        result = system_call(number, a);
    return result;
}

static long perform(const struct header *header, const struct op *op, u32 index, const u64 *a)
{
    switch (op->kind) {
    case KIND_CALL:
        return persistent_call(op->number, a);
    case KIND_SET:
        return (long)a[0];
    case KIND_LOAD:
        return load(a[0], a[1]);
    case KIND_STORE:
        return store(a[0], a[1], a[2]);
    case KIND_EVENT:
        return send_event(header, (u32)a[0], index, a);
    case KIND_WAIT:
        return wait(header, a[0], a[1]);
    case KIND_FAIL:
        return (long)(0 - a[0]);
    case KIND_COMPARE:
        return compare(a[0], a[1], a[2]);
    case KIND_DIGITS:
        return digits(a[0], a[1]);
    default: /* KIND_DIFFER */
        return (long)((a[0] & a[1]) ^ a[2]);
    }
}

static int matches(u16 condition, long value, int failed)
{
    switch (condition) {
    case WHEN_ZERO:
        return !failed && value == 0;
    case WHEN_NOT_ZERO:
        return !failed && value != 0;
    case WHEN_ERROR:
        return failed;
    default:
        return failed && condition == -value;
    }
}

static void stamp(u32 index)
{
    u64 time[2];
    CALL(NR_clock_gettime, CLOCK_MONOTONIC, (u64)time);
    ((volatile u64 *)STAMPS_BASE)[index] = time[0] * 1000000000u + time[1];
}

/* `stack` is what the kernel has put there: the number of arguments, they, a null, the environment. */
void run(const u64 *stack);
void run(const u64 *stack)
{
    const struct header *header = (const void *)PROGRAM_BASE;
    u64 registers[REGISTERS];
    long bad = first_malformed(header);
    if (bad >= 0)
        fail(header, (u32)bad, ENOEXEC);
    for (u32 i = 0; i < REGISTERS; i++)
        registers[i] = ~0ull;
    registers[ENVIRONMENT] = (u64)(stack + stack[0] + 2);
    const struct op *ops = (const void *)((const char *)header + header->ops);
    for (u32 at = 0; at < header->op_count;) {
        const struct op *op = ops + at;
        u64 a[ARGUMENTS];
        for (u32 i = 0; i < ARGUMENTS; i++)
            a[i] = op->registers >> i & 1 ? registers[op->arguments[i]] : op->arguments[i];
        long value = perform(header, op, at, a);
        /* Only what asks the kernel can fail: a SET may hold any number. */
        int computes = op->kind == KIND_SET || op->kind == KIND_LOAD || op->kind == KIND_DIFFER;
        int failed = !computes && value < 0 && value >= -4095;
        if (op->result != NO_REGISTER)
            registers[op->result] = (u64)value;
        if (header->stamp_from && at >= header->stamp_from)
            stamp(at);
        u32 next = at + 1;
        int known = 0;
        for (u32 i = 0; i < op->policies && !known; i++)
            if (matches(op->policy[i].condition, value, failed)) {
                next = op->policy[i].target;
                known = 1;
            }
        if (failed && !known)
            fail(header, at, -value);
        at = next;
    }
    leave(1);
}
