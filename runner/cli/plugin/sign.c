/* ostler plugin sign: makes a plugin's object a signed release (plugin/release.h). */
#include "cli/plugin/cmds.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/exit.h"
#include "io/digest_ed25519.h"
#include "plugin/install.h"
#include "plugin/release.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A key that others can read is one that others can sign with. */
static int read_key(const char *path, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    int r = path_open_named(path, &fd, err);

    if (r < 0)
        return err_in(err, "--key");
    if (fstat(fd, &st) < 0)
        return err_sys(err, "--key: cannot look at '%s'", path);
    if (S_ISREG(st.st_mode) && st.st_mode & 077)
        fprintf(stderr, "ostler plugin: warning: other users can read '%s': chmod 600 '%s'\n", path,
                path);
    r = fd_read_all(fd, to, err);
    return r < 0 ? err_in(err, "--key '%s'", path) : r;
}

static int sign(const struct plugin_options *o, struct err *err)
{
    CLEANUP(buf_deinit) struct buf pem = BUF_INIT(ED25519_FILE_MAX);
    CLEANUP(fd_closep) int object = -1;
    struct plugin *p = NULL;
    struct loop *loop = NULL;
    int r = read_key(o->key, &pem, err);

    if (r == ERR_OK)
        r = loop_new(&loop, err);
    if (r == ERR_OK)
        r = install_look(o->target, NULL, loop, &p, &object, err);
    if (r == ERR_OK)
        r = release_complete(p, o->serves, err);
    if (r == ERR_OK)
        r = release_sign(o->target, p, buf_slice(&pem), err);
    explicit_bzero(pem.ptr, pem.len);
    if (r == ERR_OK)
        fprintf(stderr, "signed %s %s: %s.json, %s.json.sig\n", p->id, p->version, o->target,
                o->target);
    plugin_free(p);
    loop_free(loop);
    return r;
}

int plugin_cmd_sign(struct arena *a, struct plugin_options *o)
{
    struct err err = ERR_INIT;

    (void)a;
    if (!o->key)
        (void)err_set(&err, ERR_INVALID,
                      "'sign' wants a key: --key KEY.pem ('openssl genpkey -algorithm ed25519 -out "
                      "KEY.pem' makes one)");
    return err.code < 0 || sign(o, &err) < 0 ? plugin_fail(&err) : EXIT_OK;
}
