#include "sandbox/init/guard.h"

#include "sandbox/init/expend.h"
#include "sandbox/init/rights.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is dropped from the bounding set here is what exec cannot give to a child; this process keeps its own. */
static int bound_capabilities(bool user, struct err *err)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        bool keep = false;

        for (size_t i = 0; !user && i < COUNT_OF(job_rights); i++)
            keep |= job_rights[i] == cap;
        if (!keep && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return err_sys(err, "cannot give up capability %d", cap);
    }
    return ERR_OK;
}

/* ---- the system call filter ---- */

/* Not what builds and tests need, but doors into the kernel that an ordinary user may knock at, and that
 * have had holes behind them; and two belts over braces, modules and kexec. ptrace, unshare and mount stay:
 * debuggers and nested sandboxes are part of builds. */
static const int refused[] = {
    SYS_bpf,          SYS_keyctl,        SYS_add_key,           SYS_request_key,
    SYS_userfaultfd,  SYS_kexec_load,    SYS_perf_event_open,   SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_open_by_handle_at,
};

/* The same by the numbers of the 32-bit programs that the kernel also runs. */
#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
static const int refused_other[] = {357, 288, 286, 287, 374, 283, 336, 128, 350, 129, 342};
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
static const int refused_other[] = {386, 311, 309, 310, 388, 347, 364, 128, 379, 129, 371};
#endif

#ifdef OUR_ARCH
enum { FILTER_MAX = 80, X32_BIT = 0x40000000 };

struct program {
    struct sock_filter code[FILTER_MAX];
    size_t len;
};

#define STMT(op, value) ((struct sock_filter)BPF_STMT(op, (unsigned)(value)))
#define JUMP(op, value)                                                                            \
    ((struct sock_filter)BPF_JUMP(BPF_JMP | (op) | BPF_K, (unsigned)(value), 0, 0))

static size_t emit(struct program *p, struct sock_filter one)
{
    if (p->len == FILTER_MAX)
        BUG("the system call filter is longer than %d", FILTER_MAX);
    p->code[p->len] = one;
    return p->len++;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* A binary search, four comparisons for any call. An equal that holds goes to "refuse", one that does
 * not to "allow"; where these are is filled in at the end. */
static void emit_search(struct program *p, const int *numbers, size_t n)
{
    if (n == 1) {
        (void)emit(p, JUMP(BPF_JEQ, numbers[0]));
        return;
    }
    size_t half = n / 2, at = emit(p, JUMP(BPF_JGE, numbers[half]));
    emit_search(p, numbers, half);
    p->code[at].jt = (unsigned char)(p->len - at - 1);
    emit_search(p, numbers + half, n - half);
}

static void emit_list(struct program *p, const int *list, size_t n, bool x32)
{
    int sorted[32];

    memcpy(sorted, list, n * sizeof *list);
    qsort(sorted, n, sizeof *sorted, by_number);
    (void)emit(p, STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    size_t start = p->len;
    if (x32) /* an ABI of its own behind our own's name; nobody uses it */
        (void)emit(p, JUMP(BPF_JGE, X32_BIT));
    emit_search(p, sorted, n);

    size_t allow = emit(p, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    size_t refuse = emit(p, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    if (x32)
        p->code[start].jt = (unsigned char)(refuse - start - 1);
    for (size_t i = start; i < allow; i++) {
        if (BPF_OP(p->code[i].code) != BPF_JEQ)
            continue;
        p->code[i].jt = (unsigned char)(refuse - i - 1);
        p->code[i].jf = (unsigned char)(allow - i - 1);
    }
}

static int filter_calls(bool user, struct err *err)
{
    struct program p = {.len = 0};

    (void)emit(&p, STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    size_t at = emit(&p, JUMP(BPF_JEQ, OUR_ARCH));
    emit_list(&p, refused, COUNT_OF(refused), OUR_ARCH == AUDIT_ARCH_X86_64);
    p.code[at].jf = (unsigned char)(p.len - at - 1);
    at = emit(&p, JUMP(BPF_JEQ, OTHER_ARCH));
    emit_list(&p, refused_other, COUNT_OF(refused_other), false);
    p.code[at].jf = (unsigned char)(p.len - at - 1);
    (void)emit(&p, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));

    struct sock_fprog prog = {.len = (unsigned short)p.len, .filter = p.code};
    /* An ordinary user must not gain privileges later; root in its own namespace may ("sudo"). */
    if (user && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot give up new privileges");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        return err_sys(err, "cannot filter system calls");
    return ERR_OK;
}
#else
static int filter_calls(bool user, struct err *err)
{
    if (user && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot give up new privileges");
    return ERR_OK; /* the namespaces and the capabilities do without it */
}
#endif

int guard_sandbox(bool user, struct err *err)
{
    if (expend_begin(err) < 0 || bound_capabilities(user, err) < 0 || filter_calls(user, err) < 0)
        return err->code;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(err, "cannot guard ostler-init");
    return ERR_OK;
}

int guard_host(struct err *err)
{
    if (expend_begin(err) < 0)
        return err->code;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(err, "cannot guard ostler-init");
    return ERR_OK;
}
