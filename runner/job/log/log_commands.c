#include "job/log/log_state.h"

enum { TOKEN_SECRET_MIN = 7 }; /* stop-commands tokens of this length become secrets */

static int unavailable(struct log *l, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "the command '%.*s' is not available here",
                   SLICE_ARG(l->command.name));
}

/* The handlers that take a name and a value. */
typedef int pair_fn(void *ctx, struct slice name, struct slice value, struct err *err);

static int run_pair(struct log *l, pair_fn *fn, struct err *err)
{
    struct slice name = command_property(&l->command, "name");

    if (name.len == 0)
        return err_set(err, ERR_INVALID, "Required field 'name' is missing in ##[%.*s] command.",
                       SLICE_ARG(l->command.name));
    if (!fn)
        return unavailable(l, err);
    return fn(l->spec.ctx, name, l->command.data, err);
}

static int run_set_output(struct log *l, struct err *err)
{
    return run_pair(l, l->spec.handlers->set_output, err);
}

static int run_save_state(struct log *l, struct err *err)
{
    return run_pair(l, l->spec.handlers->save_state, err);
}

static int run_set_env(struct log *l, struct err *err)
{
    return run_pair(l, l->spec.handlers->set_env, err);
}

static int run_add_path(struct log *l, struct err *err)
{
    const struct log_handlers *h = l->spec.handlers;

    if (l->command.data.len == 0)
        return err_set(err, ERR_INVALID, "Required path is missing in ##[add-path] command.");
    if (!h->add_path)
        return unavailable(l, err);
    return h->add_path(l->spec.ctx, l->command.data, err);
}

static int too_many_secrets(struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "there are too many secrets: over %d MiB with their encodings; from here on "
                   "nothing of the log can be shown",
                   MASK_TOTAL_MAX >> 20);
}

static int run_add_mask(struct log *l, struct err *err)
{
    if (slice_trim(l->command.data).len == 0) {
        log_issue(l, ANNOTATION_WARNING,
                  "Can't add secret mask for empty string in ##[add-mask] command.");
        return ERR_OK;
    }
    if (l->echo)
        log_put_line(l, SLICE("::add-mask::***"));
    if (!mask_add(l->spec.mask, l->command.data))
        return too_many_secrets(err);
    return ERR_OK;
}

static int run_add_matcher(struct log *l, struct err *err)
{
    const struct log_handlers *h = l->spec.handlers;

    if (l->command.data.len == 0) {
        log_issue(l, ANNOTATION_WARNING, "File path must be specified.");
        return ERR_OK;
    }
    if (!h->add_matcher)
        return unavailable(l, err);
    return h->add_matcher(l->spec.ctx, l->command.data, err);
}

static int run_remove_matcher(struct log *l, struct err *err)
{
    const struct log_handlers *h = l->spec.handlers;
    struct slice owner = command_property(&l->command, "owner"), path = l->command.data;

    if (!owner.len == !path.len) {
        log_issue(l, ANNOTATION_WARNING, "%s in ##[remove-matcher] command.",
                  owner.len ? "Either specify an owner name or a file path, not both,"
                            : "Either an owner name or a file path must be specified");
        return ERR_OK;
    }
    if (!h->remove_matcher)
        return unavailable(l, err);
    return h->remove_matcher(l->spec.ctx, owner, path, err);
}

static int run_debug(struct log *l, struct err *err)
{
    (void)err;
    log_write(l, LOG_DEBUG, l->command.data);
    return ERR_OK;
}

static int run_group(struct log *l, struct err *err)
{
    (void)err;
    log_write(l, LOG_GROUP, l->command.data);
    return ERR_OK;
}

static int run_endgroup(struct log *l, struct err *err)
{
    (void)err;
    log_write(l, LOG_ENDGROUP, SLICE(""));
    return ERR_OK;
}

static int run_echo(struct log *l, struct err *err)
{
    struct slice value = slice_trim(l->command.data);

    if (slice_eq_nocase(value, SLICE("on")))
        l->echo = true;
    else if (slice_eq_nocase(value, SLICE("off")))
        l->echo = false;
    else
        return err_set(err, ERR_INVALID,
                       "Invalid echo command value. Possible values can be: 'on', 'off'. Current "
                       "value is: '%.*s'",
                       SLICE_ARG(l->command.data));
    return ERR_OK;
}

static void position_note(void *ctx, const char *text)
{
    log_write(ctx, LOG_DEBUG, slice_of(text));
}

static int run_annotation(struct log *l, enum annotation_level level)
{
    struct annotation a;

    annotation_of(&l->command, level, position_note, l, &a);
    log_annotate(l, &a);
    return ERR_OK;
}

static int run_notice(struct log *l, struct err *err)
{
    (void)err;
    return run_annotation(l, ANNOTATION_NOTICE);
}

