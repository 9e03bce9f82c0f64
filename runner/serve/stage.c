#include "serve/stage.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "io/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum {
    ABOUT_MAX = 64 << 10,
    WORK_SIZE = 4 << 20,  /* bytes put together at a time: a few milliseconds */
    CHUNK_SIZE = 1 << 20, /* read and written at once */
};

struct stage {
    int dir;
    int64_t last_id;
    uint64_t last_receiving;
    size_t n;
    struct upload *uploads; /* newest first */
};

struct piece {
    struct upload *upload; /* NULL: it was dropped */
    int fd;
    int64_t size;
    char *name, *file;
};

struct assembly {
    char list[DIGEST_HEX_SIZE]; /* of the names */
    char **files;
    size_t n, next;
    int in, out; /* out: -1 when the only piece becomes the whole */
    int64_t size;
    struct digest *digest;
};

/* ---- names ---- */

static char *piece_file(struct slice name)
{
    struct buf file = BUF_INIT(2 * PIECE_NAME_MAX + 8);

    buf_add_str(&file, "p-");
    for (size_t i = 0; i < name.len; i++)
        buf_printf(&file, "%02x", (unsigned)(unsigned char)name.ptr[i]);
    return buf_take(&file);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The name that piece_file() had; NULL: it was not made by it. */
static char *piece_name(const char *file)
{
    struct slice text = slice_from(slice_of(file), 2);
    struct buf name = BUF_INIT(PIECE_NAME_MAX);

    for (size_t i = 0; i + 1 < text.len; i += 2) {
        int high = hex(text.ptr[i]), low = hex(text.ptr[i + 1]);

        if (high < 0 || low < 0 || !(high | low)) {
            buf_deinit(&name);
            return NULL;
        }
        buf_add_char(&name, (char)(high << 4 | low));
    }
    return buf_take(&name);
}

static bool is_whole(const char *file)
{
    return strlen(file) == 2 + 64 + 1 + 64 && strncmp(file, "w-", 2) == 0 && file[66] == '-';
}

/* ---- the list of uploads ---- */

static struct staged_piece *find_piece(const struct upload *u, struct slice name)
{
    struct slice place;
    size_t at;

    if (!strmap_find(&u->places, name, &place))
        return NULL;
    memcpy(&at, place.ptr, sizeof at);
    return &u->pieces.ptr[at];
}

static void set_piece(struct upload *u, const char *name, int64_t size)
{
    struct staged_piece *known = find_piece(u, slice_of(name));
    size_t at = u->pieces.len;

    if (known) {
        known->size = size;
        return;
    }
    strmap_set(&u->places, slice_of(name), slice_make((const char *)&at, sizeof at));
    vec_push(&u->pieces, (struct staged_piece){mem_dup(name, strlen(name)), size});
}

static void forget_pieces(struct upload *u)
{
    VEC_EACH (p, &u->pieces)
        free(p->name);
    vec_deinit(&u->pieces);
    strmap_deinit(&u->places);
    u->places = (struct strmap)STRMAP_INIT;
}

static void set_whole(struct upload *u, const char *file, int64_t size)
{
    free(u->whole);
    u->whole = mem_dup(file, strlen(file));
    u->size = size;
    memcpy(u->digest, file + 2, 64);
}

static struct assembly *assembly_free(struct assembly *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->n; i++)
        free(a->files[i]);
    free(a->files);
    fd_closep(&a->in);
    fd_closep(&a->out);
    digest_free(a->digest);
    free(a);
    return NULL;
}

static struct upload *upload_free(struct upload *u)
{
    u->assembly = assembly_free(u->assembly);
    json_decref(u->about);
    forget_pieces(u);
    free(u->whole);
    fd_closep(&u->dir);
    free(u);
    return NULL;
}

static struct upload *link_upload(struct stage *s, int64_t id, int take_dir, json_t *take_about)
{
    struct upload *u = mem_new(sizeof *u);

    *u = (struct upload){.id = id,
                         .about = take_about,
                         .touched_ms = clock_ms(),
                         .stage = s,
                         .next = s->uploads,
                         .dir = take_dir};
    s->uploads = u;
    s->n++;
    return u;
}

static int open_folder(int dir, const char *name, int *ret, struct err *err)
{
    *ret = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *ret < 0 ? err_sys(err, "cannot open an upload's folder") : ERR_OK;
}

