/* The plain report: every event as lines, as it comes. */
#include "report/lines.h"

struct plain {
    struct report base;
    struct lines lines;
    bool started, ended;
};

static struct plain *plain_of(struct report *r)
{
    return (struct plain *)(void *)r;
}

static int flush(struct plain *p, struct err *err)
{
    int r = lines_write(p->lines.screen.fd, buf_slice(&p->lines.out), err);

    buf_clear(&p->lines.out);
    return r;
}

static int plain_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    struct plain *p = plain_of(r);
    struct slice name = event_text(event, "event");

    p->started = p->started || slice_eq(name, SLICE("run.started"));
    lines_event(&p->lines, event, log, clock_ms());
    if (slice_eq(name, SLICE("run.finished"))) {
        p->ended = true;
        lines_ending(&p->lines);
    }
    return flush(p, err);
}

static int plain_close(struct report *r, struct err *err)
{
    struct plain *p = plain_of(r);
    int result = ERR_OK;

    if (p->started && !p->ended) {
        lines_ending(&p->lines);
        result = flush(p, err);
    }
    lines_deinit(&p->lines);
    free(p);
    return result;
}

struct report *report_plain_new(const struct report_screen *screen)
{
    static const struct report_ops ops = {.event = plain_event, .close = plain_close};
    struct plain *p = mem_new(sizeof *p);

    p->base.ops = &ops;
    lines_init(&p->lines, screen, false);
    return &p->base;
}
