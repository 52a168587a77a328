/* What only the real loop has: signals, precise timers, ports and files of the kernel. */
#include <sched.h>
#include <sys/stat.h>

#include "io/signals.h"
#include "io/sock.h"
#include "tests/unit/base/unit.h"

static struct addr addr_of(const char *text)
{
	struct problem p = { 0 };
	struct addr a;

	assert_true(addr_parse(slice_of(text), &a, &p));
	return a;
}

struct heard {
	struct io_signals signals;
	struct io_loop *loop;
	int last;
	uint32_t count;
};

static void on_signal(struct io_signals *s, int signum)
{
	struct heard *h = CONTAINER_OF(s, struct heard, signals);
	h->last = signum;
	h->count++;
	io_loop_stop(h->loop);
}

static void signals_call_back_on_the_loop(void **state)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP };
	struct io_loop *loop = io_loop_new(NULL);
	struct heard h = { .signals.on_signal = on_signal, .loop = loop };
	struct io_listener l = { .sock = { 0 } };
	struct problem p = { 0 };
	struct addr at = addr_of("127.0.0.1:0");
	(void)state;

	io_signals_watch(loop, &h.signals);
	io_loop_run(loop); /* watching does not keep it running */
	assert_int_equal(io_listen(loop, &l, &at, NULL, &p), ERR_OK);
	for (uint32_t i = 0; i < ARRAY_LEN(all); i++) {
		struct timer keep = { 0 };
		keep.on_fire = (void (*)(struct timer *))abort;
		io_timer_set(loop, &keep, io_now(loop) + 3600 * NS_S);
		assert_int_equal(raise(all[i]), 0);
		assert_int_equal(h.count, i); /* not in signal context */
		io_loop_run(loop);
		assert_int_equal(h.count, i + 1);
		assert_int_equal(h.last, all[i]);
		io_timer_stop(loop, &keep);
	}
	assert_int_equal(raise(SIGPIPE), 0); /* ignored */
	io_listener_close(&l);
	io_signals_unwatch(&h.signals);
	io_signals_unwatch(&h.signals);
	io_loop_free(&loop);
}

struct beat {
	struct timer timer;
	struct io_loop *loop;
	uint32_t count;
};

static void on_beat(struct timer *t)
{
	struct beat *b = CONTAINER_OF(t, struct beat, timer);

	assert_true(io_now(b->loop) >= t->at);
	if (++b->count < 100)
		io_timer_set(b->loop, t, t->at + 100 * NS_US);
}

static void precise_timers_are_finer_than_a_millisecond(void **state)
{
	const struct io_loop_cfg cfg = { .precise = true };
	struct io_loop *loop = io_loop_new(&cfg);
	struct beat b = { .timer.on_fire = on_beat, .loop = loop };
	struct timer far = { .on_fire = on_beat };
	(void)state;

	ns_t start = io_now(loop);
	io_timer_set(loop, &far, start + 3600 * NS_S);
	io_timer_set(loop, &b.timer, start + 100 * NS_US);
	io_timer_stop(loop, &far);
	io_loop_run(loop); /* ends though the timerfd is open */
	assert_int_equal(b.count, 100);
	assert_true(io_clock(loop) - start >= 10 * NS_MS);
	assert_true(io_loop_lag_max(loop) > 0);
	io_loop_free(&loop);
}

struct slow {
	struct io_defer defer;
	struct timer timer;
	struct io_loop *loop;
};

static void be_slow(struct io_defer *d)
{
	struct slow *s = CONTAINER_OF(d, struct slow, defer);
	while (io_clock(s->loop) < s->timer.at + 2 * NS_MS)
		;
}

static void on_slow_timer(struct timer *t)
{
	struct slow *s = CONTAINER_OF(t, struct slow, timer);
	io_loop_stop(s->loop);
}

static void a_timer_that_ran_out_in_a_slow_turn_is_not_waited_for(void **state)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct slow s = {
		.defer.fn = be_slow, .timer.on_fire = on_slow_timer, .loop = loop
	};
	struct io_listener l = { 0 };
	struct addr at = addr_of("127.0.0.1:0");
	struct problem p = { 0 };
	(void)state;

	assert_int_equal(io_listen(loop, &l, &at, NULL, &p), ERR_OK);
	l.sock.on_ready = (void (*)(struct io_sock *, unsigned))abort;
	io_want(&l.sock, IO_READ); /* so that there is something to wait for, in vain */
	io_timer_set(loop, &s.timer, io_now(loop) + 5 * NS_MS);
	io_defer(loop, &s.defer);
	alarm(30);
	io_loop_run(loop);
	alarm(0);
	io_listener_close(&l);
	io_loop_free(&loop);
}

static uint32_t accept_all(struct io_listener *l)
{
	uint32_t n = 0;
	struct io_sock s = { 0 };
	while (io_accept(l, &s, NULL) == ERR_OK) {
		io_close(&s, IO_CLOSE_RESET);
		n++;
	}
	return n;
}

