#include "io/uv/uv_loop.h"

#include <sched.h>
#include <sys/timerfd.h>
#include <unistd.h>

static ns_t clock_ns(void)
{
	struct timespec t;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (ns_t)t.tv_sec * NS_S + t.tv_nsec;
}

void uv_turn_start(struct io_loop *loop)
{
	if (!loop->now_is_stale)
		return;
	loop->now = clock_ns();
	loop->now_is_stale = false;
}

static void on_precise_alarm(uv_poll_t *p, int status, int events)
{
	struct io_loop *loop = p->data;
	(void)events;
	CHECK(status == 0);
	uv_turn_start(loop);
	loop->rang = true;
}

static void on_busy(uv_idle_t *idle)
{
	(void)idle; /* that it is started makes libuv poll without waiting */
}

/*
 * What is due runs at the end of the turn. An alarm that ran out before the poll (it was
 * due when it was set, or the last turn was slow) rings before it: the poll must not wait
 * then, for no other timer is there to end it.
 */
static void on_alarm(uv_timer_t *t)
{
	struct io_loop *loop = t->data;
	loop->alarm_at = NS_NEVER;
	uv_idle_start(&loop->busy, on_busy);
}

/*
 * Rounded up, so that the poll never ends before the instant: no spinning towards it. One that
 * rings too early is left to it: the first deadline is another one in each turn of a busy loop.
 */
static void arm_coarse(struct io_loop *loop, ns_t at)
{
	if (at == NS_NEVER) {
		uv_timer_stop(&loop->alarm);
		loop->alarm_at = at;
		return;
	}
	if (at >= loop->alarm_at)
		return;
	loop->alarm_at = at;
	uint64_t due_ms = (uint64_t)(ns_max(at, 0) / NS_MS) + (at % NS_MS > 0);
	uint64_t now_ms = uv_now(&loop->uv);
	uint64_t in_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	CHECK(uv_timer_start(&loop->alarm, on_alarm, in_ms, 0) == 0);
}

/*
 * Setting a timerfd is a system call, so one that rings too early is left to it. That one
 * must not keep the loop alive when no timer is left: hence ref and unref.
 */
