/* stage - uploads on the way: pieces that arrive in any order, put together once all are there.
 *
 *   <ID>/about.json        what it is going to be; its owner's
 *   <ID>/p-<hex of name>   a piece, whole; it lands by rename
 *   <ID>/i-<number>        a piece that is being received; of no use after a crash
 *   <ID>/w-<sha256>-<...>  the whole, under the digest of its bytes and that of the list it was made by
 *
 * All of it lies on disk, so a server that was killed goes on where its successor finds it, and nothing
 * that is not whole has a name under which it could be taken for it. Nothing is synced: what a power cut
 * leaves of an upload is given up with it. */
#pragma once

#include "base/strmap.h"
#include "base/vec.h"
#include "serve/ranges.h"

#include <jansson.h>

enum { PIECE_NAME_MAX = BLOCK_ID_MAX, UPLOADS_MAX = 1000 };

struct stage;
struct piece;

struct staged_piece {
    char *name; /* any bytes but NUL */
    int64_t size;
};

struct upload {
    int64_t id;
    json_t *about;
    int64_t touched_ms; /* clock_ms() of the last byte */
    VEC(struct staged_piece) pieces;
    /* Once it is put together: */
    char *whole; /* its file's name in the upload's folder; NULL: it is not */
    int64_t size;
    char digest[65]; /* hex */
    /* Private. */
    struct stage *stage;
    struct upload *next;
    struct assembly *assembly;
    struct strmap places; /* of pieces in the list */
    int dir;
    int receiving; /* struct piece on it */
};

/* Opens the stage in the folder DIR, which it takes over on success, and reads what is there. What was
 * being received is removed. */
MUST_CHECK int stage_open(int take_dir, struct stage **ret, struct err *err);
struct stage *stage_free(struct stage *s); /* the files stay; returns NULL */

/* A number that no upload has or will have, LEAST or more. */
int64_t stage_next_id(struct stage *s, int64_t least);

/* A new upload; its id is LEAST or more. ABOUT becomes the stage's (also when it fails). ERR_LIMIT: there are
 * UPLOADS_MAX already. */
MUST_CHECK int stage_add(struct stage *s, int64_t least, json_t *take_about, struct upload **ret,
                         struct err *err);
struct upload *stage_find(struct stage *s, int64_t id); /* NULL: there is none */
struct upload *stage_first(struct stage *s);            /* the newest; then upload->next */

/* Removes U and its files; what is still being received on it goes nowhere. */
void stage_drop(struct upload *u);

/* ---- receiving ---- */

/* Begins to receive the piece NAME of U. *RET ends with piece_free(). ERR_LIMIT: there are too many. */
MUST_CHECK int piece_new(struct upload *u, struct slice name, struct piece **ret, struct err *err);
MUST_CHECK int piece_add(struct piece *p, struct slice bytes, struct err *err);
int64_t piece_size(const struct piece *p); /* so far */
/* It is complete: it takes the place of an earlier one with its name. */
MUST_CHECK int piece_keep(struct piece *p, struct err *err);
struct piece *piece_free(struct piece *p); /* what was not kept is gone; returns NULL */

/* ---- putting together ---- */

/* For pieces that are named by where they begin, in twenty digits: their order, if they follow each other from
 * 0 on without a gap, and the SIZE they make. Empty ones do not count. The result is A's. */
bool upload_order(const struct upload *u, struct arena *a, struct slice **ret, size_t *ret_n,
                  int64_t *ret_size);

/* Wants U to be NAMES one after the other. ERR_NOT_FOUND names a piece that is not there, ERR_INVALID: another
 * list is being worked on. When it is that whole already there is nothing to do: 1. Else 0, and
 * upload_work() has to be called. */
MUST_CHECK int upload_assemble(struct upload *u, const struct slice *names, size_t n,
                               struct err *err);

/* Does a bounded part of the work. 1: it is done, and the pieces are gone; 0: call again. After an error the pieces
 * are still there. */
MUST_CHECK int upload_work(struct upload *u, struct err *err);

/* Moves the whole to NAME below DIR, on the same file system, in place of what is there. */
MUST_CHECK int upload_move(struct upload *u, int dir, const char *name, struct err *err);
