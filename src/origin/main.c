/* weir origin: options, start, run, stop. */
#include "base/opts.h"
#include "io/fds.h"
#include "io/signals.h"
#include "origin/origin.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISUSE = 2 };

#define SERVER_NAME_MAX 200
#define ROOM_MAX 1000000 /* connections; no host has more to give */

struct origin_options {
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "origin/options.def"
#undef OPT
#undef GROUP
};

static const struct opt origin_opts[] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct origin_options, field) },
#define GROUP(title) { .kind = OPT_group, .name = title },
#include "origin/options.def"
#undef OPT
#undef GROUP
};

/* Everything one run owns, in the order in which it is made. */
struct run {
	const struct origin_options *opt;
	uint64_t room; /* client connections the descriptors allow */
	struct io_loop *loop;
	struct worker worker;
	struct tls_server *tls; /* NULL: plain */
	struct origin *origin;
	struct admin *admin;
	struct io_signals signals;
};

/* --- what the options mean --- */

/* none: an answer has no Server field. */
static struct slice server_name(const struct origin_options *o)
{
	struct slice name = slice_of(o->server_name);
	return slice_eq(name, SLICE("none")) ? SLICE_NONE : name;
}

static bool check_options(
	const struct origin_options *o, const struct opt_texts *words, struct problem *p)
{
	struct slice name = slice_of(o->server_name);

	if (words->n)
		return problem_set(
			p, "'%s' is no option (there are none without --)", words->v[0]);
	if (!o->listen.n)
		return problem_set(
			p, "--listen is missing: write --listen 127.0.0.1:9000");
	if (o->workers == 0)
		return problem_set(p,
			"--workers 0: nothing would ever be answered: write 1 "
			"or more, or none");
	if (o->max_requests == 0)
		return problem_set(p, "--max-requests 0: no connection would be of use: "
				      "write 1 or more, or none");
	if (!o->cert != !o->key)
		return problem_set(p, "--cert and --key go together: write both");
	if (name.len > SERVER_NAME_MAX)
		return problem_set(
			p, "--server-name is longer than %d bytes", SERVER_NAME_MAX);
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
			return problem_set(p, "--server-name holds a control character");
	return true;
}

static bool parse_model(
	const struct origin_options *o, struct model_cfg *out, struct problem *p)
{
	struct spoil spoil;
	struct problem why = { 0 };

	if (!spoil_parse(slice_of(o->fault), &spoil, &why))
		return problem_set(p, "--fault: %s", why.text);
	*out = (struct model_cfg){
		.limit = o->limit,
		.workers = o->workers,
		.unit = (enum origin_unit)o->limit_unit,
		.seed = o->seed,
		.full = (enum origin_full)o->full,
		.hangup = (enum origin_hangup)o->hangup,
		.spoil = spoil,
		.latency = dist_parse(slice_of(o->latency), &why),
	};
	return out->latency || problem_set(p, "--latency: %s", why.text);
}

static void free_phases(struct phase *phases, uint32_t n)
{
	while (n > 0)
		change_fini(&phases[--n].change);
}

static bool parse_phases(const struct origin_options *o, struct phase *out, uint64_t room,
	struct problem *p)
{
	for (uint32_t n = 0; n < o->phase.n; n++) {
		if (!phase_parse(slice_of(o->phase.v[n]), &out[n], p)) {
			free_phases(out, n);
			return false;
		}
		if (out[n].change.has_limit &&
			!origin_check_limit(out[n].change.limit, room, p)) {
			free_phases(out, n + 1);
			return false;
		}
	}
	return true;
}

static bool parse_addr(
	const char *option, const char *text, struct addr *out, struct problem *p)
{
	struct problem why = { 0 };
	uint32_t n;

	if (addr_resolve(slice_of(text), out, 1, &n, &why))
		return true;
	return problem_set(p, "--%s: %s", option, why.text);
}

