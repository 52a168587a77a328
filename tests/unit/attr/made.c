#include "made.h"

struct diag_end end(const char *ip, uint16_t port)
{
	struct diag_end e;

	assert_true(diag_end_parse(ip, port, &e));
	return e;
}

struct diag_sock sock_of(
	struct diag_end local, struct diag_end remote, enum diag_state state)
{
	return (struct diag_sock){
		.local = local,
		.remote = remote,
		.state = state,
		.inode = state == DIAG_TIME_WAIT ? 0 : 7,
	};
}

void put(struct snap *s, struct diag_end local, struct diag_end remote,
	enum diag_state state)
{
	struct diag_sock sock = sock_of(local, remote, state);

	s->visitor.on_sock(&s->visitor, &sock);
}

void put_listener(struct snap *s, struct diag_end at)
{
	put(s, at, end("0.0.0.0", 0), DIAG_LISTEN);
}

struct diag_ports range_of(const char *range, const char *reserved)
{
	struct diag_ports p;

	assert_true(diag_ports_parse(slice_of(range), slice_of(reserved), &p));
	return p;
}
