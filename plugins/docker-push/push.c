#include "push.h"

#include "reference.h"
#include "reuse.h"
#include "upload.h"

#include <ostler/ext.h>
#include <string.h>
#include <time.h>

enum { FAREWELL_MS = 4500, PROGRESS_MS = 500 };

enum stage { STAGE_WAITS, STAGE_BLOBS, STAGE_MANIFESTS, STAGE_INDEXES, STAGE_TAGS, STAGE_DONE };

struct place { /* a target at work */
    struct place *next;
    struct run *run;
    struct target *target;
    struct registry *registry;
    const struct place *after; /* of the same registry: what it brought there can be mounted */
    const char *const *mount_from;
    struct upload *uploads;
    size_t n_uploads, n_running;
    enum stage stage;
    size_t n_puts;                /* of documents, under way */
    bool begun;                   /* the puts of this stage */
    const struct document *index; /* the last one put */
    bool repaired;                /* blobs have been looked for a second time */
};

struct run {
    struct push *push;
    struct ost_step *step;
    struct web *web;
    struct packer *packer;
    size_t n_packing;
    bool finished; /* the documents are written */
    struct place *places;
    ost_status error;
    const struct ost_progress_v1 *progress;
    int64_t shown_ms, shown;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* ---- blobs ---- */

static void on_upload(void *ctx, struct upload *u)
{
    struct place *p = ctx;

    p->n_running--;
    if (u->state == UPLOAD_FAILED && p->run->error == OST_OK)
        p->run->error = u->error;
}

/* Layers that are the same bytes are one blob. */
static bool is_twin(const struct place *p, size_t nth)
{
    for (size_t i = 0; i < nth; i++)
        if (p->uploads[i].blob->d.digest &&
            strcmp(p->uploads[i].blob->d.digest, p->uploads[nth].blob->d.digest) == 0)
            return true;
    return false;
}

/* True: all of them are done. */
static bool bring_blobs(struct place *p)
{
    bool all = true;

    for (size_t i = 0; i < p->n_uploads && p->run->error == OST_OK; i++) {
        struct upload *u = &p->uploads[i];

        if (u->state == UPLOAD_RUNS || (u->state == UPLOAD_WAITS && !u->blob->d.digest)) {
            all = all && u->state == UPLOAD_WAITS && p->run->push->look;
            continue;
        }
        if (u->state != UPLOAD_WAITS || is_twin(p, i))
            continue;
        all = false;
        if (p->n_running >= p->run->push->parallel)
            return false;
        p->n_running++;
        upload_begin(u);
    }
    return all && p->n_running == 0;
}

static void count(struct place *p)
{
    struct target *t = p->target;

    t->n_sent = t->n_mounted = t->n_present = t->n_missing = 0;
    t->sent_bytes = t->missing_bytes = 0;
    for (size_t i = 0; i < p->n_uploads; i++) {
        const struct upload *u = &p->uploads[i];

        t->n_sent += u->state == UPLOAD_SENT;
        t->n_mounted += u->state == UPLOAD_MOUNTED;
        t->n_present += u->state == UPLOAD_PRESENT;
        t->sent_bytes += u->state == UPLOAD_SENT ? u->blob->d.size : 0;
        if (u->state == UPLOAD_MISSING || (u->state == UPLOAD_WAITS && !u->blob->d.digest)) {
            t->n_missing++;
            t->missing_bytes += u->blob->d.digest ? u->blob->d.size : u->blob->raw.size;
        }
    }
}

/* ---- documents ---- */

struct put { /* of one document under one name */
    struct place *place;
    const struct document *document;
    const char *reference;
    const char *headers[2];
};

static const char *what_of(const struct put *p)
{
    struct ost_step *step = p->place->run->step;

    return ost_fmt(step, "put '%s/%s%s%s'", p->place->target->host, p->place->target->name,
                   strchr(p->reference, ':') ? "@" : ":", p->reference);
}

/* A registry that has lost a blob, or swept it away meanwhile, gets a second chance. */
static bool repair(struct place *p, const char *code)
{
    if (p->repaired ||
        (strcmp(code, "MANIFEST_BLOB_UNKNOWN") != 0 && strcmp(code, "BLOB_UNKNOWN") != 0))
        return false;
    ost_log(p->run->step, OST_INFO, "'%s' misses a blob; looking for all of them again",
            p->target->host);
    p->repaired = true;
    for (size_t i = 0; i < p->n_uploads; i++)
        p->uploads[i].state = UPLOAD_WAITS;
    p->stage = STAGE_BLOBS;
    p->begun = false;
    p->index = NULL;
    return true;
}

static void on_put(void *ctx, const struct web_answer *a)
{
    struct put *put = ctx;
    struct place *p = put->place;
    struct run *run = p->run;
    struct span said = web_header(a, "Docker-Content-Digest");

    p->n_puts--;
    if (run->error < 0)
        return;
    if (a->error || a->status < 200 || a->status > 299) {
        if (!repair(p, registry_code(run->step, a)))
            run->error = registry_complain(p->registry, what_of(put), a);
    } else if (said.size > 0 && !span_is(said, put->document->d.digest)) {
        run->error = ost_fail(run->step, OST_E_FAILED, "'%s' keeps the manifest as %.*s, not as %s",
                              p->target->host, (int)said.size, said.at, put->document->d.digest);
    }
}

static void put(struct place *p, const struct document *d, const char *reference)
{
    struct ost_step *step = p->run->step;
    struct put *put = step->host->alloc(step, sizeof *put);

    *put = (struct put){p, d, reference, {ost_fmt(step, "Content-Type: %s", d->d.type), NULL}};
    p->n_puts++;
    registry_ask(p->registry,
                 &(struct ask){
                     .method = "PUT",
                     .path = ost_fmt(step, "/v2/%s/manifests/%s", p->target->name, reference),
                     .scope = registry_scope(step, p->target->name, "pull,push"),
                     .headers = put->headers,
                     .body = {.data = d->data, .size = d->d.size},
                     .done = on_put,
                     .ctx = put,
                 });
}

/* What the root refers to: manifests, and after them the indexes that an index may hold. */
static void put_manifests(struct place *p)
{
    const struct document *root = tree_root(p->run->push->tree);

    for (const struct image *i = p->run->push->tree->images; i; i = i->next)
        if (&i->manifest != root)
            put(p, &i->manifest, i->manifest.d.digest);
}

/* One after the other, the innermost first: registries check that what an index lists is there. */
static void put_indexes(struct place *p)
{
    const struct tree *tree = p->run->push->tree;
    const struct document *d = p->index ? p->index->next : tree->indexes;

    if (!d || d == tree_root(tree))
        return;
    put(p, d, d->d.digest);
    p->index = d;
    p->begun = false; /* there may be another */
}

static void put_root(struct place *p)
{
    const struct document *root = tree_root(p->run->push->tree);

    for (size_t i = 0; p->target->tags[i]; i++)
        put(p, root, p->target->tags[i]);
    if (!p->target->tags[0])
        put(p, root, root->d.digest);
}

/* ---- one place, one step further ---- */

static void next_stage(struct place *p)
{
    p->stage++;
    p->begun = false;
}

/* Each stage is begun once, and over when all that it sent has been answered. */
static void put_documents(struct place *p)
{
    static void (*const stages[])(struct place *) = {
        [STAGE_MANIFESTS] = put_manifests, [STAGE_INDEXES] = put_indexes, [STAGE_TAGS] = put_root};

    while (p->stage >= STAGE_MANIFESTS && p->stage <= STAGE_TAGS) {
        bool first = !p->begun;

        if (p->n_puts > 0)
            return;
        p->begun = true;
        if (first)
            stages[p->stage](p);
        if (p->begun && p->n_puts == 0)
            next_stage(p);
    }
}

static void advance(struct place *p)
{
    const struct push *push = p->run->push;

    if (p->stage == STAGE_WAITS && (!p->after || p->after->stage == STAGE_DONE))
        next_stage(p);
    if (p->stage == STAGE_BLOBS && bring_blobs(p) && (push->look || p->run->finished)) {
        count(p);
        next_stage(p);
        if (push->look)
            p->stage = STAGE_DONE;
    }
    put_documents(p);
}

/* ---- layers that need not be packed ---- */

static bool is_raw(const struct blob *b)
{
    return b->raw.size > 0 && !b->d.digest;
}

/* Whether each place has it. */
static bool all_have(struct run *run, const struct descriptor *d)
{
    for (struct place *p = run->places; p; p = p->next) {
        struct web_answer a;

        registry_do(p->registry,
                    &(struct ask){
                        .method = "HEAD",
                        .path = ost_fmt(run->step, "/v2/%s/blobs/%s", p->target->name, d->digest),
                        .scope = registry_scope(run->step, p->target->name, "pull,push"),
                        .flags = WEB_FOLLOW,
                    },
                    &a);
        if (a.error || a.status != 200)
            return false;
    }
    return true;
}

static void mark_present(struct run *run, const struct blob *b)
{
    for (struct place *p = run->places; p; p = p->next)
        for (size_t i = 0; i < p->n_uploads; i++)
            if (p->uploads[i].blob == b)
                p->uploads[i].state = UPLOAD_PRESENT;
}

static ost_status reuse_for(struct run *run, struct image *image)
{
    const struct place *first = run->places;
    struct known *known = NULL;
    size_t n = 0;
    bool any = false;
    ost_status r;

    for (struct blob *b = image->layers; b; b = b->next)
        any = any || is_raw(b);
    if (!any || !first->target->tags[0])
        return OST_OK;
    r = reuse_look(first->registry, run->step, first->target->name, first->target->tags[0],
                   &image->platform, &known);
    for (struct blob *b = image->layers; b && r == OST_OK; b = b->next) {
        const struct descriptor *d =
            is_raw(b) && b->diff_id ? reuse_find(known, b->diff_id, b->d.type) : NULL;
        enum packing packing;

        if (!d || !type_is_layer(d->type, &packing) || !all_have(run, d))
            continue;
        b->d = (struct descriptor){type_of_layer(image->oci, packing), d->digest, d->size};
        mark_present(run, b);
        n++;
    }
    if (n > 0)
        ost_log(run->step, OST_INFO, "%zu layer%s of '%s' %s there already, and need not be packed",
                n, n == 1 ? "" : "s", image->source, n == 1 ? "is" : "are");
    return r;
}

/* A docker-archive's layers get their types when they are packed, so what they will be is set here. */
static void name_types(struct run *run)
{
    for (struct image *i = run->push->tree->images; i; i = i->next)
        for (struct blob *b = i->layers; b; b = b->next)
            if (is_raw(b))
                b->d.type = type_of_layer(i->oci, run->push->pack.packing);
}

static ost_status reuse_all(struct run *run)
{
    ost_status r = OST_OK;

    name_types(run);
    for (struct image *i = run->push->tree->images; i && r == OST_OK; i = i->next)
        r = reuse_for(run, i);
    return r;
}

/* ---- places ---- */

/* A private authority's certificate where engines look for it. */
static const char *ca_of(struct run *run, const char *host)
{
    const char *path = ost_fmt(run->step, "/etc/docker/certs.d/%s/ca.crt", host);

    if (*run->push->ca_file)
        return run->push->ca_file;
    return file_exists(path) ? path : "";
}

static bool is_listed(const char *const *list, const char *host)
{
    while (*list && strcmp(reference_host(*list), host) != 0)
        list++;
    return *list != NULL;
}

static ost_status open_registry(struct run *run, struct place *p)
{
    struct registry_spec spec = {.step = run->step,
                                 .web = run->web,
                                 .host = p->target->host,
                                 .insecure = is_listed(run->push->insecure, p->target->host),
                                 .ca_file = ca_of(run, p->target->host)};
    ost_status r;

    for (struct place *other = run->places; other; other = other->next)
        if (other->registry && strcmp(other->target->host, p->target->host) == 0) {
            p->after = other;
            p->registry = other->registry;
        }
    if (p->registry)
        return OST_OK;
    r = login_find(run->step, &run->push->login, p->target->host, &spec.login);
    if (r == OST_OK)
        p->registry = registry_new(&spec);
    return r;
}

static void add_upload(struct place *p, const struct blob *b)
{
    struct run *run = p->run;

    if (b->foreign)
        return;
    p->uploads[p->n_uploads++] = (struct upload){.step = run->step,
                                                 .web = run->web,
                                                 .registry = p->registry,
                                                 .name = p->target->name,
                                                 .blob = b,
                                                 .mount_from = p->mount_from,
                                                 .chunk = run->push->chunk,
                                                 .look = run->push->look,
                                                 .done = on_upload,
                                                 .ctx = p};
}

static ost_status add_place(struct run *run, struct target *t)
{
    struct place **tail = &run->places, *p = run->step->host->alloc(run->step, sizeof *p);
    struct strings from = {0};
    ost_status r;

    *p = (struct place){.run = run, .target = t};
    r = open_registry(run, p);
    if (r < 0)
        return r;
    for (const struct place *o = p->after; o; o = o->after)
        strings_add(run->step, &from, o->target->name);
    for (size_t i = 0; run->push->mount_from[i]; i++)
        if (strcmp(run->push->mount_from[i], t->name) != 0)
            strings_add(run->step, &from, run->push->mount_from[i]);
    p->mount_from = strings_list(&from);
    p->uploads = run->step->host->alloc(run->step, run->push->tree->n_blobs * sizeof *p->uploads);
    for (const struct image *i = run->push->tree->images; i; i = i->next) {
        add_upload(p, i->config);
        for (const struct blob *b = i->layers; b; b = b->next)
            add_upload(p, b);
    }
    while (*tail)
        tail = &(*tail)->next;
    *tail = p;
    return OST_OK;
}

/* ---- all of it ---- */

static void show(struct run *run)
{
    int64_t done = 0, all = 0, now = now_ms();

    if (!run->progress || now - run->shown_ms < PROGRESS_MS)
        return;
    run->shown_ms = now;
    for (const struct place *p = run->places; p; p = p->next)
        for (size_t i = 0; i < p->n_uploads; i++) {
            const struct upload *u = &p->uploads[i];

            done += u->state == UPLOAD_WAITS ? 0 : u->sent;
            all += u->blob->d.digest ? u->blob->d.size : u->blob->raw.size;
        }
    if (done != run->shown)
        run->progress->update(run->step, "pushing", done, all);
    run->shown = done;
}

static bool is_over(struct run *run)
{
    for (const struct place *p = run->places; p; p = p->next)
        if (p->stage != STAGE_DONE)
            return false;
    return true;
}

static void collect(struct run *run)
{
    ost_status r = run->packer ? pack_collect(run->packer, &run->n_packing) : OST_OK;

    if (r < 0)
        run->error = r;
    if (run->n_packing == 0 && !run->finished && r == OST_OK && !run->push->look) {
        tree_finish(run->step, run->push->tree);
        run->finished = true;
    }
}

static void work(struct run *run)
{
    while (run->error == OST_OK) {
        if (run->step->host->cancelled(run->step))
            run->error = OST_E_CANCELLED;
        collect(run);
        for (struct place *p = run->places; p && run->error == OST_OK; p = p->next)
            advance(p);
        if (run->error < 0 || is_over(run))
            return;
        show(run);
        web_turn(run->web, -1, run->n_packing > 0 ? pack_fd(run->packer) : -1);
    }
}

/* Whatever is open is closed at the registries, too, as far as they answer in time. */
static void say_farewell(struct run *run)
{
    int64_t end = now_ms() + FAREWELL_MS;

    web_drop_all(run->web);
    for (struct place *p = run->places; p; p = p->next)
        for (size_t i = 0; i < p->n_uploads; i++)
            upload_abandon(&p->uploads[i]);
    while (web_busy(run->web) > 0 && now_ms() < end)
        web_turn(run->web, end - now_ms(), -1);
}

static ost_status begin(struct run *run)
{
    ost_status r = OST_OK;

    for (struct target *t = run->push->targets; t && r == OST_OK; t = t->next)
        r = add_place(run, t);
    if (r == OST_OK && run->push->reuse)
        r = reuse_all(run);
    if (r == OST_OK && !run->push->look) {
        run->packer = pack_begin(run->step, run->push->tree, &run->push->pack);
        r = run->packer ? pack_collect(run->packer, &run->n_packing) : OST_E_FAILED;
    }
    return r;
}

ost_status push_all(struct push *p)
{
    struct run run = {
        .push = p,
        .step = p->step,
        .web = web_new(&(struct web_spec){
            .step = p->step, .env = p->env, .connections = p->parallel, .backoff_ms = 0}),
        .progress =
            (const struct ost_progress_v1 *)p->step->host->extension(p->step, OST_EXT_PROGRESS),
    };

    if (!run.web)
        return OST_E_FAILED;
    run.error = begin(&run);
    work(&run);
    if (run.error < 0)
        say_farewell(&run);
    pack_end(run.packer);
    web_free(run.web);
    return run.error;
}
