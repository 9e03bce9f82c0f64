/* The test's side: a job, its runs, and what came of them. */
#include "kit/own.h"

#include "base/fd.h"

#include <fnmatch.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- failing ---- */

static void print_and_abort(const char *text)
{
    fprintf(stderr, "ostler-test: %s\n", text);
    abort();
}

static void (*on_broken)(const char *text) = print_and_abort;

void ost_test_on_broken(void (*broken)(const char *text))
{
    on_broken = broken ? broken : print_and_abort;
}

void kit_fail(const char *format, ...)
{
    static struct buf text = BUF_INIT(16 << 20); /* stays, as the handler may jump out of here */
    va_list ap;

    buf_clear(&text);
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    on_broken(text.ptr);
}

/* ---- a job ---- */

struct ost_test *ost_test_new(const struct ost_plugin *plugin)
{
    struct ost_test *t = mem_new(sizeof *t);
    CLEANUP(free_ptr) char *here = getcwd(NULL, 0);
    pthread_mutexattr_t again;

    if (!here)
        BUG("the test's current folder is gone");
    t->table = kit_table;
    t->step.host = &t->table;
    t->plugin = plugin;
    t->summary = (struct buf)BUF_INIT(1 << 20);
    t->log = (struct buf)BUF_INIT(16 << 20);
    t->cancel_fd = -1;
    t->time_left_ms = INT64_MAX;
    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again,
                              PTHREAD_MUTEX_RECURSIVE); /* reading JSON in a service allocates */
    pthread_mutex_init(&t->lock, &again);
    pthread_mutexattr_destroy(&again);
    for (int i = 0; i <= OST_DIR_SELF; i++)
        t->dirs[i] = kit_copy(here);
    return t;
}

/* Forgets what was recorded. */
static void clear(struct ost_test *t)
{
    PAIRS_DEINIT(&t->outputs);
    PAIRS_DEINIT(&t->envs);
    PAIRS_DEINIT(&t->kept);
    TEXTS_DEINIT(&t->paths);
    TEXTS_DEINIT(&t->masks);
    TEXTS_DEINIT(&t->plans);
    vec_deinit(&t->notes);
    kit_exec_clear(t);
    kit_services_clear(t);
    kit_replay_clear(t);
    buf_clear(&t->summary);
    buf_clear(&t->log);
    free(t->failure);
    t->failure = NULL;
    t->error[0] = t->broken[0] = t->struck_call[0] = '\0';
    t->struck = t->cancelled = false;
    VEC_EACH (memory, &t->memory)
        free(*memory);
    vec_deinit(&t->memory);
    fd_closep(&t->cancel_fd);
    t->cancel_fd = -1;
}

