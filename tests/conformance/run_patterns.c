/* Rows of file globs and of filter patterns. */
#include "conformance.h"

#include "lang/glob.h"
#include "lang/pattern.h"

#include <openssl/evp.h>

/* ---- act-facts/hash-files.json ---- */

enum { DIGEST_SIZE = 32 };

/* The fixture's paths in the order of a walk: depth first, names of a folder in byte order. */
static int walk_order(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;

    while (*x && *x == *y) {
        x++;
        y++;
    }
    /* The end of a name comes before any byte that goes on with it. */
    return (*x == '/' ? 0
            : *x      ? (unsigned char)*x
                      : -1) -
           (*y == '/' ? 0
            : *y      ? (unsigned char)*y
                      : -1);
}

struct hashing {
    const struct glob *glob;
    const json_t *fixture;
    const char *folder; /* where the fixture would lie */
    EVP_MD_CTX *all;
    size_t n;
};

static void hash_one(struct hashing *h, const char *path)
{
    const json_t *content = json_object_get(h->fixture, path);
    unsigned char digest[DIGEST_SIZE];

    EVP_Digest(json_string_value(content), json_string_length(content), digest, NULL, EVP_sha256(),
               NULL);
    EVP_DigestUpdate(h->all, digest, sizeof digest);
    h->n++;
}

static bool lies_below(struct slice path, struct slice root)
{
    return slice_starts(path, root) && (path.len == root.len || path.ptr[root.len] == '/');
}

static struct slice hash_files(struct arena *a, struct hashing *h)
{
    size_t n = 0;
    const char **paths = arena_array(a, json_object_size(h->fixture) + 1, sizeof *paths);
    unsigned char digest[DIGEST_SIZE];
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)h->fixture, key, value) {
        paths[n++] = key;
    }
    qsort(paths, n, sizeof *paths, walk_order);
    for (size_t r = 0; r < h->glob->roots.len; r++) {
        for (size_t i = 0; i < n; i++) {
            struct slice path = slice_of(arena_printf(a, "%s/%s", h->folder, paths[i]));

            if (lies_below(path, slice_of(h->glob->roots.ptr[r])) &&
                (glob_match(h->glob, path) & GLOB_FILE))
                hash_one(h, paths[i]);
        }
    }
    if (h->n == 0)
        return SLICE("");
    EVP_DigestFinal_ex(h->all, digest, NULL);
    char *hex = arena_alloc(a, 2 * DIGEST_SIZE + 1);
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return slice_make(hex, 2 * DIGEST_SIZE);
}

static void hash_row(struct file_run *run, const json_t *fixture, const json_t *row)
{
    CLEANUP(glob_deinit) struct glob g = GLOB_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    const json_t *patterns = json_object_get(row, "patterns");
    struct hashing h = {
        .glob = &g, .fixture = fixture, .folder = "/srv/a [1]/space", .all = EVP_MD_CTX_new()};
    struct err err = ERR_INIT;

    EVP_DigestInit_ex(h.all, EVP_sha256(), NULL);
    for (size_t i = 0; i < json_array_size(patterns); i++)
        buf_printf(&text, "%s\n", json_string_value(json_array_get(patterns, i)));
    if (glob_add(&g, buf_slice(&text), h.folder, "/home/me", &err) < 0)
        row_fail(run, id_of(row), "%s", err.text);
    else
        row_text(run, id_of(row), text_of(row, "expect"), hash_files(run_arena(run), &h));
    EVP_MD_CTX_free(h.all);
}

void run_hash_files(struct file_run *run)
{
    const json_t *file = run_json(run), *rows = json_object_get(file, "cases");

    for (size_t i = 0; i < json_array_size(rows); i++)
        hash_row(run, json_object_get(file, "fixture"), json_array_get(rows, i));
}

/* ---- patterns/ ---- */

static bool each_matches(struct file_run *run, const json_t *row, const char *list, bool wanted)
{
    const json_t *names = json_object_get(row, list);

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        if (pattern_match(text_of(row, "pattern"), slice_of(name)) != wanted) {
            row_fail(run, id_of(row), "'%s' should %smatch", name, wanted ? "" : "not ");
            return false;
        }
    }
    return true;
}

static void matching_row(struct file_run *run, const json_t *row)
{
    if (each_matches(run, row, "match", true) && each_matches(run, row, "no_match", false))
        row_pass(run, id_of(row));
}

void run_glob_matching(struct file_run *run)
{
    run_cases(run, matching_row);
}

static struct slice *texts(struct arena *a, const json_t *list)
{
    struct slice *s = arena_array(a, json_array_size(list), sizeof *s);

    for (size_t i = 0; i < json_array_size(list); i++)
        s[i] = slice_make(json_string_value(json_array_get(list, i)),
                          json_string_length(json_array_get(list, i)));
    return s;
}

static void filter_row(struct file_run *run, const json_t *row)
{
    const json_t *patterns = json_object_get(row, "patterns"),
                 *names = json_object_get(row, "inputs");
    size_t n = json_array_size(patterns), n_names = json_array_size(names);
    struct slice *p = texts(run_arena(run), patterns), *s = texts(run_arena(run), names);
    bool include = !pattern_includes_any(p, n, s, n_names);
    bool ignore = pattern_ignores_all(p, n, s, n_names);

    if (include != json_is_true(json_object_get(row, "skipped_as_include_list")))
        row_fail(run, id_of(row), "as an include list it is %sskipped", include ? "" : "not ");
    else if (ignore != json_is_true(json_object_get(row, "skipped_as_ignore_list")))
        row_fail(run, id_of(row), "as an ignore list it is %sskipped", ignore ? "" : "not ");
    else
        row_pass(run, id_of(row));
}

void run_act_filters(struct file_run *run)
{
    run_cases(run, filter_row);
}
