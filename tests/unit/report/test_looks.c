/* What runs look like: tests/data/report/NAME.events is a stream (one event a line, log text as "text";
 * {"snapshot": N} looks at the terminal), NAME.plain and NAME.screen what must be seen of it. Run with
 * OSTLER_UPDATE=1 to write them anew, and read the difference before committing it. */
#include "report/report.h"

#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"
#include "screen.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#define DATA OSTLER_SOURCE_DIR "/tests/data/report"

enum { TEXT_MAX = 4 << 20 };

TestSuite(looks, .init = scratch_enter, .fini = scratch_leave);

static void read_data(const char *name, const char *ending, struct buf *to)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct err err = ERR_INIT;

    cr_assert(asprintf(&path, DATA "/%s%s", name, ending) > 0);
    cr_assert_eq(path_read(AT_FDCWD, path, to, &err), ERR_OK, "%s", err.text);
}

static void must_look_like(const char *name, const char *ending, const struct buf *got)
{
    CLEANUP(buf_deinit) struct buf want = BUF_INIT(TEXT_MAX);
    CLEANUP(free_ptr) char *path = NULL;
    struct err err = ERR_INIT;

    if (getenv("OSTLER_UPDATE")) {
        cr_assert(asprintf(&path, DATA "/%s%s", name, ending) > 0);
        cr_assert_eq(path_write(AT_FDCWD, path, buf_slice(got), 0644, &err), ERR_OK, "%s",
                     err.text);
        return;
    }
    read_data(name, ending, &want);
    cr_expect_str_eq(got->ptr, want.ptr, "%s%s: wanted\n%s\nbut it looks like\n%s", name, ending,
                     want.ptr, got->ptr);
}

/* What was written to FD since the last call. */
static void take_written(int fd, struct buf *to)
{
    struct err err = ERR_INIT;

    cr_assert_geq(lseek(fd, 0, SEEK_SET), 0);
    cr_assert_eq(fd_read_all(fd, to, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(ftruncate(fd, 0), 0);
    cr_assert_geq(lseek(fd, 0, SEEK_SET), 0);
}

static int open_sink(void)
{
    int fd = openat(scratch_dir, "sink", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    return fd;
}

static void feed(struct report *r, json_t *event)
{
    struct slice text = slice_make(json_string_value(json_object_get(event, "text")),
                                   json_string_length(json_object_get(event, "text")));
    struct err err = ERR_INIT;
    bool log = strcmp(json_string_value(json_object_get(event, "event")), "log") == 0;

    if (log)
        json_object_set_new(event, "size", json_integer((json_int_t)text.len));
    cr_assert_eq(report_event(r, event, log ? text : SLICE(""), &err), ERR_OK, "%s", err.text);
}

/* The spinner turns: it is made still. */
static void add_still(struct buf *to, struct slice text)
{
    while (text.len) {
        if (slice_starts(text, SLICE("\xE2\xA0"))) { /* U+2800: Braille */
            buf_add_char(to, '*');
            text = slice_from(text, 3);
        } else {
            buf_add_char(to, text.ptr[0]);
            text = slice_from(text, 1);
        }
    }
}

static int looks; /* of this story */

static void snapshot(struct screen *s, struct report *r, int fd, const char *title, struct buf *to)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(TEXT_MAX);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);

    /* Each look comes a frame later than the one before, and no second passes. */
    if (r)
        (void)report_tick(r, clock_ms() + 60 * ++looks);
    take_written(fd, &bytes);
    screen_feed(s, buf_slice(&bytes));
    cr_assert_not(s->cursor_hidden, "the cursor is hidden after '%s'", title);
    cr_assert_not(s->no_wrap, "wrapping is off after '%s'", title);
    screen_text(s, &text);
    buf_printf(to, "======== %s\n", title);
    add_still(to, buf_slice(&text));
}

static void show(const char *name, bool verbose, const char *ending)
{
    CLEANUP(buf_deinit) struct buf events = BUF_INIT(TEXT_MAX);
    CLEANUP(buf_deinit) struct buf seen = BUF_INIT(TEXT_MAX);
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(TEXT_MAX);
    bool terminal = strcmp(ending, ".plain") != 0;
    int fd = open_sink();
    struct report_screen to = {.fd = fd,
                               .tty = true,
                               .color = terminal,
                               .utf8 = terminal,
                               .verbose = verbose,
                               .width = 72,
                               .height = 16,
                               .hint = "/state/runs/12"};
    struct report *r = terminal ? report_terminal_new(&to) : report_plain_new(&to);
    struct screen screen;
    struct slice rest, line;
    struct err err = ERR_INIT;

    looks = 0;
    screen_init(&screen, 72, 16);
    read_data(name, ".events", &events);
    rest = buf_slice(&events);
    while (slice_line(&rest, &line)) {
        json_error_t why;
        json_t *event = json_loadb(line.ptr, line.len, 0, &why);
        const json_t *title = json_object_get(event, "snapshot");

        cr_assert_not_null(event, "%s: %.*s", why.text, SLICE_ARG(line));
        if (title && terminal)
            snapshot(&screen, r, fd, json_string_value(title), &seen);
        else if (!title)
            feed(r, event);
        json_decref(event);
    }
    cr_assert_eq(report_close(r, &err), ERR_OK, "%s", err.text);
    if (terminal)
        snapshot(&screen, NULL, fd, "at the end", &seen);
    else
        take_written(fd, &plain);
    must_look_like(name, ending, terminal ? &seen : &plain);
    screen_deinit(&screen);
    close(fd);
}

Test(looks, every_story_looks_as_it_did)
{
    DIR *dir = opendir(DATA);
    const struct dirent *e;
    int n = 0;

    cr_assert_not_null(dir);
    while ((e = readdir(dir))) {
        struct slice file = slice_of(e->d_name);
        CLEANUP(free_ptr) char *name = NULL;

        if (!slice_ends(file, SLICE(".events")))
            continue;
        name = mem_dup(file.ptr, file.len - 7);
        show(name, false, ".plain");
        show(name, false, ".screen");
        show(name, true, ".verbose");
        n++;
    }
    closedir(dir);
    cr_assert_gt(n, 2);
}
