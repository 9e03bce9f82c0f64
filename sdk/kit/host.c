/* The core services, ostler/plugin.h, for tests of plugins. */
#include "kit/own.h"

#include "lib/json.h"
#include "plugin/transcript.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

/* ---- small things ---- */

char *kit_copy(const char *text)
{
    return mem_dup(text, strlen(text));
}

char *kit_copy_or_null(const char *text)
{
    return text ? kit_copy(text) : NULL;
}

void kit_free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

const char *kit_pair(const pairs *list, const char *name)
{
    for (size_t i = list->len; i > 0; i--)
        if (strcasecmp(list->ptr[i - 1].name, name) == 0)
            return list->ptr[i - 1].value;
    return NULL;
}

struct ost_test *kit_host(struct ost_step *step)
{
    return (struct ost_test *)step;
}

void *kit_keep(struct ost_test *t, void *memory)
{
    vec_push(&t->memory, memory);
    return memory;
}

const char *kit_keep_text(struct ost_test *t, const char *text)
{
    return text ? kit_keep(t, kit_copy(text)) : NULL;
}

void kit_broken(struct ost_test *t, const char *format, ...)
{
    va_list ap;

    if (t->broken[0])
        return;
    va_start(ap, format);
    vsnprintf(t->broken, sizeof t->broken, format, ap);
    va_end(ap);
}

/* ---- what every service does first and last ---- */

ost_status kit_refuse(struct ost_test *t, ost_status why, const char *text)
{
    snprintf(t->error, sizeof t->error, "%s", text);
    return why;
}

ost_status kit_refuse_now(struct ost_test *t, ost_status why, const char *text)
{
    pthread_mutex_lock(&t->lock);
    kit_refuse(t, why, text);
    pthread_mutex_unlock(&t->lock);
    return why;
}

static void strike(struct ost_test *t, const char *service, const char *object)
{
    t->struck = true;
    snprintf(t->struck_call, sizeof t->struck_call, "%s%s%s", service, object ? " " : "",
             object ? object : "");
}

void kit_enter(struct ost_test *t, const char *service, const char *object)
{
    pthread_mutex_lock(&t->lock);
    if (t->cancel_in > 0 && --t->cancel_in == 0) {
        uint64_t one = 1;

        t->cancelled = true;
        strike(t, service, object);
        (void)!write(t->cancel_fd, &one, sizeof one); /* an eventfd takes it */
    }
}

void kit_leave(struct ost_test *t)
{
    pthread_mutex_unlock(&t->lock);
}

ost_status kit_enter_fallible(struct ost_test *t, const char *service, const char *object)
{
    const char *refusal;
    char *text;

    kit_enter(t, service, object);
    if (t->fault_in > 0 && --t->fault_in == 0) {
        strike(t, service, object);
        return kit_refuse(t, OST_E_IO, "a fault of the test");
    }
    refusal = kit_pair(&t->refusals, service);
    if (!refusal)
        return OST_OK;
    ost_status r = (ost_status)strtol(refusal, &text, 10);
    return r < 0 ? kit_refuse(t, r, text + 1) : OST_OK;
}

/* ---- say ---- */

static void host_log(struct ost_step *step, int32_t level, const char *text)
{
    static const char *const names[] = {"debug", "info", "notice", "warning", "error"};
    struct ost_test *t = kit_host(step);

    kit_enter(t, "log", text);
    if (level < OST_DEBUG || level > OST_ERROR || !text)
        kit_broken(t, "log() with level %d and text %s", (int)level, text ? "given" : "NULL");
    else
        buf_printf(&t->log, "%s: %s\n", names[level], text);
    kit_leave(t);
}

static void host_annotate(struct ost_step *step, const struct ost_note *given)
{
    struct ost_test *t = kit_host(step);
    struct ost_note note = {0};

    memcpy(&note, given, given->struct_size < sizeof note ? given->struct_size : sizeof note);
    kit_enter(t, "annotate", note.message);
    if (!given->struct_size || !note.message || note.level < OST_NOTICE || note.level > OST_ERROR)
        kit_broken(t, "annotate() without a size, message or level");
    note.message = kit_keep_text(t, note.message);
    note.title = kit_keep_text(t, note.title);
    note.file = kit_keep_text(t, note.file);
    vec_push(&t->notes, note);
    kit_leave(t);
}

static void host_group(struct ost_step *step, const char *title)
{
    struct ost_test *t = kit_host(step);

    kit_enter(t, "group", title);
    buf_printf(&t->log, "%s%s\n", title ? "group: " : "group ends", title ? title : "");
    kit_leave(t);
}

static ost_status host_mask(struct ost_step *step, const char *secret)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_enter_fallible(t, "mask", NULL);

    if (r == OST_OK)
        vec_push(&t->masks, kit_copy(secret));
    kit_leave(t);
    return r;
}

