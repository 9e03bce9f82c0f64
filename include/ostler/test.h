/* ostler/test.h - a whole host in memory, for the tests of plugins: link with -lostler-test and with the plugin's
 * own sources, and use any test framework, or none.
 *
 * A test says what the job is like, runs a phase, and looks at what the plugin did:
 *
 *     OST_TEST(t, &ostler_plugin_v1);                         freed when the test ends
 *     ost_test_with(t, "tags", "a/b:1\na/b:2");               as under `with:`
 *     ost_test_on_exec(t, "docker push *", .exit_code = 1);   any other command: exit 0, no output
 *
 *     assert(ost_test_run(t, OST_PHASE_MAIN) == OST_E_EXIT);
 *     assert(ost_test_output(t, "digest") == NULL);
 *     assert(ost_test_execs(t, "docker push *") == 1);
 *
 * Nothing leaves the test unless it asks for that: commands and requests are answered from what was arranged,
 * caches and artifacts live in memory, and only files are those of the disk. Each call is recorded. Every
 * service of ostler/plugin.h and ostler/ext.h is there, and any thread of the plugin may call, as in the
 * real host.
 *
 *   Contract   What the real host would not bear fails the test: an input or output that was not declared, a
 *              required input that is missing, a struct without its size, a phase that returns more than 0.
 *              ost_test_on_broken() says how a test fails; unless told, the process prints why and aborts.
 *   Patterns   '*' stands for any text, '?' for one character, [ab] for one of these: fnmatch(3) without flags.
 *              They are held against a whole line; which line is said where.
 *   Memory     A text or struct that is returned lives until the next run or ost_test_free(). What is passed
 *              in is copied.
 *   Threads    A test's own calls come from one thread, and none while a phase runs.
 *   Stability  A library that is linked in has no layout to keep: build tests with the header it came with. */
