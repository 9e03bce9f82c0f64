#include "pack.h"

#include "digest.h"
#include "spool.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zlib.h>

enum { WORKERS_MAX = 8, BLOCK = 256 << 10, GZIP_LEVEL = 6, OS_UNKNOWN = 255 };

enum job_state { JOB_WAITS, JOB_WORKS, JOB_DONE, JOB_COLLECTED };

struct job { /* bytes that one blob, or several, come from */
    struct job *next;
    struct piece raw;
    const char *what;
    enum job_state state;

    bool as_it_is; /* it came compressed after all */
    int fd;
    int64_t size;
    char diff_id[DIGEST_SIZE], digest[DIGEST_SIZE];
    const char *wrong; /* NULL: it is packed */
    int number;        /* errno of that; 0 */
};

struct packer {
    struct ost_step *step;
    const struct tree *tree;
    struct pack_spec spec;
    struct job *jobs;
    size_t n_left;
    int wake;
    atomic_bool stop;
    pthread_mutex_t lock; /* of the jobs' states */
    pthread_t threads[WORKERS_MAX];
    size_t n_threads;
};

struct packing_one { /* a worker's, for one job */
    struct packer *packer;
    struct job *job;
    struct digest raw, packed;
    char in[BLOCK], out[BLOCK];
};

static bool fail(struct packing_one *o, const char *why, int number)
{
    if (!o->job->wrong) {
        o->job->wrong = why;
        o->job->number = number;
    }
    return false;
}

static bool put(struct packing_one *o, const void *data, size_t size)
{
    digest_add(&o->packed, data, size);
    o->job->size += (int64_t)size;
    return spool_write(o->job->fd, data, size) || fail(o, "cannot be kept", errno);
}

/* The next bytes of the layer; 0 at the end or after trouble. */
static size_t take(struct packing_one *o, int64_t *at)
{
    int64_t n = piece_read(&o->job->raw, *at, o->in, sizeof o->in);

    if (atomic_load(&o->packer->stop)) {
        (void)fail(o, "was stopped", 0);
        return 0;
    }
    if (n < 0 || (n == 0 && *at < o->job->raw.size)) {
        (void)fail(o, "cannot be read", n < 0 ? errno : 0);
        return 0;
    }
    *at += n;
    return (size_t)n;
}

/* ---- gzip ---- */

static bool deflate_all(struct packing_one *o, z_stream *z)
{
    int64_t at = 0;
    int r;

    do {
        size_t n = take(o, &at);
        int flush = at < o->job->raw.size ? Z_NO_FLUSH : Z_FINISH;

        if (o->job->wrong)
            return false;
        digest_add(&o->raw, o->in, n);
        z->next_in = (Bytef *)o->in;
        z->avail_in = (uInt)n;
        do {
            z->next_out = (Bytef *)o->out;
            z->avail_out = sizeof o->out;
            r = deflate(z, flush);
            if (!put(o, o->out, sizeof o->out - z->avail_out))
                return false;
        } while (z->avail_out == 0);
    } while (r != Z_STREAM_END);
    return true;
}

