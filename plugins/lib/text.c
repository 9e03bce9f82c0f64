#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

bool span_is(struct span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

bool span_starts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.size >= n && memcmp(s.at, prefix, n) == 0;
}

bool span_ends(struct span s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.size >= n && memcmp(s.at + s.size - n, suffix, n) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span span_skip(struct span s, size_t n)
{
    return (struct span){s.at + n, s.size - n};
}

struct span span_trim(struct span s)
{
    while (s.size > 0 && is_blank(s.at[0]))
        s = span_skip(s, 1);
    while (s.size > 0 && is_blank(s.at[s.size - 1]))
        s.size--;
    return s;
}

bool span_line(struct span *rest, struct span *ret)
{
    const char *end;

    if (rest->size == 0)
        return false;
    end = memchr(rest->at, '\n', rest->size);
    *ret = (struct span){rest->at, end ? (size_t)(end - rest->at) : rest->size};
    *rest = span_skip(*rest, ret->size + (end ? 1 : 0));
    if (ret->size > 0 && ret->at[ret->size - 1] == '\r')
        ret->size--;
    return true;
}

bool span_eat(struct span *s, const char *prefix)
{
    if (!span_starts(*s, prefix))
        return false;
    *s = span_skip(*s, strlen(prefix));
    return true;
}

bool span_eat_number(struct span *s, uint32_t *ret)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < s->size && s->at[i] >= '0' && s->at[i] <= '9'; i++)
        if (n <= UINT32_MAX)
            n = n * 10 + (uint64_t)(s->at[i] - '0');
    if (i == 0)
        return false;
    *ret = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    *s = span_skip(*s, i);
    return true;
}

bool span_eat_until(struct span *s, char stop, struct span *ret)
{
    const char *at = s->size ? memchr(s->at, stop, s->size) : NULL;

    if (!at)
        return false;
    *ret = (struct span){s->at, (size_t)(at - s->at)};
    *s = span_skip(*s, ret->size + 1);
    return true;
}

size_t span_find(struct span s, const char *text)
{
    const char *at = s.size ? memmem(s.at, s.size, text, strlen(text)) : NULL;

    return at ? (size_t)(at - s.at) : SIZE_MAX;
}

const char *span_dup(struct ost_step *step, struct span s)
{
    char *copy = step->host->alloc(step, s.size + 1);

    if (s.size > 0)
        memcpy(copy, s.at, s.size);
    copy[s.size] = '\0';
    return copy;
}

/* The length of the escape sequence at the start of S: CSI ... letter, OSC ... BEL or ESC \. */
static size_t escape_size(struct span s)
{
    size_t i = 2;

    if (s.size < 2)
        return 1;
    if (s.at[1] == '[') {
        while (i < s.size && (s.at[i] < '@' || s.at[i] > '~'))
            i++;
        return i < s.size ? i + 1 : i;
    }
    if (s.at[1] == ']') {
        while (i < s.size && s.at[i] != '\a' && s.at[i] != '\033')
            i++;
        return i + 1 < s.size && s.at[i] == '\033' ? i + 2 : i < s.size ? i + 1 : i;
    }
    return 2;
}

struct span span_plain(struct ost_step *step, struct span s)
{
    char *copy;
    size_t n = 0;

    if (s.size == 0 || !memchr(s.at, '\033', s.size))
        return s;
    copy = step->host->alloc(step, s.size);
    while (s.size > 0) {
        if (s.at[0] == '\033') {
            s = span_skip(s, escape_size(s));
            continue;
        }
        copy[n++] = s.at[0];
        s = span_skip(s, 1);
    }
    return (struct span){copy, n};
}

/* ---- growing text ---- */

static void sink_reserve(struct sink *k, size_t more)
{
    size_t room = k->room ? k->room : 256;
    char *data;

    if (k->size + more < k->room)
        return;
    while (room <= k->size + more)
        room *= 2;
    data = k->step->host->alloc(k->step, room);
    if (k->size > 0)
        memcpy(data, k->data, k->size);
    data[k->size] = '\0';
    k->data = data;
    k->room = room;
}

