#include "markdown.h"

#include <string.h>

void markdown_plain(struct sink *k, const char *text)
{
    for (; *text && *text != '\n'; text++)
        sink_addf(k, "%s%c", strchr("\\`*_{}[]<>|#~", *text) ? "\\" : "", *text);
}

void markdown_code(struct sink *k, const char *text)
{
    sink_add(k, SPAN("`"));
    for (; *text && *text != '\n'; text++)
        sink_addf(k, "%c", *text == '`' || *text == '|' ? '\'' : *text);
    sink_add(k, SPAN("`"));
}
