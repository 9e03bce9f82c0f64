#include "plugin/host/deaf.h"

static void on_log(void *ctx, int level, struct slice text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static void on_annotate(void *ctx, const struct plugin_note *note)
{
    (void)ctx;
    (void)note;
}

static void on_text(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static void on_slice(void *ctx, struct slice text)
{
    (void)ctx;
    (void)text;
}

static struct plugin_stream *on_stream_open(void *ctx, bool commands)
{
    static char none; /* never looked into */

    (void)ctx;
    (void)commands;
    return (struct plugin_stream *)(void *)&none;
}

static void on_stream_feed(struct plugin_stream *s, struct slice bytes)
{
    (void)s;
    (void)bytes;
}

static void on_stream_close(struct plugin_stream *s)
{
    (void)s;
}

static int on_pair(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)ctx;
    (void)name;
    (void)value;
    (void)err;
    return ERR_OK;
}

static int on_path(void *ctx, const char *dir, struct err *err)
{
    (void)ctx;
    (void)dir;
    (void)err;
    return ERR_OK;
}

static int on_summary(void *ctx, struct slice markdown, struct err *err)
{
    (void)ctx;
    (void)markdown;
    (void)err;
    return ERR_OK;
}

static bool on_saved(void *ctx, const char *name, struct slice *ret)
{
    (void)ctx;
    (void)name;
    (void)ret;
    return false;
}

static bool on_context(void *ctx, const char *name, struct buf *ret)
{
    (void)ctx;
    (void)name;
    (void)ret;
    return false;
}

static void on_plan(void *ctx, const char *verb, const char *object, const char *detail)
{
    (void)ctx;
    (void)verb;
    (void)object;
    (void)detail;
}

static void on_progress(void *ctx, const char *label, int64_t done, int64_t total)
{
    (void)ctx;
    (void)label;
    (void)done;
    (void)total;
}

const struct plugin_services plugin_deaf = {
    .log = on_log,
    .annotate = on_annotate,
    .group = on_text,
    .command = on_slice,
    .note = on_text,
    .mask = on_slice,
    .stream_open = on_stream_open,
    .stream_feed = on_stream_feed,
    .stream_close = on_stream_close,
    .output = on_pair,
    .env = on_pair,
    .path = on_path,
    .summary = on_summary,
    .save = on_pair,
    .saved = on_saved,
    .context = on_context,
    .plan = on_plan,
    .progress = on_progress,
};
