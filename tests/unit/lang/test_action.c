#include "cases.h"

#include "lang/action.h"

#include "base/buf.h"

#include <criterion/criterion.h>

static void print(struct buf *out, const char *name, const char *value)
{
    if (value)
        buf_printf(out, "%s: %s\n", name, value);
}

static void print_inputs(const struct action *a, struct buf *out)
{
    for (size_t i = 0; i < a->n_inputs; i++) {
        const struct action_input *input = &a->inputs[i];

        buf_printf(out, "input %s%s", input->id, input->required ? " required" : "");
        if (input->fallback)
            buf_printf(out, " default '%.*s'", SLICE_ARG(input->fallback->source));
        buf_printf(out, "%s%s\n", input->deprecation ? " deprecated: " : "",
                   input->deprecation ? input->deprecation : "");
    }
    for (size_t i = 0; i < a->n_outputs; i++)
        buf_printf(out, "output %s%s\n", a->outputs[i].id,
                   a->outputs[i].value ? " with value" : "");
}

static struct slice read_model(struct arena *arena, struct slice document, struct diags *diags)
{
    static const char *const kinds[ACTION_KINDS] = {"composite", "node", "docker", "plugin"};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    CLEANUP(action_deinit) struct action a;

    action_init(&a);
    if (action_parse(&a, document, "action.yml", diags) < 0)
        return SLICE("");
    buf_printf(&out, "%s\n", kinds[a.kind]);
    print(&out, "name", a.name);
    print(&out, "using", a.using);
    print(&out, "main", a.main);
    print(&out, "pre", a.pre);
    print(&out, "post", a.post);
    print(&out, "pre-if", a.pre_if);
    print(&out, "post-if", a.post_if);
    print(&out, "image", a.image);
    print_inputs(&a, &out);
    for (size_t i = 0; i < a.n_steps; i++)
        buf_printf(&out, "step %s if %s\n", a.steps[i].id, a.steps[i].condition);
    return arena_dup(arena, slice_head(buf_slice(&out), out.len - 1));
}

static struct slice check(struct arena *arena, struct slice document, struct diags *diags)
{
    (void)arena;
    return action_check(document, "action.yml", diags) < 0 ? SLICE("refused") : SLICE("fine");
}

Test(action, becomes_a_model)
{
    each_case("action", "models", read_model);
}

Test(action, check_is_stricter_than_reading)
{
    each_case("action", "strict", check);
}
