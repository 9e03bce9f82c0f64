#include "script.h"

#include <string.h>

void script_quote(struct sink *to, const char *text)
{
    sink_add(to, SPAN("'"));
    for (const char *quote; (quote = strchr(text, '\'')); text = quote + 1) {
        sink_add(to, (struct span){text, (size_t)(quote - text)});
        sink_add(to, SPAN("'\\''"));
    }
    sink_add(to, span_of(text));
    sink_add(to, SPAN("'"));
}

void script_value(struct sink *to, const char *name, const char *value)
{
    sink_addf(to, "%s=", name);
    script_quote(to, value);
    sink_add(to, SPAN("\n"));
}

void script_number(struct sink *to, const char *name, long long value)
{
    sink_addf(to, "%s=%lld\n", name, value);
}

void script_bool(struct sink *to, const char *name, bool value)
{
    sink_addf(to, "%s=%s\n", name, value ? "true" : "false");
}

void script_call(struct sink *to, const char *name, const char *one, const char *two)
{
    sink_add(to, span_of(name));
    for (int i = 0; i < 2; i++) {
        const char *word = i ? two : one;

        if (!word)
            continue;
        sink_add(to, SPAN(" "));
        script_quote(to, word);
    }
    sink_add(to, SPAN("\n"));
}

const char *script_text(struct ost_step *step, const char *values, const char *body,
                        const char *calls)
{
    struct sink k = {.step = step};

    sink_addf(&k, "{\n%s%s%s%s}\n", values, sh_lib, body, calls);
    return sink_text(&k);
}
