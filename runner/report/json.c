/* The JSON report: the stream as lines that any tool reads; see events.md. */
#include "report/jsonline.h"
#include "report/lines.h"

struct json_report {
    struct report base;
    struct buf out;
    int fd;
};

static struct json_report *json_of(struct report *r)
{
    return (struct json_report *)(void *)r;
}

static int json_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    struct json_report *j = json_of(r);

    buf_clear(&j->out);
    jsonline_add(&j->out, event, json_object_get(event, "size") ? &log : NULL, NULL);
    if (buf_check(&j->out, "an event", err) != ERR_OK)
        return err->code;
    return lines_write(j->fd, buf_slice(&j->out), err);
}

static int json_close(struct report *r, struct err *err)
{
    (void)err;
    buf_deinit(&json_of(r)->out);
    free(r);
    return ERR_OK;
}

struct report *report_json_new(int fd)
{
    static const struct report_ops ops = {.event = json_event, .close = json_close};
    struct json_report *j = mem_new(sizeof *j);

    j->base.ops = &ops;
    j->fd = fd;
    j->out = (struct buf)BUF_INIT(JSONLINE_MAX);
    return &j->base;
}
