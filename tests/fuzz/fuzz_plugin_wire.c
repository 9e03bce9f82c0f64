/* The plugin wire: what a child that has gone bad can send. Every byte of it is served by the real
 * handlers; services check that what reaches them keeps the promises of host/host.h. */
#include "base/utf8.h"
#include "plugin/host/hosting.h"

#include <stddef.h>

static void check(struct slice text)
{
    if (utf8_valid(text) != text.len || text.ptr[text.len] != '\0' || strlen(text.ptr) != text.len)
        BUG("a service was handed a text that is none");
}

static void check_str(const char *text)
{
    check(slice_of(text));
}

static void on_log(void *ctx, int level, struct slice text)
{
    (void)ctx;
    if (level != OST_DEBUG && level != OST_INFO)
        BUG("level %d", level);
    if (utf8_valid(text) != text.len || memchr(text.ptr, '\0', text.len))
        BUG("a log text that is none");
}

static void on_annotate(void *ctx, const struct plugin_note *n)
{
    (void)ctx;
    check_str(n->message);
    check_str(n->title);
    check_str(n->file);
}

static void on_group(void *ctx, const char *title)
{
    (void)ctx;
    if (title)
        check_str(title);
}

static void on_slice(void *ctx, struct slice text)
{
    (void)ctx;
    if (text.len && memchr(text.ptr, '\0', text.len))
        BUG("a NUL byte inside");
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    check_str(text);
}

static int on_named(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)ctx;
    (void)err;
    check_str(name);
    check(value);
    return ERR_OK;
}

static int on_path(void *ctx, const char *dir, struct err *err)
{
    (void)ctx;
    check_str(dir);
    return err_set(err, ERR_INVALID, "no");
}

static int on_summary(void *ctx, struct slice text, struct err *err)
{
    (void)ctx;
    (void)err;
    check(text);
    return ERR_OK;
}

static bool on_saved(void *ctx, const char *name, struct slice *ret)
{
    (void)ctx;
    *ret = SLICE("saved");
    return name[0] == 's';
}

static bool on_context(void *ctx, const char *name, struct buf *ret)
{
    (void)ctx;
    buf_add_str(ret, "value");
    return name[0] == 'g';
}

static void on_plan(void *ctx, const char *verb, const char *object, const char *detail)
{
    (void)ctx;
    check_str(verb);
    check_str(object);
    check_str(detail);
}

static void on_progress(void *ctx, const char *label, int64_t done, int64_t total)
{
    (void)ctx;
    check_str(label);
    if (strlen(label) > PLUGIN_LABEL_MAX || done < -1 || total < -1)
        BUG("a progress that is none");
}

static const struct plugin_services services = {
    .log = on_log,
    .annotate = on_annotate,
    .group = on_group,
    .command = on_slice,
    .note = on_note,
    .mask = on_slice,
    .output = on_named,
    .env = on_named,
    .path = on_path,
    .summary = on_summary,
    .save = on_named,
    .saved = on_saved,
    .context = on_context,
    .plan = on_plan,
    .progress = on_progress,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct plugin_output outputs[] = {{"result", NULL}};
    static const struct plugin plugin = {
        .id = "acme/x", .version = "1.0.0", .outputs = outputs, .n_outputs = 1, .object = "x.so"};
    static struct loop *loop; /* never turned: for timers */
    struct plugin_run r = {
        .spec = {.plugin = &plugin, .services = &services},
        .phase_name = "main",
        .socket = -1,
        .to_send = BUF_INIT(HOSTING_BACKLOG_MAX + 2 * WIRE_FRAME_MAX),
        .text = BUF_INIT(PLUGIN_LOG_MAX + 1024),
    };
    struct slice rest;
    struct wire_frame f;
    struct err err;

    if (size == 0)
        return 0;
    if (!loop && loop_new(&loop, &err) < 0)
        BUG("no loop");
    r.loop = loop;
    r.plan = data[0] & 1;
    if (data[0] & 2)
        r.spec.services = NULL; /* describe */
    char *copy =
        mem_dup((const char *)data + 1, size - 1); /* its own allocation, for the sanitizer */
    rest = slice_make(copy, size - 1);
    while (!r.over && wire_next(&rest, &f, &err) > 0)
        requests_serve(&r, &f);
    transfers_stop(&r, false); /* half a request may be there */
    timer_free(r.progress.timer);
    json_decref(r.tables);
    buf_deinit(&r.to_send);
    buf_deinit(&r.text);
    free(copy);
    return 0;
}
