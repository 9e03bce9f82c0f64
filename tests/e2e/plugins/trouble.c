/* test/trouble - a plugin that does whatever no plugin should, for the end-to-end tests. */
#include <ostler/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const ways[] = {"null",   "abort",        "stack",      "loop",
                                   "flood",  "flood-stdout", "undeclared", "output",
                                   "daemon", "exit",         "fail",       NULL};
static const struct ost_input inputs[] = {
    {.name = "how",
     .type = OST_CHOICE,
     .flags = OST_REQUIRED,
     .choices = ways,
     .description = "What to do"},
};

static volatile int never;

static int deeper(int depth)
{
    volatile char page[4096];

    memset((void *)(uintptr_t)page, depth, sizeof page);
    return never ? 0 : deeper(depth + 1) + page[0];
}

/* A child that gives up its parent, as daemons do, and would live for a long time. */
static void leave_a_daemon(void)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            for (;;)
                sleep(1000);
        _exit(0);
    }
}

static ost_status trouble(struct ost_step *s)
{
    const char *how = s->host->input(s, "how");
    int *nothing = NULL;

    ost_log(s, OST_INFO, "about to: %s", how);
    if (strcmp(how, "null") == 0)
        *(volatile int *)nothing = 1;
    else if (strcmp(how, "abort") == 0)
        abort();
    else if (strcmp(how, "stack") == 0)
        return deeper(1);
    else if (strcmp(how, "loop") == 0)
        while (!never)
            ;
    else if (strcmp(how, "flood") == 0)
        for (;;)
            s->host->log(s, OST_INFO, "water, water, every where, and all the boards did shrink");
    else if (strcmp(how, "flood-stdout") == 0)
        for (;;)
            puts("water, water, every where, nor any drop to drink");
    else if (strcmp(how, "undeclared") == 0)
        (void)s->host->input(s, "tagz");
    else if (strcmp(how, "output") == 0)
        (void)s->host->output(s, "unheard-of", "x");
    else if (strcmp(how, "daemon") == 0)
        leave_a_daemon();
    else if (strcmp(how, "exit") == 0)
        _exit(0);
    else
        return ost_fail(s, OST_E_FAILED, "as it was told");
    return OST_OK;
}

OST_PLUGIN(.id = "test/trouble", .version = "1.2.3", .description = "Misbehaves",
           OST_INPUTS(inputs), .main = trouble);
