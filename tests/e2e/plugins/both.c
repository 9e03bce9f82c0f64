/* test/both - looks at the job's files itself and by commands: both have to see the same. */
#include <ostler/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct ost_input inputs[] = {
    {.name = "file", .type = OST_PATH, .description = "A file of the job"},
};

static const char *contents(struct ost_step *s, const char *path)
{
    char *text = s->host->alloc(s, 256);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, 255);

    if (fd >= 0)
        close(fd);
    return n < 0 ? strerror(errno) : text;
}

static ost_status both(struct ost_step *s)
{
    static const char *const names[] = {"workspace", "temp", "tools", "home"};
    const char *temp = s->host->temp(s, ".txt"), *file = s->host->input(s, "file");
    struct ost_note note = {.struct_size = sizeof note, .level = OST_WARNING, .message = "look"};
    struct ost_exec_result res = OST_RESULT;
    int fd = temp ? open(temp, O_WRONLY | O_CLOEXEC) : -1;
    char cwd[256] = "";

    for (int which = OST_DIR_WORKSPACE; which <= OST_DIR_HOME; which++)
        ost_log(s, OST_INFO, "%s is %s", names[which], s->host->dir(s, which));
    ost_log(s, OST_INFO, "cwd is %s", getcwd(cwd, sizeof cwd));
    if (fd < 0 || write(fd, "by the plugin", 13) != 13)
        return ost_fail(s, OST_E_IO, "cannot write '%s'", temp ? temp : "a temporary file");
    close(fd);
    if (ost_exec(s, &res, .flags = OST_EXEC_CHECK | OST_EXEC_CAPTURE,
                 .argv = OST_ARGV("sh", "-c",
                                  "cat \"$1\"; echo; pwd; echo \"$GITHUB_WORKSPACE $HOME "
                                  "${FROM_IMAGE-no image}\"; echo by the command >made; echo "
                                  "at home >~/made",
                                  "sh", temp)) != OST_OK)
        return OST_E_EXIT;
    ost_log(s, OST_INFO, "%s", res.out);
    ost_log(s, OST_INFO, "made: %s", contents(s, "made"));
    ost_log(s, OST_INFO, "at home: %s",
            contents(s, ost_fmt(s, "%s/made", s->host->dir(s, OST_DIR_HOME))));
    ost_log(s, OST_INFO, "tool: %s",
            contents(s, ost_fmt(s, "%s/tool", s->host->dir(s, OST_DIR_TOOLS))));
    if (*file) {
        ost_log(s, OST_INFO, "file: %s", contents(s, file));
        note.file = file;
        note.line = 1;
        s->host->annotate(s, &note);
    }
    ost_log(s, OST_INFO, "the same under the other name: %s",
            contents(s, ost_fmt(s, "%s/made", s->host->context(s, "github.workspace"))));
    return s->host->path(s, ost_fmt(s, "%s/bin", s->host->dir(s, OST_DIR_WORKSPACE)));
}

OST_PLUGIN(.id = "test/both", .version = "1.0.0", .description = "Sees the job's files twice",
           OST_INPUTS(inputs), .needs = OST_NEED_WORKSPACE_WRITE, .main = both);
