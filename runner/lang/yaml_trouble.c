#include "lang/yaml.h"

#include <ctype.h>

/* What libyaml says, what we say, and what mends it. The first row whose PROBLEM (a part of libyaml's
 * text), CONTEXT and AT fit is taken; NULL and NUL fit all. */
static const struct cure {
    const char *problem, *context;
    char at;
    const char *words; /* NULL: libyaml's own */
    const char *hint;
} cures[] = {
    {"cannot start any token", NULL, '\t', "A tab was found where indentation is expected",
     "indent with spaces, YAML allows no tabs there"},
    {"cannot start any token", NULL, '@', "A plain value may not begin with '@'",
     "put the value in quotes"},
    {"cannot start any token", NULL, '`', "A plain value may not begin with '`'",
     "put the value in quotes"},
    {"cannot start any token", NULL, '%', "A plain value may not begin with '%'",
     "put the value in quotes"},
    {"cannot start any token", NULL, 0, NULL, "put the value in quotes"},
    {"found a tab character", NULL, 0, NULL, "indent with spaces, YAML allows no tabs there"},
    {"mapping values are not allowed", NULL, 0, "A ':' was not expected here",
     "put the value in quotes if the ': ' belongs to it, else check the indentation"},
    {"block sequence entries are not allowed", NULL, 0, "A '-' was not expected here",
     "start the list on a line of its own, below its key"},
    {"mapping keys are not allowed", NULL, 0, NULL, "check the indentation of this line"},
    {"could not find expected ':'", NULL, 0, "A ':' is missing after this key",
     "write 'key: value', or indent the line if it continues the one before"},
    {"found unexpected end of stream", "while scanning a quoted scalar", 0,
     "The quoted text is never closed", "add the closing quote; a ' inside '...' is written ''"},
    {"found unexpected document indicator", "while scanning a quoted scalar", 0,
     "The quoted text is never closed", "add the closing quote; a ' inside '...' is written ''"},
    {"unknown escape character", NULL, 0, NULL, "write the backslash twice, or use single quotes"},
    {"did not find expected ',' or ']'", NULL, 0, "The '[' is not closed properly",
     "close it with ']', or put an item with one of , [ ] { } : in it into quotes"},
    {"did not find expected ',' or '}'", NULL, 0, "The '{' is not closed properly",
     "close it with '}', or put a value with one of , [ ] { } : in it into quotes"},
    {"did not find expected '-' indicator", NULL, 0, "The list ends here, but no key does",
     "give this line the indentation of the list's '-' or of the key above it"},
    {"did not find expected key", NULL, 0, "A key was expected here",
     "give this line the indentation of its neighbours, and look for a stray quote before it"},
    {"did not find expected node content", NULL, 0, "A value was expected here",
     "put the value in quotes"},
    {"did not find expected <document start>", NULL, 0,
     "The document should have ended before this",
     "give this line the indentation of the keys above it"},
    {"did not find expected alphabetic", NULL, 0, "A name was expected after '&' or '*'",
     "put the value in quotes if it is no anchor"},
    {"undefined tag handle", NULL, 0, NULL,
     "put the value in quotes: a plain value that begins with '!' is a tag"},
    {"tag", "while scanning a tag", 0, NULL,
     "put the value in quotes: a plain value that begins with '!' is a tag"},
    {"UTF", NULL, 0, NULL, "save the file as UTF-8"},
    {"control characters are not allowed", NULL, 0, NULL,
     "remove the character, or write it as \"\\x..\" in double quotes"},
    {"incompatible YAML document", NULL, 0, NULL, "remove the %YAML line"},
};

static bool fits(const struct cure *c, const struct yaml_trouble *t)
{
    return strstr(t->problem, c->problem) && (!c->at || c->at == t->at) &&
           (!c->context || (t->context && strcmp(c->context, t->context) == 0));
}

/* Contexts that are worth telling about, when they began on another line. */
static const struct {
    const char *context, *words;
} contexts[] = {
    {"while scanning a quoted scalar", "the text begins"},
    {"while parsing a flow sequence", "the list begins"},
    {"while parsing a flow mapping", "the mapping begins"},
};

static const char *words_of_context(const struct yaml_trouble *t)
{
    for (size_t i = 0; t->context && t->context_line && i < COUNT_OF(contexts); i++)
        if (strcmp(t->context, contexts[i].context) == 0)
            return contexts[i].words;
    return NULL;
}

void yaml_complain(struct diags *diags, const char *file, const struct yaml_trouble *t)
{
    static const struct cure none = {.problem = ""};
    const struct cure *cure = &none;
    const char *context = words_of_context(t), *words;

    for (size_t i = 0; i < COUNT_OF(cures) && cure == &none; i++)
        if (fits(&cures[i], t))
            cure = &cures[i];
    words = cure->words ? cure->words : t->problem;
    if (context)
        words = arena_printf(diags->arena, "%s, %s on line %d, column %d", words, context,
                             t->context_line, t->context_col);
    diag_add(diags, DIAG_ERROR, file, t->line, t->col, "%c%s", toupper((unsigned char)words[0]),
             words + 1)
        ->hint = cure->hint;
}
