#include "job/container/elf.h"

#include "base/fd.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

TestSuite(elf, .init = scratch_enter, .fini = scratch_leave);

static int look(const char *path, char ret[ELF_INTERPRETER_SIZE])
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err err = ERR_INIT;

    cr_assert_geq(fd, 0, "%s", path);
    return elf_interpreter(fd, ret, &err);
}

Test(elf, a_program_names_its_interpreter)
{
    char name[ELF_INTERPRETER_SIZE];

    cr_assert_eq(look("/proc/self/exe", name), ERR_OK);
    cr_expect_eq(access(name, F_OK), 0, "'%s'", name);
}

/* The first bytes of a real one, then cut at every length; and other files. */
Test(elf, nothing_else_does)
{
    char name[ELF_INTERPRETER_SIZE], bytes[2000];
    CLEANUP(fd_closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    scratch_file("text", "#!/bin/sh\n");
    cr_expect_eq(look("text", name), ERR_INVALID);
    cr_assert_eq(read(fd, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    for (size_t n = 0; n < 300; n++) {
        CLEANUP(fd_closep) int cut = open("cut", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        struct err err = ERR_INIT;

        cr_assert_eq(write(cut, bytes, n), (ssize_t)n);
        cr_expect_lt(elf_interpreter(cut, name, &err), 0, "%zu", n);
        cr_expect_str_eq(name, "");
    }
}
