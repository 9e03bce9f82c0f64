/* exec(): a command in the job's place, followed until it has ended. */
#include "plugin/child/calls.h"

#include "plugin/wire.h"

static void put_list(struct buf *message, const char *const *list)
{
    int64_t n = 0;

    while (list && list[n])
        n++;
    wire_put_int(message, n);
    for (int64_t i = 0; i < n; i++)
        wire_put_text(message, list[i]);
}

static void put_exec(struct buf *message, const struct ost_exec *x)
{
    wire_put_int(message, x->flags);
    wire_put_int(message, x->timeout_ms);
    wire_put_int(message, x->on_output != NULL);
    put_list(message, x->argv);
    put_list(message, x->env);
    wire_put_text(message, x->cwd);
    wire_put_int(message, x->input != NULL);
    wire_put_bytes(message, slice_make(x->input, x->input ? x->input_size : 0));
}

static void acknowledge(struct ost_step *step, uint32_t id, ost_status how)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    size_t at;

    wire_begin(&message, WIRE_ACK, id, &at);
    wire_put_int(&message, how);
    (void)calls_send(step, &message, at); /* within the limit */
}

/* Fills in no more of theirs than they have. */
static void give_result(const struct ost_exec_result *ours, struct ost_exec_result *theirs)
{
    uint32_t size = theirs->struct_size;

    memcpy(theirs, ours, size < sizeof *ours ? size : sizeof *ours);
    theirs->struct_size = size;
}

static ost_status take_exited(struct ost_step *step, struct wire_frame *f,
                              struct ost_exec_result *res)
{
    struct ost_exec_result got = {.struct_size = sizeof got};
    ost_status r = (ost_status)wire_int(f);
    struct slice text = wire_text(f);

    got.exit_code = (int32_t)wire_int(f);
    got.signal = (int32_t)wire_int(f);
    struct slice out = wire_bytes(f);
    if (out.len && out.ptr[out.len - 1] == '\n')
        out.len--;
    got.out = out.len ? calls_keep(out) : "";
    got.out_size = out.len;
    if (res && res->struct_size >= sizeof res->struct_size)
        give_result(&got, res);
    return r < 0 ? calls_failed(step, r, text.ptr) : r;
}

/* Hands output to the callback until the command has ended. A callback that refused is not asked again;
 * the runner stops the command and answers with its status. */
static ost_status follow(struct ost_step *step, struct dialog_waiter *w, const struct ost_exec *x,
                         struct ost_exec_result *res)
{
    struct wire_frame f;
    ost_status how = OST_OK;

    for (;;) {
        dialog_await(w, &f);
        if (f.op != WIRE_DATA)
            return take_exited(step, &f, res);
        int32_t fd = (int32_t)wire_int(&f);
        struct slice data = wire_bytes(&f);
        if (how >= 0 && x->on_output)
            how = x->on_output(x->ctx, fd, data.ptr, data.len);
        dialog_next(w);
        acknowledge(step, w->id, how < 0 ? how : OST_OK);
    }
}

ost_status calls_exec(struct ost_step *step, const struct ost_exec *theirs,
                      struct ost_exec_result *res)
{
    const uint32_t known = OST_EXEC_CHECK | OST_EXEC_QUIET | OST_EXEC_CAPTURE | OST_EXEC_COMMANDS;
    const size_t least = offsetof(struct ost_exec, argv) + sizeof theirs->argv;
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    struct ost_exec x = {0};
    size_t at;

    if (!theirs || theirs->struct_size < least)
        return calls_failed(step, OST_E_INVALID, "exec: the description has no struct_size");
    memcpy(&x, theirs, theirs->struct_size < sizeof x ? theirs->struct_size : sizeof x);
    if (x.flags & ~known)
        return calls_failed(step, OST_E_UNSUPPORTED,
                            "exec: this host does not know all of the flags");
    if (!x.argv || !x.argv[0] || !x.argv[0][0])
        return calls_failed(step, OST_E_INVALID, "exec: argv names no program");
    if (x.input_size > PLUGIN_COMMAND_MAX)
        return calls_failed(step, OST_E_LIMIT, "exec: the input is too large; pass a file");
    ost_status r = calls_announce(step, "exec");
    if (r < 0)
        return r;

    struct dialog_waiter w = {.id = dialog_id()};
    dialog_expect(&w);
    wire_begin(&message, WIRE_EXEC, w.id, &at);
    put_exec(&message, &x);
    r = calls_send(step, &message, at);
    if (r == OST_OK)
        r = follow(step, &w, &x, res);
    dialog_forget(&w);
    return r;
}