#ifndef OSTLER_TEST_H
#define OSTLER_TEST_H
#include <ostler/ext.h>
#include <stdbool.h>
#ifdef __cplusplus
extern "C" {
#endif

struct ost_test; /* one job with one step, the plugin's */

/* An empty job. Every folder of dir() is the current one, until ost_test_scratch() or ost_test_dir(). */
struct ost_test *ost_test_new(const struct ost_plugin *plugin);
struct ost_test *ost_test_free(struct ost_test *t); /* returns NULL; NULL does nothing */

static inline void ost_test_freep(struct ost_test **t) { ost_test_free(*t); }
/* Declares T for the block it stands in, which frees it whichever way it is left. */
#define OST_TEST(t, plugin) struct ost_test *t __attribute__((cleanup(ost_test_freep))) = ost_test_new(plugin)

/* How tests fail from now on: BROKEN gets one line without a newline. It is called on the test's thread and never
 * within a phase, so it may leave by longjmp() or a C++ exception; where it returns, so does the call, as well
 * as it can. NULL: print and abort, as at the beginning. */
void ost_test_on_broken(void (*broken)(const char *text));

/* ---- the job: before the run ---- */

/* The input NAME; a list is one item a line. What is not given is the contract's fallback, just as it stands there:
 * no ${{ }} is evaluated. */
void ost_test_with(struct ost_test *t, const char *name, const char *value);
void ost_test_context(struct ost_test *t, const char *name, const char *value); /* "github.sha" */
void ost_test_saved(struct ost_test *t, const char *name, const char *value);   /* by an earlier phase */

/* Gives the job new folders for workspace, temp, tools and home, all empty and removed with T. Returns the workspace,
 * absolute. */
const char *ost_test_scratch(struct ost_test *t);
/* The folder PATH for dir(WHICH), OST_DIR_WORKSPACE and so on. temp() makes its files in OST_DIR_TEMP. */
void ost_test_dir(struct ost_test *t, int which, const char *path);
/* Writes TEXT to the file PATH, made with the folders on the way; a relative path begins at the workspace. */
void ost_test_file(struct ost_test *t, const char *path, const char *text);
/* What is in the file PATH now; NULL: there is none. */
const char *ost_test_content(struct ost_test *t, const char *path);

/* A secret of the job: ostler.mask/1 knows it, beside what the plugin itself masks. */
void ost_test_secret(struct ost_test *t, const char *secret);

/* time_left_ms() is MS from now on; at the beginning it is INT64_MAX, no limit. */
void ost_test_time_left(struct ost_test *t, int64_t ms);

/* ---- commands: lines are argv joined by blanks ---- */

struct ost_test_answer { /* zeroed: exit code 0, no output */
    ost_status status;               /* below 0: the call itself fails so, as OST_E_NOT_FOUND */
    const char *error;               /* last_error() then; NULL: the code's usual words */
    int32_t exit_code, signal;
    const char *out, *err;           /* what it prints; NULL: nothing */
    const char *out_file, *err_file; /* or the content of these files */
    uint32_t times;                  /* good for so many commands of a run; 0: for all */
};

/* What a command that matches PATTERN answers. The latest that matches counts, so general ones come first:
 *
 *     ost_test_on_exec(t, "docker *", .status = OST_E_NOT_FOUND);
 *     ost_test_on_exec(t, "docker version*", .out = "27.1\n"); */
void ost_test_answer_exec(struct ost_test *t, const char *pattern, const struct ost_test_answer *answer);

/* Commands without an answer are run for real, looked up in PATH (NULL: the test's own). */
void ost_test_exec_for_real(struct ost_test *t, const char *path);

/* ---- requests of ostler.http/1: lines are "METHOD URL" ---- */

struct ost_test_reply { /* zeroed: 200 with an empty body */
    ost_status fails;  /* below 0: the call itself fails so; OST_E_IO: nobody answers */
    const char *error; /* last_error() then; NULL: the code's usual words */
    int32_t status;    /* 0: 200 */
    const char *body;  /* NULL: empty; with a request's save_to it becomes that file */
    size_t body_size;  /* 0: that of the text in body */
    const char *headers; /* a line each; NULL: none */
    uint32_t times;    /* good for so many requests of a run; 0: for all */
};

/* What a request that matches PATTERN is answered; the latest that matches counts.
 *
 *     ost_test_on_http(t, "POST https://hooks.test*", .status = 503, .times = 2); */
void ost_test_answer_http(struct ost_test *t, const char *pattern, const struct ost_test_reply *reply);

/* ---- the other services: caches and artifacts are kept from run to run ---- */

/* extension(ID) is NULL from now on. */
void ost_test_without(struct ost_test *t, const char *id);

/* Each call of SERVICE returns STATUS from now on, with ERROR for last_error(); OST_OK: it works again. Services have
 * the names of their members: "output", "temp", "cache.save", "artifacts.upload", "files.glob", "http.fetch". */
void ost_test_on_service(struct ost_test *t, const char *service, ost_status status, const char *error);

/* A cache that another job saved; PATHS as under `path:`, one a line. Of a cache its name alone is kept. */
void ost_test_cache(struct ost_test *t, const char *key, const char *paths, int64_t size);

struct ost_test_upload {
    const char *name;
    const char *const *files; /* path, content, path, content, NULL */
    bool raw;                 /* the one file as it is */
    const char *digest;       /* NULL: as it should be; "": not known */
    const char *came;         /* the digest of what a download brings; NULL: the same */
};

/* An artifact that another job uploaded; returns its id. */
int64_t ost_test_artifact(struct ost_test *t, const struct ost_test_upload *a);

/* What ostler.source/1 finds for "OWNER/NAME"; without it nothing. */
void ost_test_source(struct ost_test *t, const char *repository, const struct ost_source *found);

/* What ostler.mirror/1 shows of any repository: the folder PATH; NULL: nothing, as without it. */
void ost_test_mirror(struct ost_test *t, const char *path);

/* ---- a real run, played back ---- */

/* From the next run on the phase is answered as a real one was: FOLDER is what "ostler plugin run --record FOLDER" wrote,
 * a file for each phase, main.jsonl, with a line of JSON for each call (the manual of 'ostler plugin run' has an example).
 * Inputs, contexts and what was saved are those of then, where the test gave no others; commands, requests, caches,
 * artifacts, files and source are answered from the transcript alone, each answer once, and the job's folders of then
 * are those of this test. A call that was not recorded breaks the contract. "***" in the transcript was a secret, and
 * stands for any text. What commands did to files is not in it: give the plugin what it reads by ost_test_file(). */
void ost_test_replay(struct ost_test *t, const char *folder);
/* How many recorded calls the phase did not make, whose name matches PATTERN: "exec", "cache.*", "*". Of those that the
 * transcript answers. */
size_t ost_test_unplayed(const struct ost_test *t, const char *pattern);

/* ---- the run, as often as wanted ---- */

/* Runs the phase; what was recorded before is forgotten. OST_PHASE_PLAN of a plugin without a plan of its own runs
 * main, its effects only recorded, if the contract has OST_EFFECTS_VIA_HOST. */
ost_status ost_test_run(struct ost_test *t, int phase);

/* For tests of a plugin's inner functions: the handle a phase would get, as of OST_PHASE_MAIN. */
struct ost_step *ost_test_step(struct ost_test *t);

/* ---- after the run; NULL: there is no such thing ---- */

const char *ost_test_output(const struct ost_test *t, const char *name);
const char *ost_test_env(const struct ost_test *t, const char *name);
const char *ost_test_kept(const struct ost_test *t, const char *name); /* through save() */
const char *ost_test_path(const struct ost_test *t, size_t i);
const char *ost_test_masked(const struct ost_test *t, size_t i);
const char *ost_test_planned(const struct ost_test *t, size_t i);  /* "verb object: detail" */
const char *ost_test_progress(const struct ost_test *t, size_t i); /* "label 3/10"; "label 3" with no known total */
const char *ost_test_summary(const struct ost_test *t);            /* "" when nothing was said */
const char *ost_test_failure(const struct ost_test *t);            /* the text of fail(); likewise */
const char *ost_test_log(const struct ost_test *t);                /* "warning: text" lines; likewise */

/* How many lines of the log match PATTERN, such as "warning: *is full". The second fails the test if none does. */
size_t ost_test_lines(const struct ost_test *t, const char *pattern);
void ost_test_said(const struct ost_test *t, const char *pattern);

size_t ost_test_notes(const struct ost_test *t); /* annotations: annotate(); the log's own are lines of it */
const struct ost_note *ost_test_note(const struct ost_test *t, size_t i);

/* How many commands match PATTERN, and of the Ith of all its line, folder and stdin ("" when it has none). */
size_t ost_test_execs(const struct ost_test *t, const char *pattern);
const char *ost_test_exec(const struct ost_test *t, size_t i);
const char *ost_test_exec_cwd(const struct ost_test *t, size_t i);
const char *ost_test_exec_input(const struct ost_test *t, size_t i);

/* How many requests match PATTERN, and the Ith of all, as it was asked. A text body ends with a NUL. */
size_t ost_test_requests(const struct ost_test *t, const char *pattern);
const struct ost_http_request *ost_test_request(const struct ost_test *t, size_t i);

/* What was asked of the services of ostler/ext.h. How many match PATTERN, and the Ith of all:
 *
 *     cache.restore key=a,b paths=x,y lookup cross-os    and cache.save
 *     artifacts.list
 *     artifacts.upload NAME root=/r files=/r/a,/r/b days=3 level=6 raw
 *     artifacts.download 3 dir=/d raw
 *     artifacts.remove NAME
 *     files.glob patterns=a,b                            and files.roots, files.hash
 *     source.find OWNER/NAME REF PATH
 *     mirror.show URL [make] [header]
 *     http.fetch METHOD URL
 *     mask.apply
 *
 * ostler.blobs/1 asks the others. */
size_t ost_test_asks(const struct ost_test *t, const char *pattern);
const char *ost_test_ask(const struct ost_test *t, size_t i);

/* The content of FILE in the artifact NAME. */
const char *ost_test_artifact_file(const struct ost_test *t, const char *name, const char *file);
bool ost_test_has_artifact(const struct ost_test *t, const char *name);
bool ost_test_has_cache(const struct ost_test *t, const char *key);

/* ---- when things go wrong ---- */

/* The NTH service call from now on of those that can fail fails with OST_E_IO; 0: none. */
void ost_test_fault(struct ost_test *t, int nth);
/* The job counts as cancelled before the NTH service call from now on, whichever it is; 0: never. */
void ost_test_cancel(struct ost_test *t, int nth);
/* True if a fault or cancel that was armed has come about in the last run. */
bool ost_test_struck(const struct ost_test *t);

struct ost_test_round { /* one run of ost_test_each_fault() */
    int phase;
    bool cancel;       /* else: fault */
    int nth;           /* which call, from 1 */
    bool struck;       /* false: the phase made fewer calls than that, so nothing disturbed it */
    const char *call;  /* the call that was struck: "exec docker push a/b:1", "output digest"; "": none */
    ost_status status; /* what the phase returned */
};

struct ost_test_faults { /* zeroed: an undisturbed run is to succeed, and the kit's own checks are enough */
    int phase;
    ost_status undisturbed; /* what the phase returns when nothing fails */
    void (*before)(struct ost_test *t, const struct ost_test_round *round, void *ctx); /* makes things as they were */
    void (*after)(struct ost_test *t, const struct ost_test_round *round, void *ctx);  /* checks what must hold */
    void *ctx;
};

/* Runs the phase again and again: the 1st, 2nd, 3rd... service call fails, until a run makes fewer; then the job is
 * cancelled before the 1st, 2nd, 3rd... call, likewise. Each round finds caches and artifacts as they are now; BEFORE
 * and AFTER, where they are given, stand round every run and may look, arrange, and run other phases.
 *
 *     ost_test_each_fault(t, .phase = OST_PHASE_MAIN, .after = leaves_no_login);
 *
 * What must hold in every round, or the test fails with a line that names the call: the contract is kept; the phase
 * closes every file descriptor that it opened; undisturbed it returns UNDISTURBED; cancelled it returns OST_OK,
 * OST_E_CANCELLED or UNDISTURBED; and where it fails there is a text that says why. Returns how many rounds were
 * struck, so that a test can see that there was something to strike. */
int ost_test_run_faults(struct ost_test *t, const struct ost_test_faults *what);

/* ---- sugar: the structs in place ---- */

#ifdef __cplusplus /* where a temporary has no address, but a reference to it */
}
static inline void ost_test_exec_ref(struct ost_test *t, const char *pattern, const struct ost_test_answer &a)
{
    ost_test_answer_exec(t, pattern, &a);
}
static inline void ost_test_http_ref(struct ost_test *t, const char *pattern, const struct ost_test_reply &r)
{
    ost_test_answer_http(t, pattern, &r);
}
static inline int ost_test_faults_ref(struct ost_test *t, const struct ost_test_faults &f)
{
    return ost_test_run_faults(t, &f);
}
#define ost_test_on_exec(t, pattern, ...) ost_test_exec_ref((t), (pattern), (struct ost_test_answer){__VA_ARGS__})
#define ost_test_on_http(t, pattern, ...) ost_test_http_ref((t), (pattern), (struct ost_test_reply){__VA_ARGS__})
#define ost_test_each_fault(t, ...) ost_test_faults_ref((t), (struct ost_test_faults){__VA_ARGS__})
#else
#define ost_test_on_exec(t, pattern, ...) \
    ost_test_answer_exec((t), (pattern), &(struct ost_test_answer){__VA_ARGS__})
#define ost_test_on_http(t, pattern, ...) \
    ost_test_answer_http((t), (pattern), &(struct ost_test_reply){__VA_ARGS__})
#define ost_test_each_fault(t, ...) ost_test_run_faults((t), &(struct ost_test_faults){__VA_ARGS__})
#endif
#endif
