#include "scan_allow.h"
#include "scan_secrets.h"
#include "scan_vulns.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/test_step.h"

TestSuite(scan_parts, .init = step_enter, .fini = step_leave);

/* ---- patches ---- */

static void on_line(void *ctx, const struct patch_line *line)
{
    sink_addf(ctx, "%.4s %s:%u %s\n", *line->commit ? line->commit : "-", line->file, line->number,
              span_dup(step, line->text));
}

/* Fed in pieces of CHUNK bytes. */
static const char *read_patch(const char *text, size_t chunk)
{
    struct sink k = {.step = step};
    struct patch p = {.step = step, .found = on_line, .ctx = &k};

    for (size_t size = strlen(text), n; size > 0; text += n, size -= n) {
        n = size < chunk ? size : chunk;
        patch_feed(&p, text, n);
    }
    patch_end(&p);
    return sink_text(&k);
}

Test(scan_parts, reads_the_added_lines_of_a_log)
{
    static const char text[] =
        "commit aaaa567890123456789012345678901234567890\n\n"
        "diff --git a/a.c b/a.c\nindex 1..2 100644\n--- a/a.c\n+++ b/a.c\n"
        "@@ -1,2 +1,3 @@ int f(void)\n-x\n-y\n+one\n+++ b/trap\n+commit trap\n@@ -9 +10 "
        "@@\n-q\n+ten\r\n"
        "commit bbbb567890123456789012345678901234567890\n\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x\n"
        "diff --git a/p.png b/p.png\nBinary files a/p.png and b/p.png differ\n"
        "diff --git a/new b/new\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+last\n"
        "\\ No newline at end of file";

    for (size_t chunk = 1; chunk < 100; chunk += 7)
        cr_expect_str_eq(read_patch(text, chunk),
                         "aaaa a.c:1 one\naaaa a.c:2 ++ b/trap\naaaa a.c:3 commit trap\n"
                         "aaaa a.c:10 ten\nbbbb new:1 last\n",
                         "in pieces of %zu: %s", chunk, read_patch(text, chunk));
}

static void count_line(void *ctx, const struct patch_line *line)
{
    size_t *n = ctx;

    n[0]++;
    n[1] += line->text.size;
    n[2] = line->number;
    cr_expect_leq(line->text.size, PATCH_LINE_MAX);
}

Test(scan_parts, hands_out_a_long_line_in_pieces_that_overlap)
{
    enum { LONG = 1 << 20 };
    size_t n[3] = {0};
    struct patch p = {.step = step, .found = count_line, .ctx = n};
    char *line = malloc(LONG);

    memset(line, 'a', LONG);
    patch_feed(&p, "+++ b/x\n@@ -0,0 +1,2 @@\n+", 26);
    patch_feed(&p, line, LONG);
    patch_feed(&p, "\n+end\n", 6);
    patch_end(&p);
    cr_expect_gt(n[0], 15);
    cr_expect_geq(n[1], LONG);
    cr_expect_leq(n[1], LONG + n[0] * PATCH_OVERLAP + 3);
    cr_expect_eq(n[2], 2);
    n[0] = 0;
    p = (struct patch){.step = step, .found = count_line, .ctx = n};
    patch_feed(&p, line, LONG);
    patch_end(&p);
    cr_expect_eq(n[0], 0, "what is in no hunk was not added");
    free(line);
}

/* ---- what is allowed ---- */

