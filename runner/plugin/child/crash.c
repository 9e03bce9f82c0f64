#include "plugin/child/crash.h"

#include "base/attr.h"
#include "plugin/child/object.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

static int report_fd = -1;
static uintptr_t stack_end;
static long stack_tid; /* whose stack that is */

#if defined(__x86_64__)
static uintptr_t pc_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
}
static uintptr_t sp_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
}
#elif defined(__aarch64__)
static uintptr_t pc_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.pc;
}
static uintptr_t sp_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.sp;
}
#else
static uintptr_t pc_of(const ucontext_t *u)
{
    (void)u;
    return 0;
}
static uintptr_t sp_of(const ucontext_t *u)
{
    (void)u;
    return 0;
}
#endif

static bool in_object(uintptr_t address)
{
    uintptr_t from, to;

    object_range(&from, &to);
    return address >= from && address < to;
}

/* It crashed in a library, on the plugin's behalf: the first word up the stack that points into the
 * object is most likely the return address of that call. A guess, which a reader with the object at hand
 * can check; libc is mostly built without frame pointers, so there is no chain to follow. */
__attribute__((no_sanitize("address"))) static uintptr_t caller_in_object(uintptr_t sp)
{
    const uintptr_t far = 64 << 10;

    sp = (sp + sizeof sp - 1) & ~(sizeof sp - 1);
    for (uintptr_t at = sp; at >= sp && at < stack_end && at - sp < far; at += sizeof at) {
        uintptr_t word = *(const volatile uintptr_t *)at;

        if (in_object(word))
            return word;
    }
    return 0;
}

/* Async-signal-safe: loads, one write, one signal. */
static void on_crash(int signo, siginfo_t *info, void *context)
{
    struct crash_report report = {.signo = signo};
    const ucontext_t *u = context;
    uintptr_t from, to, place = pc_of(u);

    (void)info;
    object_range(&from, &to);
    if (!in_object(place))
        place = syscall(SYS_gettid) != stack_tid ? 0 : caller_in_object(sp_of(u));
    if (place) {
        report.known = 1;
        report.offset = place - from;
    }
    (void)!write(report_fd, &report, sizeof report); /* nobody left to tell */
    /* SA_RESETHAND has put the default back; blocked until we return, then it ends us. */
    (void)syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), signo);
}

void crash_arm(int fd, const void *stack_top)
{
    /* Its own stack: an overflow leaves none. */
    static char stack[64 << 10];
    const stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction act = {
        .sa_sigaction = on_crash,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND,
    };

    report_fd = fd;
    stack_end = (uintptr_t)stack_top;
    stack_tid = syscall(SYS_gettid);
    (void)sigaltstack(&alt, NULL);
    for (size_t i = 0; i < COUNT_OF(fatal); i++)
        (void)sigaction(fatal[i], &act, NULL);
}
