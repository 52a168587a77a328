/*
 * watch: the verb. Once, or again and again until SIGINT: look at a namespace's sockets,
 * and say what they prove. Between two looks the deaths of sockets are read, so that
 * every close is attributed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "attr/late.h"
#include "base/opts.h"
#include "io/clock.h"
#include "io/privilege.h"
#include "watch/ends.h"
#include "watch/report.h"
#include "watch/screen.h"
#include "watch/study.h"

enum {
	STATUS_FAILED = 1,
	STATUS_MISUSE = 2,
	STAY = -1,
	DEATHS_AT_ONCE = 256,
	RECORDS_BEHIND_MS = 5,
	RECORDS_TRIES = 4,
	TOP_OF_TEXT = 10
};

#define EVERY_MIN (100 * NS_MS)
#define READ_DUE_MAX (100 * NS_MS)

struct watch_options {
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "watch/options.def"
#undef OPT
#undef GROUP
};

static const struct opt option_rows[] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct watch_options, field) },
#define GROUP(title) { OPT_group, title, NULL, NULL, NULL, 0 },
#include "watch/options.def"
#undef OPT
#undef GROUP
};

struct death {
	struct diag_sock record;
	ns_t at;
	enum tally_side_id side;
	struct close_found found;
};

struct watcher {
	const struct watch_options *opt;
	struct where where;
	struct diag *diag;
	struct diag_net net;
	struct diag_ports ports;
	struct diag_report dump;
	struct aged aged;
	bool is_aged; /* aged is known */
	struct diag_counters counters;
	struct diag_counters before; /* as the interval that is told next began */
	struct snap snap;
	struct tally tally;
	struct owners owners;
	ns_t now; /* of the last look */

	struct diag_deaths *deaths; /* NULL: --once */
	struct diag_visitor on_death;
	struct closes interval, since_start;
	struct ends ends;
	struct study study;
	struct causes causes;
	struct late late;
	struct death batch[RECORDS_TRIES * DEATHS_AT_ONCE]; /* all of one judgement */
	uint32_t n_batch;
	ns_t interval_begin, begin;
	uint64_t looks;
};

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * (int64_t)1000 + t.tv_nsec / 1000000;
}

static int complain(int status, const struct problem *p)
{
	fprintf(stderr, "weir watch: %s\n", p->text);
	return status;
}

/* Options. */

static bool ports_given(const char *text, struct diag_ports *out, struct problem *p)
{
	char copy[32];
	char *dash;

	snprintf(copy, sizeof(copy), "%s", text);
	dash = strchr(copy, '-');
	if (dash)
		*dash = ' ';
	if (dash && diag_ports_parse(slice_of(copy), SLICE_NONE, out) && out->low > 0)
		return true;
	return problem_set(p,
		"--port-range '%s': write auto, or the first and last port as 32768-60999",
		text);
}

static bool options_check(
	struct watcher *w, const struct opt_texts *words, struct problem *p)
{
	const struct watch_options *o = w->opt;

	if (words->n)
		return problem_set(p,
			"unexpected '%s': a namespace is named by --netns %s, a destination "
			"is not asked for",
			words->v[0], words->v[0]);
	if (o->every < EVERY_MIN || o->every == NS_NEVER)
		return problem_set(
			p, "--every: at least 100ms; for one look there is --once");
	if (o->run_for != NS_NEVER && (o->once || o->run_for < EVERY_MIN))
		return problem_set(p,
			o->once ? "--for and --once: one look takes no time; leave --once out"
				: "--for: at least 100ms; for one look there is --once");
	if (o->top == 0)
		return problem_set(p, "--top 0 would show nothing; at least 1");
	return !strcmp(o->port_range, "auto") || ports_given(o->port_range, &w->ports, p);
}

/* Looking. */

static const char the_counters[] = "the counters (/proc/net)";

static bool look_failed(const char *what, enum err e, struct problem *p)
{
	return problem_set(p, "cannot read %s: %s", what, err_text(e));
}

static struct study_eyes eyes_of(const struct watcher *w)
{
	return (struct study_eyes){ w->diag, &w->where, &w->tally, &w->ports };
}

