/* plugin_host_own - the inside of the host in memory, for its own files. Those of kit_enter() and kit_leave()
 * hold its lock between them, and the rest is called with it. */
#pragma once

#include "plugin_host.h"

#include "base/buf.h"
#include "base/vec.h"

#include <pthread.h>
#include <stdlib.h>

struct kit_cache;    /* plugin_services.c */
struct kit_artifact; /* likewise */

struct pair {
    char *name, *value;
};
typedef VEC(struct pair) pairs;
typedef VEC(char *) texts;

struct rule {
    char *pattern;
    struct plugin_answer answer; /* its texts are ours */
};

struct call { /* one command that was run */
    char *line, *cwd, *input;
};

struct plugin_host {
    struct ost_step step; /* first: the plugin's handle is ours */
    struct ost_host table;
    const struct ost_plugin *plugin;
    pthread_mutex_t lock;

    pairs with, contexts, given; /* GIVEN: saved before the run */
    VEC(struct rule) rules;
    char *dirs[OST_DIR_SELF + 1];
    bool for_real;
    char *search_path;

    int phase, cancel_fd;
    bool recording; /* a plan that main makes */
    int fault_in, cancel_in;
    bool struck, cancelled;
    char broken[512]; /* how the plugin broke the contract; "" */

    pairs outputs, envs, kept;
    texts paths, masks, plans;
    VEC(struct ost_note) notes;
    VEC(struct call) calls;
    struct buf summary, log;
    char *failure;
    char error[512]; /* of the latest failed call */

    texts absent;   /* extensions that are not there */
    pairs refusals; /* services that fail: "STATUS text" */
    VEC(struct kit_cache *) caches;
    VEC(struct kit_artifact *) artifacts;
    int64_t last_id;
    texts asked; /* what was asked of these services */

    VEC(void *) memory; /* what alloc() and the lists gave out: freed with the host */
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

char *kit_copy(const char *text);
struct plugin_host *kit_host(struct ost_step *step);

/* At the start and the end of each service; the second for those that can fail: what they return instead of
 * doing anything, or OST_OK. */
void kit_enter(struct plugin_host *h);
ost_status kit_enter_fallible(struct plugin_host *h);
void kit_leave(struct plugin_host *h);

/* A bug in the plugin, told when the phase has ended: an assertion cannot leave another thread. */
__attribute__((format(printf, 2, 3))) void kit_broken(struct plugin_host *h, const char *format,
                                                      ...);

/* Notes TEXT for last_error(); returns WHY. */
ost_status kit_refuse(struct plugin_host *h, ost_status why, const char *text);

/* MEMORY, freed with what was recorded. */
void *kit_keep(struct plugin_host *h, void *memory);

/* ---- plugin_services.c ---- */

/* The table of ostler/ext.h; NULL: none, or it was taken away. */
const void *kit_service(struct plugin_host *h, const char *id);
void kit_services_deinit(struct plugin_host *h);