struct ost_test *ost_test_free(struct ost_test *t)
{
    if (!t)
        return NULL;
    clear(t);
    PAIRS_DEINIT(&t->with);
    PAIRS_DEINIT(&t->contexts);
    PAIRS_DEINIT(&t->given);
    kit_exec_deinit(t);
    kit_services_deinit(t);
    kit_place_deinit(t);
    free(t->replay);
    for (int i = 0; i <= OST_DIR_SELF; i++)
        free(t->dirs[i]);
    buf_deinit(&t->summary);
    buf_deinit(&t->log);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

static void add_pair(pairs *to, const char *name, const char *value)
{
    vec_push(to, (struct pair){kit_copy(name), kit_copy(value)});
}

void ost_test_with(struct ost_test *t, const char *name, const char *value)
{
    if (!kit_find_input(t, name))
        kit_fail("the plugin has no input '%s'", name);
    add_pair(&t->with, name, value);
}

void ost_test_context(struct ost_test *t, const char *name, const char *value)
{
    add_pair(&t->contexts, name, value);
}

void ost_test_saved(struct ost_test *t, const char *name, const char *value)
{
    add_pair(&t->given, name, value);
}

void ost_test_time_left(struct ost_test *t, int64_t ms)
{
    t->time_left_ms = ms;
}

void ost_test_fault(struct ost_test *t, int nth)
{
    t->fault_in = nth;
}

void ost_test_cancel(struct ost_test *t, int nth)
{
    t->cancel_in = nth;
}

bool ost_test_struck(const struct ost_test *t)
{
    return t->struck;
}

/* ---- its runs ---- */

static bool is_one_of(const char *value, const char *const *words)
{
    for (; words && *words; words++)
        if (strcmp(*words, value) == 0)
            return true;
    return false;
}

/* What VALUE of the input is to be and is not; NULL: it is all right. */
static const char *unfit(const struct ost_input *input, const char *value)
{
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    char *end;

    if (!*value)
        return input->flags & OST_REQUIRED ? "required" : NULL;
    if (input->type == OST_BOOL && !is_one_of(value, booleans))
        return "true or false";
    if (input->type == OST_CHOICE && !is_one_of(value, input->choices))
        return "one of its choices";
    if (input->type == OST_INT) {
        (void)strtoll(value, &end, 10);
        return *end ? "a number" : NULL;
    }
    return NULL;
}

/* What the real host would not let through to any phase. */
static void check_inputs(struct ost_test *t)
{
    for (uint32_t i = 0; i < t->plugin->n_inputs; i++) {
        const struct ost_input *input = &t->plugin->inputs[i];
        const char *value = kit_given(t, input);
        const char *wanted = unfit(input, value);

        if (wanted)
            kit_fail("the input '%s' is '%s': it is to be %s", input->name, value, wanted);
    }
}

/* What stands for PHASE; NULL: nothing does. */
static ost_phase *find_phase(struct ost_test *t, int phase)
{
    const struct ost_plugin *p = t->plugin;
    ost_phase *const phases[] = {p->plan, p->pre, p->main, p->post};

    t->recording = phase == OST_PHASE_PLAN && !p->plan;
    if (t->recording)
        return p->traits & OST_EFFECTS_VIA_HOST ? p->main : NULL;
    return phase >= 0 && phase < (int)COUNT_OF(phases) ? phases[phase] : NULL;
}

ost_status ost_test_run(struct ost_test *t, int phase)
{
    int fault_in = t->fault_in, cancel_in = t->cancel_in;
    ost_phase *run = find_phase(t, phase);

    clear(t);
    if (!run) {
        kit_fail("the plugin has no phase %d", phase);
        return OST_E_UNSUPPORTED;
    }
    t->phase = phase;
    t->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kit_replay_load(t, phase);
    check_inputs(t);
    t->fault_in = fault_in;
    t->cancel_in = cancel_in;
    ost_status r = run(&t->step);
    t->fault_in = t->cancel_in = 0;
    if (t->broken[0])
        kit_fail("the plugin broke its contract: %s", t->broken);
    if (r > OST_OK)
        kit_fail("a phase returned %d: it is to be 0 or an error", (int)r);
    return r;
}

struct ost_step *ost_test_step(struct ost_test *t)
{
    t->phase = OST_PHASE_MAIN;
    return &t->step;
}

/* ---- what came of them ---- */

const char *ost_test_output(const struct ost_test *t, const char *name)
{
    return kit_pair(&t->outputs, name);
}

const char *ost_test_env(const struct ost_test *t, const char *name)
{
    return kit_pair(&t->envs, name);
}

const char *ost_test_kept(const struct ost_test *t, const char *name)
{
    return kit_pair(&t->kept, name);
}

static const char *text_at(const texts *list, size_t i)
{
    return i < list->len ? list->ptr[i] : NULL;
}

const char *ost_test_path(const struct ost_test *t, size_t i)
{
    return text_at(&t->paths, i);
}

const char *ost_test_masked(const struct ost_test *t, size_t i)
{
    return text_at(&t->masks, i);
}

const char *ost_test_planned(const struct ost_test *t, size_t i)
{
    return text_at(&t->plans, i);
}

const char *ost_test_progress(const struct ost_test *t, size_t i)
{
    return text_at(&t->progress, i);
}

const char *ost_test_summary(const struct ost_test *t)
{
    return t->summary.ptr;
}

const char *ost_test_failure(const struct ost_test *t)
{
    return t->failure ? t->failure : "";
}

const char *ost_test_log(const struct ost_test *t)
{
    return t->log.ptr;
}

size_t ost_test_lines(const struct ost_test *t, const char *pattern)
{
    struct slice rest = buf_slice(&t->log), line;
    size_t n = 0;

    while (slice_line(&rest, &line)) {
        CLEANUP(free_ptr) char *text = mem_dup(line.ptr, line.len);

        n += fnmatch(pattern, text, 0) == 0;
    }
    return n;
}

void ost_test_said(const struct ost_test *t, const char *pattern)
{
    if (!ost_test_lines(t, pattern))
        kit_fail("no line '%s' in:\n%s(failure: %s)", pattern, t->log.ptr,
                 t->failure ? t->failure : "none");
}

size_t ost_test_notes(const struct ost_test *t)
{
    return t->notes.len;
}

const struct ost_note *ost_test_note(const struct ost_test *t, size_t i)
{
    return i < t->notes.len ? &t->notes.ptr[i] : NULL;
}