static void arm_precise(struct io_loop *loop, ns_t at)
{
	if (at == NS_NEVER)
		uv_unref((uv_handle_t *)&loop->precise);
	else
		uv_ref((uv_handle_t *)&loop->precise);
	if (!loop->rang && at >= loop->alarm_at)
		return;
	struct itimerspec spec = { 0 }; /* zero disarms, so the past is 1 ns */
	if (at != NS_NEVER)
		spec.it_value = (struct timespec){ ns_max(at, 1) / NS_S,
			ns_max(at, 1) % NS_S };
	CHECK(timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
	loop->alarm_at = at;
	loop->rang = false;
}

static void arm(struct io_loop *loop)
{
	if (turn_has_work(&loop->turn))
		uv_idle_start(&loop->busy, on_busy);
	else
		uv_idle_stop(&loop->busy);
	if (loop->timer_fd >= 0)
		arm_precise(loop, wheel_next(loop->wheel));
	else
		arm_coarse(loop, wheel_next(loop->wheel));
}

/* A timer set late, for an instant already past, is late from when it was set at best. */
static void run_timers(struct io_loop *loop)
{
	ns_t due = wheel_next(loop->wheel);
	if (due <= loop->now)
		loop->lag_max = ns_max(
			loop->lag_max, loop->now - ns_max(due, loop->timers_ran_at));
	wheel_run(loop->wheel, loop->now);
	loop->timers_ran_at = loop->now;
}

/*
 * SCHED_BATCH: the thread, woken, pushes nobody aside; on a core that nobody else wants it makes
 * no difference. Where it is forbidden nothing is lost but what would be gained.
 */
static void note_events(struct io_loop *loop)
{
	const struct sched_param none = { 0 };
	bool was = loop->gather.on;
	if (loop->gathers && loop->events &&
		gather_turn(&loop->gather, loop->events, loop->now) != was)
		(void)sched_setscheduler(0, was ? SCHED_OTHER : SCHED_BATCH, &none);
	loop->events = 0;
}

static void on_turn_end(uv_check_t *c)
{
	struct io_loop *loop = c->data;
	uv_turn_start(loop);
	run_timers(loop);
	turn_run(&loop->turn);
	note_events(loop);
	loop->now_is_stale = true;
	arm(loop);
}

static void open_timer_fd(struct io_loop *loop)
{
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	CHECK(loop->timer_fd >= 0);
	CHECK(uv_poll_init(&loop->uv, &loop->precise, loop->timer_fd) == 0);
	CHECK(uv_poll_start(&loop->precise, UV_READABLE, on_precise_alarm) == 0);
	uv_unref((uv_handle_t *)&loop->precise);
	loop->precise.data = loop;
}

struct io_loop *io_loop_new(const struct io_loop_cfg *cfg)
{
	struct io_loop *loop = mem_zalloc(sizeof(*loop));

	CHECK(uv_loop_init(&loop->uv) == 0);
	CHECK(uv_check_init(&loop->uv, &loop->check) == 0);
	CHECK(uv_check_start(&loop->check, on_turn_end) == 0);
	uv_unref((uv_handle_t *)&loop->check);
	CHECK(uv_idle_init(&loop->uv, &loop->busy) == 0);
	CHECK(uv_timer_init(&loop->uv, &loop->alarm) == 0);
	loop->check.data = loop->alarm.data = loop;
	loop->alarm_at = NS_NEVER;
	loop->timer_fd = -1;
	loop->all_ports = cfg && cfg->all_ports;
	if (cfg && cfg->precise)
		open_timer_fd(loop);
	loop->now = clock_ns();
	/* another policy was chosen by somebody, and stays */
	loop->gathers = cfg && cfg->gathers && sched_getscheduler(0) == SCHED_OTHER;
	gather_init(&loop->gather, loop->now);
	loop->wheel = wheel_new(loop->now, loop->timer_fd >= 0 ? 16 * NS_US : NS_MS);
	turn_init(&loop->turn);
	slab_init(&loop->polls, sizeof(struct sock_poll), 0);
	return loop;
}

void io_loop_free(struct io_loop **handle)
{
	struct io_loop *loop = *handle;

	if (!loop)
		return;
	CHECK(loop->sock_count == 0);
	CHECK(loop->signal_count == 0);
	turn_fini(&loop->turn);
	wheel_free(&loop->wheel);
	if (loop->timer_fd >= 0)
		uv_close((uv_handle_t *)&loop->precise, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	uv_close((uv_handle_t *)&loop->busy, NULL);
	uv_close((uv_handle_t *)&loop->alarm, NULL);
	/* Lets what was closed go, after a turn that uses up a stop nobody has run to see. */
	(void)uv_run(&loop->uv, UV_RUN_NOWAIT);
	CHECK(uv_run(&loop->uv, UV_RUN_DEFAULT) == 0);
	CHECK(uv_loop_close(&loop->uv) == 0);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	slab_fini(&loop->polls);
	mem_free(loop);
	*handle = NULL;
}

void io_loop_run(struct io_loop *loop)
{
	loop->now_is_stale = true;
	uv_turn_start(loop);
	uv_update_time(&loop->uv);
	arm(loop);
	loop->now_is_stale = true;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void io_loop_stop(struct io_loop *loop)
{
	uv_stop(&loop->uv);
}

ns_t io_now(const struct io_loop *loop)
{
	return loop->now;
}

ns_t io_clock(struct io_loop *loop)
{
	(void)loop;
	return clock_ns();
}

int64_t io_wall_s(const struct io_loop *loop)
{
	struct timespec t;
	(void)loop;
	CHECK(clock_gettime(CLOCK_REALTIME_COARSE, &t) == 0);
	return t.tv_sec;
}

void io_timer_set(struct io_loop *loop, struct timer *t, ns_t at)
{
	wheel_set(loop->wheel, t, at);
}

void io_timer_stop(struct io_loop *loop, struct timer *t)
{
	wheel_stop(loop->wheel, t);
}

void io_defer(struct io_loop *loop, struct io_defer *d)
{
	turn_defer(&loop->turn, d);
}

void io_defer_cancel(struct io_loop *loop, struct io_defer *d)
{
	turn_defer_cancel(&loop->turn, d);
}

void io_turn_hook_add(struct io_loop *loop, struct io_turn_hook *h)
{
	turn_hook_add(&loop->turn, h);
}

void io_turn_hook_remove(struct io_loop *loop, struct io_turn_hook *h)
{
	turn_hook_remove(&loop->turn, h);
}

ns_t io_loop_lag_max(const struct io_loop *loop)
{
	return loop->lag_max;
}

void io_loop_lag_reset(struct io_loop *loop)
{
	loop->lag_max = 0;
}