static ost_status host_fail(struct ost_step *step, ost_status why, const char *message)
{
    struct ost_test *t = kit_host(step);

    kit_enter(t, "fail", message);
    if (why >= 0)
        kit_broken(t, "fail() with a code that is no failure");
    free(t->failure);
    t->failure = kit_copy(message);
    kit_leave(t);
    return why;
}

static const char *host_last_error(struct ost_step *step)
{
    struct ost_test *t = kit_host(step);
    const char *text;

    kit_enter(t, "last_error", NULL);
    text = kit_keep_text(t, t->error);
    kit_leave(t);
    return text;
}

/* ---- the contract at run time ---- */

const struct ost_input *kit_find_input(const struct ost_test *t, const char *name)
{
    for (uint32_t i = 0; i < t->plugin->n_inputs; i++)
        if (strcasecmp(t->plugin->inputs[i].name, name) == 0)
            return &t->plugin->inputs[i];
    return NULL;
}

const char *kit_given(struct ost_test *t, const struct ost_input *input)
{
    const char *value = kit_pair(&t->with, input->name);
    size_t n;

    value = value ? value : input->fallback ? input->fallback : "";
    value += strspn(value, " \t\r\n");
    for (n = strlen(value); n > 0 && strchr(" \t\r\n", value[n - 1]); n--)
        ;
    return kit_keep(t, mem_dup(value, n));
}

const char *kit_input(struct ost_test *t, const char *name)
{
    const struct ost_input *input = kit_find_input(t, name);

    if (!input) {
        kit_broken(t, "asked for the undeclared input '%s'", name);
        return "";
    }
    const char *value = kit_given(t, input);
    if (input->type == OST_BOOL)
        return (*value | 32) == 't' ? "true" : "false";
    return value;
}

static const char *host_input(struct ost_step *step, const char *name)
{
    struct ost_test *t = kit_host(step);
    const char *value;

    kit_enter(t, "input", name);
    value = kit_input(t, name);
    kit_leave(t);
    return value;
}

static size_t host_input_list(struct ost_step *step, const char *name, const char *const **items)
{
    struct ost_test *t = kit_host(step);
    const char **list;
    char *text, *rest, *item;
    size_t n = 0;

    kit_enter(t, "input_list", name);
    text = kit_keep(t, kit_copy(kit_input(t, name)));
    list = kit_keep(t, mem_new((strlen(text) + 2) * sizeof *list));
    for (rest = text; (item = strsep(&rest, "\n"));) {
        size_t size;

        item += strspn(item, " \t\r");
        for (size = strlen(item); size > 0 && strchr(" \t\r", item[size - 1]); size--)
            item[size - 1] = '\0';
        if (*item)
            list[n++] = item;
    }
    *items = list;
    kit_leave(t);
    return n;
}

static const char *host_context(struct ost_step *step, const char *name)
{
    struct ost_test *t = kit_host(step);
    const char *value;

    kit_enter(t, "context", name);
    value = kit_pair(&t->contexts, name);
    kit_leave(t);
    return value;
}

static ost_status set(struct ost_step *step, const char *service, pairs *to, const char *name,
                      const char *value)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_enter_fallible(t, service, name);

    if (!name || !*name || !value)
        kit_broken(t, "%s() without a name or value", service);
    else if (r == OST_OK)
        vec_push(to, (struct pair){kit_copy(name), kit_copy(value)});
    kit_leave(t);
    return r;
}

static ost_status host_output(struct ost_step *step, const char *name, const char *value)
{
    struct ost_test *t = kit_host(step);
    bool declared = false;

    for (uint32_t i = 0; name && i < t->plugin->n_outputs; i++)
        declared |= strcasecmp(t->plugin->outputs[i].name, name) == 0;
    if (name && !declared) {
        pthread_mutex_lock(&t->lock);
        kit_broken(t, "set the undeclared output '%s'", name);
        pthread_mutex_unlock(&t->lock);
    }
    return set(step, "output", &t->outputs, name, value);
}

static ost_status host_env(struct ost_step *step, const char *name, const char *value)
{
    return set(step, "env", &kit_host(step)->envs, name, value);
}

static ost_status host_save(struct ost_step *step, const char *name, const char *value)
{
    return set(step, "save", &kit_host(step)->kept, name, value);
}

static const char *host_saved(struct ost_step *step, const char *name)
{
    struct ost_test *t = kit_host(step);
    const char *value;

    kit_enter(t, "saved", name);
    value = kit_pair(&t->given, name);
    kit_leave(t);
    return value;
}

static ost_status host_path(struct ost_step *step, const char *dir)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_enter_fallible(t, "path", dir);

    if (r == OST_OK)
        vec_push(&t->paths, kit_copy(dir));
    kit_leave(t);
    return r;
}

