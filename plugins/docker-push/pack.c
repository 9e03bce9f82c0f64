#include "pack.h"

#include "digest.h"
#include "gzip_blocks.h"
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

enum { WORKERS_MAX = 8, PART = 256 << 10, GZIP_LEVEL = 6, ZSTD_LEVEL = 3 };

struct job { /* bytes that one blob, or several, come from */
    struct job *next;
    struct piece raw;
    const char *what;
    bool came_packed; /* with gzip already: it is only looked through */
    bool in_blocks;   /* several threads at a time */

    /* Under the packer's lock. Blocks are begun in their order, by whichever thread is free, and ended in it. */
    int64_t n_blocks, begun, ended;
    bool collected;

    /* Of the thread whose turn it is to end a block. */
    bool as_it_is; /* the raw bytes are what is sent */
    int fd;
    int64_t size;
    uint32_t crc;
    struct digest raw_digest, digest;
    char diff_id[DIGEST_SIZE], name[DIGEST_SIZE];
    const char *wrong; /* NULL: nothing so far */
    int number;        /* errno of that; 0 */
};

struct packer {
    struct ost_step *step;
    const struct tree *tree;
    struct pack_spec spec;
    struct job *jobs;
    size_t n_left;
    int64_t n_blocks; /* of all jobs */
    int wake;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t turn; /* a block has ended */
    pthread_t threads[WORKERS_MAX];
    size_t n_threads;
};

struct worker { /* one thread, and what it is at */
    struct packer *packer;
    struct job *job;
    struct gzip_packer *gzip;
    const char *wrong; /* with the block at hand, until its turn comes */
    int number;
    char out[PART];
    char in[GZIP_BEFORE + GZIP_BLOCK];
};

static bool fail(struct worker *w, const char *why, int number)
{
    if (!w->wrong) {
        w->wrong = why;
        w->number = number;
    }
    return false;
}

static bool put(struct worker *w, const void *data, size_t size)
{
    digest_add(&w->job->digest, data, size);
    w->job->size += (int64_t)size;
    return spool_write(w->job->fd, data, size) || fail(w, "cannot be kept", errno);
}

/* The layer's bytes from AT on, SIZE at most; 0 at the end or after trouble. */
static size_t take(struct worker *w, int64_t at, size_t size)
{
    int64_t n = piece_read(&w->job->raw, at, w->in, size);

    if (atomic_load(&w->packer->stop)) {
        (void)fail(w, "was stopped", 0);
        return 0;
    }
    if (n < 0 || (n == 0 && at < w->job->raw.size)) {
        (void)fail(w, "cannot be read", n < 0 ? errno : 0);
        return 0;
    }
    return (size_t)n;
}

/* ---- turns ---- */

static void wait_for_turn(struct worker *w, int64_t block)
{
    pthread_mutex_lock(&w->packer->lock);
    while (w->job->ended < block)
        pthread_cond_wait(&w->packer->turn, &w->packer->lock);
    pthread_mutex_unlock(&w->packer->lock);
}

static void end_turn(struct worker *w)
{
    const uint64_t one = 1;
    struct packer *p = w->packer;
    struct job *j = w->job;
    bool done;

    if (w->wrong && !j->wrong) {
        j->wrong = w->wrong;
        j->number = w->number;
    }
    pthread_mutex_lock(&p->lock);
    if (j->wrong)
        j->n_blocks = j->begun; /* no more are begun */
    done = ++j->ended == j->n_blocks;
    if (done) { /* under the lock: whoever collects it sees them */
        digest_end(&j->raw_digest, j->diff_id);
        digest_end(&j->digest, j->name);
    }
    pthread_cond_broadcast(&p->turn);
    pthread_mutex_unlock(&p->lock);
    if (done)
        (void)!write(p->wake, &one, sizeof one); /* an eventfd takes it */
}

/* ---- gzip ---- */

