#include "job/container/container_options.h"

#include "base/buf.h"

#include <criterion/criterion.h>

static struct arena arena = ARENA_INIT;

static void leave(void)
{
    arena_deinit(&arena);
}

TestSuite(container_options, .fini = leave);

/* What TEXT says, as one text: "--volume=/a:/b V", a letter for what it is (H: harmless, V, M, O). */
static const char *read_all(const char *text)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct container_option *list;
    struct err err = ERR_INIT;
    size_t n;

    if (container_options_read(&arena, text, &list, &n, &err) < 0)
        return arena_printf(&arena, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%s%s%s%s %c", i ? ", " : "", list[i].name, list[i].value ? "=" : "",
                   list[i].value ? list[i].value : "", "HVMO"[list[i].kind]);
    return arena_str(&arena, buf_slice(&out));
}

/* As pflag reads them, which docker and podman use. */
Test(container_options, are_read_as_the_engine_s_program_reads_them)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"", ""},
        {"--init", "--init H"},
        {"--health-cmd \"pg_isready -U x\" --health-retries=5",
         "--health-cmd=pg_isready -U x H, --health-retries=5 H"},
        {"--privileged", "--privileged O"},
        {"--privileged=true", "--privileged=true O"},
        {"--init --privileged", "--init H, --privileged O"},
        {"--hostname --privileged", "--hostname=--privileged H"}, /* it is the host's name */
        {"-v /:/host", "--volume=/:/host V"},
        {"-v/:/host", "--volume=/:/host V"},
        {"-v=/:/host", "--volume=/:/host V"},
        {"-itv /:/host", "--interactive H, --tty H, --volume=/:/host V"},
        {"-itP", "--interactive H, --tty H, --publish-all H"},
        {"-i=true -t", "--interactive=true H, --tty H"},
        {"--volume=/a:/b --mount type=bind,src=/,dst=/h",
         "--volume=/a:/b V, --mount=type=bind,src=/,dst=/h M"},
        {"-e A=b --env C", "--env=A=b H, --env=C H"},
        {"--net host --network=host", "--net=host O, --network=host O"},
        {"--security-opt no-new-privileges", "--security-opt=no-new-privileges H"},
        {"--security-opt seccomp=unconfined", "--security-opt=seccomp=unconfined O"},
        {"--ipc=host --ipc private", "--ipc=host O, --ipc=private H"},
        {"--pid host", "--pid=host O"},
        {"--cap-add ALL --cap-drop ALL", "--cap-add=ALL O, --cap-drop=ALL H"},
        {"--env-file /etc/shadow", "--env-file=/etc/shadow O"},
        {"--use-api-socket", "--use-api-socket O"},
        {"-z", "-z O"},
        {"--unheard-of", "--unheard-of O"},
        {"--unheard-of value", "'value' is no option"},
        {"alpine --privileged", "'alpine' is no option"},
        {"-- alpine", "'--' is no option"},
        {"- alpine", "'-' is no option"},
        {"\"\"", "'' is no option"},
        {"--hostname", "option '--hostname' wants a value"},
        {"-v", "option '--volume' wants a value"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_str_eq(read_all(rows[i].text), rows[i].wanted, "%s: %s", rows[i].text,
                         read_all(rows[i].text));
}

Test(container_options, mounts_are_told_by_their_sources)
{
    static const struct {
        const char *value, *wanted;
    } rows[] = {
        {"type=bind,source=/a,target=/b", "/a"},
        {"type=bind,src=/a,dst=/b,readonly", "/a"},
        {"src=data,dst=/b", "data"},
        {"src=/a,source=/b,dst=/c", "/b"}, /* the later one counts */
        {"type=tmpfs,dst=/b,tmpfs-size=1m", ""},
        {"type=volume,dst=/b", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        const char *source;

        cr_assert_eq(container_options_mount(&arena, rows[i].value, &source, &err), ERR_OK,
                     "%s: %s", rows[i].value, err.text);
        cr_expect_str_eq(source, rows[i].wanted, "%s", rows[i].value);
    }
}

/* A volume of the local driver can be any folder of the machine: so can what its options say. */
Test(container_options, mounts_that_ask_for_more_are_refused)
{
    static const char *const values[] = {
        "type=volume,src=x,dst=/b,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,"
        "volume-opt=device=/",
        "type=bind,SOURCE=/,dst=/b",
        "\"type=bind\",\"source=/\",dst=/b",
        "type=bind,source=\"/a\",dst=/b",
        "type=image,src=alpine,dst=/b",
        "type=cluster,src=x,dst=/b",
        "type=bind,src=/a,dst=/b,bind-propagation=rshared",
        "",
    };

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct err err = ERR_INIT;
        const char *source;

        cr_expect_eq(container_options_mount(&arena, values[i], &source, &err), ERR_DENIED, "%s",
                     values[i]);
    }
}
