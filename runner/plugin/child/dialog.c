#include "plugin/child/dialog.h"

#include "plugin/child/child.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER; /* frames leave whole */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all that follows */
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static bool reading; /* somebody is */
static struct dialog_waiter *waiters;
static uint32_t last_id;

/* ---- bytes ---- */

void dialog_hang_up(void)
{
    _exit(70);
}

static void send_all(struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(CHILD_SOCKET, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            dialog_hang_up();
        if (n > 0)
            bytes = slice_from(bytes, (size_t)n);
    }
}

static void receive_all(char *to, size_t size)
{
    while (size) {
        ssize_t n = recv(CHILD_SOCKET, to, size, 0);

        if (n == 0 || (n < 0 && errno != EINTR))
            dialog_hang_up();
        if (n > 0) {
            to += n;
            size -= (size_t)n;
        }
    }
}

char *dialog_receive(size_t *ret_size)
{
    struct wire_head head;

    receive_all((char *)&head, sizeof head);
    if (head.size > WIRE_FRAME_MAX)
        dialog_hang_up();
    char *frame = mem_new(sizeof head + head.size);
    memcpy(frame, &head, sizeof head);
    receive_all(frame + sizeof head, head.size);
    *ret_size = sizeof head + head.size;
    return frame;
}

/* ---- messages ---- */

int dialog_send(struct buf *message, size_t at, struct err *err)
{
    int r = wire_close(message, at, err);

    if (r < 0)
        return r;
    pthread_mutex_lock(&sending);
    send_all(buf_slice(message));
    pthread_mutex_unlock(&sending);
    return ERR_OK;
}

uint32_t dialog_id(void)
{
    pthread_mutex_lock(&lock);
    uint32_t id = ++last_id ? last_id : ++last_id; /* 0 means that nobody waits */
    pthread_mutex_unlock(&lock);
    return id;
}

void dialog_expect(struct dialog_waiter *w)
{
    pthread_mutex_lock(&lock);
    w->next = waiters;
    waiters = w;
    pthread_mutex_unlock(&lock);
}

static void hand_out(char *frame, size_t size)
{
    struct wire_head head;

    memcpy(&head, frame, sizeof head);
    for (struct dialog_waiter *w = waiters; w; w = w->next) {
        if (w->id == head.id && !w->frame) {
            w->frame = frame;
            w->size = size;
            return;
        }
    }
    free(frame); /* of a call that was given up */
}

void dialog_await(struct dialog_waiter *w, struct wire_frame *ret)
{
    struct err err;

    pthread_mutex_lock(&lock);
    while (!w->frame) {
        if (reading) {
            pthread_cond_wait(&news, &lock);
            continue;
        }
        size_t size;

        reading = true;
        pthread_mutex_unlock(&lock);
        char *frame = dialog_receive(&size);
        pthread_mutex_lock(&lock);
        reading = false;
        hand_out(frame, size);
        pthread_cond_broadcast(&news);
    }
    pthread_mutex_unlock(&lock);
    struct slice rest = slice_make(w->frame, w->size);
    if (wire_next(&rest, ret, &err) != 1)
        dialog_hang_up();
}

void dialog_next(struct dialog_waiter *w)
{
    free(w->frame);
    w->frame = NULL;
}

void dialog_forget(struct dialog_waiter *w)
{
    pthread_mutex_lock(&lock);
    for (struct dialog_waiter **at = &waiters; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    dialog_next(w);
}
