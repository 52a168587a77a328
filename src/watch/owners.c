#include "watch/owners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SOCKETS_START = 1024 };

/* The map from inode to program. */

static struct owner_socket *slot_of(const struct owners *o, uint32_t inode)
{
	uint32_t i = (inode * 2654435761U) & (o->cap_sockets - 1);

	while (o->sockets[i].inode && o->sockets[i].inode != inode)
		i = (i + 1) & (o->cap_sockets - 1);
	return &o->sockets[i];
}

static void sockets_grow(struct owners *o)
{
	struct owner_socket *old = o->sockets;
	uint32_t old_cap = o->cap_sockets;

	o->cap_sockets *= 2;
	o->sockets = mem_zalloc(o->cap_sockets * sizeof(*o->sockets));
	for (uint32_t i = 0; i < old_cap; i++) {
		if (old[i].inode)
			*slot_of(o, old[i].inode) = old[i];
	}
	mem_free(old);
}

static void socket_learn(struct owners *o, uint32_t inode, uint32_t owner)
{
	struct owner_socket *slot = slot_of(o, inode);

	if (slot->inode)
		return;
	*slot = (struct owner_socket){ inode, owner };
	if (++o->n_sockets >= o->cap_sockets / 2)
		sockets_grow(o);
}

static struct owner *find(const struct owners *o, uint32_t inode)
{
	const struct owner_socket *slot = inode ? slot_of(o, inode) : NULL;

	return slot && slot->inode ? &o->v[slot->owner] : NULL;
}

const struct owner *owners_find(const struct owners *o, uint32_t inode)
{
	return find(o, inode);
}

void owners_init(struct owners *o)
{
	*o = (struct owners){ .cap_sockets = SOCKETS_START };
	o->sockets = mem_zalloc(SOCKETS_START * sizeof(*o->sockets));
}

void owners_fini(struct owners *o)
{
	mem_free(o->v);
	mem_free(o->sockets);
	mem_free(o->here);
	*o = (struct owners){ 0 };
}

/* Reading /proc. */

/* "socket:[12345]" -> 12345; 0: no socket. */
static uint32_t socket_inode(const char *link, size_t len)
{
	static const char head[] = "socket:[";
	uint32_t inode = 0;

	if (len <= sizeof(head) || memcmp(link, head, sizeof(head) - 1) != 0)
		return 0;
	for (size_t i = sizeof(head) - 1; i < len && link[i] != ']'; i++) {
		if (link[i] < '0' || link[i] > '9')
			return 0;
		inode = inode * 10 + (uint32_t)(link[i] - '0');
	}
	return inode;
}

static void comm_read(struct owner *w, int32_t pid)
{
	char path[64], name[sizeof(w->comm)];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, sizeof(name));
		close(fd);
	}
	/* A program names itself; its name must not drive the reader's terminal. */
	text_tidy(
		(struct slice){ name, n > 0 ? (size_t)n : 0 }, w->comm, sizeof(w->comm));
}

static uint32_t owner_add(struct owners *o, int32_t pid)
{
	if (o->n == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 32;
		o->v = mem_realloc(o->v, o->cap * sizeof(*o->v));
	}
	o->v[o->n] = (struct owner){ .pid = pid };
	comm_read(&o->v[o->n], pid);
	return o->n++;
}

static void process_read(struct owners *o, int32_t pid)
{
	uint32_t owner = UINT32_MAX; /* made when it is seen to hold a socket */
	const struct dirent *e;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir) {
		o->unreadable += errno == EACCES;
		return;
	}
	while ((e = readdir(dir))) {
		char link[64];
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link));
		uint32_t inode = n > 0 ? socket_inode(link, (size_t)n) : 0;

		if (!inode)
			continue;
		if (owner == UINT32_MAX)
			owner = owner_add(o, pid);
		socket_learn(o, inode, owner);
	}
	closedir(dir);
}

static void here_add(struct owners *o, int32_t pid)
{
	if (o->n_here == o->cap_here) {
		o->cap_here = o->cap_here ? o->cap_here * 2 : 64;
		o->here = mem_realloc(o->here, o->cap_here * sizeof(*o->here));
	}
	o->here[o->n_here++] = pid;
}

static void proc_read(struct owners *o, const struct where *where)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	int32_t pid;

	o->n_here = 0;
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		pid = (int32_t)strtol(e->d_name, NULL, 10);
		switch (where_holds(where, pid)) {
		case WHERE_YES:
			here_add(o, pid);
			process_read(o, pid);
			break;
		case WHERE_HIDDEN:
			o->unreadable++;
			break;
		case WHERE_NO:
			break;
		}
	}
	closedir(dir);
}

