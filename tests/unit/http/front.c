#include "front.h"

#define AT "10.0.0.1:80"

void front_init(struct front *f, const struct sim_cfg *sim, const struct server_cfg *cfg)
{
	static const struct sim_cfg plain = { .seed = 1 };
	static const struct worker_cfg few = { .clients = 8, .servers = 1 };
	static const struct server_cfg dflt = { 0 };
	bed_init(&f->bed, sim ? sim : &plain, &few);
	app_init(&f->app, &f->bed.worker, cfg ? *cfg : dflt, AT);
	raw_addr(AT, &f->at);
}

void front_fini(struct front *f)
{
	app_fini(&f->app);
	bed_fini(&f->bed);
}

void front_connect(struct front *f, struct raw *r)
{
	raw_init(r);
	raw_connect(r, f->bed.far, &f->at);
	bed_run(&f->bed, NS_MS);
	assert_int_equal(r->end, ERR_AGAIN);
}

void front_ask(struct front *f, struct raw *r, const char *text)
{
	front_connect(f, r);
	raw_say(r, text);
	bed_run(&f->bed, 20 * NS_MS);
}

static void at_the_first_second(struct raw *r)
{
	static const char gmt[] = " GMT\r\n";
	char *at = r->in.ptr;
	while (at && (at = memmem(at, (size_t)(r->in.ptr + r->in.len - at), gmt, 6))) {
		memcpy(at - 8, "00:00:00", 8);
		at += 6;
	}
}

void assert_in(struct raw *r, const char *expected)
{
	at_the_first_second(r);
	if (!raw_got(r, expected))
		print_message("got: %.*s\n", SLICE_ARG(text_slice(&r->in)));
	assert_true(raw_got(r, expected));
}
