#include "job.h"

#include "text.h"

#include <string.h>

const char *job_arch(struct ost_step *step)
{
    const char *arch = step->host->context(step, "runner.arch");

    if (arch && strcmp(arch, "ARM64") == 0)
        return "arm64";
    if (arch && strcmp(arch, "ARM") == 0)
        return "arm";
    return arch && strcmp(arch, "X86") == 0 ? "ia32" : "x64";
}

ost_status job_write_file(struct ost_step *step, const char *path, const char *text)
{
    ost_status r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET, .input = text,
                            .input_size = strlen(text), .argv = OST_ARGV("tee", "--", path));

    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot write '%s': %s", path, step->host->last_error(step));
    return r;
}

ost_status job_replace_file(struct ost_step *step, const char *cwd, const char *path,
                            const char *text)
{
    const char *folder = rel_parent(step, path), *part = ost_fmt(step, "%s.part", path);
    ost_status r = OST_OK;

    if (*folder)
        r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK, .cwd = cwd,
                     .argv = OST_ARGV("mkdir", "-p", "--", folder));
    if (r == OST_OK)
        r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET, .cwd = cwd,
                     .input = text, .input_size = strlen(text),
                     .argv = OST_ARGV("tee", "--", part));
    if (r == OST_OK)
        r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK, .cwd = cwd,
                     .argv = OST_ARGV("mv", "-f", "--", part, path));
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot write '%s': %s", path, step->host->last_error(step));
    return r;
}

/* A workflow command in a command's output is how any action registers matchers. */
ost_status job_add_matchers(struct ost_step *step, const char *name, const char *json)
{
    const char *path = ost_fmt(step, "%s/%s", step->host->dir(step, OST_DIR_TEMP), name);
    ost_status r = job_write_file(step, path, json);

    if (r < 0)
        return r;
    r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_COMMANDS,
                 .argv = OST_ARGV("echo", ost_fmt(step, "##[add-matcher]%s", path)));
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot register the problem matchers: %s",
                        step->host->last_error(step));
    return r;
}

/* ---- commands ---- */

struct heard {
    struct sink out, err;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct heard *h = ctx;

    sink_add(fd == 2 ? &h->err : &h->out, (struct span){data, size});
    return OST_OK;
}

/* env looks programs up in the PATH that it is given, and that of the host's own look-up is the job's. */
static ost_status with_path(struct ost_step *step, const struct job_command *command,
                            const char *const **ret)
{
    struct ost_exec_result res = OST_RESULT;
    struct strings argv = {0};
    ost_status r;

    *ret = command->argv;
    if (!command->bin)
        return OST_OK;
    r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                 .argv = OST_ARGV("printenv", "PATH"));
    if (r < 0)
        return r;
    strings_add(step, &argv, "env");
    strings_add(step, &argv, ost_fmt(step, "PATH=%s:%s", command->bin, res.out));
    for (size_t i = 0; command->argv[i]; i++)
        strings_add(step, &argv, command->argv[i]);
    *ret = strings_list(&argv);
    return OST_OK;
}

static const char *line_of(struct ost_step *step, const char *const *argv)
{
    struct sink line = {.step = step};

    for (size_t i = 0; argv[i]; i++)
        sink_addf(&line, "%s%s", i ? " " : "", argv[i]);
    return sink_text(&line);
}

static void tell_output(struct ost_step *step, const struct sink *said)
{
    struct span text = span_trim(span_of(sink_text(said)));

    if (text.size > 0)
        ost_log(step, OST_INFO, "%s", span_dup(step, text));
}

/* The host would name the command with all of PATH, which is why it is quiet, and speaks here. */
ost_status job_run(struct ost_step *step, const struct job_command *command, struct job_output *ret)
{
    enum { ENV_NOT_FOUND = 127 };
    struct heard heard = {{.step = step}, {.step = step}};
    struct ost_exec_result res = OST_RESULT;
    const char *const *argv;
    ost_status r = with_path(step, command, &argv);

    if (r == OST_OK) {
        ost_log(step, OST_INFO, "[command]%s", line_of(step, command->argv));
        r = ost_exec(step, &res, .flags = OST_EXEC_QUIET, .argv = argv, .cwd = command->cwd,
                     .on_output = on_output, .ctx = &heard);
        tell_output(step, &heard.out);
        tell_output(step, &heard.err);
    }
    if (r == OST_E_CANCELLED)
        return r;
    if (r == OST_E_NOT_FOUND || (r == OST_OK && command->bin && res.exit_code == ENV_NOT_FOUND))
        return ost_fail(step, OST_E_NOT_FOUND,
                        "Unable to locate executable file: %s. Please verify either the file path "
                        "exists or the file can be found within a directory specified by the PATH "
                        "environment variable. Also check the file mode to verify the file is "
                        "executable.",
                        command->argv[0]);
    if (r < 0)
        return ost_fail(step, r, "cannot run %s: %s", command->argv[0],
                        step->host->last_error(step));
    *ret = (struct job_output){
        res.exit_code,
        span_dup(step, span_trim(span_of(sink_text(&heard.out)))),
        span_dup(step, span_trim(span_of(sink_text(&heard.err)))),
    };
    return OST_OK;
}
