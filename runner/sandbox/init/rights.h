/* rights - the capabilities that a job of root's has: those of Docker's default, without CAP_NET_RAW: in the host's
 * network it would read along. A job of an ordinary user has none. */
#pragma once

#include <linux/capability.h>

static const int job_rights[] = {CAP_CHOWN,      CAP_DAC_OVERRIDE,     CAP_FOWNER,     CAP_FSETID,
                                 CAP_KILL,       CAP_SETGID,           CAP_SETUID,     CAP_SETPCAP,
                                 CAP_SETFCAP,    CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_MKNOD,
                                 CAP_AUDIT_WRITE};