static bool parse_addrs(const struct origin_options *o, struct addr *listen,
	struct addr *admin, struct problem *p)
{
	for (uint32_t i = 0; i < o->listen.n; i++)
		if (!parse_addr("listen", o->listen.v[i], &listen[i], p))
			return false;
	return !o->admin || parse_addr("admin", o->admin, admin, p);
}

/* --- start and stop --- */

/* The descriptors are the room for connections: take what may be had. */
static uint64_t make_room(struct problem *p)
{
	uint64_t room = fds_fit();

	if (room > ROOM_MAX)
		room = ROOM_MAX;
	return fds_ensure(room, "connections", p) ? room : 0;
}

static bool open_addrs(struct run *run, const struct addr *listen,
	const struct addr *admin, struct problem *p)
{
	for (uint32_t i = 0; i < run->opt->listen.n; i++)
		if (!origin_listen(run->origin, &listen[i], p))
			return false;
	if (!run->opt->admin)
		return true;
	run->admin = admin_new(
		run->worker.loop, admin, &origin_admin_ops, run->origin, p);
	return run->admin != NULL;
}

/* No bound on a handshake: fasthttp has none by default. */
static bool make_tls(struct run *run, struct problem *p)
{
	const struct origin_options *o = run->opt;
	const struct tls_server_cfg cfg = { .first = { o->cert, o->key } };
	struct problem why = { 0 };

	if (!o->cert)
		return true;
	run->tls = tls_server_new(&cfg, &why);
	return run->tls || problem_set(p, "--cert, --key: %s", why.text);
}

static void say_start(const struct run *run)
{
	const struct model *m = origin_model(run->origin);
	const struct addr *at;
	struct text t;

	text_init(&t);
	text_add(&t, "weir origin: listening on ");
	for (uint32_t i = 0; (at = origin_addr(run->origin, i)); i++) {
		text_add(&t, i ? " " : "");
		text_add_addr(&t, at);
	}
	text_add(&t, run->tls ? ", TLS, " : ", ");
	if (m->limit == ORIGIN_NONE) {
		text_add(&t, "no limit");
	} else {
		text_add_counted(&t, m->limit, "slot", "slots");
		text_add(&t, m->unit == UNIT_REQUEST ? " by request" : "");
	}
	text_add(&t, ", latency ");
	text_add_dist(&t, m->latency);
	if (m->workers != ORIGIN_NONE) {
		text_add(&t, ", ");
		text_add_counted(&t, m->workers, "worker", "workers");
	}
	text_addf(&t, ", full: %s", origin_full_word(m->full));
	if (run->admin) {
		text_add(&t, ", admin: ");
		text_add_addr(&t, admin_addr(run->admin));
	}
	fprintf(stderr, "%s\n", t.ptr);
	text_fini(&t);
}

static void say_end(const struct run *run)
{
	const struct model *m = origin_model(run->origin);
	struct text t;

	text_init(&t);
	text_add(&t, "weir origin: stopped: ");
	text_add_counted(&t, m->accepted, "connection", "connections");
	text_add(&t, " accepted, ");
	text_add_count(&t, m->refused);
	text_add(&t, " refused; ");
	text_add_counted(&t, m->requests, "request", "requests");
	text_add(&t, ", ");
	text_add_count(&t, m->answered);
	text_add(&t, " answered; ");
	text_add_counted(&t, m->hangups, "hang-up", "hang-ups");
	text_add(&t, "; at most ");
	text_add_counted(&t, m->peak, "slot", "slots");
	text_add(&t, " taken");
	if (m->over) {
		text_add(&t, ", ");
		text_add_counted(&t, m->over, "time", "times");
		text_add(&t, " above the limit");
	}
	fprintf(stderr, "%s\n", t.ptr);
	text_fini(&t);
}

