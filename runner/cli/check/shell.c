/* What shellcheck says about the scripts of workflows, at their places in the YAML. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "cli/check/files.h"
#include "io/proc.h"

#include <jansson.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BATCH = 200,                /* scripts a start of shellcheck, at the most */
    BATCH_LEAST = 10,           /* for fewer a start costs more than it saves */
    SLOTS_MAX = 32,             /* starts at a time */
    TIMEOUT_MS = 300000,        /* a start's */
    OUTPUT_SIZE_MAX = 64 << 20, /* bytes */
};

/* Left out: files that a script reads (1091); constant texts and tests, which ${{ }} look like (2043,
 * 2050, 2157, 2170, 2194, 2242); names that steps get from `env` (2153, 2154). */
static const char excluded[] = "SC1091,SC2043,SC2050,SC2153,SC2154,SC2157,SC2170,SC2194,SC2242";

/* One place that a script stands at. */
struct script_place {
    struct checked *file;
    const struct kept_script *script;
    struct script_place *next;
};

/* Different scripts: what stands at several places, in one file or in many, is looked at once. */
struct batch {
    const char *program, *tmp, *shell;
    struct arena arena;
    struct strmap numbers; /* text of a script: its number */
    VEC(struct script_place *) scripts;
};

/* Removes the folder of a batch. */
struct scratch {
    const char *tmp;
    char path[4096]; /* "": none yet */
};

/* One start of shellcheck, for N of the scripts from FIRST on. */
struct look {
    struct batch *batch;
    size_t first, n;
    struct scratch scratch;
    int out; /* what it says */
    struct proc *proc;
};

static void scratch_remove(struct scratch *s)
{
    struct err ignored =
        ERR_INIT; /* it is in a temporary folder, and nothing can be done about it */

    if (*s->path)
        (void)!path_remove(AT_FDCWD, s->path, &ignored);
}

static enum diag_level level_of(const char *name)
{
    if (name && strcmp(name, "error") == 0)
        return DIAG_ERROR;
    return name && strcmp(name, "warning") == 0 ? DIAG_WARNING : DIAG_INFO;
}

static void add_finding(const struct script_place *p, const json_t *comment, json_int_t line)
{
    const struct check_place *at =
        &p->script->lines[(size_t)line <= p->script->n_lines ? line - 1 : 0];
    int col = (int)json_integer_value(json_object_get(comment, "column"));
    int code = (int)json_integer_value(json_object_get(comment, "code"));
    enum diag_level level = level_of(json_string_value(json_object_get(comment, "level")));
    struct diag *d =
        diag_add(&p->file->diags, level, p->file->path, at->line, at->col + col - 1, "SC%d: %s",
                 code, json_string_value(json_object_get(comment, "message")));

    d->rule = check_rules[CHECK_SHELLCHECK].name;
    d->hint = arena_printf(&p->file->arena, "https://www.shellcheck.net/wiki/SC%d", code);
}

static void take_comment(const struct look *l, const json_t *comment)
{
    const char *file = json_string_value(json_object_get(comment, "file"));
    json_int_t line = json_integer_value(json_object_get(comment, "line"));
    json_int_t col = json_integer_value(json_object_get(comment, "column"));
    size_t which = file ? (size_t)strtoul(path_base(file), NULL, 10) : BATCH;

    if (which >= l->n || !json_object_get(comment, "message") || line < 1 || col < 1 ||
        col > INT_MAX)
        return;
    for (const struct script_place *p = l->batch->scripts.ptr[l->first + which]; p; p = p->next)
        add_finding(p, comment, line);
}