Test(scan_parts, matches_paths)
{
    static const struct {
        const char *pattern, *path;
        bool fits;
    } rows[] = {
        {"a.c", "a.c", true},
        {"a.c", "b/a.c", false},
        {"**/a.c", "b/c/a.c", true},
        {"**/a.c", "a.c", true},
        {"docs/", "docs/a/b", true},
        {"docs", "docs/a", true},
        {"docs/", "docs2/a", false},
        {"docs", "docs2", false},
        {"*.md", "a.md", true},
        {"*.md", "a/b.md", false},
        {"a/**", "a/b/c", true},
        {"a/**/z", "a/b/c/z", true},
        {"a/**/z", "a/z", true},
        {"./a", "a", true},
        {"a?c", "abc", true},
        {"a?c", "a/c", false},
        {"", "a", false},
        {"*", "a/b", true},
        {"**", "a/b", true},
        {"t/*/f", "t/x/f", true},
        {"t/*/f", "t/x/y/f", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_eq(allow_path(rows[i].pattern, rows[i].path), rows[i].fits, "%s %s",
                     rows[i].pattern, rows[i].path);
    cr_expect_not(allow_path("*a*a*a*a*a*a*a*a*a*a*a*a*b",
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

Test(scan_parts, allows_what_the_file_lists)
{
    static const struct rule jwt = {"jwt", "", SEVERITY_WARNING},
                             npm = {"npm-token", "", SEVERITY_ERROR};
    struct allow a = {0};

    cr_assert_eq(
        allow_read(step, "x",
                   SPAN("# made up\n\npath tests/fixtures/\nrule jwt docs/*.md\r\n"
                        "sha256 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e"
                        "7ae\n"),
                   &a),
        OST_OK, "%s", ost_test_failure(host));
    cr_expect(allow_has(step, &a, &npm, "tests/fixtures/a", SPAN("x")));
    cr_expect(allow_has(step, &a, &jwt, "docs/a.md", SPAN("x")));
    cr_expect_not(allow_has(step, &a, &npm, "docs/a.md", SPAN("x")));
    cr_expect_not(allow_has(step, &a, &jwt, "src/a.c", SPAN("x")));
    cr_expect(allow_has(step, &a, &npm, "src/a.c", SPAN("foo")), "its digest is listed");
}

Test(scan_parts, refuses_a_list_with_a_line_it_does_not_know)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"\npath\n", "line 2 of 'x' cannot be understood: it takes one word"},
        {"path a b\n", "it takes one word"},
        {"rule nonsense\n", "there is no rule of that name"},
        {"sha256 abc\n", "it is not 64 hex digits"},
        {"tests/**\n", "it takes one word behind it"},
        {"allow tests/**\n", "a line is 'path PATTERN'"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct allow a = {0};

        cr_expect_eq(allow_read(step, "x", span_of(rows[i].text), &a), OST_E_INVALID);
        cr_expect(strstr(ost_test_failure(host), rows[i].why), "%s: %s", rows[i].text,
                  ost_test_failure(host));
    }
}

Test(scan_parts, hears_comments_of_ours_and_of_others)
{
    static const struct {
        const char *line;
        bool allowed;
    } rows[] = {
        {"x # ostler:allow", true},
        {"x /* ostler:allow it is made up */", true},
        {"x // ostler:allow jwt", true},
        {"x // ostler:allow=npm-token, jwt", true},
        {"x // ostler:allow npm-token", false},
        {"x // ostler:allow-list", false},
        {"x # gitleaks:allow", true},
        {"x # pragma: allowlist secret", true},
        {"x # trufflehog:ignore", true},
        {"x", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_eq(allow_comment(span_of(rows[i].line), "jwt"), rows[i].allowed, "%s",
                     rows[i].line);
}

/* ---- findings ---- */

#define TOKEN                                                                                      \
    "ghp_"                                                                                         \
    "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz"

static const char *scan_text(const char *path, const char *text, struct secrets *s)
{
    static const struct allow none;
    struct sink k = {.step = step};

    *s = (struct secrets){.step = step, .allow = &none, .prefix = ""};
    secrets_text(s, path, span_of(text));
    for (size_t i = 0; i < s->findings.n; i++) {
        const struct finding *f = &s->findings.list[i];

        sink_addf(&k, "%s:%u:%u-%u %s: %s\n", f->file, f->line, f->col, f->end_col, f->rule,
                  f->message);
    }
    return sink_text(&k);
}

Test(scan_parts, shows_four_characters_of_a_secret_and_masks_all_of_it)
{
    struct secrets s;
    const char *got = scan_text("a/b.py", "x\nt = \"" TOKEN "\"\n", &s);

    cr_expect_str_eq(got, "a/b.py:2:6-46 github-token: a GitHub token: ghp_... (40 characters)\n",
                     "%s", got);
    cr_expect_str_eq(ost_test_masked(host, 0), TOKEN);
    got = scan_text("b.yml",
                    "password: Zq8"
                    "wK2pL\n",
                    &s);
    cr_expect_str_eq(got, "b.yml:1:11-19 generic-secret: what looks like a secret (8 characters)\n",
                     "%s", got);
}

Test(scan_parts, finds_keys_where_they_begin)
{
    struct secrets s;
    const char *got = scan_text("id",
                                "a\n-----BEGIN PRIVATE "
                                "KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n",
                                &s);

    cr_expect_str_eq(got, "id:2:0-0 private-key: a private key begins here\n", "%s", got);
    got = scan_text("id",
                    "in \"-----BEGIN PRIVATE "
                    "KEY-----\" there is\nno key\n",
                    &s);
    cr_expect_str_empty(got, "%s", got);
    got = scan_text("id",
                    "-----BEGIN PRIVATE "
                    "KEY----- ostler:allow\nMIIEvQIBADANBgkqhkiG9w0B\n",
                    &s);
    cr_expect_str_empty(got, "%s", got);
    cr_expect_eq(s.n_allowed, 1);
}

Test(scan_parts, lets_pass_what_a_comment_allows)
{
    struct secrets s;
    const char *got = scan_text(
        "a", TOKEN " # ostler:allow\n# pragma: allowlist nextline secret\n" TOKEN "\n" TOKEN "\n",
        &s);

    cr_expect_eq(s.n_allowed, 2);
    cr_expect(strncmp(got, "a:4:1-", 6) == 0, "%s", got);
}

Test(scan_parts, tells_what_only_the_past_had)
{
    struct secrets s;
    struct patch_line line = {.commit = "0123456789abcdef0123", .file = "b", .number = 3};

    (void)scan_text("a", TOKEN "\n", &s);
    s.past = true;
    line.text = SPAN(TOKEN);
    secrets_line(&s, &line);
    cr_expect_eq(s.findings.n, 1, "it is known already");
    line.text = SPAN("npm_"
                     "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz");
    secrets_line(&s, &line);
    cr_assert_eq(s.findings.n, 2);
    cr_expect_str_eq(s.findings.list[1].message,
                     "an npm token: npm_... (40 characters), in line 3 as of commit 0123456789ab");
    cr_expect_eq(s.findings.list[1].line, 0);
}

Test(scan_parts, knows_a_key_again)
{
    static const char key[] = "-----BEGIN PRIVATE "
                              "KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n";
    struct secrets s;

    (void)scan_text("a", key, &s);
    s.past = true;
    secrets_text(&s, "b", span_of(key));
    cr_expect_eq(s.findings.n, 1);
}

/* ---- vulnerabilities ---- */

static struct output load(const char *name)
{
    struct output o = {0};
    const char *path = ost_fmt(step, "%s/fixtures/%s", PLUGIN_DIR, name);

    o.data = file_read(step, path, 1 << 20, &o.size);
    cr_assert_not_null(o.data, "no '%s'", path);
    return o;
}

static const char *show(const struct vulns *v)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < v->findings.n; i++)
        sink_addf(&k, "%d %s [%s:%u] %s %s\n", v->findings.list[i].severity,
                  v->findings.list[i].rule, v->findings.list[i].file, v->findings.list[i].line,
                  v->findings.list[i].message, v->findings.list[i].help);
    return sink_text(&k);
}

Test(scan_parts, reads_what_trivy_reports)
{
    struct vulns_ask ask = {.target = "web", .from = WEIGHT_MEDIUM};
    struct vulns v = {0};
    struct output o = load("trivy.json");

    cr_assert(vulns_read_trivy(step, &o, &ask, &v));
    cr_expect_str_eq(
        show(&v),
        "2 CVE-2021-23337 [web/package-lock.json:6] CVE-2021-23337 (high) in lodash 4.17.20: "
        "nodejs-lodash: command injection via template; fixed in 4.17.21 "
        "https://avd.aquasec.com/nvd/cve-2021-23337\n"
        "1 CVE-2020-28500 [web/package-lock.json:0] CVE-2020-28500 (medium) in lodash "
        "4.17.20: nodejs-lodash: ReDoS via the toNumber, trim and trimEnd functions; not "
        "fixed yet https://avd.aquasec.com/nvd/cve-2020-28500\n",
        "%s", show(&v));
    cr_expect_eq(v.n_light, 1);
}

Test(scan_parts, reads_what_grype_reports)
{
    struct vulns_ask ask = {.target = ".", .from = WEIGHT_UNKNOWN};
    struct vulns v = {0};
    struct output o = load("grype.json");

    cr_assert(vulns_read_grype(step, &o, &ask, &v));
    cr_expect_str_eq(
        show(&v),
        "2 GHSA-35jh-r3h4-6jhm [package-lock.json:0] GHSA-35jh-r3h4-6jhm (high) in lodash "
        "4.17.20: Command Injection in lodash; fixed in 4.17.21 "
        "https://github.com/advisories/GHSA-35jh-r3h4-6jhm\n"
        "0 CVE-2005-2541 [:0] CVE-2005-2541 (low) in tar 1.34+dfsg-1.2: Tar 1.15.1 does not "
        "properly warn the user when extracting setuid or setgid files.; not fixed yet "
        "https://security-tracker.debian.org/tracker/CVE-2005-2541\n",
        "%s", show(&v));
}

Test(scan_parts, believes_no_report_that_is_none)
{
    static const char *const rows[] = {"",
                                       "{}",
                                       "[]",
                                       "null",
                                       "{\"SchemaVersion\":1}",
                                       "{\"matches\":1}",
                                       "FATAL no db",
                                       "{\"SchemaVersion\":2"};
    struct vulns_ask ask = {.target = "."};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int which = 0; which < 2; which++) {
            struct vulns v = {0};
            struct output o = {.size = strlen(rows[i])};

            o.data = step->host->alloc(step, o.size + 1);
            memcpy(o.data, rows[i], o.size + 1);
            cr_expect_not((which ? vulns_read_grype : vulns_read_trivy)(step, &o, &ask, &v), "%s",
                          rows[i]);
        }
}
