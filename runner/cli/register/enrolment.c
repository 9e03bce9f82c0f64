#include "cli/register/enrolment.h"

#include "base/mask.h"
#include "cli/exit.h"
#include "cli/web.h"

enum { RETRY_MS = 1000 }; /* somebody waits for the command */

#if defined(__x86_64__)
#define MACHINE "x64"
#elif defined(__aarch64__)
#define MACHINE "arm64"
#elif defined(__arm__)
#define MACHINE "arm"
#else
#define MACHINE "x86"
#endif

int enrolment_open(struct enrolment *e, const char *command, const char *version, struct err *err)
{
    char agent[120];

    *e = (struct enrolment){.command = command};
    (void)snprintf(agent, sizeof agent, "GitHubActionsRunner-linux-" MACHINE "/%.40s Ostler/%s",
                   version, OSTLER_VERSION);
    int r = loop_new(&e->loop, err);
    return r < 0 ? r : web_open(e->loop, agent, RETRY_MS, &e->http, err);
}

void enrolment_close(struct enrolment *e)
{
    http_free(e->http);
    loop_free(e->loop);
    *e = (struct enrolment){0};
}

static int exit_code_of(int code)
{
    switch (code) {
    case ERR_INVALID:
    case ERR_LIMIT:
        return EXIT_USAGE;
    case ERR_UNSUPPORTED:
    case ERR_NOT_FOUND:
        return EXIT_LACKING;
    default:
        return EXIT_RUN_FAILED;
    }
}

int enrolment_fail(const char *command, const struct err *err, const char *token, const char *pat)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4 * ERR_TEXT_SIZE);
    struct mask *mask = mask_new();

    /* A server may well repeat what it was sent. */
    (void)mask_add(mask, slice_of(token));
    (void)mask_add(mask, slice_of(pat));
    mask_apply(mask, slice_of(err->text), &text);
    fprintf(stderr, "ostler %s: %s\n", command, text.ptr);
    mask_free(mask);
    return exit_code_of(err->code);
}

void enrolment_note(void *ctx, const char *text)
{
    const struct enrolment *e = ctx;

    fprintf(stderr, "ostler %s: %s\n", e->command, text);
}