static int take_output(const struct look *l, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(OUTPUT_SIZE_MAX);
    json_error_t error;

    if (lseek(l->out, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot read what shellcheck said");
    int r = fd_read_all(l->out, &text, err);
    if (r < 0)
        return r;
    json_t *json = json_loadb(text.ptr, text.len, 0, &error);
    if (!json)
        return err_set(err, ERR_INVALID, "shellcheck said something that is no JSON: %s",
                       error.text);
    const json_t *comments = json_object_get(json, "comments");
    for (size_t i = 0; i < json_array_size(comments); i++)
        take_comment(l, json_array_get(comments, i));
    json_decref(json);
    return ERR_OK;
}

static int write_scripts(struct look *l, struct err *err)
{
    struct scratch *s = &l->scratch;

    snprintf(s->path, sizeof s->path, "%s/ostler-check.XXXXXX", s->tmp);
    if (!mkdtemp(s->path)) {
        *s->path = '\0';
        return err_sys(err, "cannot create a folder in '%s'", s->tmp);
    }
    CLEANUP(fd_closep) int dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(err, "cannot open '%s'", s->path);
    for (size_t i = 0; i < l->n; i++) {
        char name[24];

        snprintf(name, sizeof name, "%zu", i);
        int r = path_write(dir, name, l->batch->scripts.ptr[l->first + i]->script->text, 0600, err);
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static void look_end(struct look *l)
{
    l->proc = proc_free(l->proc);
    fd_closep(&l->out);
    scratch_remove(&l->scratch);
    *l->scratch.path = '\0';
}

static int look_begin(struct look *l, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const struct batch *b = l->batch;
    const char **argv = arena_array(&a, l->n + 8, sizeof *argv);
    struct proc_spec spec = PROC_SPEC_INIT;
    size_t n = 0;

    l->out = memfd_create("shellcheck", MFD_CLOEXEC);
    if (l->out < 0)
        return err_sys(err, "cannot create a memory file");
    int r = write_scripts(l, err);
    if (r < 0)
        return r;
    argv[n++] = b->program;
    argv[n++] = "--norc";
    argv[n++] = "--format=json1";
    argv[n++] = arena_printf(&a, "--shell=%s", b->shell);
    argv[n++] = arena_printf(&a, "--exclude=%s", excluded);
    for (size_t i = 0; i < l->n; i++)
        argv[n++] = arena_printf(&a, "%s/%zu", l->scratch.path, i);
    spec.argv = argv;
    spec.out = l->out;
    return proc_start(&spec, &l->proc, err);
}

static int look_finish(struct look *l, struct err *err)
{
    struct proc_exit how;
    int r = proc_wait(l->proc, clock_ms() + TIMEOUT_MS, &how, err);

    if (r < 0)
        return err_in(err, "shellcheck");
    if (how.code > 1) /* 1: it has findings */
        return err_set(err, ERR_INVALID, "shellcheck failed with exit code %d", how.code);
    return take_output(l, err);
}

static void add_script(struct batch *b, struct checked *f, const struct kept_script *s)
{
    struct script_place *p = ARENA_NEW(&b->arena, struct script_place);
    size_t number = b->scripts.len;
    struct slice known;

    *p = (struct script_place){f, s, NULL};
    if (strmap_find(&b->numbers, s->text, &known)) {
        memcpy(&number, known.ptr, sizeof number);
        p->next = b->scripts.ptr[number]->next;
        b->scripts.ptr[number]->next = p;
        return;
    }
    strmap_set(&b->numbers, s->text, slice_make((const char *)&number, sizeof number));
    vec_push(&b->scripts, p);
}

static void batch_deinit(struct batch *b)
{
    vec_deinit(&b->scripts);
    strmap_deinit(&b->numbers);
    arena_deinit(&b->arena);
}

/* Begins looks until SLOTS of them run or all scripts are looked at; the results are taken in order. */
static int run_looks(struct batch *b, struct look *looks, size_t slots, struct err *err)
{
    size_t n = b->scripts.len, share = (n + slots - 1) / slots, next = 0;
    size_t size = share < BATCH_LEAST ? BATCH_LEAST : share > BATCH ? BATCH : share;
    int result = ERR_OK;

    for (size_t begun = 0, ended = 0; result == ERR_OK && (next < n || ended < begun);) {
        struct look *l = &looks[(begun - ended < slots && next < n ? begun : ended) % slots];

        if (begun - ended < slots && next < n) {
            *l = (struct look){.batch = b, .first = next, .out = -1, .scratch.tmp = b->tmp};
            l->n = n - next < size ? n - next : size;
            next += l->n;
            begun++;
            result = look_begin(l, err);
        } else {
            result = look_finish(l, err);
            look_end(l);
            ended++;
        }
    }
    return result;
}

/* All scripts of one shell, as many looks at a time as there are cores. */
static int run_shell(struct check_run *r, const char *program, const char *tmp, const char *shell,
                     struct err *err)
{
    CLEANUP(batch_deinit) struct batch b = {.program = program, .tmp = tmp, .shell = shell};
    struct look looks[SLOTS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t slots = cores < 1 ? 1 : cores > SLOTS_MAX ? SLOTS_MAX : (size_t)cores;

    VEC_EACH (f, &r->files)
        VEC_EACH (s, &(*f)->scripts)
            if (strcmp(s->shell, shell) == 0)
                add_script(&b, *f, s);
    for (size_t i = 0; i < slots; i++)
        looks[i] = (struct look){.out = -1};
    int result = run_looks(&b, looks, slots, err);
    for (size_t i = 0; i < slots; i++) /* those that an error left */
        look_end(&looks[i]);
    return result;
}

int check_shell(struct check_run *r, const char *search, const char *tmp, struct err *err)
{
    CLEANUP(free_ptr) char *program = NULL;
    size_t n = 0;

    VEC_EACH (f, &r->files)
        n += (*f)->scripts.len;
    if (!n)
        return ERR_OK;
    int result = spawn_find("shellcheck", search, &program, err);
    if (result < 0)
        return result;
    if ((result = run_shell(r, program, tmp, "bash", err)) < 0)
        return result;
    return run_shell(r, program, tmp, "sh", err);
}
