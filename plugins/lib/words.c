#include "words.h"

#include <string.h>

/* At *TEXT, which is not blank: appends one word, up to a blank or the end. */
static bool split_one(struct ost_step *step, const char **text, struct strings *to)
{
    char *word = step->host->alloc(step, strlen(*text) + 1);
    const char *at = *text;
    size_t n = 0;
    char quote = 0;

    for (; *at && (quote || !strchr(" \t\r\n", *at)); at++) {
        if (quote && *at == quote)
            quote = 0;
        else if (!quote && (*at == '\'' || *at == '"'))
            quote = *at;
        else if (*at == '\\' && quote != '\'' && at[1] && (!quote || strchr("\"\\$`", at[1])))
            word[n++] = *++at;
        else
            word[n++] = *at;
    }
    word[n] = '\0';
    strings_add(step, to, word);
    *text = at;
    return !quote;
}

bool words_split(struct ost_step *step, const char *text, struct strings *to)
{
    for (text += strspn(text, " \t\r\n"); *text; text += strspn(text, " \t\r\n"))
        if (!split_one(step, &text, to))
            return false;
    return true;
}

const char *words_join(struct ost_step *step, const char *const *words)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    struct sink k = {.step = step};

    for (size_t i = 0; words[i]; i++) {
        const char *word = words[i];

        sink_addf(&k, "%s", i ? " " : "");
        if (*word && !word[strspn(word, plain)]) {
            sink_addf(&k, "%s", word);
            continue;
        }
        sink_add(&k, SPAN("'"));
        for (; *word; word++)
            if (*word == '\'')
                sink_add(&k, SPAN("'\\''"));
            else
                sink_addf(&k, "%c", *word);
        sink_add(&k, SPAN("'"));
    }
    return sink_text(&k);
}
