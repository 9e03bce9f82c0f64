/* JSON lines of a plugin that has gone bad: every line is served, by a host that checks what reaches it. */
#include "base/utf8.h"
#include "plugin/child/lines.h"

#include <ostler/ext.h>

static void check(const char *text)
{
    if (text && utf8_valid(slice_of(text)) != strlen(text))
        BUG("a service was handed a text that is none");
}

static void on_log(struct ost_step *s, int32_t level, const char *text)
{
    (void)s;
    if (level < OST_DEBUG || level > OST_ERROR || !text)
        BUG("level %d", (int)level);
    check(text);
}

static void on_annotate(struct ost_step *s, const struct ost_note *n)
{
    (void)s;
    if (!n->message)
        BUG("an annotation without a message");
    check(n->message);
    check(n->title);
    check(n->file);
}

static void on_group(struct ost_step *s, const char *title)
{
    (void)s;
    check(title);
}

static ost_status on_text(struct ost_step *s, const char *text)
{
    (void)s;
    if (!text)
        BUG("no text");
    check(text);
    return OST_OK;
}

static ost_status on_fail(struct ost_step *s, ost_status why, const char *text)
{
    (void)s;
    check(text);
    return why;
}

static const char *on_last_error(struct ost_step *s)
{
    (void)s;
    return "no";
}

static const char *on_find(struct ost_step *s, const char *name)
{
    (void)s;
    check(name);
    return name[0] == 'g' ? "\xff is no text" : NULL;
}

static ost_status on_set(struct ost_step *s, const char *name, const char *value)
{
    (void)s;
    if (!name || !value)
        BUG("no name or value");
    return name[0] == 'x' ? OST_E_DENIED : OST_OK;
}

static const char *on_temp(struct ost_step *s, const char *suffix)
{
    (void)s;
    check(suffix);
    return suffix ? NULL : "/tmp/x";
}

static void *on_alloc(struct ost_step *s, size_t size)
{
    static char room[1 << 20];

    (void)s;
    if (size > sizeof room)
        BUG("%zu bytes", size);
    return room;
}

static ost_status on_exec(struct ost_step *s, const struct ost_exec *x, struct ost_exec_result *res)
{
    (void)s;
    if (!x->argv)
        BUG("no argv");
    for (const char *const *one = x->argv; *one; one++)
        check(*one);
    for (const char *const *one = x->env; one && *one; one++)
        if (!strchr(*one, '='))
            BUG("an entry of env that is none");
    res->out = "a\xff";
    res->out_size = 2;
    return OST_OK;
}

static ost_status on_plan(struct ost_step *s, const char *verb, const char *object,
                          const char *detail)
{
    (void)s;
    check(verb);
    check(object);
    check(detail);
    return OST_OK;
}

static void on_progress(struct ost_step *s, const char *label, int64_t done, int64_t total)
{
    (void)s;
    (void)done;
    (void)total;
    check(label);
}

static ost_status on_fetch(struct ost_step *s, const struct ost_http_request *q,
                           struct ost_http_response *a)
{
    (void)s;
    check(q->url);
    a->body = "\0\xff";
    a->body_size = 2;
    return OST_OK;
}

static ost_status on_glob(struct ost_step *s, const char *const *patterns, uint32_t flags,
                          const char *const **paths, size_t *n)
{
    static const char *const found[] = {"/a", "/\xff"};

    (void)s;
    (void)flags;
    if (!patterns)
        BUG("no patterns");
    *paths = found;
    *n = 2;
    return OST_OK;
}

static const void *on_extension(struct ost_step *s, const char *id)
{
    static const struct ost_progress_v1 progress = {sizeof progress, on_progress};
    static const struct ost_http_v1 http = {sizeof http, on_fetch};
    static const struct ost_files_v1 files = {.struct_size = sizeof files, .glob = on_glob};

    (void)s;
    return strcmp(id, OST_EXT_PROGRESS) == 0 ? (const void *)&progress
           : strcmp(id, OST_EXT_HTTP) == 0   ? (const void *)&http
           : strcmp(id, OST_EXT_FILES) == 0  ? (const void *)&files
                                             : NULL;
}

static const struct ost_host host = {
    .struct_size = sizeof host,
    .log = on_log,
    .annotate = on_annotate,
    .group = on_group,
    .mask = on_text,
    .fail = on_fail,
    .last_error = on_last_error,
    .context = on_find,
    .output = on_set,
    .env = on_set,
    .path = on_text,
    .summary = on_text,
    .save = on_set,
    .saved = on_find,
    .temp = on_temp,
    .alloc = on_alloc,
    .exec = on_exec,
    .plan = on_plan,
    .extension = on_extension,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ost_step step = {.host = &host};
    struct lines l = LINES_INIT(&step);
    char *copy = mem_dup((const char *)data, size); /* its own allocation, for the sanitizer */
    struct slice rest = slice_make(copy, size), line;

    while (!l.done && slice_line(&rest, &line)) {
        if (memmem(line.ptr, line.len, "\"hash\"", 6)) /* that table has one function here */
            continue;
        lines_serve(&l, line);
    }
    rest = buf_slice(&l.out);
    while (slice_line(&rest, &line)) { /* each answer is a line of JSON */
        json_t *answer = json_loadb(line.ptr, line.len, 0, NULL);

        if (!json_is_object(answer))
            BUG("an answer that is none");
        json_decref(answer);
    }
    buf_deinit(&l.out);
    free(copy);
    return 0;
}
