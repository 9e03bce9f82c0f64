#include "found.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int compare_pythons(const void *a, const void *b)
{
    const struct python *x = a, *y = b;
    int c = semver_compare(&x->version, &y->version);

    return c ? c : x->freethreaded - y->freethreaded;
}

static void add(struct pythons *to, const struct python *python)
{
    for (size_t i = 0; i < to->n; i++)
        if (compare_pythons(&to->list[i], python) == 0)
            return;
    if (to->n < PYTHONS_MAX)
        to->list[to->n++] = *python;
}

void pythons_in_cache(struct ost_step *step, const char *tools, const char *arch, bool freethreaded,
                      struct pythons *to)
{
    const char *folder = rel_join(step, tools, "Python");
    DIR *d = opendir(folder);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        struct python python = {.freethreaded = freethreaded};

        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        python.text = span_dup(step, span_of(e->d_name));
        python.dir = ost_fmt(step, "%s/%s/%s%s", folder, e->d_name, arch,
                             freethreaded ? "-freethreaded" : "");
        if (semver_parse(span_of(python.text), &python.version) && file_is_folder(python.dir) &&
            file_exists(ost_fmt(step, "%s.complete", python.dir)))
            add(to, &python);
    }
    if (d)
        closedir(d);
}

/* Every name that a Python goes by, in the order of PATH. What does not answer the question is none, or no
 * CPython 3: a shim of pyenv for a version that is not there, for one. */
static const char ask_all[] =
    "IFS=:\n"
    "for d in $PATH; do\n"
    "  case $d in /*) ;; *) continue ;; esac\n"
    "  for p in \"$d\"/python3 \"$d\"/python3.[0-9] \"$d\"/python3.[0-9][0-9] "
    "\"$d\"/python3.[0-9]t \"$d\"/python3.[0-9][0-9]t \"$d\"/python; do\n"
    "    if [ -f \"$p\" ] && [ -x \"$p\" ]; then\n"
    "      \"$p\" -I -S -c \"$1\" \"$p\" </dev/null 2>/dev/null\n"
    "    fi\n"
    "  done\n"
    "done\n"
    "exit 0\n";

static const char ask_one[] =
    "import sys\n"
    "v = sys.version_info\n"
    "pre = {'alpha': '-alpha.', 'beta': '-beta.', 'candidate': '-rc.'}.get(v[3], '')\n"
    "free = 't' if 't' in getattr(sys, 'abiflags', '') else '-'\n"
    "if sys.implementation.name == 'cpython':\n"
    "    print('%d.%d.%d%s %s %s' % (v[:3] + (pre + str(v[4]) if pre else '', free, "
    "sys.argv[1])))\n";

ost_status pythons_on_path(struct ost_step *step, struct pythons *to)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("sh", "-c", ask_all, "sh", ask_one));
    struct span rest = span_of(r < 0 ? "" : res.out), line, version, free;

    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot look for Python on PATH: %s",
                        step->host->last_error(step));
    while (span_line(&rest, &line)) {
        struct python python = {0};

        if (!span_eat_until(&line, ' ', &version) || !span_eat_until(&line, ' ', &free))
            continue;
        python.text = span_dup(step, version);
        python.program = span_dup(step, line);
        python.freethreaded = span_is(free, "t");
        if (semver_parse(span_of(python.text), &python.version))
            add(to, &python);
    }
    return r;
}

const struct python *pythons_choose(const struct pythons *pythons, const struct wanted *w)
{
    const struct python *best = NULL;

    for (size_t i = 0; i < pythons->n; i++) {
        const struct python *p = &pythons->list[i];
        bool valid;

        if (p->freethreaded == w->freethreaded &&
            semver_in(span_of(w->range), &p->version, &valid) &&
            (!best || semver_compare(&p->version, &best->version) > 0))
            best = p;
    }
    return best;
}

const char *pythons_list(struct ost_step *step, const struct pythons *pythons)
{
    struct pythons *sorted = step->host->alloc(step, sizeof *sorted);
    struct sink k = {.step = step};

    *sorted = *pythons;
    if (sorted->n > 1)
        qsort(sorted->list, sorted->n, sizeof *sorted->list, compare_pythons);
    for (size_t i = 0; i < sorted->n; i++)
        sink_addf(&k, "%s%s%s", i ? ", " : "", sorted->list[i].text,
                  sorted->list[i].freethreaded ? "t" : "");
    return sink_text(&k);
}