/* Binds two, connects some, and each listener has its part of them. */
static void share_among_two(const struct addr *at, uint32_t *one, uint32_t *two)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct io_listener l[2] = { { .at = { .len = 0 } } };
	struct io_sock client[32] = { { .fd = 0 } };
	struct io_bound bound[2];
	struct problem p = { 0 };

	assert_int_equal(io_bind(at, bound, 2, &p), ERR_OK);
	assert_true(addr_eq(&bound[0].at, &bound[1].at));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(io_adopt(loop, &l[i], &bound[i]), ERR_OK);
		assert_int_equal(bound[i].fd, -1);
	}
	for (size_t i = 0; i < ARRAY_LEN(client); i++)
		assert_int_equal(io_connect(loop, &client[i], &l[0].at, NULL), ERR_OK);
	*one = accept_all(&l[0]);
	*two = accept_all(&l[1]);
	for (size_t i = 0; i < ARRAY_LEN(client); i++)
		io_close(&client[i], IO_CLOSE_RESET);
	io_listener_close(&l[0]);
	io_listener_close(&l[1]);
	io_loop_free(&loop);
}

static void several_listen_at_one_address(void **state)
{
	char dir[] = "/tmp/weir-io-XXXXXX";
	struct text name;
	uint32_t one, two;
	struct addr at = addr_of("127.0.0.1:0");
	(void)state;

	share_among_two(&at, &one, &two);
	assert_int_equal(one + two, 32);
	assert_true(one > 0 && two > 0);
	assert_non_null(mkdtemp(dir));
	text_init(&name);
	text_addf(&name, "unix:%s/s", dir);
	at = addr_of(name.ptr);
	share_among_two(&at, &one, &two);
	assert_int_equal(one, 32); /* one queue: who comes first takes all */
	assert_int_equal(two, 0);
	assert_int_equal(rmdir(dir), 0); /* its file went with the first */
	text_fini(&name);
}

/* One that shares its port would let us in. */
static void another_programs_port_is_not_shared(void **state)
{
	struct io_bound theirs[2], ours[2];
	struct addr at = addr_of("127.0.0.1:0");
	struct problem p = { 0 };
	(void)state;

	assert_int_equal(io_bind(&at, theirs, 2, &p), ERR_OK);
	assert_int_equal(io_bind(&theirs[0].at, ours, 2, &p), ERR_ADDR_IN_USE);
	assert_non_null(strstr(p.text, "already in use"));
	io_bound_close(&theirs[0]);
	io_bound_close(&theirs[1]);
	io_bound_close(&theirs[1]);
	assert_int_equal(io_bind(&theirs[0].at, ours, 2, &p), ERR_OK);
	io_bound_close(&ours[0]);
	io_bound_close(&ours[1]);
}

static void a_deaf_listener_gives_up_only_who_has_connected(void **state)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct io_listener l = { .at = { .len = 0 } };
	struct io_sock before = { 0 }, after = { 0 };
	struct addr at = addr_of("127.0.0.1:0");
	struct problem p = { 0 };
	(void)state;

	assert_int_equal(io_listen(loop, &l, &at, NULL, &p), ERR_OK);
	assert_int_equal(io_connect(loop, &before, &l.at, NULL), ERR_OK);
	io_listener_deafen(&l);
	assert_int_equal(io_connect(loop, &after, &l.at, NULL), ERR_OK);
	assert_int_equal(accept_all(&l), 1);
	assert_int_equal(io_connect_result(&after), ERR_AGAIN); /* nor refused */
	io_close(&before, IO_CLOSE_RESET);
	io_close(&after, IO_CLOSE_RESET);
	io_listener_close(&l);
	io_loop_free(&loop);
}

static void any_address_takes_ipv4_too(void **state)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct io_listener l = { 0 };
	struct io_sock client = { 0 }, server = { 0 };
	struct addr at = addr_of(":0"), to = addr_of("127.0.0.1:0"), peer, local;
	struct addr from = addr_of("127.0.0.7:0");
	struct problem p = { 0 };
	(void)state;

	assert_int_equal(io_listen(loop, &l, &at, NULL, &p), ERR_OK);
	addr_set_port(&to, addr_port(&l.at));
	assert_int_equal(io_connect(loop, &client, &to, &from), ERR_OK);
	assert_int_equal(io_accept(&l, &server, &peer), ERR_OK);
	assert_true(io_local_addr(&client, &local));
	assert_true(addr_eq(&peer, &local)); /* not ::ffff:127.0.0.7 */
	addr_set_port(&local, 0);
	assert_true(addr_eq(&local, &from));
	assert_int_equal(io_accept(&l, &server, &peer), ERR_AGAIN);
	io_close(&client, IO_CLOSE_RESET);
	io_close(&server, IO_CLOSE_FIN);
	from = addr_of("192.0.2.1:0"); /* documentation: nobody's */
	assert_int_equal(io_connect(loop, &client, &to, &from), ERR_SOCKET);
	io_listener_close(&l);
	assert_int_equal(io_listen(loop, &l, &from, NULL, &p), ERR_SOCKET);
	assert_non_null(strstr(p.text, "no interface"));
	io_loop_free(&loop);
}

