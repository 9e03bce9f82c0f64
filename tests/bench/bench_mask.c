/* bench_mask - how fast a step's output goes through the log path: decoding, lines, commands, masking
 * and events, all into /dev/null. Prints MB/s; the figures to keep in sight are in the table of rows.
 *
 *   bench_mask [MEGABYTES]      default 1000 */
#include "base/clock.h"
#include "base/mask.h"
#include "base/num.h"
#include "job/log/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { MB = 1000000, TEXT_SIZE = 50 * MB, READ_SIZE = 64 << 10, SECRETS_MAX = 500 };

static uint64_t state = 88172645463325252u;

static unsigned rnd(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

static char secrets[SECRETS_MAX][48];

/* Tokens of 16 to 40 characters, as services hand them out. */
static void make_secrets(void)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < SECRETS_MAX; i++) {
        size_t len = 16 + rnd(25);

        for (size_t k = 0; k < len; k++)
            secrets[i][k] = digits[rnd(64)];
    }
}

/* Lines of about 118 bytes, a secret in one of 2,000. */
static char *make_text(const char *word)
{
    static const char *const words[] = {"compiling",
                                        "src/module/file.c",
                                        "warning",
                                        "INFO",
                                        "request",
                                        "GET /api/v1/items?page=2",
                                        "took 12 ms",
                                        "[worker-3]",
                                        "done",
                                        "cache miss for key",
                                        "node_modules/.bin/tsc",
                                        "=>",
                                        "0x7ffe1234",
                                        "user=anna",
                                        "retry 3 of 5",
                                        "{\"level\":\"info\",\"id\":42}"};
    struct buf text = BUF_INIT(TEXT_SIZE + 1000);
    unsigned n = 0;

    while (text.len < TEXT_SIZE) {
        size_t end = text.len + 60 + rnd(100);

        buf_printf(&text, "2026-01-%02u %02u:%02u:%02u.%03u ", 1 + rnd(28), rnd(24), rnd(60),
                   rnd(60), rnd(1000));
        while (text.len < end)
            buf_printf(&text, "%s%s ", words[rnd(COUNT_OF(words))], word);
        if (++n % 2000 == 0)
            buf_add_str(&text, secrets[rnd(50)]);
        buf_add_char(&text, '\n');
    }
    text.len = TEXT_SIZE;
    return buf_take(&text);
}

struct row {
    const char *what;
    size_t n_secrets, least_size; /* secrets are cut to this length; 0: whole */
    const char *word;             /* in each line */
    bool one_line;
};

static double run(const struct row *row, size_t total)
{
    struct mask *m = mask_new();
    struct event_writer w;
    struct err err = ERR_INIT;
    char *text = make_text(row->word);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    for (size_t i = 0; i < TEXT_SIZE && row->one_line; i++)
        if (text[i] == '\n')
            text[i] = ' ';
    for (size_t i = 0; i < row->n_secrets; i++) {
        struct slice s = slice_of(secrets[i]);

        (void)mask_add(m, i == 0 && row->least_size ? slice_head(s, row->least_size) : s);
    }
    event_writer_init(&w, null, "build");
    struct log_spec spec = {.events = &w, .step = 1, .mask = m};
    struct log *log = log_new(&spec);
    int64_t begin = clock_ns();
    for (size_t done = 0; done < total; done += READ_SIZE) {
        size_t at = done % (TEXT_SIZE - READ_SIZE);

        if (log_feed(log, LOG_STDOUT, slice_make(text + at, READ_SIZE), &err) < 0)
            fprintf(stderr, "%s\n", err.text);
    }
    if (log_end(log, LOG_STDOUT, &err) < 0)
        fprintf(stderr, "%s\n", err.text);
    double seconds = (double)(clock_ns() - begin) / 1e9;
    log_free(log);
    event_writer_deinit(&w);
    mask_free(m);
    free(text);
    close(null);
    return seconds;
}

int main(int argc, char **argv)
{
    static const struct row rows[] = {
        {"no secrets", 0, 0, "", false},
        {"50 secrets (wanted: 500 MB/s)", 50, 0, "", false},
        {"500 secrets", 500, 0, "", false},
        {"50 secrets, one of 8 characters", 50, 8, "", false},
        {"50 secrets, one of 4 characters", 50, 4, "", false},
        {"50 secrets, one of 3 characters", 50, 3, "", false},
        {"50 secrets, '::' in each line", 50, 0, "::", false},
        {"50 secrets, not ASCII", 50, 0, " \xe2\x9c\x93", false},
    };
    static const struct row line = {"a line of 100 MB, 50 secrets", 50, 0, "", true};
    struct err err = ERR_INIT;
    int64_t total = 1000;

    if (argc > 1 && num_parse_i64(slice_of(argv[1]), 1, 1000000, &total, &err) < 0) {
        fprintf(stderr, "bench_mask: %s\n", err.text);
        return 2;
    }
    make_secrets();
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        printf("%-40s %6.0f MB/s\n", rows[i].what,
               (double)total / run(&rows[i], (size_t)total * MB));
    printf("%-40s %6.0f ms (wanted: 100)\n", line.what, run(&line, (size_t)100 * MB) * 1000);
    return 0;
}
