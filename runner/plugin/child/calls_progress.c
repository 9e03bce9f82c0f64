/* ostler.progress/1: words for whoever watches. They may be said for each byte, so most of them end here. */
#include "plugin/child/calls.h"

#include "base/clock.h"
#include "plugin/wire.h"

#include <pthread.h>

enum { PAUSE_MS = PLUGIN_PROGRESS_MS / 4 };

/* The runner has the last word on how often; the end of something is never kept from it. */
static bool is_due(const char *label, int64_t done, int64_t total)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char last[PLUGIN_LABEL_MAX];
    static int64_t said_ms = INT64_MIN / 2;
    static bool was_whole;
    bool whole = total >= 0 && done >= total;
    int64_t now = clock_ms();

    pthread_mutex_lock(&lock);
    bool same = strncmp(last, label, sizeof last - 1) == 0;
    bool due = now - said_ms >= PAUSE_MS || (whole && !(same && was_whole));
    if (due) {
        said_ms = now;
        was_whole = whole;
        snprintf(last, sizeof last, "%s", label);
    }
    pthread_mutex_unlock(&lock);
    return due;
}

static void tell(struct ost_step *step, const char *label, int64_t done, int64_t total)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    struct slice text = slice_of(label);
    size_t at;

    wire_begin(&message, WIRE_PROGRESS, 0, &at);
    wire_put_slice(&message, slice_head(text, calls_piece(text)));
    wire_put_int(&message, done);
    wire_put_int(&message, total);
    (void)calls_send(step, &message, at); /* within the limit */
}

static void update(struct ost_step *step, const char *label, int64_t done, int64_t total)
{
    const char *text = label ? label : "";

    if (is_due(text, done, total))
        tell(step, text, done, total);
}

const struct ost_progress_v1 calls_progress = {
    .struct_size = sizeof calls_progress,
    .update = update,
};
