#include "check.h"

#include "client.h"
#include "press.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct copy { /* of a backup, on this machine */
    struct ost_step *step;
    const struct manifest *m;
    const char *packed, *plain; /* files; NULL: not there */
    int packed_fd, plain_fd;
    struct rows rows; /* counted in PLAIN */
};

static void copy_free(struct copy *c)
{
    if (c->packed)
        (void)unlink(c->packed);
    if (c->plain)
        (void)unlink(c->plain);
    if (c->packed_fd >= 0)
        close(c->packed_fd);
    if (c->plain_fd >= 0)
        close(c->plain_fd);
}

static ost_status new_file(struct copy *c, const char *suffix, const char **ret, int *ret_fd)
{
    *ret = c->step->host->temp(c->step, suffix);
    if (!*ret)
        return c->step->host->cancelled(c->step)
                   ? OST_E_CANCELLED
                   : ost_fail(c->step, OST_E_IO, "no room for a copy: %s",
                              c->step->host->last_error(c->step));
    *ret_fd = open(*ret, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd < 0)
        return ost_fail(c->step, OST_E_IO, "cannot open a copy: %s", strerror(errno));
    return OST_OK;
}

/* ---- the sums ---- */

static ost_status damaged(struct copy *c, const char *why)
{
    return ost_fail(c->step, OST_E_FAILED, "the backup '%s' is damaged: %s", c->m->file, why);
}

static ost_status check_sum(struct copy *c)
{
    unsigned char chunk[64 << 10], sum[EVP_MAX_MD_SIZE] = {0};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct sink hex = {.step = c->step};
    int64_t size = 0;
    unsigned n_sum = 0;
    ssize_t n = 0;

    if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(md);
        return ost_fail(c->step, OST_E_FAILED, "there is no SHA-256");
    }
    while ((n = pread(c->packed_fd, chunk, sizeof chunk, (off_t)size)) > 0) {
        EVP_DigestUpdate(md, chunk, (size_t)n);
        size += n;
    }
    EVP_DigestFinal_ex(md, sum, &n_sum);
    EVP_MD_CTX_free(md);
    for (unsigned i = 0; i < n_sum; i++)
        sink_addf(&hex, "%02x", sum[i]);
    if (n < 0)
        return ost_fail(c->step, OST_E_IO, "cannot read the copy: %s", strerror(errno));
    if (size != c->m->size)
        return damaged(c, ost_fmt(c->step, "it has %lld bytes, and had %lld", (long long)size,
                                  (long long)c->m->size));
    if (strcmp(sink_text(&hex), c->m->sha256) != 0)
        return damaged(
            c, ost_fmt(c->step, "its SHA-256 is %s, and was %s", sink_text(&hex), c->m->sha256));
    return OST_OK;
}

static ost_status on_plain(void *ctx, struct span bytes)
{
    struct copy *c = ctx;

    rows_feed(&c->rows, bytes);
    while (bytes.size > 0) {
        ssize_t n = write(c->plain_fd, bytes.at, bytes.size);

        if (n < 0 && errno != EINTR)
            return ost_fail(c->step, OST_E_IO, "cannot unpack the copy: %s", strerror(errno));
        if (n > 0)
            bytes = (struct span){bytes.at + n, bytes.size - (size_t)n};
    }
    return c->step->host->cancelled(c->step) ? OST_E_CANCELLED : OST_OK;
}

static ost_status unpack(struct copy *c)
{
    const char *why;
    ost_status r = new_file(c, ".plain", &c->plain, &c->plain_fd);

    if (r < 0)
        return r;
    rows_begin(&c->rows, c->step, c->m->kind);
    r = press_open(c->step, c->packed_fd, on_plain, c, &why);
    return why ? damaged(c, why) : r;
}

/* Fetches it and looks at all that can be looked at without a database. */
static ost_status fetch(struct store *s, struct copy *c)
{
    ost_status r = new_file(c, ".backup", &c->packed, &c->packed_fd);

    if (r == OST_OK)
        r = s->get(s, c->m->file, c->packed_fd);
    if (r == OST_OK)
        r = check_sum(c);
    return r == OST_OK ? unpack(c) : r;
}

/* ---- rows ---- */

/* WANTED against what is in GOT, in both directions. */
static ost_status compare(struct copy *c, const struct rows *wanted, const struct rows *got,
                          const char *where)
{
    for (size_t i = 0; i < wanted->n; i++) {
        const struct rows_table *w = &wanted->tables[i], *g = rows_find(got, w->name);

        if (!g)
            return damaged(c, ost_fmt(c->step, "%s has no table %s", where, w->name));
        if (g->rows != w->rows)
            return damaged(c, ost_fmt(c->step, "table %s had %lld rows, and %s has %lld", w->name,
                                      (long long)w->rows, where, (long long)g->rows));
    }
    if (got->n != wanted->n)
        return damaged(
            c, ost_fmt(c->step, "%s has %zu tables, and there were %zu", where, got->n, wanted->n));
    return OST_OK;
}

/* How many rows there are in the tables from FROM on, so many that a statement stays small. */
static ost_status count_some(const struct client *db, const char *database,
                             const struct rows *tables, size_t from, size_t to, struct rows *ret)
{
    struct sink sql = {.step = db->step};
    struct span lines, line;
    ost_status r;

    for (size_t i = from; i < to; i++)
        sink_addf(&sql, "%sSELECT %zu, count(*) FROM %s", i > from ? " UNION ALL " : "", i,
                  tables->tables[i].name);
    r = client_ask(db, database, sink_text(&sql), &lines);
    while (r == OST_OK && span_line(&lines, &line)) {
        struct span number;
        uint32_t at;

        if (!span_eat_number(&line, &at) || !span_eat(&line, "\t") || at >= tables->n)
            return ost_fail(db->step, OST_E_FAILED, "the count of rows cannot be read");
        number = span_trim(line);
        ret->tables[ret->n++] = (struct rows_table){tables->tables[at].name,
                                                    strtoll(span_dup(db->step, number), NULL, 10)};
    }
    return r;
}