static void add_block(struct worker *w, struct span raw, struct span packed, bool first, bool last)
{
    struct job *j = w->job;
    unsigned char head[GZIP_HEAD], tail[GZIP_TAIL];
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)raw.at, (uInt)raw.size);

    gzip_head(head);
    digest_add(&j->raw_digest, raw.at, raw.size);
    j->crc = first ? crc : (uint32_t)crc32_combine(j->crc, crc, (z_off_t)raw.size);
    gzip_tail(j->crc, j->raw.size, tail);
    (void)((!first || put(w, head, sizeof head)) && put(w, packed.at, packed.size) &&
           (!last || put(w, tail, sizeof tail)));
}

static void pack_block(struct worker *w, int64_t block)
{
    struct job *j = w->job;
    int64_t at = block * GZIP_BLOCK;
    size_t before = block > 0 ? GZIP_BEFORE : 0;
    int64_t left = j->raw.size - at;
    size_t size = left < GZIP_BLOCK ? (size_t)left : GZIP_BLOCK;
    struct span raw = {w->in + before, size}, packed = {0};
    bool last = left <= GZIP_BLOCK;
    int level = w->packer->spec.level ? w->packer->spec.level : GZIP_LEVEL;

    if (!w->gzip)
        w->gzip = gzip_packer_new(level);
    if (!w->gzip)
        (void)fail(w, "cannot be packed with gzip at this level", 0);
    else if (take(w, at - (int64_t)before, before + size) == before + size)
        packed = gzip_block(w->gzip, raw.at, before, size, last);
    else
        (void)fail(w, "cannot be read: it is cut off", 0);
    wait_for_turn(w, block);
    if (!w->wrong && !j->wrong)
        add_block(w, raw, packed, block == 0, last);
}

/* ---- already gzip: tools other than the engines put that into their archives ---- */

static bool inflate_some(struct worker *w, z_stream *z, size_t n)
{
    z->next_in = (Bytef *)w->in;
    z->avail_in = (uInt)n;
    while (z->avail_in > 0) {
        int r;

        z->next_out = (Bytef *)w->out;
        z->avail_out = sizeof w->out;
        r = inflate(z, Z_NO_FLUSH);
        digest_add(&w->job->raw_digest, w->out, sizeof w->out - z->avail_out);
        if (r == Z_STREAM_END && inflateReset(z) == Z_OK) /* members may follow each other */
            continue;
        if (r != Z_OK)
            return fail(w, "is damaged: its gzip data cannot be unpacked", 0);
    }
    return true;
}

/* Only looked through: for both digests. */
static bool pass_gzip(struct worker *w)
{
    enum { GZIP_WINDOW = 15 + 16 };
    z_stream z = {0};
    int64_t at = 0;
    bool fine = true;
    size_t n;

    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        abort(); /* no memory */
    for (; fine && (n = take(w, at, PART)) > 0; at += (int64_t)n) {
        digest_add(&w->job->digest, w->in, n);
        fine = inflate_some(w, &z, n);
    }
    inflateEnd(&z);
    w->job->size = w->job->raw.size;
    w->job->as_it_is = true;
    return fine && !w->wrong;
}

/* ---- zstd, by libarchive ---- */

static la_ssize_t on_write(struct archive *a, void *ctx, const void *data, size_t size)
{
    if (put(ctx, data, size))
        return (la_ssize_t)size;
    archive_set_error(a, EIO, "cannot be kept");
    return -1;
}

static bool write_all(struct worker *w, struct archive *a)
{
    int64_t at = 0;
    size_t n;

    for (; (n = take(w, at, PART)) > 0; at += (int64_t)n) {
        digest_add(&w->job->raw_digest, w->in, n);
        if (archive_write_data(a, w->in, n) != (la_ssize_t)n)
            return fail(w, "cannot be packed with zstd", 0);
    }
    return !w->wrong;
}