static int run_warning(struct log *l, struct err *err)
{
    (void)err;
    return run_annotation(l, ANNOTATION_WARNING);
}

static int run_error(struct log *l, struct err *err)
{
    (void)err;
    return run_annotation(l, ANNOTATION_ERROR);
}

/* Unlike other commands this one is always shown, as is the line that ends the pause. */
static int run_stop_commands(struct log *l, struct err *err)
{
    struct slice token = l->command.data;
    bool weak = token.len == 0 || slice_eq_nocase(token, SLICE("pause-logging")) ||
                command_find(token) != COMMAND_KINDS;

    if (weak && !l->spec.allow_insecure_tokens)
        return err_set(err, ERR_DENIED,
                       "the token of stop-commands must not be empty, 'pause-logging' or the name "
                       "of a command, unless ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS is true");
    if (token.len >= TOKEN_SECRET_MIN && !mask_add(l->spec.mask, token))
        return too_many_secrets(err);
    buf_clear(&l->token);
    buf_add(&l->token, token);
    l->stopped = true;
    log_put_line(l, l->line);
    log_printf(l, LOG_DEBUG, "Commands are paused until the token is received");
    return ERR_OK;
}

typedef int run_fn(struct log *l, struct err *err); /* works on L->command */

static run_fn *const runs[COMMAND_KINDS] = {
    [COMMAND_ADD_MASK] = run_add_mask,
    [COMMAND_ADD_MATCHER] = run_add_matcher,
    [COMMAND_ADD_PATH] = run_add_path,
    [COMMAND_DEBUG] = run_debug,
    [COMMAND_ECHO] = run_echo,
    [COMMAND_ENDGROUP] = run_endgroup,
    [COMMAND_ERROR] = run_error,
    [COMMAND_GROUP] = run_group,
    [COMMAND_NOTICE] = run_notice,
    [COMMAND_REMOVE_MATCHER] = run_remove_matcher,
    [COMMAND_SAVE_STATE] = run_save_state,
    [COMMAND_SET_ENV] = run_set_env,
    [COMMAND_SET_OUTPUT] = run_set_output,
    [COMMAND_STOP_COMMANDS] = run_stop_commands,
    [COMMAND_WARNING] = run_warning,
};

/* Runs the command in L->command, whose raw line is L->line. */
static int run(struct log *l, enum command_kind kind, struct err *err)
{
    if (command_info(kind)->insecure && !l->spec.allow_insecure_commands)
        return err_set(err, ERR_DENIED,
                       "The `%.*s` command is disabled. Write to $%s instead, or set "
                       "ACTIONS_ALLOW_UNSECURE_COMMANDS to true",
                       SLICE_ARG(command_info(kind)->name),
                       kind == COMMAND_SET_ENV ? "GITHUB_ENV" : "GITHUB_PATH");
    return runs[kind](l, err);
}

static void fail(struct log *l, enum command_kind kind, const struct err *err)
{
    const struct command_info *info = command_info(kind);
    struct slice shown = info->quiet ? info->name : l->line;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(COMMAND_LINE_MAX + 100);
    struct annotation a = {.level = ANNOTATION_ERROR};

    buf_add_str(&text, "Unable to process command '");
    buf_add(&text, shown);
    buf_add_str(&text, "' successfully.");
    a.message = buf_slice(&text);
    log_annotate(l, &a);
    a.message = slice_of(err->text);
    log_annotate(l, &a);
    l->failed = true;
}

/* A command_known_fn: while commands are paused, the token is one more. */
static bool known(const void *ctx, struct slice name)
{
    const struct log *l = ctx;

    return command_find(name) != COMMAND_KINDS ||
           (l->stopped && l->token.len && slice_eq_nocase(name, buf_slice(&l->token)));
}

static bool resume(struct log *l, struct slice line)
{
    if (l->token.len == 0 || !slice_eq_nocase(l->command.name, buf_slice(&l->token)))
        return false;
    log_put_line(l, line);
    log_printf(l, LOG_DEBUG, "Resume processing commands");
    l->stopped = false;
    buf_clear(&l->token);
    return true;
}

bool log_obey(struct log *l, struct slice line)
{
    struct err err = ERR_INIT;

    if (line.len > COMMAND_LINE_MAX || !command_parse(&l->command, line, known, l))
        return false;
    if (l->stopped)
        return resume(l, line);
    enum command_kind kind = command_find(l->command.name);
    l->line = line;
    if (l->echo && !command_info(kind)->quiet && kind != COMMAND_STOP_COMMANDS)
        log_put_line(l, line);
    if (run(l, kind, &err) < 0)
        fail(l, kind, &err);
    l->line = SLICE("");
    return true;
}

bool log_would_obey(struct log *l, struct slice line)
{
    return !l->spec.no_commands && !l->stopped && command_parse(&l->command, line, known, l);
}
