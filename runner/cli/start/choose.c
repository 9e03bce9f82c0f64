#include "cli/start/choose.h"

#include "lang/schedule.h"
#include "queue/local/facts.h"

static bool is_pull(const char *event)
{
    return strcmp(event, "pull_request") == 0 || strcmp(event, "pull_request_target") == 0;
}

bool choose_is_stated(const struct run_options *o)
{
    return o->knows_changed || o->before || o->has_at || (o->base && is_pull(o->event_name));
}

/* The files that --changed and --changed-file name, in git's order. */
static void stated_changes(struct choice *c, const struct run_options *o)
{
    c->facts.knows_changes = true;
    c->facts.changed = o->changed.ptr;
    c->facts.n_changed = o->changed.len;
    c->note = arena_printf(&c->arena, "changed files: %zu, as stated", o->changed.len);
}

static void find_changes(struct choice *c, const struct choose_spec *s)
{
    const json_t *said = json_object_get(s->options->event_file, "before");
    const char *before = s->options->before;
    struct local_changes_spec spec = {
        .git = s->git,
        .env = s->env,
        .source = s->source,
        .github = s->github,
        .before = before ? before : json_string_value(said),
    };

    if (s->env)
        local_changes(&c->arena, &spec, &c->facts, &c->note);
    else
        c->facts.no_changes_why = "which files changed was not said (--changed, --before)";
}

/* The zones are looked up here, so that none is missing when it is decided. */
static int check_zones(struct choice *c, const struct choose_spec *s, struct err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct token *at = NULL;
        struct schedule schedule;
        int r =
            schedule_read(&c->arena, s->workflows[i], zones_find, &c->zones, &schedule, &at, err);

        if (r < 0)
            return err_in(err, "%s:%d:%d", s->workflows[i]->file, at ? at->line : 0,
                          at ? at->col : 0);
    }
    return ERR_OK;
}

int choose(const struct choose_spec *spec, struct choice *ret, struct err *err)
{
    const struct run_options *o = spec->options;
    bool wanted = false;

    local_facts(spec->github, spec->git->message, &ret->facts);
    ret->facts.has_time = o->has_at;
    ret->facts.time = ret->zones.from = o->at;
    ret->facts.zone = zones_find;
    ret->facts.zone_ctx = &ret->zones;
    if (o->has_at && check_zones(ret, spec, err) < 0)
        return err->code;
    for (size_t i = 0; i < spec->n; i++)
        wanted |= trigger_wants_changes(spec->workflows[i], &ret->facts);
    if (wanted && o->knows_changed)
        stated_changes(ret, o);
    else if (wanted)
        find_changes(ret, spec);
    ret->verdicts = arena_array(&ret->arena, spec->n + 1, sizeof *ret->verdicts);
    for (size_t i = 0; i < spec->n; i++)
        ret->verdicts[i] = trigger_decide(&ret->arena, spec->workflows[i], &ret->facts);
    return ERR_OK;
}

void choice_deinit(struct choice *c)
{
    zones_deinit(&c->zones);
    arena_deinit(&c->arena);
}
