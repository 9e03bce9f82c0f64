#include "run.h"

#include <string.h>

enum { NO_SUCH_FILE = 66 };

static void hear_error(struct run *r, struct span said)
{
    if (said.size > sizeof r->err)
        said = (struct span){said.at + said.size - sizeof r->err, sizeof r->err};
    if (r->err_size + said.size > sizeof r->err) {
        size_t drop = r->err_size + said.size - sizeof r->err;

        memmove(r->err, r->err + drop, r->err_size - drop);
        r->err_size -= drop;
    }
    if (said.size > 0)
        memcpy(r->err + r->err_size, said.at, said.size);
    r->err_size += said.size;
}

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct run *r = ctx;

    if (fd == 2)
        hear_error(r, (struct span){data, size});
    else if (!r->out)
        sink_add(&r->text, (struct span){data, size});
    else if (r->out_status == OST_OK)
        r->out_status = r->out(r->ctx, (struct span){data, size});
    return r->out_status;
}

ost_status run_command(struct ost_step *step, struct run *r)
{
    struct ost_exec_result res = OST_RESULT;
    struct span said;
    ost_status e;

    r->step = r->text.step = step;
    e = ost_exec(step, &res, .flags = OST_EXEC_QUIET, .argv = r->argv, .env = r->env,
                 .input = r->input.at, .input_size = r->input.size, .on_output = on_output,
                 .ctx = r);
    r->exit_code = res.exit_code;
    if (r->out_status < 0)
        return r->out_status;
    if (e == OST_E_CANCELLED ||
        (e == OST_OK && (res.exit_code == 0 || res.exit_code == r->also_good)))
        return e;
    if (r->silent)
        return e < 0 ? e : OST_E_FAILED;
    if (e == OST_E_NOT_FOUND)
        return ost_fail(step, e, "cannot %s: there is no '%s' in this job", r->what, r->argv[0]);
    if (e < 0)
        return ost_fail(step, e, "cannot %s: %s", r->what, step->host->last_error(step));
    said = span_trim((struct span){r->err, r->err_size});
    return ost_fail(step, res.exit_code == NO_SUCH_FILE ? OST_E_NOT_FOUND : OST_E_FAILED,
                    "cannot %s: %s", r->what,
                    said.size ? span_dup(step, said)
                              : ost_fmt(step, "exit code %d", (int)res.exit_code));
}
