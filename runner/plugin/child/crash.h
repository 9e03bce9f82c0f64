/* crash - what a plugin's process leaves behind when a signal ends it: one report, through a pipe. */
#pragma once

#include <stdint.h>

struct crash_report {
    int32_t signo;
    uint32_t known;  /* 1: offset is where it happened, or where the object called what crashed */
    uint64_t offset; /* in the object */
};

/* Reports SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS and SIGABRT to FD from now on, then lets them
 * end the process. STACK_TOP: an address near the base of the calling thread's stack. */
void crash_arm(int fd, const void *stack_top);