static bool look(struct watcher *w, struct problem *p)
{
	const struct diag_ask ask = { .states = DIAG_ALL_STATES };
	const struct study_eyes eyes = eyes_of(w);
	enum err e;

	snap_reset(&w->snap);
	e = diag_dump(w->diag, &ask, &w->snap.visitor, &w->dump);
	if (e != ERR_OK)
		return look_failed("the sockets (netlink SOCK_DIAG)", e, p);
	e = diag_net_counters(&w->net, &w->counters);
	if (e != ERR_OK)
		return look_failed(the_counters, e, p);
	e = strcmp(w->opt->port_range, "auto") ? diag_net_reuse(&w->net, &w->ports)
					       : diag_net_ports(&w->net, &w->ports);
	if (e != ERR_OK)
		return look_failed("the port range (/proc/sys/net/ipv4)", e, p);
	w->now = clock_now();
	tally_make(&w->tally, &w->snap, &w->ports, NULL, w->now);
	w->is_aged = aged_read(&w->aged, w->diag, &w->snap);
	const struct owners_of of = { &w->where, &w->snap, &w->tally, &w->ports, w->now };
	if (w->opt->processes)
		owners_read(&w->owners, &of);
	if (w->deaths)
		study_look(&w->study, &eyes, w->opt->processes ? &w->owners : NULL, &of);
	w->looks++;
	return true;
}

/* One report in all: whole, however small the terminal is. */
static bool is_one_report(const struct watch_options *o)
{
	return o->once || o->run_for != NS_NEVER;
}

static uint32_t top_of(const struct watch_options *o)
{
	if (o->top < UINT32_MAX)
		return (uint32_t)o->top;
	return o->json ? UINT32_MAX : TOP_OF_TEXT;
}

static void show(struct watcher *w, struct text *t, const struct screen *screen)
{
	const struct report_closes closes = {
		.interval = &w->interval,
		.since_start = &w->since_start,
		.places = &w->study.places,
		.interval_for = clock_now() - w->interval_begin,
		.since_start_for = clock_now() - w->begin,
		.lost = w->deaths ? diag_deaths_lost(w->deaths) : 0,
	};
	struct report r = {
		.where = &w->where,
		.wall_ms = wall_ms(),
		.snap = &w->snap,
		.tally = &w->tally,
		.ports = &w->ports,
		.counters = &w->counters,
		.before = w->looks > 1 ? &w->before : NULL,
		.dump = &w->dump,
		.aged = w->is_aged ? &w->aged : NULL,
		.owners = w->opt->processes ? &w->owners : NULL,
		.closes = w->deaths ? &closes : NULL,
		.causes = &w->causes,
		.heard = w->study.tap ? &w->study.heard : NULL,
		.deaf = w->study.deaf,
		.top = top_of(w->opt),
	};

	text_reset(t);
	report_warn(&r);
	study_find(
		&w->study, &w->causes, &w->tally, &w->counters, closes.since_start_for);
	if (w->opt->json)
		watch_report_json(t, &r, is_one_report(w->opt));
	else
		watch_report_text(t, &r,
			&(struct report_style){ .colour = screen->colour,
				.columns = screen_columns(screen),
				.warnings_first = screen->terminal &&
						  !is_one_report(w->opt) });
}

/* Deaths. */

static bool is_here(const struct watcher *w, const struct diag_end *e)
{
	return diag_ip_is_loopback(e) || snap_has_ip(&w->snap, e);
}

static enum diag_state state_of(
	struct watcher *w, const struct diag_end *local, const struct diag_end *remote)
{
	struct diag_sock s;

	return diag_find(w->diag, local, remote, &s) == ERR_OK ? s.state : DIAG_UNKNOWN;
}

/* The record of a death no longer names the program; the last look may. */
static const struct owner *holder_of(const struct watcher *w, const struct diag_sock *s)
{
	const struct snap_sock *was = snap_find(&w->snap, &s->local, &s->remote);

	return was && w->opt->processes ? owners_find(&w->owners, was->inode) : NULL;
}

static void may_be_an_end(struct watcher *w, const struct death *d,
	const struct close_verdict *v, const struct owner *o)
{
	const struct diag_sock *s = &d->record;

	if (o)
		ends_put(&w->ends,
			&(struct ends_close){ .pid = o->pid,
				.at = d->at,
				.close = { .side = d->side,
					.at = d->side == SIDE_OUT ? s->remote : s->local,
					.why = v->why,
					.age = v->age,
					.use = place_use_of(&s->info),
					.tied = place_is_tied(&s->info) } });
}

