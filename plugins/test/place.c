#include "place.h"

#include <string.h>
#include <sys/stat.h>

enum {
    LOOKS_MAX = 100, /* names looked up for one test */
    PATH_SHOWN_MAX = 1024,
    FOLDERS_DROPPED_MAX = 8,
};

static bool is_file(const struct places *p, const char *path)
{
    struct stat st;

    return *path && stat(rel_join(p->step, p->workspace, path), &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_foreign(const char *path)
{
    static const char *const parts[] = {
        "node_modules/", "site-packages/", "dist-packages/", ".venv/",   "venv/", ".tox/",
        ".nox/",         "vendor/",        ".cargo/",        ".rustup/", "_deps/"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *at = strstr(path, parts[i]);

        if (at && (at == path || at[-1] == '/'))
            return true;
    }
    return false;
}

/* The clean PATH below the root or the workspace; NULL: it is in neither. */
static const char *resolve_below(const struct places *p, const char *path)
{
    const char *rooted = rel_clean(p->step, rel_join(p->step, p->root, path));

    if (rel_below("", rooted) && is_file(p, rooted))
        return rooted;
    return rel_below("", path) && is_file(p, path) ? path : NULL;
}

/* Compilers are told of files as seen from some other folder, and containers see the workspace elsewhere: what is left
 * of a path without its first folders may be one here. Of an absolute one two parts have to be, lest the
 * libraries' files are taken for ours. */
static const char *resolve_end(const struct places *p, const char *path)
{
    bool absolute = *path == '/';
    const char *found = NULL;

    path += absolute;
    for (unsigned i = 0; i < FOLDERS_DROPPED_MAX && !found; i++) {
        const char *slash = strchr(path, '/');

        if (!slash || (absolute && !strchr(slash + 1, '/')))
            break;
        path = slash + 1;
        found = resolve_below(p, path);
    }
    return found;
}

const char *place_resolve(const struct places *p, const char *path)
{
    const char *clean, *found;

    if (strncmp(path, "file://", 7) == 0)
        path += 7;
    if (!*path || strlen(path) > PATH_SHOWN_MAX || is_foreign(path))
        return NULL;
    clean = rel_clean(p->step, path);
    if (*clean == '/' && rel_below(p->workspace, clean))
        clean = rel_from(p->workspace, clean);
    found = *clean == '/' ? NULL : resolve_below(p, clean);
    return found ? found : resolve_end(p, clean);
}

/* ---- names of classes and packages as files ---- */

static const char *with_slashes(struct ost_step *step, const char *dotted, size_t size)
{
    char *path = step->host->alloc(step, size + 1);

    for (size_t i = 0; i < size; i++)
        path[i] = dotted[i] == '.' ? '/' : dotted[i];
    path[size] = '\0';
    return path;
}

/* "app.tests.Sums" is in app/tests.py, "com.acme.SumTest" in src/test/java/com/acme/SumTest.java. */
static const char *file_of_class(const struct places *p, const char *class)
{
    const char *end = class + strcspn(class, "$ ["); /* an inner class, a parameter */

    for (size_t size = (size_t)(end - class); size > 0 && size < PATH_SHOWN_MAX;) {
        const char *path = with_slashes(p->step, class, size);
        const char *dot = memrchr(class, '.', size);
        const char *candidates[] = {ost_fmt(p->step, "%s.py", path),
                                    ost_fmt(p->step, "src/test/java/%s.java", path),
                                    ost_fmt(p->step, "src/test/kotlin/%s.kt", path)};

        for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
            const char *found = place_resolve(p, candidates[i]);

            if (found)
                return found;
        }
        size = dot ? (size_t)(dot - class) : 0;
    }
    return NULL;
}

/* The folder of a Go package: what its name has behind that of the module. */
static const char *folder_of_package(const struct places *p, const char *package)
{
    size_t n = strlen(p->module);

    if (n == 0 || strncmp(package, p->module, n) != 0 || (package[n] && package[n] != '/'))
        return NULL;
    return package[n] ? package + n + 1 : ".";
}

/* ---- the trace ---- */

struct search {
    const struct places *p;
    const struct result *test;
    const char *own;    /* the test's own file; NULL: not known */
    const char *folder; /* where bare names of files belong, seen from the root; NULL: nowhere */
    unsigned looks;
    const char *last_token, *last_found; /* traces name the same file again and again */

    const char *file, *own_file; /* the frame chosen so far; NULL: none */
    uint32_t line, own_line;
};

static const char *look_up(struct search *s, const char *path)
{
    if (s->last_token && strcmp(s->last_token, path) == 0)
        return s->last_found;
    if (s->looks++ >= LOOKS_MAX)
        return NULL;
    s->last_token = path;
    s->last_found = place_resolve(s->p, path);
    if (!s->last_found && s->folder)
        s->last_found = place_resolve(s->p, rel_join(s->p->step, s->folder, path));
    /* Java names the file without its folder, which is that of the test's class at best. */
    if (!s->last_found && s->own && strcmp(rel_name(s->own), path) == 0)
        s->last_found = s->own;
    return s->last_found;
}

/* Python tells the innermost frame last, others first. */
static void take_frame(struct search *s, struct span path, uint32_t line)
{
    const char *found;
    bool last_counts = span_ends(path, ".py");

    if (path.size == 0 || path.size > PATH_SHOWN_MAX || line == 0)
        return;
    found = look_up(s, span_dup(s->p->step, path));
    if (!found)
        return;
    if (!s->file || last_counts) {
        s->file = found;
        s->line = line;
    }
    if (s->own && strcmp(found, s->own) == 0 && (!s->own_file || last_counts)) {
        s->own_file = found;
        s->own_line = line;
    }
}

static bool is_path_byte(char c)
{
    return c && !strchr(" \t\"'`()[]{}<>=,;|", c);
}

/* The path that ends before AT in LINE: "(/w/a.js" is "/w/a.js". */
static struct span path_before(struct span line, size_t at)
{
    size_t start = at;

    while (start > 0 && is_path_byte(line.at[start - 1]))
        start--;
    return (struct span){line.at + start, at - start};
}

/* path:12, path:12:3 */
static void scan_colons(struct search *s, struct span line)
{
    for (size_t i = 1; i + 1 < line.size; i++) {
        struct span rest = {line.at + i + 1, line.size - i - 1}, path;
        uint32_t number;

        if (line.at[i] != ':' || !span_eat_number(&rest, &number))
            continue;
        path = path_before(line, i);
        if (memrchr(path.at, '.', path.size))
            take_frame(s, path, number);
        i = (size_t)(rest.at - line.at) - 1;
    }
}

/* 'File "path", line 12' of Python, 'at path line 12' of Perl */
static bool scan_words(struct search *s, struct span line)
{
    struct span path, rest = span_trim(line);
    size_t at;
    uint32_t number;

    if (span_eat(&rest, "File \"") && span_eat_until(&rest, '"', &path) &&
        span_eat(&rest, ", line ") && span_eat_number(&rest, &number)) {
        take_frame(s, path, number);
        return true;
    }
    rest = span_trim(line);
    if (span_eat(&rest, "#"))
        rest = span_trim(rest);
    if (span_eat(&rest, "at ") && (at = span_find(rest, " line ")) != SIZE_MAX) {
        path = (struct span){rest.at, at};
        rest = (struct span){rest.at + at + 6, rest.size - at - 6};
        if (span_eat_number(&rest, &number)) {
            take_frame(s, path, number);
            return true;
        }
    }
    return false;
}

void place_find(const struct places *p, struct result *r)
{
    struct search s = {.p = p, .test = r, .folder = folder_of_package(p, r->suite)};
    struct span rest = span_of(r->detail), line;

    s.own = place_resolve(p, r->file);
    if (!s.own)
        s.own = file_of_class(p, *r->suite ? r->suite : r->name);
    while (span_line(&rest, &line) && s.looks < LOOKS_MAX)
        if (!scan_words(&s, line))
            scan_colons(&s, line);
    if (s.own_file) {
        r->file = s.own_file;
        r->line = s.own_line;
    } else if (s.own && r->line) {
        r->file = s.own;
    } else if (s.file) {
        r->file = s.file;
        r->line = s.line;
    } else {
        r->file = s.own ? s.own : "";
        r->line = s.own ? r->line : 0;
    }
}
