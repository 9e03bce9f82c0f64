/* own - the inside of the host in memory, for its own files. Between kit_enter() and kit_leave() its lock is held,
 * and the rest is called with it. */
#pragma once

#include <ostler/test.h>

#include "base/buf.h"
#include "base/vec.h"

#include <pthread.h>
#include <stdlib.h>

struct kit_entry;    /* caches.c */
struct kit_artifact; /* artifacts.c */
struct kit_source;   /* services.c */
struct kit_line;     /* replay.c */
struct json;         /* lib/json.h of the plugins */

struct pair {
    char *name, *value;
};
typedef VEC(struct pair) pairs;
typedef VEC(char *) texts;

struct exec_rule {
    char *pattern;
    struct ost_test_answer answer; /* its texts are ours */
    uint32_t used;
};

struct http_rule {
    char *pattern;
    struct ost_test_reply reply; /* likewise */
    uint32_t used;
};

struct call { /* one command that was run */
    char *line, *cwd, *input;
};

struct ost_test {
    struct ost_step step; /* first: the plugin's handle is ours */
    struct ost_host table;
    const struct ost_plugin *plugin;
    pthread_mutex_t lock;

    pairs with, contexts, given; /* GIVEN: saved before the run */
    VEC(struct exec_rule) exec_rules;
    VEC(struct http_rule) http_rules;
    char *dirs[OST_DIR_SELF + 1];
    char *scratch; /* folder to remove; NULL: none was made */
    bool for_real;
    char *search_path;
    int64_t time_left_ms;

    int phase, cancel_fd;
    bool recording; /* a plan that main makes */
    int fault_in, cancel_in;
    bool struck, cancelled;
    char struck_call[256]; /* "" until then */
    char broken[512];      /* how the plugin broke the contract; "" */

    pairs outputs, envs, kept;
    texts paths, masks, plans, progress;
    VEC(struct ost_note) notes;
    VEC(struct call) calls;
    VEC(struct ost_http_request) requests;
    texts request_lines; /* of the same, "METHOD URL" */
    struct buf summary, log;
    char *failure;
    char error[512]; /* of the latest failed call */

    texts secrets;  /* ost_test_secret() */
    texts absent;   /* extensions that are not there */
    pairs refusals; /* services that fail: "STATUS text" */
    VEC(struct kit_entry *) caches;
    VEC(struct kit_artifact *) artifacts;
    VEC(struct kit_source *) sources;
    char *mirror; /* where it is; NULL: there is none */
    int64_t last_id;
    texts asked; /* what was asked of the services of ext.h */

    char *replay; /* folder of transcripts; NULL: none */
    bool playing; /* calls are answered from the script */
    VEC(struct kit_line) script;

    VEC(void *) memory; /* what alloc() and the lists gave out: freed with what was recorded */
};

#define PAIRS_DEINIT(v)                                                                            \
    do {                                                                                           \
        VEC_EACH (pair_, v) {                                                                      \
            free(pair_->name);                                                                     \
            free(pair_->value);                                                                    \
        }                                                                                          \
        vec_deinit(v);                                                                             \
    } while (0)

#define TEXTS_DEINIT(v)                                                                            \
    do {                                                                                           \
        VEC_EACH (text_, v)                                                                        \
            free(*text_);                                                                          \
        vec_deinit(v);                                                                             \
    } while (0)

/* ---- host.c ---- */

char *kit_copy(const char *text);
char *kit_copy_or_null(const char *text);
/* A copy of ours in a public struct, where it looks like somebody else's. */
void kit_free_text(const char *text);
struct ost_test *kit_host(struct ost_step *step);
extern const struct ost_host kit_table;

/* The value of NAME that was set last; NULL: none. */
const char *kit_pair(const pairs *list, const char *name);
const struct ost_input *kit_find_input(const struct ost_test *t, const char *name);
/* What the job gives to INPUT, trimmed; and what the plugin gets for it, by name. */
const char *kit_given(struct ost_test *t, const struct ost_input *input);
const char *kit_input(struct ost_test *t, const char *name);

