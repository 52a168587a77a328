#include "obs/accesslog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "io/thread.h"

/* Lines of so long are written together. */
#define BATCH_NS (50 * NS_MS)

struct half {
	char *bytes;
	size_t len;
	uint64_t lines;
	size_t before; /* of it, what was there at the switch to next_fd */
	uint64_t lines_before;
};

struct accesslog {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct half *filling,
		*writing; /* under the lock: which is which, and what fills */
	struct half halves[2];
	int fd, next_fd;        /* next_fd, under the lock: -2: no other */
	bool stopping, stopped; /* under the lock */
	uint64_t dropped;       /* the same */
	atomic_uint_fast64_t written, failed;
};

enum { FD_SAME = -2, FD_NONE = -1 };

/* --- the thread --- */

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static struct timespec clock_after(ns_t wait)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	ns_t sum = (ns_t)at.tv_sec * NS_S + at.tv_nsec + wait;
	return (struct timespec){ .tv_sec = sum / NS_S, .tv_nsec = sum % NS_S };
}

/* Until there is something to do; then a moment more, for what comes with it. Locked. */
static void wait_for_lines(struct accesslog *l)
{
	while (!l->filling->len && !l->stopping && l->next_fd == FD_SAME)
		pthread_cond_wait(&l->wake, &l->lock);
	struct timespec until = clock_after(BATCH_NS);
	int late = 0;
	while (!late && !l->stopping && l->filling->len < ACCESSLOG_BYTES / 2 &&
		l->next_fd == FD_SAME)
		late = pthread_cond_timedwait(&l->wake, &l->lock, &until);
}

static void write_lines(
	struct accesslog *l, const char *bytes, size_t len, uint64_t lines)
{
	if (!len || l->fd < 0)
		return;
	bool good = write_all(l->fd, bytes, len);
	atomic_fetch_add(good ? &l->written : &l->failed, lines);
}

/* What came before the switch into the file before, the rest into the next. */
static void write_half(struct accesslog *l, struct half *h, int next)
{
	size_t before = next == FD_SAME ? h->len : h->before;
	uint64_t lines = next == FD_SAME ? h->lines : h->lines_before;
	write_lines(l, h->bytes, before, lines);
	if (next != FD_SAME) {
		if (l->fd >= 0)
			close(l->fd);
		l->fd = next;
	}
	write_lines(l, h->bytes + before, h->len - before, h->lines - lines);
	h->len = h->before = 0;
	h->lines = h->lines_before = 0;
}