static void look_up(struct watcher *w, struct death *d)
{
	const struct diag_sock *s = &d->record;

	d->side = tally_side_of(&w->tally, &w->ports, &s->local, w->now);
	d->found = (struct close_found){ .own = DIAG_UNKNOWN };
	if (!closes_is_connection(s, d->side))
		return;
	if (s->remote.port) {
		d->found.own = state_of(w, &s->local, &s->remote);
		d->found.mirror_in_sight = is_here(w, &s->remote);
		if (d->found.mirror_in_sight)
			d->found.mirror = state_of(w, &s->remote, &s->local);
	}
	if (d->side == SIDE_UNSURE)
		d->side = closes_side(s, d->found.own);
	late_add(&w->late, closes_late_part(s, d->side, &d->found));
}

/* A program that looks late at what its peer has closed: how long the peer left it idle is not
 * to be told by when it saw. */
static bool was_seen_late(const struct watcher *w, const struct diag_sock *s)
{
	const struct snap_sock *was = snap_find(&w->snap, &s->local, &s->remote);

	return was && was->state == DIAG_CLOSE_WAIT;
}

static bool may_be_of_an_end(const struct death *d, const struct close_verdict *v)
{
	if (v->why == WHY_UNREAD)
		return !place_is_goodbye(&d->record);
	return (v->why == WHY_IDLE || v->why == WHY_AFTER_ANSWER ||
		       v->why == WHY_NO_ANSWER) &&
	       close_is_local(v->first);
}

static void count_death(struct watcher *w, const struct death *d)
{
	const struct place_close close = { &d->record, d->side, d->at,
		snap_find(&w->snap, &d->record.local, &d->record.remote) };
	const struct owner *holder = holder_of(w, &d->record);
	struct close_verdict told;

	if (!closes_is_connection(&d->record, d->side)) {
		places_connect(&w->study.places, &d->record, d->side);
		if (holder)
			study_death(&w->study, &close, NULL, holder);
		return;
	}
	(void)closes_death(&w->interval, &d->record, d->side, &d->found);
	told = closes_death(&w->since_start, &d->record, d->side, &d->found);
	if (!close_is_local(told.first) && was_seen_late(w, &d->record))
		told.age = NS_NEVER;
	places_death(&w->study.places, &close, &told);
	study_death(&w->study, &close, &told, holder);
	if (may_be_of_an_end(d, &told))
		may_be_an_end(w, d, &told, holder);
}

static void on_death(struct diag_visitor *v, const struct diag_sock *s)
{
	struct watcher *w = CONTAINER_OF(v, struct watcher, on_death);
	struct death *d;

	CHECK(w->n_batch < ARRAY_LEN(w->batch));
	d = &w->batch[w->n_batch++];
	d->record = *s;
	d->at = clock_now();
	look_up(w, d);
}

static void read_records(struct watcher *w)
{
	/* An error is an overrun, and counted. */
	enum err e = diag_deaths_read(w->deaths, &w->on_death, DEATHS_AT_ONCE);
	(void)e;
}

/* The kernel counts at once, and sends its records from a queue of work: a count that is
 * ahead waits a little for them. */
static enum close_late judge_late(struct watcher *w)
{
	struct pollfd fd = { .fd = diag_deaths_fd(w->deaths), .events = POLLIN };
	uint64_t counted;

	if (!late_asks(&w->late))
		return LATE_NOT_ASKED;
	for (int i = 0; i < RECORDS_TRIES; i++) {
		if (diag_net_aborts_on_data(&w->net, &counted) != ERR_OK) {
			late_skip(&w->late);
			return LATE_NOT_ASKED;
		}
		if (!late_is_ahead(&w->late, counted) ||
			poll(&fd, 1, RECORDS_BEHIND_MS) <= 0)
			break;
		if (i + 1 < RECORDS_TRIES)
			read_records(w);
	}
	return late_judge(&w->late, counted);
}

static void read_deaths(struct watcher *w)
{
	enum close_late late;

	read_records(w);
	late = judge_late(w);
	for (uint32_t i = 0; i < w->n_batch; i++) {
		w->batch[i].found.late = late;
		count_death(w, &w->batch[i]);
	}
	w->n_batch = 0;
}