static void a_stale_socket_file_is_replaced(void **state)
{
	char dir[] = "/tmp/weir-io-XXXXXX";
	struct io_loop *loop = io_loop_new(NULL);
	struct io_listener l = { 0 };
	struct problem p = { 0 };
	struct text name;
	(void)state;

	assert_non_null(mkdtemp(dir));
	text_init(&name);
	text_addf(&name, "unix:%s/s", dir);
	struct addr at = addr_of(name.ptr);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &at.sa, at.len), 0); /* who made it was killed */
	close(fd);
	assert_int_equal(io_listen(loop, &l, &at, NULL, &p), ERR_OK);
	io_listener_close(&l);
	assert_int_equal(access(at.un.sun_path, F_OK), -1);

	fd = open(at.un.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* not ours */
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(io_listen(loop, &l, &at, NULL, &p), ERR_ADDR_IN_USE);
	assert_non_null(strstr(p.text, "already in use"));
	assert_int_equal(unlink(at.un.sun_path), 0);
	assert_int_equal(rmdir(dir), 0);
	text_fini(&name);
	io_loop_free(&loop);
}

/* Somebody who waits in it, and is not let in, is an event in each turn. */
struct queue {
	struct io_listener at;
	int waits;
	int until; /* the policy of this thread */
};

static void on_queue(struct io_sock *s, unsigned bits)
{
	struct io_listener *l = CONTAINER_OF(s, struct io_listener, sock);
	(void)bits;
	if (sched_getscheduler(0) == CONTAINER_OF(l, struct queue, at)->until)
		io_loop_stop(s->loop);
}

static void queue_open(struct queue *q, struct io_loop *loop)
{
	struct problem p = { 0 };
	struct addr at = addr_of("127.0.0.1:0");

	*q = (struct queue){ .at.sock.on_ready = on_queue, .until = SCHED_BATCH };
	assert_int_equal(io_listen(loop, &q->at, &at, NULL, &p), ERR_OK);
	q->waits = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(q->waits, &q->at.at.sa, q->at.at.len), 0);
	io_want(&q->at.sock, IO_READ);
}

static void queue_close(struct queue *q)
{
	io_listener_close(&q->at);
	close(q->waits);
}

/* The kernel's part of it; when is test_gather.c's. */
static void a_busy_thread_lets_events_gather(void **state)
{
	const struct io_loop_cfg cfg = { .gathers = true };
	struct io_loop *loop = io_loop_new(&cfg);
	struct timer late = { .on_fire = (void (*)(struct timer *))abort };
	struct queue some[2];
	(void)state;

	if (sched_getscheduler(0) != SCHED_OTHER) {
		io_loop_free(&loop);
		skip();
	}
	io_timer_set(loop, &late, ns_add(io_now(loop), 60 * NS_S));
	queue_open(&some[0], loop);
	queue_open(&some[1], loop);
	io_loop_run(loop);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	queue_close(&some[1]); /* one event a turn: not worth it */
	some[0].until = SCHED_OTHER;
	io_loop_run(loop);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	queue_close(&some[0]);
	io_timer_stop(loop, &late);
	io_loop_free(&loop);
}

static void a_stop_after_the_last_turn_is_nothing(void **state)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct queue q;
	(void)state;

	queue_open(&q, loop);
	queue_close(&q);
	io_loop_stop(loop);
	io_loop_free(&loop);
}

static void leave_a_socket_open(void)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct io_listener l = { 0 };
	struct problem p = { 0 };
	struct addr at = addr_of("127.0.0.1:0");

	if (io_listen(loop, &l, &at, NULL, &p) == ERR_OK)
		io_loop_free(&loop);
}

static void leave_a_timer_set(void)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct timer t = { .on_fire = on_beat };

	io_timer_set(loop, &t, io_now(loop) + NS_S);
	io_loop_free(&loop);
}

static void leaks_are_told(void **state)
{
	(void)state;
	assert_true(aborts(leave_a_socket_open));
	assert_true(aborts(leave_a_timer_set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signals_call_back_on_the_loop),
		TEST(precise_timers_are_finer_than_a_millisecond),
		TEST(a_timer_that_ran_out_in_a_slow_turn_is_not_waited_for),
		TEST(several_listen_at_one_address),
		TEST(another_programs_port_is_not_shared),
		TEST(a_deaf_listener_gives_up_only_who_has_connected),
		TEST(any_address_takes_ipv4_too),
		TEST(a_stale_socket_file_is_replaced),
		TEST(a_busy_thread_lets_events_gather),
		TEST(a_stop_after_the_last_turn_is_nothing),
		TEST(leaks_are_told),
	};
	return cmocka_run_group_tests_name("uv", tests, NULL, NULL);
}
