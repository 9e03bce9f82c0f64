/* Artifacts and caches of a plugin: what it asks for is handed to a carrier (blobs/blobs.h), which has the token.
 * Mirrors take as long, but the job has them. */
#include "blobs/hosts.h"
#include "plugin/host/hosting.h"

struct transfer {
    struct transfer *next;
    struct plugin_run *run;
    uint32_t id;
    struct buf ask;          /* JSON, as it comes in parts */
    struct blobs_call *call; /* NULL: not all has come, or it is for a mirror */
    struct plugin_mirror *mirror;
};

static struct transfer *find(struct plugin_run *r, uint32_t id)
{
    struct transfer *t = r->transfers;

    while (t && t->id != id)
        t = t->next;
    return t;
}

static bool is_asked(const struct transfer *t)
{
    return t->call || t->mirror;
}

static struct transfer *transfer_free(struct transfer *t)
{
    for (struct transfer **at = &t->run->transfers; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    blobs_free(t->call);
    if (t->mirror)
        t->run->spec.services->mirror_end(t->mirror);
    buf_deinit(&t->ask);
    free(t);
    return NULL;
}

static void refuse(struct plugin_run *r, uint32_t id, const struct err *err)
{
    /* to the plugin it is the network's time that passed, not its own */
    ost_status why = err->code == ERR_TIMEOUT ? OST_E_IO : requests_code(err);

    requests_status(r, id, why, err->text);
}

void transfers_stop(struct plugin_run *r, bool tell)
{
    while (r->transfers) {
        uint32_t id = r->transfers->id;
        bool asked = is_asked(r->transfers);

        transfer_free(r->transfers);
        if (tell && asked)
            requests_status(r, id, OST_E_CANCELLED, "cancelled");
    }
    if (tell)
        hosting_flush(r);
}

/* ---- a dry run ---- */

static const char *first_text(const json_t *ask, const char *name)
{
    const json_t *value = json_object_get(ask, name);
    const char *text = json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);

    return text ? text : "";
}

/* What would be found and brought is not known before. */
static void record(struct plugin_run *r, const char *op, const json_t *ask)
{
    const struct {
        const char *op, *verb, *object, *detail;
    } lines[] = {
        {"cache.restore", "cache-restore", "keys", "paths"},
        {"cache.save", "cache-save", "keys", "paths"},
        {"artifact.list", "artifact-list", "", ""},
        {"artifact.upload", "artifact-upload", "name", "root"},
        {"artifact.download", "artifact-download", "dir", ""},
        {"artifact.remove", "artifact-remove", "name", ""},
        {"http.fetch", "http", "url", "method"},
    };

    r->unknown = true;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (strcmp(lines[i].op, op) == 0)
            r->spec.services->plan(r->spec.ctx, lines[i].verb, first_text(ask, lines[i].object),
                                   first_text(ask, lines[i].detail));
}

/* ---- requests ---- */

static void on_say(void *ctx, const char *text)
{
    struct transfer *t = ctx;

    t->run->spec.services->log(t->run->spec.ctx, OST_INFO, slice_of(text));
}

static void on_done(void *ctx, const json_t *answer, const struct err *err)
{
    struct transfer *t = ctx;
    struct plugin_run *r = t->run;
    uint32_t id = t->id;

    if (err) {
        refuse(r, id, err);
    } else {
        CLEANUP(free_ptr) char *text = json_dumps(answer, JSON_COMPACT);

        requests_status(r, id, OST_OK, text ? text : "{}");
    }
    transfer_free(t);
    hosting_flush(r);
    hosting_settle(r);
}

static void on_mirror(void *ctx, const char *path, const struct err *err)
{
    json_t *answer = json_pack("{s:s?}", "path", path);

    on_done(ctx, answer, err);
    json_decref(answer);
}

static int begin_mirror(struct transfer *t, const json_t *ask, struct err *err)
{
    const struct plugin_services *services = t->run->spec.services;
    const char *header = first_text(ask, "header");
    const struct plugin_mirror_query query = {
        .url = first_text(ask, "url"),
        .header = header,
        .make = json_is_true(json_object_get(ask, "make")),
    };

    if (!hosts_allow_url(t->run->spec.hosts, query.url))
        return err_set(err, ERR_DENIED, "the policy does not allow that server");
    if (!services->mirror)
        return err_set(err, ERR_UNSUPPORTED, "there are no mirrors here");
    if (strpbrk(header, "\r\n"))
        return err_set(err, ERR_INVALID, "a header is one line");
    return services->mirror(t->run->spec.ctx, &query, on_mirror, t, &t->mirror, err);
}