/* All that has come by now; of a flood, what can be read in a moment. */
static void read_due(struct watcher *w)
{
	struct pollfd fds[2] = { { .fd = diag_deaths_fd(w->deaths), .events = POLLIN },
		{ .fd = study_heard_fd(&w->study), .events = POLLIN } };
	ns_t end = clock_now() + READ_DUE_MAX;

	while (poll(fds, 2, 0) > 0 && clock_now() < end) {
		if (fds[0].revents)
			read_deaths(w);
		if (fds[1].revents)
			study_hear(&w->study);
	}
}

/* Staying. */

enum wait { WAIT_DUE, WAIT_STOP };

/* Reads deaths until `at`, or until a signal says stop. */
static enum wait wait_until(struct watcher *w, int signals, ns_t at)
{
	const struct study_eyes eyes = eyes_of(w);

	for (;;) {
		struct pollfd fds[3] = { { .fd = signals, .events = POLLIN },
			{ .fd = diag_deaths_fd(w->deaths), .events = POLLIN },
			{ .fd = study_heard_fd(&w->study), .events = POLLIN } };
		ns_t now = clock_now();
		ns_t sample = w->opt->processes ? study_next_sample(&w->study) : NS_NEVER;
		ns_t left = ns_max(ns_min(at, sample) - now, 0);
		struct timespec t = { left / NS_S, left % NS_S };

		if (at <= now)
			return WAIT_DUE;
		if (ppoll(fds, 3, &t, NULL) < 0)
			continue;
		if (fds[0].revents)
			return WAIT_STOP;
		if (fds[1].revents)
			read_deaths(w);
		if (fds[2].revents)
			study_hear(&w->study);
		if (sample <= now)
			study_sample(&w->study, &eyes, now);
	}
}

static int write_failed(void)
{
	struct problem p = { "" };

	if (errno == EPIPE || errno == ECANCELED) /* the reader has seen enough */
		return 0;
	problem_set(&p, "cannot write: %s", strerror(errno));
	return complain(STATUS_FAILED, &p);
}

/* The deaths of what the last look saw are read before it is forgotten; and those that the
 * counters of this one count, before the two are compared. */
static bool look_on(struct watcher *w, struct problem *p)
{
	if (w->looks) /* without one nothing is known of a socket */
		read_due(w);
	if (!look(w, p))
		return false;
	closes_counters(&w->since_start, &w->counters);
	study_counters(&w->study, &w->counters);
	late_forget(&w->late, w->counters.abort_on_data);
	read_due(w);
	ends_settle(&w->ends, &w->since_start, &w->study.places);
	return true;
}

/* What comes from here on is of the next report. */
static void interval_begins(struct watcher *w)
{
	closes_reset(&w->interval);
	w->interval_begin = clock_now();
	w->before = w->counters;
}

/* Looks, and tells it if `tell`. A status of the program, or STAY. */
static int turn(struct watcher *w, struct screen *screen, struct text *t, bool tell)
{
	struct problem p = { "" };

	if (!look_on(w, &p))
		return complain(STATUS_FAILED, &p);
	heard_settle(&w->study.heard, tell && is_one_report(w->opt));
	if (!tell) {
		if (w->looks == 1)
			w->before = w->counters;
		return STAY;
	}
	show(w, t, screen);
	if (!(w->opt->json || is_one_report(w->opt) ? screen_write(screen, text_slice(t))
						    : screen_show(screen, text_slice(t))))
		return write_failed();
	interval_begins(w);
	return STAY;
}

static int stay(struct watcher *w, int signals, struct text *t)
{
	ns_t at = clock_now();
	bool timed = w->opt->run_for != NS_NEVER, last = false;
	ns_t end = timed ? at + w->opt->run_for : NS_NEVER;
	struct screen screen;
	int status;

	screen_init(&screen, STDOUT_FILENO);
	screen.stop_fd = signals;
	if (w->opt->words)
		study_listen(&w->study);
	privilege_only_look();
	w->begin = w->interval_begin = at;
	for (;;) {
		last = last || clock_now() >= end;
		status = turn(w, &screen, t, !timed || last);
		if (status != STAY || last)
			return status == STAY ? 0 : status;
		/* On the grid of the start, so that intervals do not drift; a look that
		 * took longer skips. */
		do
			at += w->opt->every;
		while (at <= clock_now());
		if (wait_until(w, signals, ns_min(at, end)) == WAIT_STOP) {
			if (!timed)
				return 0;
			last = true; /* tells what it has seen so far */
			screen.stop_fd = -1;
		}
	}
}

