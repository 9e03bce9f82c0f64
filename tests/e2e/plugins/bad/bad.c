/* A plugin that is sound, and with one of these defined has just that defect, for "ostler plugin check" to find. */
#include <ostler/ext.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HAS(defect) (strcmp(DEFECT, #defect) == 0)
#ifndef DEFECT
#define DEFECT "none"
#endif

/* ---- the object ---- */

#ifdef SECOND_EXPORT
__attribute__((visibility("default"))) int helper(void)
{
    return 1;
}
#endif

#ifdef TEXT_RELOCATION /* an address in the code itself */
__asm__(".text\n.globl patched\n.hidden patched\npatched: .quad ostler_plugin_v1\n");
#endif

#ifdef UNDEFINED
extern int UNDEFINED(void *what, size_t flags);
#define USE_UNDEFINED (void)UNDEFINED(NULL, 0)
#else
#define USE_UNDEFINED (void)0
#endif

/* ---- the contract ---- */

#ifdef DUPLICATE_CHOICE
static const char *const colours[] = {"red", "green", "red", NULL};
#else
static const char *const colours[] = {"red", "green", NULL};
#endif

static const struct ost_input inputs[] = {
#ifdef WRONG_DEFAULT
    {.name = "loud", .type = OST_BOOL, .fallback = "maybe", .description = "Shout"},
#else
    {.name = "loud", .type = OST_BOOL, .fallback = "false", .description = "Shout"},
#endif
    {.name = "colour", .type = OST_CHOICE, .choices = colours, .description = "Colour"},
#ifdef DUPLICATE_INPUT
    {.name = "Loud", .description = "Once more"},
#endif
#ifdef RESERVED_INPUT
    {.name = "entrypoint", .description = "Of what?"},
#endif
#ifdef SECRET_DEFAULT
    {.name = "token", .flags = OST_SECRET, .fallback = "abc-of-all", .description = "Token"},
#endif
#ifdef NO_DESCRIPTION
    {.name = "bare"},
#endif
#ifdef BAD_EXPRESSION
    {.name = "sum", .fallback = "${{ 1 + }}", .description = "Sum"},
#endif
};
static const struct ost_output outputs[] = {{"greeting", "What was said"}};

/* ---- phases ---- */

static int open_null(void)
{
    return open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : open(".", O_RDONLY);
}

static ost_status plan(struct ost_step *s)
{
    if (HAS(plan_writes)) {
        int fd = open("planned.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

        if (fd >= 0)
            close(fd);
    }
    if (HAS(plan_changes)) {
        int fd = open("README.md", O_WRONLY | O_TRUNC | O_CLOEXEC);

        if (fd >= 0)
            close(fd);
    }
    return s->host->plan(s, "greet", "everybody", "");
}

static ost_status wait_for_ever(struct ost_step *s)
{
    while (s->host->context(s, "job.status"))
        poll(NULL, 0, 20);
    return OST_OK;
}

/* As much of the other services as a plugin may use. */
static ost_status use_extensions(struct ost_step *s)
{
    const struct ost_progress_v1 *progress = s->host->extension(s, OST_EXT_PROGRESS);
    const struct ost_mask_v1 *mask = s->host->extension(s, OST_EXT_MASK);
    const struct ost_files_v1 *files = s->host->extension(s, OST_EXT_FILES);
    const char *const patterns[] = {"*.md", NULL}, *const * paths, *text;
    ost_status r = OST_OK;
    size_t n;

    if (progress)
        progress->update(s, "working", 1, 2);
    if (mask)
        r = mask->apply(s, "text", &text);
    if (r == OST_OK && files)
        r = files->glob(s, patterns, 0, &paths, &n);
    return r;
}

static ost_status work(struct ost_step *s)
{
    const char *file;

    USE_UNDEFINED;
    if (HAS(undeclared_input))
        (void)s->host->input(s, "tagz");
    if (HAS(undeclared_output))
        return s->host->output(s, "digezt", "x");
    if (HAS(null_pointer))
        *(volatile int *)0 = 1;
    if (HAS(ends_process))
        exit(0);
    if (HAS(leak))
        (void)open_null();
    if (HAS(deaf) && s->host->cancelled(s))
        return wait_for_ever(s);
    file = s->host->temp(s, ".txt");
    if (HAS(crash_on_fault) && file[0] != '/') /* without a look at what it is */
        return OST_E_FAILED;
    if (!file) {
        if (HAS(leak_on_fault))
            (void)open_null();
        while (HAS(hang_on_fault))
            poll(NULL, 0, 1000);
        return OST_E_IO;
    }
    if (unlink(file) < 0)
        return ost_fail(s, OST_E_IO, "cannot remove '%s'", file);
    if (HAS(deaf) && s->host->cancelled(s))
        return wait_for_ever(s);
    ost_status r = use_extensions(s);
    return r < 0 ? r : s->host->output(s, "greeting", "Hello.");
}

OST_EXPORT const struct ost_plugin ostler_plugin_v1;
const struct ost_plugin ostler_plugin_v1 = {
#ifdef WRONG_LAYOUT
    .struct_size = 16,
#else
    .struct_size = sizeof(struct ost_plugin),
#endif
#ifdef BAD_ID
    .id = "bad",
#else
    .id = "test/bad",
#endif
#ifdef BAD_VERSION
    .version = "1.0",
#else
    .version = "1.0.0",
#endif
#ifdef CONDITION_ALONE
    .post_if = "always()",
#endif
    .description = "Has a defect",
    OST_INPUTS(inputs),
    OST_OUTPUTS(outputs),
#ifdef WRONG_ROWS
    .input_size = 12,
#endif
    .plan = plan,
    .main = work,
};
