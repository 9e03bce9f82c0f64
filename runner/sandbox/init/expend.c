#include "sandbox/init/expend.h"

#include "base/fd.h"
#include "base/num.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "PIPELINE_JOB_OOMSCOREADJ"

enum { SCORE = 500, SCORE_MIN = -1000, SCORE_MAX = 1000 };

static int file = -1; /* kept: once nobody may look into us it cannot be opened any more */
static int64_t lowest, usual, now;

static int set(int64_t score, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(32);

    if (score == now)
        return ERR_OK;
    buf_printf(&text, "%lld", (long long)score);
    if (fd_write_all(file, buf_slice(&text), err) < 0)
        return err->code;
    now = score;
    return ERR_OK;
}

int expend_begin(struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(32);

    file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (file < 0 || fd_read_all(file, &text, err) < 0)
        return err_sys(err, "cannot read '/proc/self/oom_score_adj'");
    if (num_parse_i64(slice_trim(buf_slice(&text)), SCORE_MIN, SCORE_MAX, &lowest, err) < 0)
        return err->code;
    now = lowest;
    usual = lowest > SCORE ? lowest : SCORE;
    return set(usual, err);
}

void expend_next(const char *const *env)
{
    struct err ignored = ERR_INIT; /* then it has the one that it has */
    int64_t wanted = usual;

    for (; env && *env; env++)
        if (strncmp(*env, VARIABLE "=", sizeof VARIABLE) == 0)
            (void)!num_parse_i64(slice_of(*env + sizeof VARIABLE), lowest, SCORE_MAX, &wanted,
                                 &ignored);
    (void)!set(wanted, &ignored);
}
