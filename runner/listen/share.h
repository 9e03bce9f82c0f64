/* share - which registration may take how many jobs now: free slots, dealt out fairly.
 *
 * Never more are dealt out than there are, so nobody takes a job that then waits for a slot. Where there are fewer free
 * slots than registrations, those come first that have waited longest; the others follow when it is their turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct share {
    int most;     /* it could take; 0: nothing */
    int64_t turn; /* who has the lowest comes first */
    int given;    /* filled in */
};

/* Deals FREE slots out to the N in LIST, one at a time and in turn. True: somebody who could take one got none, though
 * there was one to be had. */
bool share_deal(struct share *list, size_t n, int free);