/* ---- what an earlier server left ---- */

static void load_file(struct upload *u, const char *name)
{
    CLEANUP(free_ptr) char *piece = NULL;
    struct stat st;

    if (name[0] == 'i') { /* it was being received */
        (void)unlinkat(u->dir, name, 0);
        return;
    }
    if (fstatat(u->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    if (is_whole(name))
        set_whole(u, name, st.st_size);
    else if (strncmp(name, "p-", 2) == 0 && (piece = piece_name(name)))
        set_piece(u, piece, st.st_size);
}

/* An upload that cannot be read is none; its folder goes. */
static void load_upload(struct stage *s, const char *name)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ABOUT_MAX);
    struct err ignored = ERR_INIT;
    int64_t id;
    int dir = -1;

    if (num_parse_i64(slice_of(name), 1, INT64_MAX / 2, &id, &ignored) < 0)
        return;
    if (id > s->last_id)
        s->last_id = id;
    if (s->n < UPLOADS_MAX && open_folder(s->dir, name, &dir, &ignored) == ERR_OK &&
        path_read(dir, "about.json", &text, &ignored) == ERR_OK) {
        json_t *about = json_loadb(text.ptr, text.len, 0, NULL);
        DIR *list = about ? path_list(dir) : NULL;

        if (list) {
            struct upload *u = link_upload(s, id, dir, about);

            for (const struct dirent *e; (e = readdir(list));)
                load_file(u, e->d_name);
            closedir(list);
            return;
        }
        json_decref(about);
    }
    fd_closep(&dir);
    (void)!path_remove(s->dir, name, &ignored);
}

int stage_open(int take_dir, struct stage **ret, struct err *err)
{
    DIR *list = path_list(take_dir);

    if (!list)
        return err_sys(err, "cannot read the uploads' folder");
    struct stage *s = mem_new(sizeof *s);
    s->dir = take_dir;
    for (const struct dirent *e; (e = readdir(list));)
        if (e->d_name[0] != '.')
            load_upload(s, e->d_name);
    closedir(list);
    *ret = s;
    return ERR_OK;
}

struct stage *stage_free(struct stage *s)
{
    if (!s)
        return NULL;
    while (s->uploads) {
        struct upload *u = s->uploads;

        s->uploads = u->next;
        upload_free(u);
    }
    fd_closep(&s->dir);
    free(s);
    return NULL;
}

int64_t stage_next_id(struct stage *s, int64_t least)
{
    return s->last_id = s->last_id + 1 > least ? s->last_id + 1 : least;
}

int stage_add(struct stage *s, int64_t least, json_t *take_about, struct upload **ret,
              struct err *err)
{
    CLEANUP(free_ptr) char *text = json_dumps(take_about, JSON_COMPACT);
    int64_t id = stage_next_id(s, least);
    char name[32];
    int dir = -1, r = ERR_OK;

    snprintf(name, sizeof name, "%" PRId64, id);
    if (s->n >= UPLOADS_MAX)
        r = err_set(err, ERR_LIMIT, "there are %d uploads on their way already", UPLOADS_MAX);
    else if (mkdirat(s->dir, name, 0700) < 0)
        r = err_sys(err, "cannot make an upload's folder");
    if (r == ERR_OK)
        r = open_folder(s->dir, name, &dir, err);
    if (r == ERR_OK)
        r = path_write(dir, "about.json", slice_of(text), 0600, err);
    if (r < 0) {
        fd_closep(&dir);
        json_decref(take_about);
        return r;
    }
    *ret = link_upload(s, id, dir, take_about);
    return ERR_OK;
}

struct upload *stage_first(struct stage *s)
{
    return s->uploads;
}

struct upload *stage_find(struct stage *s, int64_t id)
{
    struct upload *u = s->uploads;

    while (u && u->id != id)
        u = u->next;
    return u;
}

/* Pieces that are being received hold on to U; the last of them frees it. */
static void release(struct upload *u)
{
    if (!u->stage && u->receiving == 0)
        upload_free(u);
}