static ost_status host_summary(struct ost_step *step, const char *markdown)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_enter_fallible(t, "summary", NULL);

    if (r == OST_OK) {
        buf_add_str(&t->summary, markdown);
        if (t->summary.overflow)
            r = kit_refuse(t, OST_E_LIMIT, "the summary is larger than 1 MiB");
    }
    kit_leave(t);
    return r;
}

/* ---- places and memory ---- */

static const char *host_dir(struct ost_step *step, int32_t which)
{
    struct ost_test *t = kit_host(step);
    const char *path = NULL;

    kit_enter(t, "dir", NULL);
    if (which >= 0 && which <= OST_DIR_SELF)
        path = t->dirs[which];
    kit_leave(t);
    return path;
}

/* Under the name that it had: commands were recorded with it. */
static int play_temp(struct ost_test *t, const char *suffix, char *path, size_t size)
{
    struct buf ask = BUF_INIT(1 << 16);
    ost_status r = OST_OK;

    transcript_pair(&ask, "suffix", suffix, NULL, NULL);
    snprintf(path, size, "%s", json_text(kit_play(t, "temp", &ask, &r), "value"));
    return *path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
}

static const char *host_temp(struct ost_step *step, const char *suffix)
{
    struct ost_test *t = kit_host(step);
    char path[4096];
    int fd = -1;

    if (kit_enter_fallible(t, "temp", suffix) == OST_OK) {
        snprintf(path, sizeof path, "%s/temp-XXXXXX%s", t->dirs[OST_DIR_TEMP],
                 suffix ? suffix : "");
        fd = t->playing ? play_temp(t, suffix, path, sizeof path)
                        : mkostemps(path, suffix ? (int)strlen(suffix) : 0, O_CLOEXEC);
        if (fd < 0)
            kit_refuse(t, OST_E_IO, "no temporary file");
        else
            close(fd);
    }
    const char *made = fd < 0 ? NULL : kit_keep_text(t, path);
    kit_leave(t);
    return made;
}

/* Nothing promises zeroes, so there are none; and one block each, so that ASan sees every overrun. */
static void *host_alloc(struct ost_step *step, size_t size)
{
    struct ost_test *t = kit_host(step);
    void *memory = memset(mem_new(size ? size : 1), 0xa5, size);

    pthread_mutex_lock(&t->lock);
    kit_keep(t, memory);
    pthread_mutex_unlock(&t->lock);
    return memory;
}

/* ---- time, dry run, growth ---- */

static int32_t host_phase(struct ost_step *step)
{
    return kit_host(step)->phase;
}

static int32_t host_cancelled(struct ost_step *step)
{
    struct ost_test *t = kit_host(step);
    bool cancelled;

    kit_enter(t, "cancelled", NULL);
    cancelled = t->cancelled;
    kit_leave(t);
    return cancelled;
}

static int32_t host_cancel_fd(struct ost_step *step)
{
    return kit_host(step)->cancel_fd;
}

static int64_t host_time_left_ms(struct ost_step *step)
{
    return kit_host(step)->time_left_ms;
}

static ost_status host_plan(struct ost_step *step, const char *verb, const char *object,
                            const char *detail)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_enter_fallible(t, "plan", verb);
    struct buf line = BUF_INIT(1 << 20);

    if (r == OST_OK) {
        buf_printf(&line, "%s %s%s%s", verb, object ? object : "", detail && *detail ? ": " : "",
                   detail ? detail : "");
        vec_push(&t->plans, buf_take(&line));
    }
    kit_leave(t);
    return r;
}

static const void *host_extension(struct ost_step *step, const char *id)
{
    struct ost_test *t = kit_host(step);
    const void *table;

    kit_enter(t, "extension", id);
    table = kit_service(t, id);
    kit_leave(t);
    return table;
}

const struct ost_host kit_table = {
    .struct_size = sizeof kit_table,
    .abi_minor = OST_ABI_MINOR,
    .log = host_log,
    .annotate = host_annotate,
    .group = host_group,
    .mask = host_mask,
    .fail = host_fail,
    .last_error = host_last_error,
    .input = host_input,
    .input_list = host_input_list,
    .context = host_context,
    .output = host_output,
    .env = host_env,
    .path = host_path,
    .summary = host_summary,
    .save = host_save,
    .saved = host_saved,
    .dir = host_dir,
    .temp = host_temp,
    .alloc = host_alloc,
    .exec = kit_exec,
    .phase = host_phase,
    .cancelled = host_cancelled,
    .cancel_fd = host_cancel_fd,
    .time_left_ms = host_time_left_ms,
    .plan = host_plan,
    .extension = host_extension,
};
