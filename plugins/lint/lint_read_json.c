#include "../lib/json.h"
#include "lint_read.h"

#include <string.h>

static const struct json *document(struct ost_step *step, struct check *c)
{
    const char *why = "";
    const struct json *j = NULL;

    if (c->out.size > 0)
        j = json_read(step, c->out.data, c->out.size, false, &why);
    if (!j)
        c->trouble = c->out.size > 0 ? why : "nothing at all";
    return j;
}

/* A document of the wrong shape is no output of this linter. */
static const struct json *array_of(struct check *c, const struct json *j)
{
    if (j && j->kind == JSON_ARRAY)
        return j->first;
    if (!c->trouble)
        c->trouble = "JSON of another shape";
    return NULL;
}

static enum severity severity_of(const char *level)
{
    if (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0)
        return SEVERITY_ERROR;
    return strcmp(level, "warning") == 0 ? SEVERITY_WARNING : SEVERITY_NOTICE;
}

/* [{filePath, messages: [{ruleId, severity: 1|2, message, line, column, endLine, endColumn}]}] */
void read_eslint(struct ost_step *step, struct check *c, const char *workspace)
{
    const struct json *result = array_of(c, document(step, c)), *message;

    for (; result; result = result->next) {
        const struct json *messages = json_get(result, "messages");
        const char *file = read_path(step, c, workspace, span_of(json_text(result, "filePath")));

        for (message = messages ? messages->first : NULL; message; message = message->next)
            findings_add(step, &c->findings,
                         (struct finding){
                             .file = file,
                             .line = json_number(message, "line"),
                             .col = json_number(message, "column"),
                             .end_line = json_number(message, "endLine"),
                             .end_col = json_number(message, "endColumn"),
                             .severity = json_number(message, "severity") == 1 ? SEVERITY_WARNING
                                                                               : SEVERITY_ERROR,
                             .rule = json_text(message, "ruleId"),
                             .message = json_text(message, "message"),
                         });
    }
}

/* [{code, message, url, severity, filename, location: {row, column}, end_location: {row, column}}];
 * releases before 0.13 have no severity: what ruff finds is an error. */
void read_ruff(struct ost_step *step, struct check *c, const char *workspace)
{
    const struct json *j = array_of(c, document(step, c));

    for (; j; j = j->next) {
        const struct json *start = json_get(j, "location"), *end = json_get(j, "end_location");
        const char *level = json_text(j, "severity");

        findings_add(step, &c->findings,
                     (struct finding){
                         .file = read_path(step, c, workspace, span_of(json_text(j, "filename"))),
                         .line = json_number(start, "row"),
                         .col = json_number(start, "column"),
                         .end_line = json_number(end, "row"),
                         .end_col = json_number(end, "column"),
                         .severity = *level ? severity_of(level) : SEVERITY_ERROR,
                         .rule = json_text(j, "code"),
                         .message = json_text(j, "message"),
                         .help = json_text(j, "url"),
                     });
    }
}

/* {comments: [{file, line, endLine, column, endColumn, level, code: 2086, message}]} */
void read_shellcheck(struct ost_step *step, struct check *c, const char *workspace)
{
    const struct json *j = document(step, c);

    for (j = j ? array_of(c, json_get(j, "comments")) : NULL; j; j = j->next)
        findings_add(step, &c->findings,
                     (struct finding){
                         .file = read_path(step, c, workspace, span_of(json_text(j, "file"))),
                         .line = json_number(j, "line"),
                         .col = json_number(j, "column"),
                         .end_line = json_number(j, "endLine"),
                         .end_col = json_number(j, "endColumn"),
                         .severity = severity_of(json_text(j, "level")),
                         .rule = ost_fmt(step, "SC%u", json_number(j, "code")),
                         .message = json_text(j, "message"),
                     });
}

/* [{file, line, column, level, code, message}] */
void read_hadolint(struct ost_step *step, struct check *c, const char *workspace)
{
    const struct json *j = array_of(c, document(step, c));

    for (; j; j = j->next)
        findings_add(step, &c->findings,
                     (struct finding){
                         .file = read_path(step, c, workspace, span_of(json_text(j, "file"))),
                         .line = json_number(j, "line"),
                         .col = json_number(j, "column"),
                         .severity = severity_of(json_text(j, "level")),
                         .rule = json_text(j, "code"),
                         .message = json_text(j, "message"),
                     });
}
