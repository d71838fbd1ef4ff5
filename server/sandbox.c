/* See sandbox.h. */
#include "server/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef POLLUX_IS_SANITIZED
#define IS_POSSIBLE false
#else
#define IS_POSSIBLE true
#endif

/* By their names: not all kernels and machines have all of them. */
static const char *const allowed[] = {
    /* memory, and what libpmem2 and the pools of DPDK do with it */
    "brk", "get_mempolicy", "madvise", "mbind", "membarrier", "memfd_create", "mincore", "mlock",
    "mlock2", "mmap", "move_pages", "mprotect", "mremap", "msync", "munlock", "munmap",
    "set_mempolicy",
    /* files of the node, and of /proc and /sys; fchdir: libpmem2 walks through /sys to find out
     * whether the caches of the machine are persistent */
    "access", "close", "dup", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir",
    "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents64",
    "ioctl", "link", "linkat", "lseek", "lstat", "newfstatat", "open", "openat", "pread64",
    "preadv", "pwrite64", "pwritev", "read", "readahead", "readlink", "readlinkat", "readv",
    "rename", "renameat", "renameat2", "stat", "statfs", "statx", "sync_file_range", "unlink",
    "unlinkat", "write", "writev",
    /* threads, signals to itself, time */
    "arch_prctl", "clock_getres", "clock_gettime", "clock_nanosleep", "exit", "exit_group", "futex",
    "futex_waitv", "getcpu", "getpriority", "getrandom", "getrusage", "gettid", "gettimeofday",
    "nanosleep", "prctl", "prlimit64", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_setaffinity", "sched_setattr", "sched_setscheduler", "sched_yield",
    "set_robust_list", "set_tid_address", "setpriority", "sigaltstack", "sysinfo", "time", "times",
    "uname",
    /* who it is */
    "getegid", "geteuid", "getgid", "getpid", "getppid", "getuid",
    /* waiting for events; the sockets of memif, and those that ports have opened */
    "accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "getpeername", "getsockname",
    "getsockopt", "listen", "pipe2", "poll", "ppoll", "pselect6", "recvfrom", "recvmmsg", "recvmsg",
    "select", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "timerfd_create",
    "timerfd_gettime", "timerfd_settime"};

static const char *const deadly[] = {"execve",
                                     "execveat",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "mount",
                                     "umount2",
                                     "pivot_root",
                                     "chroot",
                                     "unshare",
                                     "setns",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "add_key",
                                     "keyctl",
                                     "request_key",
                                     "open_by_handle_at",
                                     "reboot"};

static int filter_add(scmp_filter_ctx filter, uint32_t action, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0)
        return 0; /* not on this machine */
    return seccomp_rule_add(filter, action, number, 0);
}

/* Statuses are negative errno values: the first that is none of success is told. */
static int first_of(int status, int next)
{
    return status != 0 ? status : next;
}

/* Those of which only some uses are allowed. */
static int add_partly(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_NETLINK};
    /* Threads, no processes. The flags of clone3 lie in memory: the C library takes clone then. */
    int status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    status =
        first_of(status, seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
    /* abort() */
    status = first_of(status, seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                               SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)));
    status = first_of(status, seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
                                               SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)));
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        status =
            first_of(status, seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0)));
    return status;
}

static int filter_fill(scmp_filter_ctx filter)
{
    int status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        status = first_of(status, filter_add(filter, SCMP_ACT_ALLOW, allowed[i]));
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        status = first_of(status, filter_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i]));
    return first_of(status, add_partly(filter));
}

bool sandbox_is_possible(void)
{
    return IS_POSSIBLE;
}

static enum error sandbox_refuse(const char *part, int error_number, char *ret_reason,
                                 size_t reason_size)
{
    snprintf(ret_reason, reason_size,
             "the kernel does not let the node give up its rights (%s: %s); [node] sandbox = false "
             "does without",
             part, strerror(error_number));
    return ERR_PERMISSION;
}

enum error sandbox_enter(char *ret_reason, size_t reason_size)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return sandbox_refuse("no new privileges", errno, ret_reason, reason_size);
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return sandbox_refuse("capabilities", errno, ret_reason, reason_size);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return sandbox_refuse("seccomp", ENOMEM, ret_reason, reason_size);
    int status = filter_fill(filter);
    if (status == 0)
        status = seccomp_load(filter);
    seccomp_release(filter);
    return status == 0 ? OK : sandbox_refuse("seccomp", -status, ret_reason, reason_size);
}
