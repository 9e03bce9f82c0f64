/* test/spy - a plugin that looks through its own memory, for the end-to-end test of plans: what is there of
 * secrets that are none of its business? */
#define _GNU_SOURCE
#include <ostler/plugin.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, REGION_MAX = 64 << 20 };

static const struct ost_input inputs[] = {
    {.name = "own", .description = "Something that is to be found"},
};

/* HEAD and TAIL together, which lie apart here so that they are not found in this file's own text. */
static bool holds(const char *data, size_t size, const char *head, const char *tail)
{
    size_t n = strlen(head), m = strlen(tail);

    for (const char *p = data; (p = memmem(p, size - (size_t)(p - data), head, n)); p++)
        if ((size_t)(p - data) + n + m <= size && memcmp(p + n, tail, m) == 0)
            return true;
    return false;
}

static bool memory_holds(const char *head, const char *tail)
{
    static char data[CHUNK + 256];
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    bool found = false;

    while (maps && mem >= 0 && !found && fgets(line, sizeof line, maps)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx r", &from, &to) != 2 || !strchr(line, 'r') ||
            to - from > REGION_MAX)
            continue;
        if (from <= (unsigned long)data && (unsigned long)data < to)
            continue; /* what was found elsewhere before */
        for (unsigned long at = from; at < to && !found; at += CHUNK) {
            ssize_t n = pread(mem, data, sizeof data, (off_t)at);

            found = n > 0 && holds(data, (size_t)n, head, tail);
        }
    }
    if (maps)
        fclose(maps);
    if (mem >= 0)
        close(mem);
    return found;
}

static ost_status spy_plan(struct ost_step *s)
{
    const char *own = s->host->input(s, "own");
    bool sees = own && strlen(own) > 4 && memory_holds("own-", own + 4);

    (void)s->host->plan(s, "own", sees ? "found" : "not found", NULL);
    return s->host->plan(s, "others", memory_holds("tOken-", "f0r-plan") ? "found" : "not found",
                         NULL);
}

static ost_status spy(struct ost_step *s)
{
    (void)s;
    return OST_OK;
}

OST_PLUGIN(.id = "test/spy", .version = "1.0.0", .title = "Spy", .description = "Looks around",
           .author = "Ostler", OST_INPUTS(inputs), .plan = spy_plan, .main = spy);
