/* What a plugin may that asks for it in its contract: the network, and a workspace it can write. */
#include <ostler/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *tried(int r)
{
    return r < 0 ? strerror(errno) : "worked";
}

static ost_status run(struct ost_step *s)
{
    const char *path = ost_fmt(s, "%s/by-plugin", s->host->dir(s, OST_DIR_WORKSPACE));
    struct ost_exec_result res = OST_RESULT;
    int fd = open(path, O_WRONLY | O_CREAT, 0644);

    ost_log(s, OST_INFO, "socket=%s", tried(socket(AF_INET, SOCK_STREAM, 0)));
    ost_log(s, OST_INFO, "write=%s", tried((int)write(fd, "seen", 4)));
    ost_log(s, OST_INFO, "etc=%s", tried(open("/etc/ostler-was-here", O_WRONLY | O_CREAT, 0600)));
    if (ost_exec(s, &res, .flags = OST_EXEC_CAPTURE | OST_EXEC_CHECK,
                 .argv = OST_ARGV("sh", "-c", "cat by-plugin; test -O by-plugin && echo , mine")) !=
        OST_OK)
        return OST_E_FAILED;
    ost_log(s, OST_INFO, "job=%s", res.out);
    return OST_OK;
}

OST_PLUGIN(.id = "acme/needs", .version = "1.0.0", .main = run, .traits = OST_EFFECTS_VIA_HOST,
           .needs = OST_NEED_NETWORK | OST_NEED_WORKSPACE_WRITE);