void stage_drop(struct upload *u)
{
    struct stage *s = u->stage;
    struct upload **at = &s->uploads;
    struct err ignored = ERR_INIT; /* the next start removes what is left */
    char name[32];

    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    s->n--;
    snprintf(name, sizeof name, "%" PRId64, u->id);
    (void)!path_remove(s->dir, name, &ignored);
    u->stage = NULL;
    release(u);
}

/* ---- receiving ---- */

int piece_new(struct upload *u, struct slice name, struct piece **ret, struct err *err)
{
    char file[32];

    if (!name.len || name.len > PIECE_NAME_MAX || memchr(name.ptr, '\0', name.len))
        return err_set(err, ERR_INVALID, "a piece's name has 1 to %d bytes", PIECE_NAME_MAX);
    if (u->pieces.len >= BLOCKS_MAX)
        return err_set(err, ERR_LIMIT, "the upload has more than %d pieces", BLOCKS_MAX);
    snprintf(file, sizeof file, "i-%" PRIu64, ++u->stage->last_receiving);
    int fd = openat(u->dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, "cannot create a piece of an upload");
    struct piece *p = mem_new(sizeof *p);
    *p = (struct piece){.upload = u,
                        .fd = fd,
                        .name = mem_dup(name.ptr, name.len),
                        .file = mem_dup(file, strlen(file))};
    u->receiving++;
    *ret = p;
    return ERR_OK;
}

int piece_add(struct piece *p, struct slice bytes, struct err *err)
{
    if (!p->upload->stage)
        return err_set(err, ERR_NOT_FOUND, "the upload was given up");
    if (p->size > RANGE_SIZE_MAX - (int64_t)bytes.len)
        return err_set(err, ERR_LIMIT, "a piece is larger than %" PRId64 " bytes", RANGE_SIZE_MAX);
    int r = fd_write_all(p->fd, bytes, err);
    if (r < 0)
        return err_in(err, "cannot write a piece of an upload");
    p->size += (int64_t)bytes.len;
    p->upload->touched_ms = clock_ms();
    return ERR_OK;
}

int64_t piece_size(const struct piece *p)
{
    return p->size;
}

int piece_keep(struct piece *p, struct err *err)
{
    struct upload *u = p->upload;
    CLEANUP(free_ptr) char *file = piece_file(slice_of(p->name));

    if (!u->stage)
        return err_set(err, ERR_NOT_FOUND, "the upload was given up");
    if (renameat(u->dir, p->file, u->dir, file) < 0)
        return err_sys(err, "cannot keep a piece of an upload");
    free(p->file);
    p->file = NULL;
    set_piece(u, p->name, p->size);
    return ERR_OK;
}

struct piece *piece_free(struct piece *p)
{
    if (!p)
        return NULL;
    if (p->file)
        (void)unlinkat(p->upload->dir, p->file, 0);
    p->upload->receiving--;
    release(p->upload);
    fd_closep(&p->fd);
    free(p->name);
    free(p->file);
    free(p);
    return NULL;
}

/* ---- putting together ---- */

static int by_name(const void *x, const void *y)
{
    const struct staged_piece *a = *(const struct staged_piece *const *)x,
                              *b = *(const struct staged_piece *const *)y;

    return strcmp(a->name, b->name);
}

bool upload_order(const struct upload *u, struct arena *a, struct slice **ret, size_t *ret_n,
                  int64_t *ret_size)
{
    size_t n = u->pieces.len, used = 0;
    const struct staged_piece **sorted = arena_array(a, n + 1, sizeof *sorted);
    struct slice *names = arena_array(a, n + 1, sizeof *names);
    int64_t at = 0;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &u->pieces.ptr[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        struct err ignored = ERR_INIT;
        int64_t start;

        if (sorted[i]->size == 0)
            continue;
        if (num_parse_i64(slice_of(sorted[i]->name), 0, INT64_MAX, &start, &ignored) < 0 ||
            start != at)
            return false;
        at += sorted[i]->size;
        names[used++] = slice_of(arena_str(a, slice_of(sorted[i]->name)));
    }
    *ret = names;
    *ret_n = used;
    *ret_size = at;
    return true;
}

