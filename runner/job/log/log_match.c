#include "job/log/log_state.h"

static void on_note(void *ctx, bool warning, const char *text)
{
    if (warning)
        log_issue(ctx, ANNOTATION_WARNING, "%s", text);
    else
        log_write(ctx, LOG_DEBUG, slice_of(text));
}

/* Matchers see what the log shows, masked and without colours. Were they shown the line itself, they could
 * capture a part of a secret, which the masker would not know again. */
bool log_match(struct log *l, enum log_stream from, struct slice line)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT(LOG_LINE_MAX);
    struct scan **scan = &l->channels[from].scan;
    struct finding found;

    if (line.len > LOG_LINE_MAX) /* a command that was refused as one */
        return false;
    if (!*scan)
        *scan = scan_new(l->spec.matchers);
    buf_clear(&l->masked);
    mask_apply_lines(l->spec.mask, matchers_plain(line, &l->plain), &l->masked);
    if (!scan_line(*scan, buf_slice(&l->masked), on_note, l, &found))
        return false;
    if (l->spec.counts->n[found.annotation.level] <
        ANNOTATION_KEPT_MAX) /* the others are logged only */
        matchers_place(l->spec.matchers, &found, &file, on_note, l);
    log_put_issue(l, &found.annotation, buf_slice(&l->masked));
    return true;
}
