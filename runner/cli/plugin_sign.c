#include "cli/plugin_sign.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "cli/exit.h"
#include "io/digest_ed25519.h"
#include "plugin/install.h"
#include "plugin/release.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: ostler plugin sign FILE --key KEY.pem [--serves COMMIT]...\n"
    "\n"
    "Writes FILE.json, the record that the plugin will have where it is installed, and\n"
    "FILE.json.sig, its Ed25519 signature. Ship both beside FILE: 'ostler plugin install'\n"
    "keeps them, and a policy can ask for them.\n"
    "\n"
    "  --key FILE        the private key: 'openssl genpkey -algorithm ed25519 -out KEY.pem'\n"
    "  --serves COMMIT   the plugin also serves this commit of the action it replaces\n";

struct signing {
    const char *file, *key;
    VEC(const char *) serves; /* NULL-terminated once read */
    bool help;
};

static void signing_deinit(struct signing *s)
{
    vec_deinit(&s->serves);
}

static int fail(const struct err *err)
{
    fprintf(stderr, "ostler plugin: %s\n", err->text);
    return EXIT_USAGE;
}

static int read_options(int argc, char **argv, struct signing *ret, struct err *err)
{
    static const struct option known[] = {{"key", required_argument, NULL, 'k'},
                                          {"serves", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int c;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", known, NULL)) >= 0) {
        if (c == ':')
            return err_set(err, ERR_INVALID, "option '%s' needs a value", argv[optind - 1]);
        if (c == '?')
            return err_set(err, ERR_INVALID, "'sign' does not know the option '%s'",
                           argv[optind - 1]);
        if (c == 'k')
            ret->key = optarg;
        else if (c == 's')
            vec_push(&ret->serves, optarg);
        else
            ret->help = true;
    }
    if (ret->help)
        return ERR_OK;
    if (optind + 1 != argc)
        return err_set(err, ERR_INVALID, "'sign' wants one shared object");
    ret->file = argv[optind];
    if (!ret->key)
        return err_set(
            err, ERR_INVALID,
            "'sign' wants a key: --key KEY.pem ('openssl genpkey -algorithm ed25519 -out "
            "KEY.pem' makes one)");
    vec_push(&ret->serves, NULL);
    return ERR_OK;
}

/* A key that others can read is one that others can sign with. */
static int read_key(const char *path, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    int r = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

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

static int sign(const struct signing *s, struct err *err)
{
    CLEANUP(buf_deinit) struct buf pem = BUF_INIT(ED25519_FILE_MAX);
    CLEANUP(fd_closep) int object = -1;
    struct plugin *p = NULL;
    struct loop *loop = NULL;
    int r = read_key(s->key, &pem, err);

    if (r == ERR_OK)
        r = loop_new(&loop, err);
    if (r == ERR_OK)
        r = install_look(s->file, NULL, loop, &p, &object, err);
    if (r == ERR_OK)
        r = release_complete(p, s->serves.ptr, err);
    if (r == ERR_OK)
        r = release_sign(s->file, p, buf_slice(&pem), err);
    explicit_bzero(pem.ptr, pem.len);
    if (r == ERR_OK)
        fprintf(stderr, "signed %s %s: %s.json, %s.json.sig\n", p->id, p->version, s->file,
                s->file);
    plugin_free(p);
    loop_free(loop);
    return r;
}

int plugin_sign(int argc, char **argv)
{
    CLEANUP(signing_deinit) struct signing s = {0};
    struct err err = ERR_INIT;

    if (read_options(argc, argv, &s, &err) < 0)
        return fail(&err);
    if (s.help) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    return sign(&s, &err) < 0 ? fail(&err) : EXIT_OK;
}
