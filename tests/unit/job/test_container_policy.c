#include "job/container/container_policy.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena = ARENA_INIT;

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(container_policy, .init = scratch_enter, .fini = leave);

static bool is_own(void *ctx, const char *path)
{
    (void)ctx;
    return strncmp(path, "/own/", 5) == 0;
}

/* What is said of a container that asks for VOLUME (NULL: none) and OPTIONS under POLICIES; "" : nothing. *RET_VOLUME: what
 * is mounted then. */
static const char *judged(const char *policies, const char *volume, const char *options,
                          const char **ret_volume)
{
    static const struct container_policy_own own = {is_own, NULL};
    const char **volumes = arena_array(&arena, 2, sizeof *volumes);
    struct container_def d = {.image = "i", .options = options, .volumes = volumes};
    json_t *list = policies ? json_loads(policies, 0, NULL) : NULL;
    struct err err = ERR_INIT;

    cr_assert(!policies || list, "%s", policies);
    volumes[0] = volume;
    int r = container_policy_check(&arena, list, &own, &d, &err);
    json_decref(list);
    if (ret_volume)
        *ret_volume = volumes[0];
    return arena_printf(&arena, "%s", r == ERR_OK ? "" : err.text);
}

#define BY_DEFAULT "[]"

Test(container_policy, without_one_all_is_allowed)
{
    cr_expect_str_eq(judged(NULL, "/:/host", "--privileged", NULL), "");
    cr_expect(container_policy_shows_socket(NULL));
}

