/* child - the store's work in a process of its own: whoever waits for a server goes on meanwhile, can stop it,
 * and never loads what unpacks archives.
 *
 * The process is this program as "store-child". It gets one request on its standard input and says one answer
 * on its standard output, both JSON. It writes below the store's folder and nowhere else, and no file of
 * it grows beyond STORE_TREE_MAX. */
#pragma once

#include "io/loop.h"
#include "store/store.h"

enum {
    STORE_REQUEST_MAX = 4 << 20,
    STORE_ANSWER_MAX = 64 << 10,
    STORE_CHILDREN_MAX = 4, /* of one fetch at a time */
};

struct store_fetch; /* several references on their way */

/* Called from the loop. `got`: reference I is there; in the order of the references, each as soon as those before
 * it are there, too. `done`: all are (ERR is NULL), or ERR says why not; I is then the one that failed. Nothing is
 * called after it; the fetch may be freed in it. */
struct store_client {
    void (*got)(void *ctx, size_t i, const struct store_entry *entry);
    void (*done)(void *ctx, size_t i, const struct err *err);
    void *ctx;
};

/* Gets REFS: from the disk where it can be, else by children. CLIENT is called from LOOP only, never from here.
 * The caller ends it with store_fetch_free(), which also stops what is on its way; entries are valid until
 * then. SPEC and REFS are borrowed for the call. */
struct store_fetch *store_fetch_start(const struct store_spec *spec, const struct action_ref *refs,
                                      size_t n, struct loop *loop,
                                      const struct store_client *client);
struct store_fetch *store_fetch_free(struct store_fetch *f); /* returns NULL; NULL is fine */

/* The same for one, with nothing else to do meanwhile. ERR_CANCELLED once the descriptor STOP can be read,
 * which is left to the caller (-1: none). */
MUST_CHECK int store_fetch(const struct store_spec *spec, const struct action_ref *ref, int stop,
                           struct arena *a, struct store_entry *ret, struct err *err);

/* How a process begins that runs git for the store: it ends with whoever waits for it, and with all that it has started;
 * no file of it grows beyond STORE_TREE_MAX. */
void store_child_begin(void);

/* The subcommand: argv[0] is "store-child". Returns the exit code. */
int store_child_main(int argc, char **argv);

/* ---- the messages ---- */

struct store_request {
    struct arena arena; /* owns all of it but the maps */
    struct store_spec spec;
    struct strmap locks, clones;
    struct store_given given; /* the spec's */
    const char *uses;         /* "owner/repo@ref" */
};

/* The caller frees the text. */
char *store_request_format(const struct store_spec *spec, const struct action_ref *ref);
/* RET is to be zeroed and ended with store_request_deinit(), also after an error. */
MUST_CHECK int store_request_parse(struct slice text, struct store_request *ret, struct err *err);
void store_request_deinit(struct store_request *r);

/* With R < 0 the answer is ERR. The caller frees the text. */
char *store_answer_format(int r, const struct store_entry *entry, const struct err *err);
/* The entry in A; or the error that the answer tells; ERR_INVALID: it is no answer. */
MUST_CHECK int store_answer_parse(struct slice text, struct arena *a, struct store_entry *ret,
                                  struct err *err);