static void *run(void *arg)
{
	struct accesslog *l = arg;
	bool stopping = false;
	while (!stopping) {
		pthread_mutex_lock(&l->lock);
		wait_for_lines(l);
		struct half *full = l->filling;
		l->filling = l->writing;
		l->writing = full;
		int next = l->next_fd;
		l->next_fd = FD_SAME;
		stopping = l->stopping;
		pthread_mutex_unlock(&l->lock);
		write_half(l, full, next);
	}
	pthread_mutex_lock(&l->lock);
	l->stopped = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* --- life --- */

int accesslog_open(const char *path, struct problem *p)
{
	int fd;
	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else /* not to wait for the reader of a FIFO */
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
			0640);
	if (fd < 0) {
		problem_set(p, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (strcmp(path, "-") != 0) /* the thread may wait */
		fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

void accesslog_drop(int fd)
{
	if (fd >= 0)
		close(fd);
}

struct accesslog *accesslog_new(int fd)
{
	struct accesslog *l = mem_zalloc(sizeof(*l));
	pthread_condattr_t attr;
	l->fd = fd;
	l->next_fd = FD_SAME;
	l->filling = &l->halves[0];
	l->writing = &l->halves[1];
	l->halves[0].bytes = mem_alloc(ACCESSLOG_BYTES);
	l->halves[1].bytes = mem_alloc(ACCESSLOG_BYTES);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &attr);
	pthread_condattr_destroy(&attr);
	l->thread = io_thread_start(run, l);
	return l;
}

void accesslog_switch(struct accesslog *l, int fd)
{
	pthread_mutex_lock(&l->lock);
	int skipped = l->next_fd;
	if (skipped == FD_SAME) {
		l->filling->before = l->filling->len;
		l->filling->lines_before = l->filling->lines;
	}
	l->next_fd = fd;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	if (skipped >= 0)
		close(skipped);
}

void accesslog_free(struct accesslog **lp)
{
	struct accesslog *l = *lp;
	struct timespec until = clock_after(ACCESSLOG_LAST_FOR);
	int late = 0;
	if (!l)
		return;
	*lp = NULL;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_signal(&l->wake);
	while (!l->stopped && !late)
		late = pthread_cond_timedwait(&l->wake, &l->lock, &until);
	bool stopped = l->stopped;
	pthread_mutex_unlock(&l->lock);
	if (!stopped) {
		/* The file stands still: the thread, and what it holds, end with the process. */
		pthread_detach(l->thread);
		return;
	}
	pthread_join(l->thread, NULL);
	if (l->fd >= 0)
		close(l->fd);
	if (l->next_fd >= 0)
		close(l->next_fd);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	mem_free(l->halves[0].bytes);
	mem_free(l->halves[1].bytes);
	mem_free(l);
}

/* --- a line --- */

static void json_text(struct json *j, const char *key, struct slice s)
{
	if (s.len)
		json_str(j, key, s);
	else
		json_null(j, key);
}

/* When it began, as 2026-11-22T18:35:11.123Z. */
static void json_time(struct json *j, const char *key, ns_t duration)
{
	struct timespec now;
	struct tm tm;
	char text[40];
	clock_gettime(CLOCK_REALTIME, &now);
	ns_t at = (ns_t)now.tv_sec * NS_S + now.tv_nsec - duration;
	time_t seconds = at / NS_S;
	gmtime_r(&seconds, &tm);
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(at % NS_S / NS_MS));
	json_cstr(j, key, text);
}

static void format(struct text *line, const struct access *a)
{
	struct json j;
	text_reset(line);
	json_init(&j, line, false);
	json_object(&j, NULL);
	json_time(&j, "time", a->duration);
	json_text(&j, "id", a->id);
	json_text(&j, "client", a->client);
	json_text(&j, "method", a->method);
	json_text(&j, "host", a->host);
	json_text(&j, "path", a->path);
	json_text(&j, "upstream", a->upstream);
	if (a->status)
		json_int(&j, "status", a->status);
	else
		json_null(&j, "status");
	json_cstr(&j, "reason", a->reason == ERR_OK ? NULL : err_label(a->reason));
	json_int(&j, "bytes_in", (int64_t)a->bytes_in);
	json_int(&j, "bytes_out", (int64_t)a->bytes_out);
	json_ms(&j, "duration_ms", a->duration);
	json_ms(&j, "queue_ms", a->queued_for);
	json_int(&j, "attempts", a->attempts);
	json_end(&j);
	text_add_char(line, '\n');
}

void accesslog_add(struct accesslog *l, struct text *line, const struct access *a)
{
	format(line, a);
	pthread_mutex_lock(&l->lock);
	struct half *h = l->filling;
	size_t before = h->len, after = before + line->len;
	bool fits = after <= ACCESSLOG_BYTES;
	if (fits) {
		memcpy(h->bytes + before, line->ptr, line->len);
		h->len = after;
		h->lines++;
	}
	l->dropped += !fits;
	/* The first line wakes the thread, and the one that makes it half full. */
	bool wakes = fits && (!before || (before < ACCESSLOG_BYTES / 2 &&
						 after >= ACCESSLOG_BYTES / 2));
	pthread_mutex_unlock(&l->lock);
	if (wakes)
		pthread_cond_signal(&l->wake);
}

struct accesslog_counts accesslog_counts(struct accesslog *l)
{
	pthread_mutex_lock(&l->lock);
	uint64_t dropped = l->dropped;
	pthread_mutex_unlock(&l->lock);
	return (struct accesslog_counts){ .written = atomic_load(&l->written),
		.dropped = dropped,
		.failed = atomic_load(&l->failed) };
}
