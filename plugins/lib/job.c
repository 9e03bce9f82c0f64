#include "job.h"

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
