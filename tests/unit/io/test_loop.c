/* Timers, deferred calls and turn hooks: the same on both loops. */
#include "io/mail.h"
#include "tests/unit/io/bed.h"

struct log {
	char text[64];
	size_t len;
	struct io_loop *loop;
};

static void note(struct log *l, char c)
{
	assert_true(l->len + 1 < sizeof(l->text));
	l->text[l->len++] = c;
	l->text[l->len] = '\0';
}

struct alarm {
	struct timer timer;
	struct log *log;
	char name;
	struct alarm *stops;
	ns_t again_in; /* 0: once */
	ns_t fired_at;
};

static void on_alarm(struct timer *t)
{
	struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
	struct io_loop *loop = a->log->loop;

	assert_true(io_now(loop) >= t->at);
	a->fired_at = io_now(loop);
	note(a->log, a->name);
	if (a->stops)
		io_timer_stop(loop, &a->stops->timer);
	if (a->again_in) {
		ns_t again_in = a->again_in;
		a->again_in = 0;
		io_timer_set(loop, t, io_now(loop) + again_in);
	}
}

static struct alarm alarm_of(struct log *l, char name)
{
	return (struct alarm){ .timer.on_fire = on_alarm, .log = l, .name = name };
}

static void timers_fire_in_order(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	ns_t now = io_now(b.client);
	struct alarm c = alarm_of(&l, 'c'), a = alarm_of(&l, 'a'), d = alarm_of(&l, 'd'),
		     e = alarm_of(&l, 'e');

	io_timer_set(b.client, &c.timer, now + 9 * NS_MS);
	io_timer_set(b.client, &a.timer, now + 3 * NS_MS);
	io_timer_set(b.client, &d.timer, now + 9 * NS_MS);
	io_timer_set(b.client, &e.timer, now + 9 * NS_MS);
	io_timer_set(b.client, &c.timer, now + 9 * NS_MS); /* set anew: now behind e */
	d.stops = &e;
	bed_run_out(&b);
	assert_string_equal(l.text, "adc");
	bed_fini(&b);
}

static void a_timer_may_set_itself_again(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct alarm a = alarm_of(&l, 'a');
	ns_t start = io_now(b.client);

	a.again_in = 2 * NS_MS;
	io_timer_set(b.client, &a.timer, start + NS_MS);
	bed_run_out(&b);
	assert_string_equal(l.text, "aa");
	assert_true(a.fired_at >= start + 3 * NS_MS);
	bed_fini(&b);
}

static void a_timer_in_the_past_fires_in_the_next_turn(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct alarm a = alarm_of(&l, 'a'), x = alarm_of(&l, 'x');

	io_timer_set(b.client, &a.timer, 0);
	io_timer_set(b.client, &x.timer, NS_NEVER);
	assert_false(timer_is_set(&x.timer));
	assert_string_equal(l.text, "");
	bed_run_out(&b);
	assert_string_equal(l.text, "a");
	bed_fini(&b);
}

struct call {
	struct io_defer defer;
	struct log *log;
	char name;
	struct call *adds, *cancels;
};

static void on_call(struct io_defer *d)
{
	struct call *c = CONTAINER_OF(d, struct call, defer);

	note(c->log, c->name);
	if (c->adds)
		io_defer(c->log->loop, &c->adds->defer);
	c->adds = NULL;
	if (c->cancels)
		io_defer_cancel(c->log->loop, &c->cancels->defer);
}

struct hook {
	struct io_turn_hook hook;
	struct log *log;
	char name;
	struct hook *removes;
};

static void on_hook(struct io_turn_hook *h)
{
	struct hook *k = CONTAINER_OF(h, struct hook, hook);

	note(k->log, k->name);
	if (k->removes)
		io_turn_hook_remove(k->log->loop, &k->removes->hook);
}

static void defers_run_once_at_the_end_of_the_turn(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct call one = { .defer.fn = on_call, .log = &l, .name = '1' }, two = one,
		    three = one, four = one;
	struct hook h = { .hook.fn = on_hook, .log = &l, .name = 'h' };

	two.name = '2', three.name = '3', four.name = '4';
	one.adds = &four;     /* in the next turn */
	two.cancels = &three; /* never */
	io_turn_hook_add(b.client, &h.hook);
	io_defer(b.client, &one.defer);
	io_defer(b.client, &two.defer);
	io_defer(b.client, &three.defer);
	io_defer(b.client, &one.defer); /* waits already */
	assert_string_equal(l.text, "");
	bed_run_out(&b);
	assert_string_equal(l.text, "h12h4");
	io_turn_hook_remove(b.client, &h.hook);
	bed_fini(&b);
}

static void a_defer_may_put_itself_off(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct call one = { .defer.fn = on_call, .log = &l, .name = '1' };

	one.adds = &one;
	io_defer(b.client, &one.defer);
	bed_run_out(&b);
	assert_string_equal(l.text, "11");
	bed_fini(&b);
}

