#include "sandbox/talk.h"

#include "base/fd.h"
#include "base/path.h"
#include "sandbox/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens the folder PATH inside, and makes what is missing of it. */
static int make_inside(struct sandbox *s, const char *path, int *ret, struct err *err)
{
    CLEANUP(free_ptr) char *whole = path_normal(path);

    for (char *p = whole + 1;; p++) {
        CLEANUP(fd_closep) int fd = -1;
        char at = *p;

        if (at != '/' && at != '\0')
            continue;
        *p = '\0';
        int r = path_open_in(s->root, whole, O_RDONLY | O_DIRECTORY, 0, &fd, err);
        if (r == ERR_NOT_FOUND) {
            CLEANUP(fd_closep) int parent = -1;
            CLEANUP(free_ptr) char *up = path_join(whole, "..");
            CLEANUP(free_ptr) char *dir = path_normal(up);

            r = path_open_in(s->root, dir, O_RDONLY | O_DIRECTORY, 0, &parent, err);
            if (r == ERR_OK && mkdirat(parent, path_base(whole), 0755) < 0 && errno != EEXIST)
                r = err_sys(err, "cannot create '%s'", whole);
            if (r == ERR_OK)
                r = path_open_in(s->root, whole, O_RDONLY | O_DIRECTORY, 0, &fd, err);
        }
        if (r < 0)
            return r;
        *p = at;
        if (at == '\0') {
            *ret = fd;
            fd = -1;
            return ERR_OK;
        }
    }
}

/* HIDE, and the job's own folder if it lies in SOURCE. The caller frees the list, not what is in it. */
static const char **hide_list(const struct sandbox *s, const char *source, const char *const *hide)
{
    const char *own = path_below(s->job_path, source);
    size_t n = 0;

    while (hide && hide[n])
        n++;
    const char **list = mem_new((n + 2) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = hide[i];
    if (own && *own)
        list[n] = own;
    return list;
}

static int ask_for_tree(struct sandbox *s, const char *source, const char *path,
                        const char *const *hide, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};

    if (s->level == SANDBOX_HOST)
        return err_set(err, ERR_UNSUPPORTED, "that needs the level 'sandbox'");
    wire_add_str(&b, source);
    wire_add_str(&b, path);
    wire_add_list(&b, hide);
    return talk_ask(s, WIRE_TREE, &b, NULL, 0, NULL, &in, err);
}

/* Copies what is not in LEFT_OUT of SOURCE into the empty folder TO. */
static int copy(const char *source, int to, const char *const *left_out, struct err *err)
{
    int r = copy_tree(source, to, left_out, err);
    return r < 0 ? err_in(err, "cannot copy '%s'", source) : r;
}

/* The real path of SOURCE, and the folder PATH inside, which has to be empty. */
static int open_both(struct sandbox *s, const char *source, const char *path, char **ret_real,
                     int *ret_to, struct err *err)
{
    *ret_real = realpath(source, NULL);
    if (!*ret_real)
        return err_sys(err, "cannot show '%s'", source);
    int r = make_inside(s, path, ret_to, err);
    return r < 0 ? r : copy_check_empty(*ret_to, path, err);
}

int sandbox_copy_tree(struct sandbox *s, const char *source, const char *path,
                      const char *const *hide, struct err *err)
{
    CLEANUP(fd_closep) int to = -1;
    CLEANUP(free_ptr) char *real = NULL;
    int r = open_both(s, source, path, &real, &to, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) const char **left_out = hide_list(s, real, hide);
    return copy(real, to, left_out, err);
}

int sandbox_lay_tree(struct sandbox *s, const char *source, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int to = -1;
    CLEANUP(free_ptr) char *real = NULL;
    int r = open_both(s, source, path, &real, &to, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) const char **left_out = hide_list(s, real, NULL);
    return ask_for_tree(s, real, path, left_out, err);
}

int sandbox_show_tree(struct sandbox *s, const char *source, const char *path,
                      const char *const *hide, struct err *err)
{
    CLEANUP(fd_closep) int to = -1;
    CLEANUP(free_ptr) char *real = NULL;
    struct err why = ERR_INIT;
    int r = open_both(s, source, path, &real, &to, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) const char **left_out = hide_list(s, real, hide);
    if (ask_for_tree(s, real, path, left_out, &why) == ERR_OK)
        return ERR_OK;
    if (s->dead) {
        *err = why;
        return err->code;
    }
    talk_note(s, "no overlay on '%s' (%s): it is copied", source, why.text);
    return copy(real, to, left_out, err);
}

static int ask_for_bare(struct sandbox *s, const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};

    wire_add_str(&b, path);
    return talk_ask(s, WIRE_BARE, &b, NULL, 0, NULL, &in, err);
}

int sandbox_settle_tree(struct sandbox *s, const char *path, struct err *err)
{
    const char *rest = path_below(path, s->work);
    CLEANUP(free_ptr) char *beneath = path_join("work", rest ? rest : "");
    CLEANUP(fd_closep) int from = -1;
    CLEANUP(fd_closep) int to = -1;
    struct stat above, below;
    char shown[64];

    if (!rest)
        return err_set(err, ERR_INVALID, "'%s' is not in the work folder", path);
    int r = path_open_in(s->root, path, O_RDONLY | O_DIRECTORY, 0, &from, err);
    if (r == ERR_OK)
        r = path_open(s->job_dir, beneath, O_RDONLY | O_DIRECTORY, 0, &to, err);
    if (r < 0)
        return r;
    if (fstat(from, &above) < 0 || fstat(to, &below) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (above.st_dev == below.st_dev && above.st_ino == below.st_ino)
        return ERR_OK; /* nothing is laid there */
    if (copy_check_empty(to, path, err) < 0)
        return err->code;
    snprintf(shown, sizeof shown, "/proc/self/fd/%d", from); /* the job's "/" is not ours */
    r = copy_tree(shown, to, NULL, err);
    return r < 0 ? err_in(err, "cannot copy '%s'", path) : ask_for_bare(s, path, err);
}
