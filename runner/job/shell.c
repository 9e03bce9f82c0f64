#include "job/shell.h"

#include "base/buf.h"
#include "base/vec.h"

static const struct known {
    const char *command, *format, *extension;
} known[] = {
    {"bash", "--noprofile --norc -e -o pipefail {0}", ".sh"},
    {"sh", "-e {0}", ".sh"},
    {"python", "{0}", ".py"},
    {"pwsh", "-command \". '{0}'\"", ".ps1"},
    {"powershell", "-command \". '{0}'\"", ".ps1"},
};

static const struct known *known_find(struct slice command)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_eq_nocase(command, slice_of(known[i].command)))
            return &known[i];
    return NULL;
}

int shell_parse(struct arena *a, struct slice text, struct shell *ret, struct err *err)
{
    if (slice_trim(text).len == 0) {
        *ret = (struct shell){.format = "-e {0}", .extension = ".sh", .unset = true};
        return ERR_OK;
    }
    ssize_t space = slice_find_char(text, ' ');
    struct slice command = space < 0 ? text : slice_head(text, (size_t)space);
    struct slice format = space < 0 ? SLICE("") : slice_trim(slice_from(text, (size_t)space));
    const struct known *k = known_find(command);

    if (format.len == 0 && k)
        format = slice_of(k->format);
    if (slice_find(format, SLICE("{0}")) < 0)
        return err_set(err, ERR_INVALID,
                       "invalid shell '%.*s': it is not one of bash, sh, python, pwsh, and its "
                       "arguments hold no '{0}' for the script's path",
                       SLICE_ARG(slice_head(text, 60)));
    *ret = (struct shell){
        .command = arena_str(a, command),
        .format = arena_str(a, format),
        .extension = k ? k->extension : "",
    };
    return ERR_OK;
}

struct slice shell_script(struct arena *a, const struct shell *sh, struct slice script)
{
    if (!sh->command || (strcmp(sh->command, "pwsh") && strcmp(sh->command, "powershell")))
        return script;
    return slice_of(arena_printf(a,
                                 "$ErrorActionPreference = 'stop'\n%.*s\nif ((Test-Path "
                                 "-LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }",
                                 SLICE_ARG(script)));
}

/* .NET's composite format with one argument: {{ and }} are braces, {0} is the path. */
static int fill_word(const char *format, const char *path, struct buf *out, struct err *err)
{
    for (const char *p = format; *p; p++) {
        if ((*p == '{' || *p == '}') && p[1] == *p) {
            buf_add_char(out, *p++);
        } else if (strncmp(p, "{0}", 3) == 0) {
            buf_add_str(out, path);
            p += 2;
        } else if (*p == '{' || *p == '}') {
            return err_set(err, ERR_INVALID,
                           "invalid shell arguments '%s': a literal brace has to be doubled",
                           format);
        } else {
            buf_add_char(out, *p);
        }
    }
    return buf_check(out, "the shell's command line", err);
}

const char **shell_split(struct arena *a, struct slice text, size_t *ret_n)
{
    VEC(const char *) words = {0};
    CLEANUP(buf_deinit) struct buf word = BUF_INIT(text.len);
    bool quoted = false, open = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        size_t slashes = 0;

        while (i + slashes < text.len && text.ptr[i + slashes] == '\\')
            slashes++;
        if (slashes && i + slashes < text.len && text.ptr[i + slashes] == '"') {
            for (size_t n = 0; n < slashes / 2; n++)
                buf_add_char(&word, '\\');
            open = true;
            i += slashes; /* at the quote now */
            if (slashes % 2) {
                buf_add_char(&word, '"');
                continue;
            }
            c = '"';
        }
        if (c == '"') {
            open = true;
            if (quoted && i + 1 < text.len && text.ptr[i + 1] == '"') {
                buf_add_char(&word, '"');
                i++;
            } else {
                quoted = !quoted;
            }
        } else if ((c == ' ' || c == '\t') && !quoted) {
            if (open)
                vec_push(&words, arena_str(a, buf_slice(&word)));
            buf_clear(&word);
            open = false;
        } else {
            buf_add_char(&word, c);
            open = true;
        }
    }
    if (open)
        vec_push(&words, arena_str(a, buf_slice(&word)));

    const char **list = arena_array(a, words.len + 1, sizeof *list);
    if (words.len)
        memcpy(list, words.ptr, words.len * sizeof *list);
    *ret_n = words.len;
    vec_deinit(&words);
    return list;
}

int shell_argv(struct arena *a, const struct shell *sh, const char *program,
               const char *script_path, const char *const **ret, struct err *err)
{
    size_t n;
    /* split before the path goes in: ours may hold blanks, GitHub's runner would break there */
    const char **words = shell_split(a, slice_of(sh->format), &n);
    const char **argv = arena_array(a, n + 2, sizeof *argv);

    argv[0] = program;
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_deinit) struct buf word = BUF_INIT(1 << 20);
        int r = fill_word(words[i], script_path, &word, err);

        if (r < 0)
            return r;
        argv[i + 1] = arena_str(a, buf_slice(&word));
    }
    *ret = argv;
    return ERR_OK;
}