void owners_scan(struct owners *o, const struct where *where, bool again)
{
	o->n = o->unreadable = o->unowned = o->n_sockets = 0;
	memset(o->sockets, 0, o->cap_sockets * sizeof(*o->sockets));
	if (!again)
		proc_read(o, where);
	for (uint32_t i = 0; again && i < o->n_here; i++)
		process_read(o, o->here[i]);
}

bool owners_ended(int32_t pid)
{
	/* PF_EXITING of include/linux/sched.h: set before the descriptors are closed. */
	static const unsigned long exiting = 0x4;
	unsigned long flags = 0;
	char path[64], line[512];
	const char *end; /* of the name, which may hold anything */
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return true;
	line[n] = '\0';
	end = strrchr(line, ')');
	return end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
	       (flags & exiting);
}

/* Counting. */

static void count(struct owner *w, enum diag_state state, enum tally_side_id side)
{
	if (state == DIAG_CLOSE_WAIT)
		w->close_wait++;
	else if (state == DIAG_ESTABLISHED && side == SIDE_IN)
		w->established_in++;
	else if (state == DIAG_ESTABLISHED && side == SIDE_OUT)
		w->established_out++;
	else
		w->other++;
}

static uint32_t total(const struct owner *w)
{
	return w->listening + w->established_in + w->established_out + w->close_wait +
	       w->other;
}

static int by_total(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (total(x) != total(y))
		return total(x) > total(y) ? -1 : 1;
	return x->pid < y->pid ? -1 : 1;
}

/* The map's indices follow the owners to their sorted places. */
static void sort(struct owners *o)
{
	uint32_t *place = mem_alloc((o->n + 1) * sizeof(*place));
	struct owner *was = mem_alloc((o->n + 1) * sizeof(*was));

	if (o->n) {
		memcpy(was, o->v, o->n * sizeof(*was));
		qsort(o->v, o->n, sizeof(*o->v), by_total);
	}
	for (uint32_t i = 0; i < o->n; i++) {
		for (uint32_t k = 0; k < o->n; k++) {
			if (o->v[k].pid == was[i].pid)
				place[i] = k;
		}
	}
	for (uint32_t i = 0; i < o->cap_sockets; i++) {
		if (o->sockets[i].inode)
			o->sockets[i].owner = place[o->sockets[i].owner];
	}
	mem_free(place);
	mem_free(was);
}

static void drop_idle(struct owners *o)
{
	o->n_all = o->n;
	while (o->n && total(&o->v[o->n - 1]) == 0)
		o->n--;
}

/* Of the snap's sockets those that are in nobody's hands by the last reading, as one number. */
static uint64_t strangers_of(const struct owners *o, const struct snap *snap)
{
	const uint64_t spread = 0x9e3779b97f4a7c15;
	const struct snap_sock *s;
	uint64_t sum = 0;
	uint32_t i = 0;

	while ((s = snap_next(snap, &i))) {
		if (s->inode && !find(o, s->inode))
			sum += s->inode * spread;
	}
	for (i = 0; i < snap->n_listeners; i++) {
		if (!find(o, snap->listeners[i].inode))
			sum += snap->listeners[i].inode * spread;
	}
	return sum;
}

/* Who holds a socket changes when its holder ends, or, which is rare, hands it on. */
static bool is_current(const struct owners *o, const struct snap *snap)
{
	if (!o->looks || o->looks > OWNERS_LOOKS || strangers_of(o, snap) != o->strangers)
		return false;
	for (uint32_t i = 0; i < o->n; i++) {
		if (owners_ended(o->v[i].pid))
			return false;
	}
	return true;
}

static void begin_anew(struct owners *o)
{
	o->n = o->n_all;
	o->unowned = 0;
	for (uint32_t i = 0; i < o->n; i++) {
		struct owner *w = &o->v[i];

		w->listening = w->established_in = w->established_out = 0;
		w->close_wait = w->other = 0;
	}
}

static void read_or_keep(struct owners *o, const struct owners_of *of)
{
	if (is_current(o, of->snap)) {
		begin_anew(o);
	} else {
		owners_scan(o, of->where, false);
		o->strangers = strangers_of(o, of->snap);
		o->looks = 0;
	}
	o->looks++;
}

void owners_read(struct owners *o, const struct owners_of *of)
{
	const struct snap_sock *s;
	uint32_t i = 0;

	read_or_keep(o, of);
	while ((s = snap_next(of->snap, &i))) {
		struct owner *w = find(o, s->inode);

		if (w)
			count(w, (enum diag_state)s->state,
				tally_side_of(of->tally, of->ports, &s->local, of->now));
		else
			o->unowned += s->inode != 0;
	}
	for (i = 0; i < of->snap->n_listeners; i++) {
		struct owner *w = find(o, of->snap->listeners[i].inode);
		if (w)
			w->listening++;
	}
	sort(o);
	drop_idle(o);
}