static void digest_list(const struct slice *names, size_t n, char ret[DIGEST_HEX_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    struct digest *d = digest_new();

    for (size_t i = 0; i < n; i++) {
        digest_add(d, names[i]);
        digest_add(d, SLICE("\n"));
    }
    digest_finish(d, digest);
    digest_hex(digest, ret);
    digest_free(d);
}

int upload_assemble(struct upload *u, const struct slice *names, size_t n, struct err *err)
{
    char list[DIGEST_HEX_SIZE];

    digest_list(names, n, list);
    if (u->whole && strcmp(u->whole + 67, list) == 0)
        return 1;
    if (u->assembly && strcmp(u->assembly->list, list) == 0)
        return 0;
    if (u->assembly)
        return err_set(err, ERR_INVALID, "the upload is being put together by another list");
    for (size_t i = 0; i < n; i++)
        if (!find_piece(u, names[i]))
            return err_set(err, ERR_NOT_FOUND, "block '%.*s' was never sent", SLICE_ARG(names[i]));
    struct assembly *a = mem_new(sizeof *a);
    *a = (struct assembly){.in = -1, .out = -1, .n = n, .digest = digest_new()};
    memcpy(a->list, list, sizeof list);
    a->files = mem_new((n + 1) * sizeof *a->files);
    for (size_t i = 0; i < n; i++)
        a->files[i] = piece_file(names[i]);
    if (n != 1) {
        a->out =
            openat(u->dir, "i-whole", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (a->out < 0) {
            assembly_free(a);
            return err_sys(err, "cannot put an upload together");
        }
    }
    u->assembly = a;
    return 0;
}

/* The last step: the name says that it is whole. */
static int finish(struct upload *u, struct err *err)
{
    struct assembly *a = u->assembly;
    unsigned char digest[DIGEST_SIZE];
    char text[DIGEST_HEX_SIZE], file[2 + 64 + 1 + 64 + 1];

    digest_finish(a->digest, digest);
    digest_hex(digest, text);
    snprintf(file, sizeof file, "w-%s-%s", text, a->list);
    if (renameat(u->dir, a->n == 1 ? a->files[0] : "i-whole", u->dir, file) < 0)
        return err_sys(err, "cannot keep an upload");
    set_whole(u, file, a->size);
    VEC_EACH (p, &u->pieces) {
        CLEANUP(free_ptr) char *piece = piece_file(slice_of(p->name));

        (void)unlinkat(u->dir, piece, 0); /* goes with the upload at the latest */
    }
    forget_pieces(u);
    u->assembly = assembly_free(a);
    return 1;
}

/* One read. 0: there was nothing left. */
static ssize_t work_some(struct upload *u, struct assembly *a, char *chunk, struct err *err)
{
    if (a->in < 0) {
        a->in = openat(u->dir, a->files[a->next], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (a->in < 0)
            return err_sys(err, "cannot read a piece of an upload");
    }
    ssize_t n = read(a->in, chunk, CHUNK_SIZE);
    if (n < 0)
        return err_sys(err, "cannot read a piece of an upload");
    if (n == 0) {
        fd_closep(&a->in);
        a->next++;
        return 0;
    }
    digest_add(a->digest, slice_make(chunk, (size_t)n));
    a->size += n;
    return a->out < 0 || fd_write_all(a->out, slice_make(chunk, (size_t)n), err) == ERR_OK
               ? n
               : err_in(err, "cannot put an upload together");
}

int upload_work(struct upload *u, struct err *err)
{
    struct assembly *a = u->assembly;
    CLEANUP(free_ptr) char *chunk = mem_grow(NULL, CHUNK_SIZE);
    int r = 0;

    u->touched_ms = clock_ms();
    for (int64_t done = 0; a->next < a->n && done < WORK_SIZE;) {
        ssize_t n = work_some(u, a, chunk, err);

        if (n < 0) {
            r = (int)n;
            break;
        }
        done += n ? n : 4096; /* opening a file is work, too */
    }
    if (r == 0 && a->next < a->n)
        return 0;
    if (r == 0)
        r = finish(u, err);
    if (r < 0) {
        u->assembly = assembly_free(a);
        (void)unlinkat(u->dir, "i-whole", 0);
    }
    return r;
}

int upload_move(struct upload *u, int dir, const char *name, struct err *err)
{
    if (renameat(u->dir, u->whole, dir, name) < 0)
        return err_sys(err, "cannot keep '%s'", name);
    free(u->whole);
    u->whole = NULL;
    return ERR_OK;
}
