#include "job/header.h"

#include "job/lanes.h"
#include "job/steps.h"

/* Rules 2 to 5 of the environment's order: what the workflow set, not what the runner adds. */
static void print_env(struct step_run *s)
{
    CLEANUP(strmap_deinit) struct strmap shown = STRMAP_INIT;

    strmap_merge(&shown, &s->run->env);
    if (lane_of(s))
        strmap_merge(&shown, &lane_of(s)->env);
    strmap_merge(&shown, &s->frame->env);
    strmap_merge(&shown, &s->env);
    STRMAP_EACH (i, &s->instance->state) {
        const char *name = arena_printf(&s->arena, "STATE_%s", i->name);
        strmap_set(&shown, slice_of(name), strmap_value(i));
    }
    if (shown.len)
        log_write(s->log, LOG_PLAIN, SLICE("env:"));
    STRMAP_EACH (i, &shown)
        log_printf(s->log, LOG_PLAIN, "  %s: %s", i->name, i->value);
}

void header_script(struct step_run *s, struct slice script, const char *program, const char *format)
{
    struct slice rest = script, line;

    while (rest.len && (rest.ptr[rest.len - 1] == '\n' || rest.ptr[rest.len - 1] == '\r'))
        rest.len--;
    log_printf(s->log, LOG_GROUP, "Run %.*s", SLICE_ARG(step_first_line(script)));
    while (slice_line(&rest, &line))
        log_printf(s->log, LOG_PLAIN, "\x1b[36;1m%.*s\x1b[0m", SLICE_ARG(line));
    log_printf(s->log, LOG_PLAIN, "shell: %s %s", program, format);
    print_env(s);
    log_write(s->log, LOG_ENDGROUP, SLICE(""));
}

void header_hook(struct step_run *s, const char *path, const char *program, const char *format)
{
    log_printf(s->log, LOG_GROUP, "Run '%s'", path);
    log_printf(s->log, LOG_PLAIN, "shell: %s %s", program, format);
    log_write(s->log, LOG_ENDGROUP, SLICE(""));
}

void header_action(struct step_run *s)
{
    bool with = false;

    if (s->stage == STAGE_POST) {
        log_write(s->log, LOG_PLAIN, SLICE("Post job cleanup."));
        return;
    }
    log_write(s->log, LOG_GROUP, slice_of(step_default_name(&s->arena, s->def)));
    STRMAP_EACH (i, &s->inputs) {
        if (!i->value_len)
            continue;
        if (!with)
            log_write(s->log, LOG_PLAIN, SLICE("with:"));
        with = true;
        log_printf(s->log, LOG_PLAIN, "  %s: %s", i->name, i->value);
    }
    print_env(s);
    log_write(s->log, LOG_ENDGROUP, SLICE(""));
}
