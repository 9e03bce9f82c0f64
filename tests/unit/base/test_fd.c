#include "base/fd.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

Test(fd, a_file_in_memory_is_read_from_its_beginning_and_not_inherited)
{
    CLEANUP(fd_closep) int fd = -1;
    struct err err = ERR_INIT;
    char text[16] = "";

    cr_assert_eq(fd_memory(SLICE("some\0thing"), &fd, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(read(fd, text, sizeof text), 10);
    cr_assert_arr_eq(text, "some\0thing", 10);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}