static void hooks_may_remove_any_hook(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct hook x = { .hook.fn = on_hook, .log = &l, .name = 'x' }, y = x, z = x;
	struct call one = { .defer.fn = on_call, .log = &l, .name = '1' };

	y.name = 'y', z.name = 'z';
	x.removes = &y;
	z.removes = &z;
	one.adds = &one;
	io_turn_hook_add(b.client, &x.hook);
	io_turn_hook_add(b.client, &y.hook);
	io_turn_hook_add(b.client, &z.hook);
	io_defer(b.client, &one.defer);
	bed_run_out(&b);
	assert_string_equal(l.text, "xz1x1");
	io_turn_hook_remove(b.client, &x.hook);
	bed_fini(&b);
}

static void a_timer_in_the_same_turn_comes_before_hooks_and_defers(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct alarm a = alarm_of(&l, 'a');
	struct call one = { .defer.fn = on_call, .log = &l, .name = '1' };
	struct hook h = { .hook.fn = on_hook, .log = &l, .name = 'h' };

	io_turn_hook_add(b.client, &h.hook);
	io_defer(b.client, &one.defer);
	io_timer_set(b.client, &a.timer, io_now(b.client));
	bed_run_out(&b);
	assert_string_equal(l.text, "ah1");
	io_turn_hook_remove(b.client, &h.hook);
	bed_fini(&b);
}

static void a_stopped_timer_lets_the_loop_end(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct alarm a = alarm_of(&l, 'a'), far = alarm_of(&l, 'f');

	far.timer.on_fire = on_alarm;
	io_timer_set(b.client, &far.timer, io_now(b.client) + 3600 * NS_S);
	io_timer_set(b.client, &a.timer, io_now(b.client) + NS_MS);
	a.stops = &far;
	bed_run_out(&b);
	assert_string_equal(l.text, "a");
	assert_true(a.fired_at < far.timer.at);
	bed_fini(&b);
}

struct letter {
	struct io_letter letter;
	struct log *log;
	char name;
	struct io_mailbox *on; /* where it goes next; NULL: nowhere */
};

static void on_read(struct io_letter *io)
{
	struct letter *l = CONTAINER_OF(io, struct letter, letter);
	struct io_mailbox *on = l->on;
	note(l->log, l->name);
	l->on = NULL;
	if (on)
		io_mail(on, &l->letter);
}

static void letters_are_read_in_order(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct io_mailbox *to = io_mailbox_new(b.client);
	struct letter one[] = {
		{ .letter.on_read = on_read, .log = &l, .name = '1', .on = to },
		{ .letter.on_read = on_read, .log = &l, .name = '2' },
		{ .letter.on_read = on_read, .log = &l, .name = '3' },
	};
	for (size_t i = 0; i < ARRAY_LEN(one); i++)
		io_mail(to, &one[i].letter);
	assert_string_equal(l.text, ""); /* rule 1 */
	bed_settle(&b);
	assert_string_equal(l.text, "1231");
	io_mailbox_free(&to);
	assert_null(to);
	bed_fini(&b);
}

static void letters_left_are_read_as_the_box_goes(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct log l = { .loop = b.client };
	struct io_mailbox *to = io_mailbox_new(b.client);
	struct letter one = {
		.letter.on_read = on_read, .log = &l, .name = '1', .on = to
	};
	io_mail(to, &one.letter);
	io_mailbox_free(&to);
	assert_string_equal(l.text, "11");
	bed_fini(&b);
}

static void a_mailbox_lets_the_loop_end(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	struct io_mailbox *to = io_mailbox_new(b.client);
	bed_run_out(&b);
	io_mailbox_free(&to);
	bed_fini(&b);
}

static void the_clocks_agree(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b);
	assert_true(io_clock(b.client) >= io_now(b.client));
	assert_true(io_wall_s(b.client) > 1577836800); /* 2020 */
	io_loop_lag_reset(b.client);
	assert_true(io_loop_lag_max(b.client) == 0);
	bed_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_in_order),
		TEST(a_timer_may_set_itself_again),
		TEST(a_timer_in_the_past_fires_in_the_next_turn),
		TEST(defers_run_once_at_the_end_of_the_turn),
		TEST(a_defer_may_put_itself_off),
		TEST(hooks_may_remove_any_hook),
		TEST(a_timer_in_the_same_turn_comes_before_hooks_and_defers),
		TEST(a_stopped_timer_lets_the_loop_end),
		TEST(letters_are_read_in_order),
		TEST(letters_left_are_read_as_the_box_goes),
		TEST(a_mailbox_lets_the_loop_end),
		TEST(the_clocks_agree),
	};
	return cmocka_run_group_tests_name(bed_name, tests, NULL, NULL);
}