static void make(struct run *run, const struct model_cfg *model, struct phase *phases)
{
	const struct origin_options *o = run->opt;
	struct worker_cfg worker = { .clients = (uint32_t)run->room };
	struct origin_cfg cfg = {
		.body_bytes = o->body,
		.close_each = !o->keep_alive,
		.max_requests = o->max_requests == UINT64_MAX ? 0 : o->max_requests,
		.close_after = o->close_after,
		.idle_for = o->idle_for,
		.server_name = server_name(o),
		.tls = run->tls,
		.room = run->room,
	};

	run->loop = io_loop_new(&(struct io_loop_cfg){ 0 });
	worker_init(&run->worker, run->loop, &worker);
	run->origin = origin_new(&run->worker, &cfg, model);
	for (uint32_t i = 0; i < o->phase.n; i++)
		origin_add_phase(run->origin, &phases[i]);
}

static void unmake(struct run *run)
{
	admin_free(&run->admin);
	origin_free(&run->origin);
	tls_server_unref(&run->tls);
	worker_fini(&run->worker);
	io_loop_free(&run->loop);
}

/* Terminal or service manager: whoever sends one wants an end. */
static void on_signal(struct io_signals *signals, int signum)
{
	struct run *run = CONTAINER_OF(signals, struct run, signals);

	(void)signum;
	io_loop_stop(run->loop);
}

static int fail(int status, const struct problem *p)
{
	fprintf(stderr, "weir origin: %s\n", p->text);
	if (status == EXIT_MISUSE)
		fprintf(stderr, "  `weir origin --help` lists the options\n");
	return status;
}

static int origin_main(const void *options, const struct opt_texts *words)
{
	struct run run = { .opt = options };
	struct addr listen[OPT_TEXTS_MAX], admin = { 0 };
	struct phase phases[OPT_TEXTS_MAX];
	struct model_cfg model;
	struct problem p = { 0 };

	if (!check_options(run.opt, words, &p) ||
		!parse_addrs(run.opt, listen, &admin, &p))
		return fail(EXIT_MISUSE, &p);
	run.room = make_room(&p);
	if (!run.room || !origin_check_limit(run.opt->limit, run.room, &p))
		return fail(EXIT_FAILED, &p);
	if (!parse_phases(run.opt, phases, run.room, &p))
		return fail(EXIT_MISUSE, &p);
	if (!parse_model(run.opt, &model, &p)) {
		free_phases(phases, run.opt->phase.n);
		return fail(EXIT_MISUSE, &p);
	}
	if (!make_tls(&run, &p)) {
		free_phases(phases, run.opt->phase.n);
		dist_free(&model.latency);
		return fail(EXIT_FAILED, &p);
	}
	make(&run, &model, phases);
	if (open_addrs(&run, listen, &admin, &p)) {
		run.signals.on_signal = on_signal;
		io_signals_watch(run.loop, &run.signals);
		say_start(&run);
		io_loop_run(run.loop);
		say_end(&run);
		io_signals_unwatch(&run.signals);
	}
	unmake(&run);
	return p.text[0] ? fail(EXIT_FAILED, &p) : EXIT_DONE;
}

const struct verb origin_verb = {
	.name = "origin",
	.summary =
		"the API: an HTTP server with a concurrency limit, slow phases and faults",
	.usage = "weir origin --listen ADDR [options]",
	.about =
		"Plays the API that a middleware has to live with. A connection takes a "
		"slot when it is accepted and holds it to its end, idle or not; when no "
		"slot is free the origin says so as real servers do, down to the bytes and "
		"the way the connection ends.",
	.example =
		"weir origin --listen :9000 --limit 1000 --latency 'uniform(3s, 5s)'\n"
		"weir origin --listen :9000 --workers 12 --latency 48ms --limit 1000\n"
		"weir origin --listen :9000 --limit 100 --latency 50ms --admin :9001 \\\n"
		"    --phase '10s: latency=3s' --phase '20s: latency=50ms'\n"
		"curl -X POST 'http://127.0.0.1:9001/set?limit=50&full=503'",
	.opts = origin_opts,
	.opt_count = ARRAY_LEN(origin_opts),
	.options_size = sizeof(struct origin_options),
	.main = origin_main,
};
