#include "sandbox/owner.h"

#include "base/fd.h"
#include "base/path.h"
#include "io/kin.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_SIZE = 13 }; /* of a machine and a boot, with the final NUL */

struct owner {
    char machine[ID_SIZE], boot[ID_SIZE];
    uint64_t namespace, start;
    long pid;
};

/* The first hexadecimal digits of the file PATH, "0" if there is none. */
static void read_id(const char *path, char ret[ID_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    struct err ignored = ERR_INIT;
    size_t n = 0;

    if (path_read(AT_FDCWD, path, &text, &ignored) == ERR_OK)
        for (const char *c = text.ptr; *c && n < ID_SIZE - 1; c++)
            if (strchr("0123456789abcdef", *c))
                ret[n++] = *c;
    if (!n)
        ret[n++] = '0';
    ret[n] = '\0';
}

/* When process PID began; 0: there is none. */
static uint64_t start_of(long pid)
{
    CLEANUP(fd_closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct kin_list list = {0};
    struct err ignored = ERR_INIT;
    uint64_t start = 0;

    if (proc < 0 || kin_scan(proc, &list, &ignored) < 0)
        return 0;
    VEC_EACH (k, &list)
        if (k->pid == pid && k->state != 'Z')
            start = k->start;
    vec_deinit(&list);
    return start;
}

static int read_us(struct owner *ret, struct err *err)
{
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) < 0)
        return err_sys(err, "cannot look at '/proc/self/ns/pid'");
    read_id("/etc/machine-id", ret->machine);
    read_id("/proc/sys/kernel/random/boot_id", ret->boot);
    ret->namespace = st.st_ino;
    ret->pid = getpid();
    ret->start = start_of(ret->pid);
    return ERR_OK;
}

int owner_label(char **ret, struct err *err)
{
    struct owner us = {0};
    struct buf text = BUF_INIT(256);
    int r = read_us(&us, err);

    if (r < 0)
        return r;
    buf_printf(&text, OWNER_LABEL "=%s-%s-%" PRIu64 "-%ld-%" PRIu64, us.machine, us.boot,
               us.namespace, us.pid, us.start);
    *ret = buf_take(&text);
    return ERR_OK;
}

bool owner_is_dead(const char *value)
{
    struct owner us = {0}, it = {0};
    struct err ignored = ERR_INIT;

    if (sscanf(value, "%12[0-9a-f]-%12[0-9a-f]-%" SCNu64 "-%ld-%" SCNu64, it.machine, it.boot,
               &it.namespace, &it.pid, &it.start) != 5 ||
        read_us(&us, &ignored) < 0 || strcmp(it.machine, us.machine) != 0)
        return false;
    if (strcmp(it.boot, us.boot) != 0) /* no id: it may be another machine's */
        return strcmp(it.machine, "0") != 0;
    return it.namespace == us.namespace && start_of(it.pid) != it.start;
}