void sink_add(struct sink *k, struct span s)
{
    sink_reserve(k, s.size);
    if (s.size > 0)
        memcpy(k->data + k->size, s.at, s.size);
    k->size += s.size;
    k->data[k->size] = '\0';
}

void sink_addf(struct sink *k, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n <= 0)
        return;
    sink_reserve(k, (size_t)n);
    va_start(ap, format);
    vsnprintf(k->data + k->size, (size_t)n + 1, format, ap);
    va_end(ap);
    k->size += (size_t)n;
}

const char *sink_text(const struct sink *k)
{
    return k->data ? k->data : "";
}

struct span sink_span(const struct sink *k)
{
    return (struct span){sink_text(k), k->size};
}

void strings_add(struct ost_step *step, struct strings *to, const char *text)
{
    if (to->n + 1 >= to->room) {
        size_t room = to->room ? to->room * 2 : 16;
        const char **list = step->host->alloc(step, room * sizeof *list);

        for (size_t i = 0; i < to->n; i++)
            list[i] = to->list[i];
        to->list = list;
        to->room = room;
    }
    to->list[to->n++] = text;
    to->list[to->n] = NULL;
}

const char *const *strings_list(const struct strings *s)
{
    static const char *const none[] = {NULL};

    return s->list ? (const char *const *)s->list : none;
}

/* ---- paths ---- */

const char *rel_join(struct ost_step *step, const char *a, const char *b)
{
    if (b[0] == '/' || !a[0] || strcmp(a, ".") == 0)
        return b;
    if (!b[0] || strcmp(b, ".") == 0)
        return a;
    return ost_fmt(step, "%s%s%s", a, a[strlen(a) - 1] == '/' ? "" : "/", b);
}

/* Takes the last part off the N bytes of PATH, unless that part is itself a "..". */
static bool drop_part(const char *path, size_t *n)
{
    size_t end = *n, start;

    if (end == 0 || (end == 1 && path[0] == '/'))
        return end == 1; /* the root's parent is the root */
    for (start = end; start > 0 && path[start - 1] != '/'; start--)
        ;
    if (end - start == 2 && path[start] == '.' && path[start + 1] == '.')
        return false;
    *n = start > 1 ? start - 1 : start;
    return true;
}

const char *rel_clean(struct ost_step *step, const char *path)
{
    char *clean = step->host->alloc(step, strlen(path) + 2);
    size_t n = 0;

    if (path[0] == '/')
        clean[n++] = '/';
    while (*path) {
        size_t part = strcspn(path, "/");

        if (part == 2 && path[0] == '.' && path[1] == '.' && drop_part(clean, &n)) {
            ; /* it took a part with it */
        } else if (part > 0 && !(part == 1 && path[0] == '.')) {
            if (n > 0 && clean[n - 1] != '/')
                clean[n++] = '/';
            memcpy(clean + n, path, part);
            n += part;
        }
        path += part;
        path += strspn(path, "/");
    }
    clean[n] = '\0';
    return clean;
}

const char *rel_parent(struct ost_step *step, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? span_dup(step, (struct span){path, (size_t)(slash - path)}) : "";
}

const char *rel_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool rel_below(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    if (n == 0)
        return path[0] != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0;
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

const char *rel_from(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    if (n > 0)
        path += path[n] == '/' ? n + 1 : n;
    return *path ? path : ".";
}

/* ---- files ---- */

char *file_read(struct ost_step *step, const char *path, size_t limit, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hold us */
    struct stat st;
    char *data = NULL;
    size_t n = 0;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= limit) {
        data = step->host->alloc(step, (size_t)st.st_size + 1);
        while (n < (size_t)st.st_size) {
            ssize_t got = read(fd, data + n, (size_t)st.st_size - n);

            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                break;
            n += (size_t)got;
        }
        data[n] = '\0';
        *ret_size = n;
    }
    close(fd);
    return data;
}

bool file_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}
