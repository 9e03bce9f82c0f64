/* plugin_host - a whole host in memory, for the tests of plugins: every service of ostler/plugin.h, each
 * call recorded. A test fills in inputs, contexts and the answers of commands, runs a phase, and looks at
 * what the plugin did. Any thread of the plugin may call, as in the real host.
 *
 *     struct plugin_host *h = plugin_host_new(&ostler_plugin_v1);
 *     plugin_host_with(h, "tags", "a/b:1");
 *     plugin_host_on_exec(h, "docker push *", &(struct plugin_answer){.exit_code = 1});
 *     cr_assert_eq(plugin_host_run(h, OST_PHASE_MAIN), OST_E_EXIT);
 *     plugin_host_free(h);
 *
 * What breaks the contract (an undeclared input or output, a text that is missing) fails the test. Texts
 * that are returned stay valid until plugin_host_free(). */
#pragma once

#include <ostler/ext.h>
#include <stdbool.h>

struct plugin_host;

struct plugin_host *plugin_host_new(const struct ost_plugin *plugin);
struct plugin_host *plugin_host_free(struct plugin_host *h); /* returns NULL; NULL does nothing */

/* ---- before the run ---- */

/* As under `with:`; a list is one item a line. What is not given is the contract's fallback, which is
 * taken as it stands. */
void plugin_host_with(struct plugin_host *h, const char *name, const char *value);
void plugin_host_context(struct plugin_host *h, const char *name, const char *value);
void plugin_host_saved(struct plugin_host *h, const char *name, const char *value);

/* The folder PATH for dir(); without it, every one of them is the current folder. temp() makes its files
 * in OST_DIR_TEMP. */
void plugin_host_dir(struct plugin_host *h, int which, const char *path);

struct plugin_answer { /* zeroed: exit code 0, no output */
    ost_status status; /* below 0: the call itself fails so */
    const char *error; /* last_error() then; NULL: the code's usual words */
    int32_t exit_code, signal;
    const char *out, *err;           /* what it prints; NULL: nothing */
    const char *out_file, *err_file; /* or the content of these files */
};

/* What a command answers whose argv, joined by blanks, matches PATTERN, where '*' stands for anything;
 * the latest that matches counts. A command without an answer exits 0 and prints nothing. */
void plugin_host_on_exec(struct plugin_host *h, const char *pattern, const struct plugin_answer *a);

/* Commands without an answer are run for real, with PATH (NULL: the tests' own) to look them up. */
void plugin_host_exec_for_real(struct plugin_host *h, const char *path);

/* The Nth call from now on of a service that can fail fails with OST_E_IO; 0: none. */
void plugin_host_fault(struct plugin_host *h, int nth);
/* The job counts as cancelled before the Nth service call from now on; 0: never. */
void plugin_host_cancel(struct plugin_host *h, int nth);
/* True if a fault or cancel that was armed has come about. */
bool plugin_host_struck(const struct plugin_host *h);

/* ---- the services of ostler/ext.h: files are those of the disk, caches and artifacts are kept in memory,
 * from run to run; of a cache, its name alone ---- */

/* extension(ID) is NULL from now on. */
void plugin_host_without(struct plugin_host *h, const char *id);

/* Each call of SERVICE ("cache.save", "artifacts.upload", "files.glob") returns STATUS from now on, with ERROR
 * for last_error(); OST_OK: it works again. */
void plugin_host_on_service(struct plugin_host *h, const char *service, ost_status status,
                            const char *error);

/* A cache that another job saved; PATHS as under `path:`, one a line. */
void plugin_host_cache(struct plugin_host *h, const char *key, const char *paths, int64_t size);

struct plugin_artifact {
    const char *name;
    const char *const *files; /* path, content, path, content, NULL */
    bool raw;                 /* the one file as it is */
    const char *digest;       /* NULL: as it should be; "": not known */
    const char *came;         /* the digest of what a download brings; NULL: the same */
};

/* An artifact that another job uploaded; returns its id. */
int64_t plugin_host_artifact(struct plugin_host *h, const struct plugin_artifact *a);

/* ---- the run, as often as wanted ---- */

/* Runs the phase; OST_PHASE_PLAN of a plugin without a plan runs main, its effects only recorded, if
 * the contract has OST_EFFECTS_VIA_HOST. What was recorded before is forgotten. */
ost_status plugin_host_run(struct plugin_host *h, int phase);

/* For tests of a plugin's inner functions: the handle a phase would get, as of OST_PHASE_MAIN. */
struct ost_step *plugin_host_step(struct plugin_host *h);

/* ---- after the run; NULL: no such thing ---- */

const char *plugin_host_output(const struct plugin_host *h, const char *name);
const char *plugin_host_env(const struct plugin_host *h, const char *name);
const char *plugin_host_kept(const struct plugin_host *h, const char *name); /* through save() */
const char *plugin_host_path(const struct plugin_host *h, size_t i);
const char *plugin_host_masked(const struct plugin_host *h, size_t i);
const char *plugin_host_planned(const struct plugin_host *h, size_t i); /* "verb object: detail" */
const char *plugin_host_summary(const struct plugin_host *h); /* "" when nothing was said */
const char *plugin_host_log(const struct plugin_host *h);     /* "warning: text" lines; likewise */
/* How many lines of the log match PATTERN (fnmatch): "warning: *is full". The second fails the test if none. */
size_t plugin_host_lines(const struct plugin_host *h, const char *pattern);
void plugin_host_said(const struct plugin_host *h, const char *pattern);
const char *plugin_host_failure(const struct plugin_host *h); /* the text of fail(); likewise */

size_t plugin_host_notes(const struct plugin_host *h);
const struct ost_note *plugin_host_note(const struct plugin_host *h, size_t i);

/* How many commands matched PATTERN, and the Ith of all, its argv joined by blanks. */
size_t plugin_host_execs(const struct plugin_host *h, const char *pattern);
const char *plugin_host_exec(const struct plugin_host *h, size_t i);
const char *plugin_host_exec_cwd(const struct plugin_host *h, size_t i);
const char *plugin_host_exec_input(const struct plugin_host *h,
                                   size_t i); /* its stdin as text; "" */

/* What was asked of these services: "cache.restore key=a,b paths=x,y lookup cross-os", "cache.save ...",
 * "artifacts.list", "artifacts.upload NAME root=/r files=/r/a,/r/b days=3 level=6 raw", "artifacts.download 3
 * dir=/d raw", "artifacts.remove NAME". How many match PATTERN, and the Ith of all. */
size_t plugin_host_asks(const struct plugin_host *h, const char *pattern);
const char *plugin_host_ask(const struct plugin_host *h, size_t i);

/* The content of FILE in the artifact NAME. */
const char *plugin_host_artifact_file(const struct plugin_host *h, const char *name,
                                      const char *file);
bool plugin_host_has_artifact(const struct plugin_host *h, const char *name);
bool plugin_host_has_cache(const struct plugin_host *h, const char *key);
