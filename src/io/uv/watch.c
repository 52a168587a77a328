#include "io/watch.h"

#include "io/uv/uv_loop.h"

/* Apart from struct io_watch, because libuv needs it until the end of the turn. */
struct fd_poll {
	uv_poll_t poll;
	struct io_watch *watch; /* NULL: unwatched */
};

static void on_poll(uv_poll_t *p, int status, int events);

static void arm(struct io_watch *w)
{
	struct fd_poll *fp = w->twin;
	CHECK((w->wanted ? uv_poll_start(&fp->poll, w->wanted, on_poll)
			 : uv_poll_stop(&fp->poll)) == 0);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct fd_poll *fp = CONTAINER_OF(p, struct fd_poll, poll);
	unsigned bits = status < 0 ? IO_READ | IO_WRITE : (unsigned)events;

	uv_turn_start(fp->watch->loop);
	bits &= fp->watch->wanted;
	if (bits)
		fp->watch->on_ready(fp->watch, bits);
	if (status < 0 && fp->watch) /* libuv has stopped watching */
		arm(fp->watch);
}

enum err io_watch_fd(struct io_loop *loop, struct io_watch *w, int fd)
{
	struct fd_poll *fp = mem_zalloc(sizeof(*fp));
	int rc = uv_poll_init(&loop->uv, &fp->poll, fd);

	CHECK(!w->loop && w->on_ready);
	if (rc != 0) {
		mem_free(fp);
		return err_from_errno(-rc);
	}
	fp->watch = w;
	w->loop = loop;
	w->fd = fd;
	w->wanted = 0;
	w->twin = fp;
	loop->sock_count++;
	return ERR_OK;
}

void io_watch_want(struct io_watch *w, unsigned bits)
{
	CHECK(w->loop && bits <= (IO_READ | IO_WRITE));
	if (bits == w->wanted)
		return;
	w->wanted = (uint8_t)bits;
	arm(w);
}

static void on_closed(uv_handle_t *h)
{
	mem_free(CONTAINER_OF(h, struct fd_poll, poll));
}

void io_unwatch(struct io_watch *w)
{
	struct fd_poll *fp = w->twin;

	if (!w->loop)
		return;
	fp->watch = NULL;
	uv_close((uv_handle_t *)&fp->poll, on_closed);
	w->loop->sock_count--;
	w->loop = NULL;
	w->twin = NULL;
	w->fd = -1;
	w->wanted = 0;
}
