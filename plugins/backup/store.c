#include "store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ost_status store_open(const struct settings *set, struct store **ret)
{
    return set->bucket ? store_s3(set, ret) : store_shell(set, ret);
}

void store_close(struct store *s)
{
    if (s)
        s->close(s);
}

ost_status store_put_text(struct store *s, const char *name, const char *text)
{
    ost_status r = s->write(s, name, span_of(text), true);

    if (r < 0)
        s->drop(s);
    return r;
}

static ost_status read_back(struct store *s, const char *name, int fd, size_t limit, char **ret)
{
    struct stat st;
    size_t n = 0;
    char *text;

    if (fstat(fd, &st) < 0 || (uint64_t)st.st_size > limit)
        return ost_fail(s->step, OST_E_LIMIT, "'%s' is larger than %zu bytes", name, limit);
    text = s->step->host->alloc(s->step, (size_t)st.st_size + 1);
    while (n < (size_t)st.st_size) {
        ssize_t got = pread(fd, text + n, (size_t)st.st_size - n, (off_t)n);

        if (got <= 0 && errno != EINTR)
            return ost_fail(s->step, OST_E_IO, "cannot read '%s' back", name);
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = '\0';
    *ret = text;
    return OST_OK;
}

ost_status store_get_text(struct store *s, const char *name, size_t limit, char **ret)
{
    int fd = memfd_create("ostler-backup", MFD_CLOEXEC);
    ost_status r;

    if (fd < 0)
        return ost_fail(s->step, OST_E_IO, "no memory for '%s': %s", name, strerror(errno));
    r = s->get(s, name, fd);
    if (r == OST_OK)
        r = read_back(s, name, fd, limit, ret);
    close(fd);
    return r;
}

ost_status store_tidy(const struct settings *set)
{
    const char *half = set->step->host->saved(set->step, "half");
    struct store *s = NULL;
    ost_status r;

    if (!half || !*half)
        return OST_OK;
    r = store_open(set, &s);
    if (r == OST_OK) {
        s->drop(s);
        ost_log(set->step, OST_INFO, "gave up the half of a backup that was under way");
    }
    store_close(s);
    return r;
}