static bool pack_zstd(struct worker *w)
{
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    char level[12];
    bool fine;

    if (!a || !e)
        abort();
    archive_entry_set_filetype(e, AE_IFREG);
    snprintf(level, sizeof level, "%d", w->packer->spec.level ? w->packer->spec.level : ZSTD_LEVEL);
    fine = archive_write_set_format_raw(a) == ARCHIVE_OK &&
           archive_write_add_filter_zstd(a) == ARCHIVE_OK &&
           archive_write_set_filter_option(a, "zstd", "compression-level", level) == ARCHIVE_OK &&
           archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
           archive_write_open(a, w, NULL, on_write, NULL) == ARCHIVE_OK &&
           archive_write_header(a, e) == ARCHIVE_OK;
    fine = fine ? write_all(w, a) : fail(w, "cannot be packed with zstd at this level", 0);
    if (archive_write_close(a) != ARCHIVE_OK && fine)
        fine = fail(w, "cannot be packed with zstd", 0);
    archive_write_free(a);
    archive_entry_free(e);
    return fine;
}

/* ---- no compression ---- */

static bool pass_plain(struct worker *w)
{
    int64_t at = 0;
    size_t n;

    for (; (n = take(w, at, PART)) > 0; at += (int64_t)n) {
        digest_add(&w->job->raw_digest, w->in, n);
        digest_add(&w->job->digest, w->in, n);
    }
    w->job->size = w->job->raw.size;
    w->job->as_it_is = true;
    return !w->wrong;
}

/* ---- workers ---- */

static bool is_gzip(const struct piece *p)
{
    unsigned char magic[2];

    return piece_read(p, 0, magic, 2) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

/* A whole layer in one go. */
static void pack_whole(struct worker *w)
{
    if (w->job->came_packed)
        (void)pass_gzip(w);
    else if (w->packer->spec.packing == PACKING_ZSTD)
        (void)pack_zstd(w);
    else
        (void)pass_plain(w);
}

/* What nobody has begun yet; false: nothing. */
static bool next_block(struct packer *p, struct job **ret_job, int64_t *ret_block)
{
    struct job *j = p->jobs;

    pthread_mutex_lock(&p->lock);
    while (j && j->begun == j->n_blocks)
        j = j->next;
    if (j) {
        *ret_job = j;
        *ret_block = j->begun++;
    }
    pthread_mutex_unlock(&p->lock);
    return j != NULL;
}

static void *work(void *ctx)
{
    struct packer *p = ctx;
    struct worker *w = calloc(1, sizeof *w);
    int64_t block;

    if (!w)
        abort();
    w->packer = p;
    while (!atomic_load(&p->stop) && next_block(p, &w->job, &block)) {
        w->wrong = NULL;
        if (w->job->in_blocks)
            pack_block(w, block);
        else
            pack_whole(w);
        end_turn(w);
    }
    gzip_packer_free(w->gzip);
    free(w);
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
    **tail = (struct job){.raw = b->raw, .what = b->what, .fd = -1, .n_blocks = 1};
    (*tail)->came_packed = is_gzip(&b->raw);
    (*tail)->in_blocks = !(*tail)->came_packed && p->spec.packing == PACKING_GZIP;
    if ((*tail)->in_blocks)
        (*tail)->n_blocks = (b->raw.size + GZIP_BLOCK - 1) / GZIP_BLOCK;
    p->n_blocks += (*tail)->n_blocks;
    digest_begin(&(*tail)->raw_digest);
    digest_begin(&(*tail)->digest);
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
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .turn = PTHREAD_COND_INITIALIZER};
    if (p->wake < 0) {
        ost_fail(step, OST_E_IO, "cannot make an eventfd: %s", strerror(errno));
        return pack_end(p);
    }
    if (add_jobs(p) < 0)
        return pack_end(p);
    while (p->n_threads < n && (int64_t)p->n_threads < p->n_blocks &&
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
    enum packing packing = j->came_packed ? PACKING_GZIP : p->spec.packing;

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
                                       span_dup(p->step, span_of(j->name)), j->size};
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
        done = j->ended == j->n_blocks && !j->collected;
        j->collected |= done;
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
    for (struct job *j = p->jobs; j; j = j->next) {
        digest_end(&j->raw_digest, NULL);
        digest_end(&j->digest, NULL);
        if (j->fd >= 0)
            close(j->fd);
    }
    if (p->wake >= 0)
        close(p->wake);
    return NULL;
}