/* At the start of the service of that name, which is asked for OBJECT (NULL: nothing to name); the second for those
 * that can fail: what they return instead of doing anything, or OST_OK. At the end of both kit_leave(). */
void kit_enter(struct ost_test *t, const char *service, const char *object);
ost_status kit_enter_fallible(struct ost_test *t, const char *service, const char *object);
void kit_leave(struct ost_test *t);

/* A bug in the plugin, told when the phase has ended: a failing test cannot leave another thread. */
PRINTF_LIKE(2, 3) void kit_broken(struct ost_test *t, const char *format, ...);

/* Notes TEXT for last_error(); returns WHY. */
ost_status kit_refuse(struct ost_test *t, ost_status why, const char *text);
/* The same without the lock. */
ost_status kit_refuse_now(struct ost_test *t, ost_status why, const char *text);

/* MEMORY, freed with what was recorded. */
void *kit_keep(struct ost_test *t, void *memory);
const char *kit_keep_text(struct ost_test *t, const char *text); /* a copy; NULL stays NULL */

/* Fails the test. */
PRINTF_LIKE(1, 2) void kit_fail(const char *format, ...);

/* ---- exec.c ---- */

ost_status kit_exec(struct ost_step *step, const struct ost_exec *given,
                    struct ost_exec_result *result);
void kit_exec_deinit(struct ost_test *t); /* what is arranged */
void kit_exec_clear(struct ost_test *t);  /* what was recorded */

/* ---- services.c ---- */

/* Enters SERVICE of ext.h, and records LINE, which is taken and begins with it. What it returns below 0 is the answer. */
ost_status kit_begin(struct ost_test *t, const char *service, char *line);
/* " NAME=a,b" */
void kit_add_list(struct buf *line, const char *name, const char *const *list);

/* The table of ostler/ext.h; NULL: none, or it was taken away. */
const void *kit_service(struct ost_test *t, const char *id);
void kit_services_deinit(struct ost_test *t); /* what is arranged */
void kit_services_clear(struct ost_test *t);  /* what was recorded */

extern const struct ost_files_v1 kit_files;         /* files.c */
extern const struct ost_cache_v1 kit_cache;         /* caches.c */
extern const struct ost_artifacts_v1 kit_artifacts; /* artifacts.c */
extern const struct ost_blobs_v1 kit_blobs;         /* blobs.c */
void kit_caches_deinit(struct ost_test *t);
void kit_artifacts_deinit(struct ost_test *t);
/* Remembers what there is, and makes it so again. */
void kit_caches_mark(struct ost_test *t);
void kit_caches_reset(struct ost_test *t);
void kit_artifacts_mark(struct ost_test *t);
void kit_artifacts_reset(struct ost_test *t);

/* The files that PATTERNS match, in memory of the run. */
ost_status kit_glob(struct ost_test *t, const char *const *patterns, uint32_t flags,
                    const char *const **paths, size_t *n);

/* ---- replay.c ---- */

/* Reads the transcript of the phase, if there is one to be played. Without the lock. */
void kit_replay_load(struct ost_test *t, int phase);
void kit_replay_clear(struct ost_test *t);

/* While T is playing: how CALL was answered when ASK, an object which is taken, was asked; NULL: by nothing but *RET.
 * What was not asked then breaks the contract. */
const struct json *kit_play(struct ost_test *t, const char *call, struct buf *ask, ost_status *ret);
ost_status kit_play_cache(struct ost_test *t, const char *call, const struct ost_cache_query *q,
                          struct ost_cache_entry *ret);
int64_t kit_int(const struct json *j, const char *name); /* 0: none */
const char *const *kit_texts(struct ost_test *t, const struct json *list,
                             size_t *n); /* of the run */

/* ---- place.c ---- */

void kit_place_deinit(struct ost_test *t);
