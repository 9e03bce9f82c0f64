#include "lang/action_ref.h"

#include <criterion/criterion.h>

struct row {
    const char *text, *repository, *path, *ref;
};

Test(action_ref, takes_apart_what_a_step_uses)
{
    static const struct row rows[] = {
        {"actions/checkout@v4", "actions/checkout", "", "v4"},
        {"Acme/Tools/a/b@feature/x", "Acme/Tools", "a/b", "feature/x"},
        {"acme/.github/.github/workflows/x.yml@main", "acme/.github", ".github/workflows/x.yml",
         "main"},
        {"a/b/./c//d/@refs/tags/v1", "a/b", "c/d", "refs/tags/v1"},
        {"a/b@1.2.3-rc.1+x", "a/b", "", "1.2.3-rc.1+x"},
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct action_ref ref;

        cr_assert_eq(action_ref_parse(&a, slice_of(rows[i].text), &ref, &err), ERR_OK, "%s: %s",
                     rows[i].text, err.text);
        cr_assert_str_eq(ref.repository, rows[i].repository);
        cr_assert_str_eq(ref.path, rows[i].path, "%s: %s", rows[i].text, ref.path);
        cr_assert_str_eq(ref.ref, rows[i].ref);
        cr_assert_eq(strncmp(ref.repository, ref.owner, strlen(ref.owner)), 0);
        cr_assert_str_eq(ref.repository + strlen(ref.owner) + 1, ref.repo);
    }
    arena_deinit(&a);
}

Test(action_ref, refuses_what_no_repository_is_called)
{
    static const struct row rows[] = {
        {.text = "checkout@v4", .ref = "no repository"},
        {.text = "/x@v1", .ref = "no owner"},
        {.text = "../x@v1", .ref = "no owner"},
        {.text = "a/..@v1", .ref = "no repository"},
        {.text = "a/.@v1", .ref = "no repository"},
        {.text = "a b/c@v1", .ref = "no owner"},
        {.text = "a/b%2f@v1", .ref = "no repository"},
        {.text = "a/b/../../c@v1", .ref = "leads out"},
        {.text = "a/b/..@v1", .ref = "leads out"},
        {.text = "a/b", .ref = "no version"},
        {.text = "a/b@", .ref = "no version"},
        {.text = "a/b@-x", .ref = "is no version"},
        {.text = "a/b@--upload-pack=x", .ref = "is no version"},
        {.text = "a/b@v1..v2", .ref = "is no version"},
        {.text = "a/b@../x", .ref = "is no version"},
        {.text = "a/b@/x", .ref = "is no version"},
        {.text = "a/b@x/", .ref = "is no version"},
        {.text = "a/b@x/.y", .ref = "is no version"},
        {.text = "a/b@x.lock", .ref = "is no version"},
        {.text = "a/b@x^{}", .ref = "is no version"},
        {.text = "a/b@*", .ref = "is no version"},
        {.text = "a/b@x y", .ref = "is no version"},
        {.text = "a/b@x@{1}", .ref = "is no version"},
        {.text = "a/b@x\n", .ref = "is no version"},
        {.text = "", .ref = "no owner"},
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct action_ref ref;

        cr_assert_eq(action_ref_parse(&a, slice_of(rows[i].text), &ref, &err), ERR_INVALID, "%s",
                     rows[i].text);
        cr_assert(strstr(err.text, rows[i].ref), "%s: %s", rows[i].text, err.text);
    }
    arena_deinit(&a);
}

Test(action_ref, may_begin_with_a_server_where_forges_say_so)
{
    static const struct {
        const char *text, *source, *repository, *path;
    } rows[] = {
        {"https://git.example.com/acme/x@v1", "https://git.example.com", "acme/x", ""},
        {"http://[::1]:3000/acme/x/sub/dir@v1", "http://[::1]:3000", "acme/x", "sub/dir"},
        {"acme/x@v1", NULL, "acme/x", ""},
    };
    static const char *const wrong[] = {
        "https://al:pw@git.example.com/acme/x@v1",
        "https:///acme/x@v1",
        "https://-u/acme/x@v1",
        "https://git.example.com",
        "https://git.example.com/acme@v1",
        "https://git.example.com?/acme/x@v1",
        "ssh://git.example.com/acme/x@v1",
        "file:///acme/x@v1",
        "HTTPS://git.example.com/../x@v1",
    };
    struct arena a = ARENA_INIT;
    struct action_ref ref;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;

        cr_assert_eq(action_ref_parse_from(&a, slice_of(rows[i].text), &ref, &err), ERR_OK, "%s",
                     err.text);
        cr_expect_str_eq(ref.source ? ref.source : "", rows[i].source ? rows[i].source : "");
        cr_expect_str_eq(ref.repository, rows[i].repository);
        cr_expect_str_eq(ref.path, rows[i].path);
        cr_expect_str_eq(ref.ref, "v1");
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct err err = ERR_INIT;

        cr_expect_eq(action_ref_parse_from(&a, slice_of(wrong[i]), &ref, &err), ERR_INVALID, "%s",
                     wrong[i]);
    }
    struct err err = ERR_INIT;
    cr_expect_eq(action_ref_parse(&a, slice_of(rows[0].text), &ref, &err), ERR_INVALID,
                 "GitHub has no such addresses");
    arena_deinit(&a);
}

Test(action_ref, knows_a_commit_and_what_is_not_remote)
{
    cr_assert(action_ref_is_commit(SLICE("0123456789abcdef0123456789ABCDEF01234567")));
    cr_assert_not(action_ref_is_commit(SLICE("0123456789abcdef0123456789ABCDEF0123456")));
    cr_assert_not(action_ref_is_commit(SLICE("0123456789abcdef0123456789ABCDEF0123456g")));
    cr_assert_eq(uses_kind(SLICE("a/b@v1")), USES_REMOTE);
    cr_assert_eq(uses_kind(SLICE("../b@v1")), USES_REMOTE);
    cr_assert_eq(uses_kind(SLICE(".")), USES_REMOTE);
    cr_assert_eq(uses_kind(SLICE("./b")), USES_LOCAL);
    cr_assert_eq(uses_kind(SLICE(".\\b")), USES_LOCAL);
    cr_assert_eq(uses_kind(SLICE("$/b")), USES_SELF);
    cr_assert_eq(uses_kind(SLICE("docker://a/b@v1")), USES_IMAGE);
}
