#include "sandbox/filter.h"

#include "base/attr.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#ifndef MACHINE

int filter_install(bool network, bool execute)
{
    (void)network;
    (void)execute;
    return -1;
}

#else

/* Refused with EPERM, whatever the arguments. */
static const uint32_t refused[] = {
/* starting processes: exec() of the host does that */
#ifdef __NR_fork
    __NR_fork,
    __NR_vfork,
#endif
    /* other processes: those of the runner's user, the runner among them */
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_process_madvise,
    __NR_pidfd_open,
    __NR_pidfd_getfd,
    __NR_pidfd_send_signal,
    __NR_kcmp,
    __NR_tkill,
    /* the shape of the file system */
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_setns,
    __NR_unshare,
    __NR_open_tree,
    __NR_move_mount,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    __NR_mount_setattr,
    __NR_open_by_handle_at,
    /* parts of the kernel where nothing of a plugin's business is done */
    __NR_keyctl,
    __NR_add_key,
    __NR_request_key,
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_seccomp,
};

static const uint32_t executing[] = {__NR_execve, __NR_execveat};

/* Signals go to this process only; glibc's raise() and abort() name it so. */
static const uint32_t own_pid_only[] = {__NR_kill, __NR_tgkill, __NR_rt_sigqueueinfo,
                                        __NR_rt_tgsigqueueinfo};

#define ARG0_LOW offsetof(struct seccomp_data, args[0]) /* both machines are little-endian */
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at))
/* When the accumulator is K, skip THEN instructions, else ELSE. */
#define IF_EQ(k, then, else_) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), then, else_)
#define IF_SET(k, then, else_) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(k), then, else_)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(what))
#define REFUSE(sys) RETURN(SECCOMP_RET_ERRNO | (sys))

enum { PROGRAM_MAX = 200 };

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short len;
};

static void add(struct program *p, const struct sock_filter *code, size_t n)
{
    if (p->len + n > PROGRAM_MAX)
        BUG("the filter has more than %d instructions", PROGRAM_MAX);
    memcpy(p->code + p->len, code, n * sizeof *code);
    p->len = (unsigned short)(p->len + n);
}

#define ADD(p, ...)                                                                                \
    add((p), (const struct sock_filter[]){__VA_ARGS__},                                            \
        COUNT_OF(((const struct sock_filter[]){__VA_ARGS__})))

static void build(struct program *p, bool network, bool execute)
{
    /* Another machine's calls have other numbers: what is not known is ended. */
    ADD(p, LOAD(offsetof(struct seccomp_data, arch)), IF_EQ(MACHINE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(offsetof(struct seccomp_data, nr)));
#ifdef __x86_64__
    ADD(p, IF_SET(0x40000000, 0, 1), REFUSE(ENOSYS)); /* x32 */
#endif
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        ADD(p, IF_EQ(refused[i], 0, 1), REFUSE(EPERM));
    for (size_t i = 0; !execute && i < COUNT_OF(executing); i++)
        ADD(p, IF_EQ(executing[i], 0, 1), REFUSE(EPERM));
    if (!network)
        ADD(p, IF_EQ(__NR_socket, 0, 1), REFUSE(EPERM));

    /* clone3 takes its flags from memory, where a filter cannot look; glibc falls back to clone. */
    ADD(p, IF_EQ(__NR_clone3, 0, 1), REFUSE(ENOSYS));
    ADD(p, IF_EQ(__NR_clone, 0, 4), LOAD(ARG0_LOW), IF_SET(CLONE_THREAD, 0, 1),
        RETURN(SECCOMP_RET_ALLOW), REFUSE(EPERM));
    /* Limits: our own, which libc looks up as those of process 0. */
    ADD(p, IF_EQ(__NR_prlimit64, 0, 4), LOAD(ARG0_LOW), IF_EQ(0, 0, 1), RETURN(SECCOMP_RET_ALLOW),
        REFUSE(EPERM));
    for (size_t i = 0; i < COUNT_OF(own_pid_only); i++)
        ADD(p, IF_EQ(own_pid_only[i], 0, 4), LOAD(ARG0_LOW), IF_EQ(getpid(), 0, 1),
            RETURN(SECCOMP_RET_ALLOW), REFUSE(EPERM));
    ADD(p, RETURN(SECCOMP_RET_ALLOW));
}

int filter_install(bool network, bool execute)
{
    struct program p = {.len = 0};

    build(&p, network, execute);
    struct sock_fprog prog = {.len = p.len, .filter = p.code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

#endif