/* GitHub's clients run `zstd` to see whether it is there. */
static bool has_zstd(const struct plugin_spec *s)
{
    const char *search = s->search_path ? s->search_path : spawn_env_path(s->env);
    CLEANUP(free_ptr) char *path = NULL;
    struct err ignored;

    return s->sandbox && search &&
           sandbox_which(s->sandbox, "zstd", search, &path, &ignored) == ERR_OK;
}

static int begin(struct transfer *t, const char *op, const json_t *ask, struct err *err)
{
    const struct plugin_spec *s = &t->run->spec;
    const struct blobs_client client = {on_say, on_done, t};
    const struct blobs_spec spec = {
        .op = op,
        .ask = ask,
        .service = s->service,
        .sandbox = s->own_side ? s->own_side : s->sandbox,
        .shown = s->shown,
        .n_shown = s->n_shown,
        .workspace = s->workspace,
        .home = s->home,
        .temp = s->temp,
        .zstd = strncmp(op, "cache.", 6) == 0 && has_zstd(s),
        .hosts = s->hosts,
        .program = s->child,
    };

    if (t->run->cancelled)
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (strcmp(op, WIRE_MIRROR) == 0)
        return begin_mirror(t, ask, err);
    if (strcmp(op, "http.fetch") == 0 && !(s->plugin->needs & OST_NEED_NETWORK))
        return err_set(err, ERR_DENIED, "the plugin's contract asks for no network");
    if (!s->service || (!s->service->url && strcmp(op, "http.fetch") != 0))
        return err_set(err, ERR_UNSUPPORTED, "this job has no service for artifacts and caches");
    return blobs_start(&spec, t->run->loop, &client, &t->call, err);
}

/* The transfer that a frame is about; NULL: the phase has been ended, or it has been answered. */
static struct transfer *gather(struct plugin_run *r, struct wire_frame *f, struct slice part)
{
    struct transfer *t = find(r, f->id);
    size_t n = 0;
    struct err err;

    if (wire_done(f, &err) < 0 || (t && is_asked(t))) {
        hosting_break(r, "%s sent a malformed message (TRANSFER)", r->spec.plugin->id);
        return NULL;
    }
    for (const struct transfer *one = r->transfers; one; one = one->next)
        n++;
    if (!t && n == PLUGIN_TRANSFERS_MAX) {
        (void)err_set(&err, ERR_LIMIT, "more than %d transfers at one time", PLUGIN_TRANSFERS_MAX);
        refuse(r, f->id, &err);
        return NULL;
    }
    if (!t) {
        t = mem_new(sizeof *t);
        *t = (struct transfer){
            .next = r->transfers, .run = r, .id = f->id, .ask = BUF_INIT(PLUGIN_TRANSFER_MAX)};
        r->transfers = t;
    }
    buf_add(&t->ask, part);
    return t;
}

void transfers_part(struct plugin_run *r, struct wire_frame *f)
{
    struct slice part = wire_bytes(f);

    (void)gather(r, f, part);
}

void transfers_request(struct plugin_run *r, struct wire_frame *f)
{
    struct slice op = wire_text(f), part = wire_bytes(f);
    struct transfer *t = gather(r, f, part);
    struct err err = ERR_INIT;

    if (!t)
        return;
    json_t *ask = t->ask.overflow ? NULL : json_loadb(t->ask.ptr, t->ask.len, 0, NULL);
    buf_deinit(&t->ask);
    if (!json_is_object(ask))
        (void)err_set(&err, ERR_INVALID, "a malformed request, or a longer one than %d bytes",
                      PLUGIN_TRANSFER_MAX);
    else if (r->cancelled)
        (void)err_set(&err, ERR_CANCELLED, "cancelled");
    else if (r->dry)
        record(r, op.ptr, ask);
    else
        (void)!begin(t, op.ptr, ask, &err);
    if (err.code)
        refuse(r, f->id, &err);
    else if (r->dry)
        requests_status(r, f->id, OST_OK,
                        strcmp(op.ptr, "http.fetch") == 0 ? "{\"status\": 200}" : "{}");
    json_decref(ask);
    if (!is_asked(t))
        transfer_free(t);
}