static int signals_open(struct problem *p)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		problem_set(p, "cannot watch for signals: %s", strerror(errno));
	return fd;
}

/* What was counted before the first record can come has none. */
static bool deaths_begin(struct watcher *w, struct problem *p)
{
	uint64_t counted;
	enum err e = diag_net_aborts_on_data(&w->net, &counted);

	if (e != ERR_OK)
		return look_failed(the_counters, e, p);
	late_init(&w->late, counted);
	w->deaths = diag_deaths_open(p);
	return w->deaths != NULL;
}

static int run_on(struct watcher *w, struct text *t, struct problem *p)
{
	int status, signals = signals_open(p);

	if (signals < 0)
		return complain(STATUS_FAILED, p);
	status = deaths_begin(w, p) ? stay(w, signals, t) : complain(STATUS_FAILED, p);
	diag_deaths_free(&w->deaths);
	close(signals);
	return status;
}

static int run_once(struct watcher *w, struct text *t, struct problem *p)
{
	struct screen screen;

	screen_init(&screen, STDOUT_FILENO);
	if (!look(w, p))
		return complain(STATUS_FAILED, p);
	show(w, t, &screen);
	return screen_write(&screen, text_slice(t)) ? 0 : write_failed();
}

static int run(struct watcher *w, struct problem *p)
{
	struct text t;
	int status;

	w->on_death.on_sock = on_death;
	snap_init(&w->snap);
	tally_init(&w->tally);
	owners_init(&w->owners);
	closes_init(&w->interval);
	closes_init(&w->since_start);
	ends_init(&w->ends);
	study_init(&w->study);
	text_init(&t);
	status = w->opt->once ? run_once(w, &t, p) : run_on(w, &t, p);
	text_fini(&t);
	study_fini(&w->study);
	ends_fini(&w->ends);
	closes_fini(&w->since_start);
	closes_fini(&w->interval);
	owners_fini(&w->owners);
	tally_fini(&w->tally);
	snap_fini(&w->snap);
	return status;
}

static int watch_main(const void *options, const struct opt_texts *words)
{
	struct watcher *w = mem_zalloc(sizeof(*w));
	struct problem p = { "" };
	bool misuse = true;
	int status;

	w->opt = options;
	if (!options_check(w, words, &p) ||
		!where_enter(w->opt->netns, &w->where, &misuse, &p)) {
		status = complain(misuse ? STATUS_MISUSE : STATUS_FAILED, &p);
		mem_free(w);
		return status;
	}
	status = STATUS_FAILED;
	w->diag = diag_open(&p);
	if (w->diag && diag_net_open(&w->net, &p)) {
		status = run(w, &p);
		diag_net_close(&w->net);
	} else {
		complain(status, &p);
	}
	diag_free(&w->diag);
	mem_free(w);
	return status;
}

extern const struct verb watch_verb;
const struct verb watch_verb = {
	.name = "watch",
	.summary = "every socket's state, who closed first, and how many ports are left",
	.usage =
		"weir watch [--once | --for DURATION] [--json] [--netns NAME|PATH|PID] [options]",
	.about =
		"Reads the sockets of a network namespace from the kernel (netlink "
		"SOCK_DIAG, no root needed) and says what they prove: states by side, who "
		"closed first, ports in use and left for each destination, and how far the "
		"connect cliff is. TIME_WAIT and orphaned FIN_WAIT2 are told apart. While "
		"it stays it also reads the death of each socket, and counts closes by "
		"first closer and cause, by destination and program, and says what "
		"to change.",
	.example = "weir watch --once\n"
		   "weir watch --once --json --netns 4321 | jq .destinations\n"
		   "weir watch --for 10s --json | jq .diagnosis\n"
		   "weir watch --every 2s",
	.opts = option_rows,
	.opt_count = ARRAY_LEN(option_rows),
	.options_size = sizeof(struct watch_options),
	.main = watch_main,
};
