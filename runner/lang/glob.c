#include "lang/glob.h"

#include "lang/utf.h"

enum { MAX_LINES = 4096 }; /* roots are compared with each other */

struct segment {
    struct slice text; /* as written, or a plain name when literal */
    bool literal;
    bool any; /* ** */
};

struct glob_pattern {
    VEC(struct segment) segments; /* without the root */
    bool negate, folders_only;
    bool implicit;    /* stands for "everything below" another one */
    const char *root; /* the literal folders it begins with */
};

void glob_deinit(struct glob *g)
{
    VEC_EACH (p, &g->patterns)
        vec_deinit(&(*p)->segments);
    vec_deinit(&g->patterns);
    vec_deinit(&g->roots);
    arena_deinit(&g->arena);
}

/* ---- one segment ---- */

/* POSIX classes, for ASCII. */
static bool in_posix_class(struct slice name, uint32_t c)
{
    bool lower = c >= 'a' && c <= 'z', up = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
    bool graph = c > ' ' && c < 0x7F;
    const struct {
        struct slice name;
        bool has;
    } classes[] = {{SLICE("alnum"), lower || up || digit},
                   {SLICE("alpha"), lower || up},
                   {SLICE("ascii"), c < 0x80},
                   {SLICE("blank"), c == ' ' || c == '\t'},
                   {SLICE("cntrl"), c < ' ' || c == 0x7F},
                   {SLICE("digit"), digit},
                   {SLICE("graph"), graph},
                   {SLICE("lower"), lower},
                   {SLICE("print"), graph || c == ' '},
                   {SLICE("punct"), graph && !lower && !up && !digit},
                   {SLICE("space"), utf_is_space(c)},
                   {SLICE("upper"), up},
                   {SLICE("word"), lower || up || digit || c == '_'},
                   {SLICE("xdigit"), digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')}};

    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (slice_eq(name, classes[i].name))
            return classes[i].has;
    return false;
}

/* The name of a POSIX class at S[AT], "[:name:]"; ptr NULL: none. */
static struct slice posix_class(struct slice s, size_t at)
{
    struct slice rest = slice_from(s, at);

    if (slice_starts(rest, SLICE("[:"))) {
        ssize_t end = slice_find(rest, SLICE(":]"));
        if (end >= 2)
            return slice_make(rest.ptr + 2, (size_t)end - 2);
    }
    return slice_make(NULL, 0);
}

static uint32_t class_char(struct slice s, size_t *at)
{
    if (s.ptr[*at] == '\\' && *at + 1 < s.len)
        ++*at;
    return utf_next(s, at);
}

/* Whether the class that begins at S[*AT] has C; *AT moves behind it. False in *CLOSED: it is no class,
 * the bracket stands for itself. */
static bool class_has(struct slice s, size_t *at, uint32_t c, bool *closed)
{
    size_t i = *at + 1;
    bool negate = i < s.len && (s.ptr[i] == '!' || s.ptr[i] == '^'), found = false;

    i += negate;
    for (size_t first = i; i < s.len && (s.ptr[i] != ']' || i == first);) {
        struct slice name = posix_class(s, i);

        if (name.ptr) {
            found |= in_posix_class(name, c);
            i += name.len + 4;
            continue;
        }
        uint32_t from = class_char(s, &i), to = from;
        if (i + 1 < s.len && s.ptr[i] == '-' && s.ptr[i + 1] != ']') {
            i++;
            to = class_char(s, &i);
        }
        found |= c >= from && c <= to;
    }
    *closed = i < s.len;
    if (!*closed)
        return false;
    *at = i + 1;
    return found != negate;
}

/* One element of pattern S at *AT (no star) against C. */
static bool match_char(struct slice s, size_t *at, uint32_t c)
{
    bool closed = false;

    if (s.ptr[*at] == '?') {
        ++*at;
        return true;
    }
    if (s.ptr[*at] == '[') {
        size_t next = *at;
        bool has = class_has(s, &next, c, &closed);

        if (closed) {
            *at = next;
            return has;
        }
    } else if (s.ptr[*at] == '\\' && *at + 1 < s.len) {
        ++*at;
    }
    return utf_next(s, at) == c;
}

/* The last star is all there is to go back to, so the time is bounded by the product of the lengths. */
static bool match_segment(const struct segment *p, struct slice name)
{
    struct slice s = p->text;
    size_t at = 0, i = 0, star = SIZE_MAX, star_i = 0;

    if (p->literal)
        return slice_eq(s, name);
    while (i < name.len) {
        if (at < s.len && s.ptr[at] == '*') {
            star = ++at;
            star_i = i;
            continue;
        }
        size_t next = i;
        uint32_t c = utf_next(name, &next);
        if (at < s.len && match_char(s, &at, c)) {
            i = next;
            continue;
        }
        if (star == SIZE_MAX)
            return false;
        utf_next(name, &star_i);
        at = star;
        i = star_i;
    }
    while (at < s.len && s.ptr[at] == '*')
        at++;
    return at == s.len;
}

/* SEGMENT as a plain name in the arena; empty: it has wildcards. A class of one character is plain. */
static struct slice literal_of(struct arena *a, struct slice s)
{
    char *text = arena_alloc(a, s.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '\\' && i + 1 < s.len) {
            c = s.ptr[++i];
        } else if (c == '*' || c == '?') {
            return SLICE("");
        } else if (c == '[') {
            ssize_t end = slice_find_char(slice_from(s, i + 1), ']');
            struct slice set = slice_make(s.ptr + i + 1, end < 0 ? 0 : (size_t)end);

            if (set.len > 0) {
                bool escaped = set.len == 2 && set.ptr[0] == '\\';

                if (set.len > 1 && !escaped)
                    return SLICE("");
                c = set.ptr[set.len - 1];
                i += set.len + 1;
            }
        }
        text[len++] = c;
    }
    return slice_make(text, len);
}

/* ---- reading patterns ---- */

/* Appends the segments of TEXT; empty ones (double slashes) are none. */
static void add_segments(struct glob_pattern *p, struct slice text, bool literal)
{
    struct slice part;

    while (slice_split(&text, '/', &part)) {
        if (part.len == 0)
            continue;
        bool any = !literal && slice_eq(part, SLICE("**"));
        if (any && p->segments.len && p->segments.ptr[p->segments.len - 1].any)
            continue; /* one says it all */
        vec_push(&p->segments, (struct segment){part, literal, any});
    }
}

static bool begins(struct slice s, char c)
{
    return s.len > 0 && s.ptr[0] == c && (s.len == 1 || s.ptr[1] == '/');
}

static int check_dots(struct arena *a, struct slice pattern, struct err *err)
{
    struct slice rest = pattern, part;

    for (bool first = true; slice_split(&rest, '/', &part); first = false) {
        struct slice name = literal_of(a, part);

        if (slice_eq(name, SLICE("..")) || (!first && slice_eq(name, SLICE("."))))
            return err_set(err, ERR_INVALID,
                           "Invalid pattern '%.*s'. Relative pathing '.' and '..' is not allowed.",
                           SLICE_ARG(pattern));
    }
    return ERR_OK;
}

/* The folders before the first wildcard, joined. */
static const char *root_of(struct arena *a, const struct glob_pattern *p)
{
    const char *root = "";

    VEC_EACH (s, &p->segments) {
        struct slice name = s->literal ? s->text : literal_of(a, s->text);

        if (name.len == 0)
            break;
        root = arena_printf(a, "%s/%.*s", root, SLICE_ARG(name));
    }
    return *root ? root : "/";
}

static void add_implicit(struct glob *g, const struct glob_pattern *of)
{
    bool ends_any = of->segments.len && of->segments.ptr[of->segments.len - 1].any;

    if (ends_any && !of->folders_only)
        return;
    struct glob_pattern *p = ARENA_NEW(&g->arena, struct glob_pattern);
    p->negate = of->negate;
    p->implicit = true;
    VEC_EACH (s, &of->segments)
        vec_push(&p->segments, *s);
    if (!ends_any)
        vec_push(&p->segments, (struct segment){SLICE("**"), false, true});
    p->root = of->root;
    vec_push(&g->patterns, p);
}

static int add_line(struct glob *g, struct slice line, const char *folder, const char *home,
                    struct err *err)
{
    struct glob_pattern p = {0};
    struct slice s = line;

    for (; slice_starts(s, SLICE("!")); s = utf_trim(slice_from(s, 1)))
        p.negate = !p.negate;
    if (s.len == 0)
        return err_set(err, ERR_INVALID, "pattern cannot be empty");
    int r = check_dots(&g->arena, s, err);
    if (r < 0)
        return r;
    if (begins(s, '~') && !home)
        return err_set(err, ERR_INVALID, "there is no home folder for the pattern '%.*s'",
                       SLICE_ARG(line));

    struct glob_pattern *kept = ARENA_NEW(&g->arena, struct glob_pattern);
    *kept = p;
    vec_push(&g->patterns, kept); /* its segments are released with G from here on */
    if (begins(s, '~')) {
        add_segments(kept, slice_of(home), true);
        s = slice_from(s, 1);
    } else if (s.ptr[0] != '/') {
        add_segments(kept, slice_of(folder), true);
        s = slice_from(s, begins(s, '.'));
    }
    kept->folders_only = s.len > 1 && slice_ends(s, SLICE("/"));
    add_segments(kept, s, false);
    kept->root = root_of(&g->arena, kept);
    if (!g->alone)
        add_implicit(g, kept);
    return ERR_OK;
}

/* True if PATH lies in FOLDER, or is it. */
static bool lies_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (strcmp(folder, "/") == 0)
        return true;
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static void find_roots(struct glob *g)
{
    g->roots.len = 0;
    VEC_EACH (p, &g->patterns) {
        bool covered = (*p)->negate;

        VEC_EACH (other, &g->patterns) {
            bool same = strcmp((*other)->root, (*p)->root) == 0;

            if (!(*other)->negate && !same && lies_in((*p)->root, (*other)->root))
                covered = true;
        }
        VEC_EACH (root, &g->roots)
            covered |= strcmp(*root, (*p)->root) == 0;
        if (!covered)
            vec_push(&g->roots, (*p)->root);
    }
}

int glob_add(struct glob *g, struct slice text, const char *folder, const char *home,
             struct err *err)
{
    struct slice all = arena_dup(&g->arena, text), line;
    const char *own_folder = arena_str(&g->arena, slice_of(folder));
    const char *own_home = home ? arena_str(&g->arena, slice_of(home)) : NULL;

    while (slice_split(&all, '\n', &line)) {
        line = utf_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (g->patterns.len >= 2 * MAX_LINES)
            return err_set(err, ERR_LIMIT, "there are more than %d patterns", MAX_LINES);
        int r = add_line(g, line, own_folder, own_home, err);
        if (r < 0)
            return r;
    }
    find_roots(g);
    return ERR_OK;
}

/* ---- matching paths ---- */

/* The next name of PATH; false at its end. */
static bool next_name(struct slice *path, struct slice *ret)
{
    while (slice_split(path, '/', ret))
        if (ret->len)
            return true;
    return false;
}

static bool match_path(const struct glob_pattern *p, struct slice path)
{
    size_t n = p->segments.len, at = 0, any = SIZE_MAX;
    struct slice rest = path, any_rest = path, name;

    for (struct slice before = rest; next_name(&rest, &name); before = rest) {
        if (at < n && p->segments.ptr[at].any) {
            /* From here on, what does not fit goes to this **. */
            any = ++at;
            any_rest = before;
            rest = before;
            continue;
        }
        if (at < n && match_segment(&p->segments.ptr[at], name)) {
            at++;
            continue;
        }
        if (any == SIZE_MAX)
            return false;
        next_name(&any_rest, &name);
        at = any;
        rest = any_rest;
    }
    /* A final ** matches the folder before it too, unless it only stands for what is below. */
    if (at + 1 == n && p->segments.ptr[at].any && !p->implicit)
        at++;
    return at == n;
}

unsigned glob_match(const struct glob *g, struct slice path)
{
    unsigned kind = 0;

    VEC_EACH (item, &g->patterns) {
        const struct glob_pattern *p = *item;
        unsigned found = !match_path(p, path) ? 0
                         : p->folders_only    ? GLOB_FOLDER
                                              : GLOB_FOLDER | GLOB_FILE;

        kind = p->negate ? kind & ~found : kind | found;
    }
    return kind;
}

static bool may_hold(const struct glob_pattern *p, struct slice path)
{
    struct slice name;
    size_t at = 0;

    for (; next_name(&path, &name); at++) {
        if (at < p->segments.len && p->segments.ptr[at].any)
            return true;
        if (at == p->segments.len || !match_segment(&p->segments.ptr[at], name))
            return false;
    }
    return true;
}

bool glob_may_hold(const struct glob *g, struct slice path)
{
    VEC_EACH (p, &g->patterns)
        if (!(*p)->negate && may_hold(*p, path))
            return true;
    return false;
}
