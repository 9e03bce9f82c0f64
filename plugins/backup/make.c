#include "make.h"

#include "client.h"
#include "press.h"
#include "run.h"

#include <openssl/evp.h>
#include <ostler/ext.h>
#include <stdlib.h>
#include <string.h>

struct stream { /* from the dump to the store */
    struct ost_step *step;
    struct store *store;
    struct manifest *m;
    struct press *press;
    EVP_MD_CTX *md;
    char *part; /* what waits for being a part */
    size_t part_size, room;
    ost_status status; /* of the store */
};

static void tell_progress(struct stream *s)
{
    const struct ost_progress_v1 *p = s->step->host->extension(s->step, OST_EXT_PROGRESS);

    if (p)
        p->update(s->step, s->m->file, s->m->size, -1);
}

static ost_status send_part(struct stream *s, bool last)
{
    struct span part = {s->part, s->part_size};

    EVP_DigestUpdate(s->md, part.at, part.size);
    s->m->size += (int64_t)part.size;
    s->status = s->store->write(s->store, s->m->file, part, last);
    s->part_size = 0;
    tell_progress(s);
    return s->status;
}

/* Compressed bytes. */
static ost_status on_packed(void *ctx, struct span bytes)
{
    struct stream *s = ctx;

    while (bytes.size > 0 && s->status == OST_OK) {
        size_t n = s->store->part_size - s->part_size;

        n = n < bytes.size ? n : bytes.size;
        if (s->part_size + n > s->room) { /* parts grow while the backup does */
            char *part = realloc(s->part, s->store->part_size);

            if (!part)
                return s->status = ost_fail(s->step, OST_E_LIMIT, "no memory for a part");
            s->part = part;
            s->room = s->store->part_size;
        }
        memcpy(s->part + s->part_size, bytes.at, n);
        s->part_size += n;
        bytes = (struct span){bytes.at + n, bytes.size - n};
        if (s->part_size == s->store->part_size)
            (void)send_part(s, false);
    }
    return s->status;
}

static ost_status on_dump(void *ctx, struct span bytes)
{
    struct stream *s = ctx;

    rows_feed(&s->m->rows, bytes);
    return press_add(s->press, bytes);
}

/* ---- what is dumped ---- */

static ost_status dump_database(struct stream *s, struct run *r)
{
    struct client c;
    ost_status e = client_open(&c, s->store->set);

    if (e == OST_OK) {
        r->what = ost_fmt(s->step, "dump '%s'", s->store->set->database);
        r->argv = client_dump(&c);
        r->env = c.env;
        e = run_command(s->step, r);
    }
    client_close(&c);
    return e;
}

/* Exit code 1: a file changed while it was read. */
static ost_status dump_files(struct stream *s, struct run *r)
{
    enum { FILES_CHANGED = 1 };
    const struct settings *set = s->store->set;
    struct strings a = {0};
    ost_status e;

    for (const char *const *x = OST_ARGV("tar", "-c", "--sort=name", "-f", "-"); *x; x++)
        strings_add(s->step, &a, *x);
    for (size_t i = 0; set->exclude[i]; i++)
        strings_add(s->step, &a, ost_fmt(s->step, "--exclude=%s", set->exclude[i]));
    strings_add(s->step, &a, "--");
    for (size_t i = 0; set->paths[i]; i++)
        strings_add(s->step, &a, set->paths[i]);
    r->what = "pack the files";
    r->argv = strings_list(&a);
    r->also_good = FILES_CHANGED;
    e = run_command(s->step, r);
    if (e == OST_OK && r->exit_code == FILES_CHANGED)
        ost_log(s->step, OST_WARNING, "files changed while they were read: %s",
                span_dup(s->step, span_trim((struct span){r->err, r->err_size})));
    return e;
}

static ost_status dump(struct stream *s)
{
    struct run r = {.out = on_dump, .ctx = s};
    ost_status e = s->m->kind == KIND_FILES ? dump_files(s, &r) : dump_database(s, &r);

    if (e < 0 && s->status < 0)
        return s->status; /* the store's own words are the last */
    if (e == OST_OK)
        e = press_end(s->press);
    if (e == OST_OK)
        e = send_part(s, true);
    s->m->entries = s->m->rows.entries;
    return e;
}

static const char *finish_sha(struct stream *s)
{
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    struct sink hex = {.step = s->step};
    unsigned n = 0;

    EVP_DigestFinal_ex(s->md, sum, &n);
    for (unsigned i = 0; i < n; i++)
        sink_addf(&hex, "%02x", sum[i]);
    return sink_text(&hex);
}

static ost_status stream_all(struct stream *s)
{
    ost_status r;

    s->md = EVP_MD_CTX_new();
    s->press = press_new(s->store->set->compress, on_packed, s);
    if (!s->md || !s->press || !EVP_DigestInit_ex(s->md, EVP_sha256(), NULL))
        r = ost_fail(s->step, OST_E_FAILED, "this machine's libarchive has no '%s'",
                     s->store->set->compress);
    else
        r = dump(s);
    if (r == OST_OK)
        s->m->sha256 = finish_sha(s);
    else
        s->store->drop(s->store);
    press_free(s->press);
    EVP_MD_CTX_free(s->md);
    free(s->part);
    return r;
}

/* The manifest comes last: before it nothing of this is a backup. */
static ost_status make_known(struct store *s, const struct manifest *m)
{
    ost_status r = store_put_text(s, ost_fmt(s->step, "%s.sha256", m->file),
                                  ost_fmt(s->step, "%s  %s\n", m->sha256, m->file));

    return r == OST_OK ? manifest_save(s, m) : r;
}

ost_status make_backup(struct store *store, const char *stamp, struct manifest *ret)
{
    const struct settings *set = store->set;
    struct stream s = {.step = store->step, .store = store, .m = ret};
    ost_status r;

    *ret = (struct manifest){.created = stamp,
                             .kind = set->kind,
                             .database = set->kind == KIND_FILES ? "" : set->database,
                             .verified = ""};
    ret->file = ost_fmt(store->step, "%s-%s%s", set->name, ret->created, settings_suffix(set));
    rows_begin(&ret->rows, store->step, set->kind);
    r = stream_all(&s);
    if (r == OST_OK)
        r = make_known(store, ret);
    if (r == OST_OK && set->kind != KIND_FILES && ret->rows.n == 0)
        ost_log(store->step, OST_WARNING, "there is no table in the dump of '%s'", set->database);
    return r;
}
