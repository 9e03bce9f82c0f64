#include "build_secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool write_all(const char *path, struct span text)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0;

    while (ok && text.size > 0) {
        ssize_t n = write(fd, text.at, text.size);

        if (n > 0)
            text = (struct span){text.at + n, text.size - (size_t)n};
        else if (n == 0 || errno != EINTR)
            ok = false;
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool is_name(struct span s)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    for (size_t i = 0; i < s.size; i++)
        if (!memchr(allowed, s.at[i], sizeof allowed - 1))
            return false;
    return s.size > 0;
}

static ost_status write_one(struct ost_step *step, struct span name, struct span value,
                            struct secret_files *to)
{
    const char *path;
    ost_status r = step->host->mask(step, span_dup(step, value));

    if (r < 0)
        return r;
    path = step->host->temp(step, ".secret");
    if (!path)
        return ost_fail(step, OST_E_IO, "cannot make a file for a secret: %s",
                        step->host->last_error(step));
    strings_add(step, &to->paths, path);
    if (!write_all(path, value))
        return ost_fail(step, OST_E_IO, "cannot write the file of a secret: %s", strerror(errno));
    strings_add(step, &to->options, ost_fmt(step, "id=%s,src=%s", span_dup(step, name), path));
    return OST_OK;
}

ost_status secrets_write(struct ost_step *step, const char *lines, struct secret_files *to)
{
    struct span rest = span_of(lines), line;
    ost_status r = OST_OK;

    while (r == OST_OK && span_line(&rest, &line)) {
        struct span name;

        line = span_trim(line);
        if (line.size == 0)
            continue;
        if (to->paths.n == SECRETS_MAX)
            return ost_fail(step, OST_E_LIMIT, "more than %d 'secrets'", SECRETS_MAX);
        if (!span_eat_until(&line, '=', &name) || !is_name(name) || line.size == 0)
            return ost_fail(
                step, OST_E_INVALID,
                "line %zu of 'secrets' is not NAME=value, with a name of letters, digits, "
                "'_', '.' and '-'",
                to->paths.n + 1);
        r = write_one(step, name, line, to);
    }
    return r;
}

void file_remove(const char *path)
{
    (void)unlink(path); /* at worst it goes with the job's temporary folder */
}

void secrets_remove(struct secret_files *s)
{
    for (size_t i = 0; i < s->paths.n; i++)
        file_remove(s->paths.list[i]);
    s->paths.n = 0;
}