Test(container_policy, by_default_nothing_of_the_machine_is)
{
    static const struct {
        const char *volume, *options, *wanted;
    } rows[] = {
        {NULL, "--health-cmd true --cpus 2 -e A=b", ""},
        {"/cache", "", ""},
        {"/own/app:/src", "", ""},
        {"/own/../etc:/src", "",
         "`container`: volume '/own/../etc' is not allowed here: the runner's configuration may, "
         "with 'listen: {containers: {volumes: [...]}}'"},
        {"/etc:/etc:ro", "", "`container`: volume '/etc' is not allowed"},
        {"data:/x", "", "`container`: volume 'data' is not allowed"},
        {"./etc:/x", "", "`container`: './etc' is neither the name of a volume nor a whole path"},
        {"~/x:/x", "", "`container`: '~/x' is neither"},
        {":/x", "", "`container`: '' is neither"},
        {"/var/run/docker.sock:/s", "", "`container`: volume '/var/run/docker.sock' is not"},
        {NULL, "--privileged",
         "`container`: option '--privileged' is not allowed here: the runner's configuration may, "
         "with 'listen: {containers: {options: [...]}}'"},
        {NULL, "-v /:/host", "`container`: volume '/' is not allowed here"},
        {NULL, "-v /own/app:/x", "`container`: volume '/own/app' is not allowed here"},
        {NULL, "-v /cache", ""},
        {NULL, "-v :/x", "`container`: '' is neither"},
        {NULL, "--mount type=bind,src=/,dst=/x", "`container`: volume '/' is not allowed here"},
        {NULL, "--mount type=tmpfs,dst=/x", ""},
        {NULL, "--mount src=x,volume-opt=device=/",
         "`container`: option '--mount' with 'volume-opt=device=/' of a mount is not allowed here"},
        {NULL, "alpine", "`container`: 'alpine' is no option"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *said = judged(BY_DEFAULT, rows[i].volume, rows[i].options, NULL);

        cr_expect_eq(strncmp(said, rows[i].wanted, strlen(rows[i].wanted)), 0, "%s %s: %s",
                     rows[i].volume ? rows[i].volume : "", rows[i].options, said);
        cr_expect_eq(!*said, !*rows[i].wanted, "%s %s: %s", rows[i].volume ? rows[i].volume : "",
                     rows[i].options, said);
    }
    json_t *none = json_array();
    cr_expect_not(container_policy_shows_socket(none));
    cr_expect_str_eq(container_policy_added(&arena, none), "");
    cr_expect_null(container_policy_network(none));
    json_decref(none);
}

Test(container_policy, names_what_may_be_had)
{
    static const char policy[] =
        "[{\"file\": \"f\", \"volumes\": [\"data-*\", \"/nowhere/*.json\", "
        "\"/nowhere/all/**\"], \"options\": [\"--gpus=all\", \"--device\"]}]";
    static const struct {
        const char *volume, *options;
        bool allowed;
    } rows[] = {
        {"data-1:/x", "", true},
        {"data:/x", "", false},
        {"/nowhere/a.json:/x", "", true},
        {"/nowhere/b/a.json:/x", "", false},
        {"/nowhere/all/b/c:/x:ro", "", true},
        {"/nowhere/all/../c:/x", "", false},
        {"/nowhere/all/./b//c/:/x", "", true},
        {"/data-1:/x", "", false},
        {NULL, "--gpus all", true},
        {NULL, "--gpus=all", true},
        {NULL, "--gpus 1", false},
        {NULL, "--device /dev/kvm --device=/dev/fuse", true},
        {NULL, "-v /nowhere/all/b:/x", true},
        {NULL, "-v /nowhere/all/b/:/x", false}, /* it goes to the engine as it is */
        {NULL, "--mount type=bind,src=/nowhere/all/b,dst=/x", true},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *said = judged(policy, rows[i].volume, rows[i].options, NULL);

        cr_expect_eq(!*said, rows[i].allowed, "%s %s: %s", rows[i].volume ? rows[i].volume : "",
                     rows[i].options, said);
    }
    cr_expect_str_eq(judged(policy, "/etc:/x", "", NULL),
                     "`container`: volume '/etc' is not allowed here: 'f' does not have it in "
                     "'volumes'");
}

Test(container_policy, each_that_speaks_has_to_allow)
{
    static const char both[] = "[{\"file\": \"a\", \"options\": [\"--privileged\"]}, "
                               "{\"file\": \"b\", \"options\": []}]";
    static const char silent[] = "[{\"file\": \"a\", \"options\": [\"--privileged\"]}, "
                                 "{\"file\": \"b\", \"volumes\": [\"**\"]}]";

    cr_expect_str_eq(judged(both, NULL, "--privileged", NULL),
                     "`container`: option '--privileged' is not allowed here: 'b' does not have it "
                     "in 'options'");
    cr_expect_str_eq(judged(silent, "/etc:/x", "--privileged", NULL), "");
    cr_expect_str_eq(judged("[{\"options\": [\"*\"]}]", NULL, "--privileged --pid host", NULL), "");
}

/* A job that may write below an allowed folder may put a link there for the next one. */
Test(container_policy, goes_where_links_lead)
{
    const char *policy = arena_printf(&arena, "[{\"volumes\": [\"%s/open/**\"]}]", scratch_path);
    const char *mounted, *real = realpath(scratch_path, NULL);

    cr_assert_eq(mkdirat(scratch_dir, "open", 0700), 0);
    cr_assert_eq(mkdirat(scratch_dir, "open/a", 0700), 0);
    cr_assert_eq(symlinkat("/", scratch_dir, "open/root"), 0);
    cr_assert_eq(symlinkat("a", scratch_dir, "open/b"), 0);
    cr_assert_eq(symlinkat("/nowhere/at/all", scratch_dir, "open/gone"), 0);
    cr_assert_eq(symlinkat("open", scratch_dir, "other"), 0);

#define AT(path) arena_printf(&arena, "%s" path ":/x", scratch_path)
    cr_expect_str_neq(judged(policy, AT("/open/root"), "", NULL), "");
    cr_expect_str_neq(judged(policy, AT("/open/root/etc"), "", NULL), "");
    cr_expect_str_neq(judged(policy, AT("/open/root/nowhere"), "", NULL), "");
    cr_expect_str_neq(judged(policy, AT("/open/gone"), "", NULL), "");
    cr_expect_str_neq(judged(policy, AT("/open"), "", NULL), "");
    cr_expect_str_eq(judged(policy, AT("/open/b/new"), "", &mounted), "");
    cr_expect_str_eq(mounted, arena_printf(&arena, "%s/open/a/new:/x", real));
    cr_expect_str_neq(judged(policy, NULL, arena_printf(&arena, "-v %s", AT("/open/b")), NULL), "");

    /* The operator's own are followed. */
    policy = arena_printf(&arena, "[{\"volumes\": [\"%s/other/*\"]}]", scratch_path);
    cr_expect_str_eq(judged(policy, AT("/open/a"), "", NULL), "");
    cr_expect_str_eq(judged(policy, AT("/other/a"), "", NULL), "");
    free((void *)(size_t)real);
}

Test(container_policy, what_all_get_adds_up)
{
    json_t *list = json_loads(
        "[{\"add\": \"--init\", \"network\": \"ci\", \"socket\": true}, {\"file\": \"b\"}, "
        "{\"add\": \"--cpus 1\", \"socket\": true}]",
        0, NULL);

    cr_expect_str_eq(container_policy_added(&arena, list), "--init --cpus 1");
    cr_expect_str_eq(container_policy_network(list), "ci");
    cr_expect(container_policy_shows_socket(list));
    json_array_append_new(list, json_pack("{s:b}", "socket", 0));
    cr_expect_not(container_policy_shows_socket(list));
    json_decref(list);
    cr_expect_str_eq(judged("[{\"socket\": true}]", "/var/run/docker.sock:/s", "", NULL), "");
}

Test(container_policy, a_wrong_member_is_told_with_its_cure)
{
    static const struct {
        const char *key, *value;
        bool right;
    } rows[] = {
        {"volumes", "[]", true},
        {"volumes", "[\"**\", \"data\", \"/a/*\"]", true},
        {"volumes", "[\"a/b\"]", false},
        {"volumes", "\"/a\"", false},
        {"volumes", "[\"\"]", false},
        {"options", "[\"--gpus\", \"--gpus=all\"]", true},
        {"options", "[\"*\"]", true},
        {"options", "[\"-v\"]", false},
        {"options", "[\"--\"]", false},
        {"options", "[1]", false},
        {"socket", "true", true},
        {"socket", "\"yes\"", false},
        {"add", "\"--init --add-host=a:b\"", true},
        {"add", "\"alpine\"", false},
        {"add", "[]", false},
        {"network", "\"host\"", true},
        {"network", "\"--privileged\"", false},
        {"network", "\"container:x\"", false},
        {"network", "\"\"", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *value = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);
        struct err err = ERR_INIT;

        cr_expect_eq(container_policy_member(rows[i].key, value, &err) == ERR_OK, rows[i].right,
                     "%s: %s: %s", rows[i].key, rows[i].value, err.text);
        json_decref(value);
    }
}
