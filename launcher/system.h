/* System calls, without a libc, for x86-64 and AArch64. */

#pragma once

#if defined(__x86_64__)
#define NR_READ 0
#define NR_WRITE 1
#define NR_CLOSE 3
#define NR_PREAD64 17
#define NR_NANOSLEEP 35
#define NR_CLONE 56
#define NR_EXECVE 59
#define NR_FCNTL 72
#define NR_GETCWD 79
#define NR_GETEUID 107
#define NR_EXIT_GROUP 231
#define NR_OPENAT 257
#define NR_NEWFSTATAT 262
#define NR_READLINKAT 267
#define NR_FACCESSAT 269
#define NR_MEMFD_CREATE 319
#define NR_EXECVEAT 322

#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000

static inline long call5(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)
#define NR_GETCWD 17
#define NR_FCNTL 25
#define NR_FACCESSAT 48
#define NR_OPENAT 56
#define NR_CLOSE 57
#define NR_READ 63
#define NR_WRITE 64
#define NR_PREAD64 67
#define NR_READLINKAT 78
#define NR_NEWFSTATAT 79
#define NR_EXIT_GROUP 94
#define NR_NANOSLEEP 101
#define NR_GETEUID 175
#define NR_CLONE 220
#define NR_EXECVE 221
#define NR_MEMFD_CREATE 279
#define NR_EXECVEAT 281

#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000

static inline long call5(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}

#else
#error "orlop's launcher is for x86-64 and AArch64"
#endif

static inline long call(long number, long a, long b, long c, long d)
{
    return call5(number, a, b, c, d, 0);
}

#define AT_FDCWD (-100)
#define AT_EMPTY_PATH 0x1000
#define O_RDONLY 0
#define O_WRONLY 1
#define O_NONBLOCK 04000
#define O_CLOEXEC 02000000
#define O_PATH 010000000
#define X_OK 1
#define F_OK 0

enum { PATH_SIZE = 4096 };

/* struct stat: what is at the same place in both architectures, and what is not. */
struct stat {
    unsigned long device, inode;
#if defined(__x86_64__)
    unsigned long links;
    unsigned int mode, user, group, padding;
    unsigned long special;
#else
    unsigned int mode, links, user, group;
    unsigned long special, padding;
#endif
    unsigned long size;
    char between[32];
    unsigned long mtime, mtime_nanoseconds;
    char after[40];
};

_Static_assert(__builtin_offsetof(struct stat, size) == 48 && __builtin_offsetof(struct stat, mtime) == 88,
               "struct stat");

static inline unsigned length_of(const char *text)
{
    unsigned length = 0;
    while (text[length])
        length++;
    return length;
}