static ost_status count_rows(const struct client *db, const char *database,
                             const struct rows *tables, struct rows *ret)
{
    enum { AT_ONCE = 100 };
    ost_status r = OST_OK;

    *ret = (struct rows){
        .step = db->step,
        .tables = db->step->host->alloc(db->step, (tables->n + 1) * sizeof *ret->tables)};
    for (size_t i = 0; i < tables->n && r == OST_OK; i += AT_ONCE) {
        size_t to = i + AT_ONCE < tables->n ? i + AT_ONCE : tables->n;
        size_t before = ret->n;

        r = count_some(db, database, tables, i, to, ret);
        if (r == OST_OK && ret->n != before + to - i)
            r = ost_fail(db->step, OST_E_FAILED, "the count of rows cannot be read");
    }
    return r;
}

/* ---- databases ---- */

/* The job may be stopped at any point from here on: its post phase finds the name and drops the database. */
static ost_status make_scratch(const struct client *db, const char *name)
{
    ost_status r = db->step->host->save(db->step, "scratch", name);

    return r == OST_OK ? client_create(db, name) : r;
}

/* What it was made for may have failed: that is what counts then. */
static ost_status drop_scratch(const struct client *db, const char *name, ost_status before)
{
    ost_status r = client_drop(db, name, before < 0);

    if (r == OST_OK)
        r = db->step->host->save(db->step, "scratch", "");
    return before < 0 ? before : r;
}

static const char *scratch_name(struct ost_step *step)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ost_fmt(step, "ostler_verify_%lld_%ld", (long long)now.tv_sec, now.tv_nsec / 1000);
}

static ost_status load_and_count(struct copy *c, const struct client *db, const char *database)
{
    struct rows found;
    ost_status r = client_load(db, database, c->plain);

    if (r == OST_OK)
        r = count_rows(db, database, &c->rows, &found);
    return r == OST_OK ? compare(c, &c->m->rows, &found, "the restored database") : r;
}

static ost_status try_database(struct copy *c, const struct settings *set)
{
    const char *name = scratch_name(c->step);
    struct client db;
    ost_status r = client_open(&db, set);

    if (r == OST_OK)
        r = make_scratch(&db, name);
    if (r == OST_OK)
        r = drop_scratch(&db, name, load_and_count(c, &db, name));
    client_close(&db);
    return r;
}

/* ---- files ---- */

static ost_status look_away(void *ctx, struct span bytes)
{
    (void)ctx;
    (void)bytes;
    return OST_OK;
}

/* tar reads it to its end, and finds as many entries as went in. */
static ost_status try_files(struct copy *c)
{
    struct run r = {.what = ost_fmt(c->step, "read the archive '%s'", c->m->file),
                    .argv = OST_ARGV("tar", "-t", "-f", c->plain),
                    .out = look_away};

    if (c->rows.entries != c->m->entries)
        return damaged(c, ost_fmt(c->step, "it has %lld entries, and had %lld",
                                  (long long)c->rows.entries, (long long)c->m->entries));
    return run_command(c->step, &r);
}

/* ---- all of it ---- */

ost_status check_backup(struct store *s, const struct manifest *m)
{
    struct copy c = {.step = s->step, .m = m, .packed_fd = -1, .plain_fd = -1};
    ost_status r = fetch(s, &c);

    if (r == OST_OK && m->kind == KIND_FILES)
        r = try_files(&c);
    else if (r == OST_OK)
        r = compare(&c, &m->rows, &c.rows, "the dump");
    if (r == OST_OK && m->kind != KIND_FILES)
        r = try_database(&c, s->set);
    copy_free(&c);
    return r;
}

static ost_status restore_database(struct copy *c, const struct settings *set)
{
    struct client db;
    ost_status r = client_open(&db, set);

    if (r == OST_OK)
        r = client_create(&db, set->restore_to);
    if (r == OST_OK)
        r = load_and_count(c, &db, set->restore_to);
    client_close(&db);
    return r;
}

static ost_status restore_files(struct copy *c, const struct settings *set)
{
    struct run r = {
        .what = ost_fmt(c->step, "unpack into '%s'", set->restore_to),
        .argv = OST_ARGV("sh", "-c",
                         "mkdir -p -- \"$1\" && if [ -n \"$(ls -A -- \"$1\")\" ]; then echo 'there "
                         "are files in it; give a new folder' >&2; exit 1; fi && tar -x -f \"$2\" "
                         "-C \"$1\"",
                         "sh", set->restore_to, c->plain)};

    return run_command(c->step, &r);
}

ost_status check_restore(struct store *s, const struct manifest *m)
{
    struct copy c = {.step = s->step, .m = m, .packed_fd = -1, .plain_fd = -1};
    ost_status r = fetch(s, &c);

    if (r == OST_OK)
        r = m->kind == KIND_FILES ? restore_files(&c, s->set) : restore_database(&c, s->set);
    copy_free(&c);
    return r;
}

ost_status check_tidy(const struct settings *set)
{
    const char *name = set->step->host->saved(set->step, "scratch");
    struct client db;
    ost_status r;

    if (!name || !*name)
        return OST_OK;
    r = client_open(&db, set);
    if (r == OST_OK)
        r = client_drop(&db, name, false);
    client_close(&db);
    if (r == OST_OK)
        ost_log(set->step, OST_INFO, "dropped the scratch database '%s'", name);
    return r;
}
