/* ostler plugin info: one plugin's contract, as text, action.yml or JSON. */
#include "cli/plugin/cmds.h"

#include "cli/exit.h"

#include <stdio.h>

static void print_inputs(const struct plugin *p)
{
    for (size_t i = 0; i < p->n_inputs; i++) {
        const struct plugin_input *in = &p->inputs[i];

        printf("%s%-20s %s%s%s", i ? "             " : "inputs       ", in->name,
               plugin_type_name(in->type), in->flags & OST_REQUIRED ? ", required" : "",
               in->flags & OST_SECRET ? ", secret" : "");
        for (const char *const *c = in->choices; c && *c; c++)
            printf("%s%s", c == in->choices ? ": " : " | ", *c);
        if (in->fallback)
            printf(", default '%s'", in->fallback);
        putchar('\n');
        if (in->description)
            printf("%34s%s\n", "", in->description);
        if (in->deprecation)
            printf("%34sdeprecated: %s\n", "", in->deprecation);
    }
}

static void print_phases(const struct plugin *p)
{
    printf("phases      ");
    for (int phase = OST_PHASE_PLAN; phase <= OST_PHASE_POST; phase++)
        if (plugin_has_phase(p, phase))
            printf(" %s", plugin_phase_name(phase));
    printf("%s%s\n", p->traits & OST_EFFECTS_VIA_HOST ? "; a plan from main itself" : "",
           p->traits & OST_POST_IF_SAVED ? "; post only if something was saved" : "");
    if (p->pre_if)
        printf("pre-if       %s\n", p->pre_if);
    if (p->post_if)
        printf("post-if      %s\n", p->post_if);
}

/* "v1, v1.4, v1.4.2": the references that a workflow may use. */
static void print_serves(const struct plugin *p)
{
    struct slice rest = slice_of(p->version), major, minor;

    (void)!slice_split(&rest, '.', &major); /* a checked version has both */
    (void)!slice_split(&rest, '.', &minor);
    printf("serves       ");
    if (!strchr(p->version, '-'))
        printf("%s@v%.*s, @v%.*s.%.*s, ", p->id, SLICE_ARG(major), SLICE_ARG(major),
               SLICE_ARG(minor));
    printf("@v%s\n", p->version);
    for (const char *const *c = p->serves; c && *c; c++)
        printf("             @%s\n", *c);
}

static void info_text(const struct plugin *p)
{
    CLEANUP(buf_deinit) struct buf needs = BUF_INIT(64);
    CLEANUP(free_ptr) char *object = plugin_object_path(p);

    plugin_needs_text(p, &needs);
    printf("%s %s%s%s\n", p->id, p->version, p->description ? ": " : "",
           p->description ? p->description : "");
    if (p->title)
        printf("title        %s\n", p->title);
    if (p->author)
        printf("author       %s\n", p->author);
    print_inputs(p);
    for (size_t i = 0; i < p->n_outputs; i++)
        printf("%s%-20s %s\n", i ? "             " : "outputs      ", p->outputs[i].name,
               p->outputs[i].description ? p->outputs[i].description : "");
    print_phases(p);
    printf("needs        %s\n", needs.ptr);
    print_serves(p);
    printf("file         %s\nsha256       %s\n", object, p->sha256);
}

int plugin_cmd_info(struct arena *a, struct plugin_options *o)
{
    CLEANUP(plugin_found_deinit) struct plugin_found f = PLUGIN_FOUND_INIT;
    const char *format = o->format ? o->format : "text";
    struct err err = ERR_INIT;

    if (strcmp(format, "text") && strcmp(format, "yaml") && strcmp(format, "json")) {
        (void)err_set(&err, ERR_INVALID, "'%.40s' is no format: it is text, yaml or json", format);
        return plugin_fail(&err);
    }
    if (plugin_target(a, o, &f, &err) < 0)
        return plugin_fail(&err);
    if (strcmp(format, "json") == 0) {
        json_t *j = plugin_to_json(f.plugin);

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else if (strcmp(format, "yaml") == 0) {
        CLEANUP(free_ptr) char *yaml = plugin_to_yaml(f.plugin);

        fputs(yaml, stdout);
    } else {
        info_text(f.plugin);
    }
    return EXIT_OK;
}
