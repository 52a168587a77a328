#include "attr/snap.h"

enum { CAP_START = 1024 };

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15U;
	return h ^ h >> 32;
}

uint64_t snap_hash(const struct diag_end *local, const struct diag_end *remote)
{
	uint64_t words[4];
	uint64_t h = 0x243f6a8885a308d3U;

	memcpy(words, local->ip, sizeof(local->ip));
	memcpy(words + 2, remote->ip, sizeof(remote->ip));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		h = mix(h, words[i]);
	return mix(h, (uint64_t)local->port << 16 | remote->port);
}

static void on_sock(struct diag_visitor *v, const struct diag_sock *sock)
{
	snap_add(CONTAINER_OF(v, struct snap, visitor), sock);
}

static void on_restart(struct diag_visitor *v)
{
	snap_reset(CONTAINER_OF(v, struct snap, visitor));
}

static struct snap_sock *slots_new(uint32_t cap)
{
	return mem_zalloc(cap * sizeof(struct snap_sock));
}

void snap_init(struct snap *s)
{
	*s = (struct snap){
		.visitor = { on_sock, on_restart },
		.slots = slots_new(CAP_START),
		.cap = CAP_START,
	};
}

void snap_fini(struct snap *s)
{
	mem_free(s->slots);
	mem_free(s->listeners);
	*s = (struct snap){ 0 };
}

void snap_reset(struct snap *s)
{
	memset(s->slots, 0, s->cap * sizeof(*s->slots));
	s->len = 0;
	s->n_listeners = 0;
	s->n_ips = 0;
}

/* The slot that holds the tuple, or the free one where it belongs. */
static struct snap_sock *slot_of(
	const struct snap *s, const struct diag_end *local, const struct diag_end *remote)
{
	uint32_t i = (uint32_t)snap_hash(local, remote) & (s->cap - 1);

	for (;; i = (i + 1) & (s->cap - 1)) {
		struct snap_sock *slot = &s->slots[i];
		if (slot->state == DIAG_UNKNOWN)
			return slot;
		if (diag_end_eq(&slot->local, local) &&
			diag_end_eq(&slot->remote, remote))
			return slot;
	}
}

static void grow(struct snap *s)
{
	struct snap_sock *old = s->slots;
	uint32_t old_cap = s->cap;

	s->cap *= 2;
	s->slots = slots_new(s->cap);
	for (uint32_t i = 0; i < old_cap; i++) {
		if (old[i].state != DIAG_UNKNOWN)
			*slot_of(s, &old[i].local, &old[i].remote) = old[i];
	}
	mem_free(old);
}

static void listener_add(struct snap *s, const struct diag_sock *sock)
{
	if (s->n_listeners == s->cap_listeners) {
		s->cap_listeners = s->cap_listeners ? s->cap_listeners * 2 : 16;
		s->listeners = mem_realloc(
			s->listeners, s->cap_listeners * sizeof(*s->listeners));
	}
	s->listeners[s->n_listeners++] = (struct snap_listener){
		.at = sock->local,
		.inode = sock->inode,
		.uid = sock->uid,
		.waiting = sock->rqueue,
		.backlog = sock->wqueue,
	};
}

bool snap_has_ip(const struct snap *s, const struct diag_end *ip)
{
	for (uint32_t i = 0; i < s->n_ips; i++) {
		if (diag_ip_eq(&s->ips[i], ip))
			return true;
	}
	return false;
}

void snap_add(struct snap *s, const struct diag_sock *sock)
{
	struct snap_sock *slot;

	if (sock->state == DIAG_LISTEN) {
		listener_add(s, sock);
		return;
	}
	if (sock->state == DIAG_UNKNOWN || sock->state == DIAG_CLOSE)
		return;
	if (s->len >= s->cap / 4 * 3)
		grow(s);
	slot = slot_of(s, &sock->local, &sock->remote);
	s->len += slot->state == DIAG_UNKNOWN;
	*slot = (struct snap_sock){
		.local = sock->local,
		.remote = sock->remote,
		.state = (uint8_t)sock->state,
		.orphan = sock->inode == 0,
		.resent = sock->resent,
		.timer = (uint8_t)sock->timer,
		.inode = sock->inode,
		.rqueue = sock->rqueue,
		.expires_ms = sock->expires_ms,
	};
	if (s->n_ips < SNAP_IPS_MAX && !snap_has_ip(s, &sock->local)) {
		s->ips[s->n_ips] = sock->local;
		s->ips[s->n_ips++].port = 0;
	}
}

const struct snap_sock *snap_find(
	const struct snap *s, const struct diag_end *local, const struct diag_end *remote)
{
	const struct snap_sock *slot = slot_of(s, local, remote);

	return slot->state == DIAG_UNKNOWN ? NULL : slot;
}

const struct snap_sock *snap_find_mirror(const struct snap *s, const struct snap_sock *of)
{
	return snap_find(s, &of->remote, &of->local);
}

const struct snap_sock *snap_next(const struct snap *s, uint32_t *i)
{
	while (*i < s->cap) {
		const struct snap_sock *slot = &s->slots[(*i)++];
		if (slot->state != DIAG_UNKNOWN)
			return slot;
	}
	return NULL;
}