static bool pack_gzip(struct packing_one *o)
{
    enum { GZIP_WINDOW = 15 + 16, MEMORY = 8 };
    gz_header header = {.os = OS_UNKNOWN};
    z_stream z = {0};
    int level = o->packer->spec.level ? o->packer->spec.level : GZIP_LEVEL;
    bool fine;

    if (deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return fail(o, "cannot be packed with gzip at this level", 0);
    fine = deflateSetHeader(&z, &header) == Z_OK && deflate_all(o, &z);
    deflateEnd(&z);
    return fine;
}

/* ---- already gzip: tools other than the engines put that into their archives ---- */

static bool inflate_some(struct packing_one *o, z_stream *z, size_t n)
{
    z->next_in = (Bytef *)o->in;
    z->avail_in = (uInt)n;
    while (z->avail_in > 0) {
        int r;

        z->next_out = (Bytef *)o->out;
        z->avail_out = sizeof o->out;
        r = inflate(z, Z_NO_FLUSH);
        digest_add(&o->raw, o->out, sizeof o->out - z->avail_out);
        if (r == Z_STREAM_END && inflateReset(z) == Z_OK) /* members may follow each other */
            continue;
        if (r != Z_OK)
            return fail(o, "is damaged: its gzip data cannot be unpacked", 0);
    }
    return true;
}

/* Only looked through: for both digests. */
static bool pass_gzip(struct packing_one *o)
{
    enum { GZIP_WINDOW = 15 + 16 };
    z_stream z = {0};
    int64_t at = 0;
    bool fine = true;
    size_t n;

    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        abort(); /* no memory */
    while (fine && (n = take(o, &at)) > 0) {
        digest_add(&o->packed, o->in, n);
        fine = inflate_some(o, &z, n);
    }
    inflateEnd(&z);
    o->job->size = o->job->raw.size;
    o->job->as_it_is = true;
    return fine && !o->job->wrong;
}

/* ---- zstd, by libarchive ---- */

static la_ssize_t on_write(struct archive *a, void *ctx, const void *data, size_t size)
{
    if (put(ctx, data, size))
        return (la_ssize_t)size;
    archive_set_error(a, EIO, "cannot be kept");
    return -1;
}

static bool write_all(struct packing_one *o, struct archive *a)
{
    int64_t at = 0;
    size_t n;

    while ((n = take(o, &at)) > 0) {
        digest_add(&o->raw, o->in, n);
        if (archive_write_data(a, o->in, n) != (la_ssize_t)n)
            return fail(o, "cannot be packed with zstd", 0);
    }
    return !o->job->wrong;
}

static bool pack_zstd(struct packing_one *o)
{
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    char level[12];
    bool fine;

    if (!a || !e)
        abort();
    archive_entry_set_filetype(e, AE_IFREG);
    snprintf(level, sizeof level, "%d", o->packer->spec.level ? o->packer->spec.level : 3);
    fine = archive_write_set_format_raw(a) == ARCHIVE_OK &&
           archive_write_add_filter_zstd(a) == ARCHIVE_OK &&
           archive_write_set_filter_option(a, "zstd", "compression-level", level) == ARCHIVE_OK &&
           archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
           archive_write_open(a, o, NULL, on_write, NULL) == ARCHIVE_OK &&
           archive_write_header(a, e) == ARCHIVE_OK;
    fine = fine ? write_all(o, a) : fail(o, "cannot be packed with zstd at this level", 0);
    if (archive_write_close(a) != ARCHIVE_OK && fine)
        fine = fail(o, "cannot be packed with zstd", 0);
    archive_write_free(a);
    archive_entry_free(e);
    return fine;
}

/* ---- no compression ---- */

static bool pass_plain(struct packing_one *o)
{
    int64_t at = 0;
    size_t n;

    while ((n = take(o, &at)) > 0) {
        digest_add(&o->raw, o->in, n);
        digest_add(&o->packed, o->in, n);
    }
    o->job->size = o->job->raw.size;
    o->job->as_it_is = true;
    return !o->job->wrong;
}

/* ---- workers ---- */

static bool is_gzip(const struct piece *p)
{
    unsigned char magic[2];

    return piece_read(p, 0, magic, 2) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

static void work_on(struct packer *p, struct job *job)
{
    struct packing_one *o = calloc(1, sizeof *o);

    if (!o)
        abort();
    o->packer = p;
    o->job = job;
    digest_begin(&o->raw);
    digest_begin(&o->packed);
    if (is_gzip(&job->raw))
        (void)pass_gzip(o);
    else if (p->spec.packing == PACKING_GZIP)
        (void)pack_gzip(o);
    else if (p->spec.packing == PACKING_ZSTD)
        (void)pack_zstd(o);
    else
        (void)pass_plain(o);
    digest_end(&o->raw, job->diff_id);
    digest_end(&o->packed, job->digest);
    free(o);
}

static struct job *next_job(struct packer *p)
{
    struct job *j = p->jobs;

    pthread_mutex_lock(&p->lock);
    while (j && j->state != JOB_WAITS)
        j = j->next;
    if (j)
        j->state = JOB_WORKS;
    pthread_mutex_unlock(&p->lock);
    return j;
}

static void *work(void *ctx)
{
    const uint64_t one = 1;
    struct packer *p = ctx;
    struct job *j;

    while (!atomic_load(&p->stop) && (j = next_job(p))) {
        work_on(p, j);
        pthread_mutex_lock(&p->lock);
        j->state = JOB_DONE;
        pthread_mutex_unlock(&p->lock);
        (void)!write(p->wake, &one, sizeof one); /* an eventfd takes it */
    }
    return NULL;
}

static size_t n_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n > WORKERS_MAX ? WORKERS_MAX : n > 1 ? (size_t)n : 1;
}

/* ---- what is to be packed ---- */

static bool is_to_pack(const struct blob *b)
{
    return b->raw.size > 0 && !b->d.digest;
}

static bool is_same(const struct piece *a, const struct piece *b)
{
    return a->fd == b->fd && a->at == b->at && a->size == b->size;
}

static ost_status add_job(struct packer *p, const struct blob *b)
{
    struct job **tail = &p->jobs;
    ost_status r;

    for (; *tail; tail = &(*tail)->next)
        if (is_same(&(*tail)->raw, &b->raw))
            return OST_OK;
    *tail = p->step->host->alloc(p->step, sizeof **tail);
    **tail = (struct job){.raw = b->raw, .what = b->what, .fd = -1};
    r = spool_new(p->step, &(*tail)->fd);
    p->n_left++;
    return r;
}

static ost_status add_jobs(struct packer *p)
{
    ost_status r = OST_OK;

    for (const struct image *i = p->tree->images; i && r == OST_OK; i = i->next)
        for (const struct blob *b = i->layers; b && r == OST_OK; b = b->next)
            if (is_to_pack(b))
                r = add_job(p, b);
    return r;
}

struct packer *pack_begin(struct ost_step *step, const struct tree *tree,
                          const struct pack_spec *spec)
{
    struct packer *p = step->host->alloc(step, sizeof *p);
    size_t n = n_processors();

    *p = (struct packer){.step = step,
                         .tree = tree,
                         .spec = *spec,
                         .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                         .lock = PTHREAD_MUTEX_INITIALIZER};
    if (p->wake < 0) {
        ost_fail(step, OST_E_IO, "cannot make an eventfd: %s", strerror(errno));
        return pack_end(p);
    }
    if (add_jobs(p) < 0)
        return pack_end(p);
    while (p->n_threads < n && p->n_threads < p->n_left &&
           pthread_create(&p->threads[p->n_threads], NULL, work, p) == 0)
        p->n_threads++;
    if (p->n_left > 0 && p->n_threads == 0)
        (void)work(p); /* where no thread may be started, all is done here */
    return p;
}

int pack_fd(const struct packer *p)
{
    return p->wake;
}

/* ---- what has been packed ---- */

static ost_status give(struct packer *p, const struct job *j)
{
    enum packing packing = is_gzip(&j->raw) ? PACKING_GZIP : p->spec.packing;

    if (j->wrong)
        return ost_fail(p->step, OST_E_IO, "%s %s%s%s", j->what, j->wrong, j->number ? ": " : "",
                        j->number ? strerror(j->number) : "");
    for (struct image *i = p->tree->images; i; i = i->next)
        for (struct blob *b = i->layers; b; b = b->next) {
            if (!is_to_pack(b) || !is_same(&b->raw, &j->raw))
                continue;
            if (b->diff_id && strcmp(b->diff_id, j->diff_id) != 0)
                return ost_fail(p->step, OST_E_INVALID,
                                "%s is damaged: it is not what the image's configuration says; "
                                "save the image again",
                                b->what);
            b->d = (struct descriptor){type_of_layer(i->oci, packing),
                                       span_dup(p->step, span_of(j->digest)), j->size};
            b->bytes = j->as_it_is ? j->raw : (struct piece){.fd = j->fd, .size = j->size};
        }
    return OST_OK;
}

ost_status pack_collect(struct packer *p, size_t *ret_left)
{
    uint64_t many;
    ost_status r = OST_OK;

    (void)!read(p->wake, &many, sizeof many); /* only wakes us up */
    for (struct job *j = p->jobs; j && r == OST_OK; j = j->next) {
        bool done;

        pthread_mutex_lock(&p->lock);
        done = j->state == JOB_DONE;
        if (done)
            j->state = JOB_COLLECTED;
        pthread_mutex_unlock(&p->lock);
        if (!done)
            continue;
        p->n_left--;
        r = give(p, j);
    }
    *ret_left = p->n_left;
    return r;
}

struct packer *pack_end(struct packer *p)
{
    if (!p)
        return NULL;
    atomic_store(&p->stop, true);
    while (p->n_threads > 0)
        pthread_join(p->threads[--p->n_threads], NULL);
    for (struct job *j = p->jobs; j; j = j->next)
        if (j->fd >= 0)
            close(j->fd);
    if (p->wake >= 0)
        close(p->wake);
    return NULL;
}
