/* job - what several plugins ask of the job, or do to it, through the host. */
#pragma once

#include <ostler/plugin.h>

/* The machine's architecture as the tool cache names it: "x64", "arm64", "arm", "ia32". */
const char *job_arch(struct ost_step *step);

/* Writes TEXT to PATH through the job, whose file it then is. Below 0: it could not, and the failure has
 * been recorded. */
ost_status job_write_file(struct ost_step *step, const char *path, const char *text);

/* The same, all of it or nothing: into a file beside, which then takes the place of PATH. PATH is relative to the
 * folder CWD or absolute; folders above it that are missing are made. Errors as above. */
ost_status job_replace_file(struct ost_step *step, const char *cwd, const char *path,
                            const char *text);

/* Registers the problem matchers of JSON, a configuration of them, until the job ends. They are kept in the
 * file NAME of the temporary folder. Errors as above. */
ost_status job_add_matchers(struct ost_step *step, const char *name, const char *json);

/* A command as the setup actions run theirs: what it prints is in the log, and in the answer. */
struct job_command {
    const char *const *argv;
    const char
        *bin; /* folder to look in before PATH, as of a tool that was set up just now; NULL: none */
    const char *cwd; /* NULL: the step's working directory */
};

struct job_output {
    int32_t exit_code;
    const char *out, *err; /* trimmed */
};

/* OST_E_NOT_FOUND: there is no such program. Recorded, as every error is. */
ost_status job_run(struct ost_step *step, const struct job_command *command,
                   struct job_output *ret);
