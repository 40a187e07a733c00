/* Made from orlop/program/layout.py by orlop/executor/header.py: do not edit. */

#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int s32;
typedef long s64;

#define MAGIC 0x504c524f
#define VERSION 0x1
#define PROGRAM_BASE 0x10000000
#define SCRATCH_BASE 0x20000000
#define STAMPS_BASE 0x30000000
#define REGISTERS 0xc0
#define NO_REGISTER 0xff
#define ENVIRONMENT 0xbf
#define ARGUMENTS 0x6
#define POLICIES 0x6
#define MAX_OPS 0xffff
#define DIGITS_SIZE 0x18
#define EVENT_DESCRIPTORS 0x2
#define WHEN_ZERO 0xfffd
#define WHEN_NOT_ZERO 0xfffe
#define WHEN_ERROR 0xffff
#define EVENT_FAILED 0x0

#define EINTR 0x4
#define ENOEXEC 0x8
#define EAGAIN 0xb
#define MSG_NOSIGNAL 0x4000
#define SOL_SOCKET 0x1
#define SCM_RIGHTS 0x1
#define CLOCK_MONOTONIC 0x1

enum {
    KIND_CALL,
    KIND_SET,
    KIND_LOAD,
    KIND_STORE,
    KIND_EVENT,
    KIND_WAIT,
    KIND_FAIL,
    KIND_DIFFER,
    KIND_COMPARE,
    KIND_DIGITS,
    KIND_COUNT
};

#if defined(__x86_64__)
#define NR_clock_gettime 228
#define NR_exit_group 231
#define NR_openat2 437
#define NR_recvfrom 45
#define NR_sendmsg 46

#elif defined(__aarch64__)
#define NR_clock_gettime 113
#define NR_exit_group 94
#define NR_openat2 437
#define NR_recvfrom 207
#define NR_sendmsg 211
#endif

struct header {
    u32 magic;
    u32 version;
    u32 op_count;
    u32 ops;
    u64 size;
    u64 scratch;
    s32 control;
    u32 stamp_from;
};

struct policy {
    u16 condition;
    u16 target;
};

struct op {
    u8 kind;
    u8 result;
    u8 registers;
    u8 policies;
    u32 number;
    u64 arguments[ARGUMENTS];
    struct policy policy[POLICIES];
};

_Static_assert(sizeof(struct op) == 80, "the size of an operation");
