#include "lab/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"
#include "lab/fetch.h"
#include "lab/measure.h"

#define READY_FOR (10 * NS_S)
#define OVERTIME (15 * NS_S) /* for callers that do not come to an end */
#define READY_STEP (5 * NS_MS)
#define LAST_WORDS_BYTES 2048
#define LOAD_BYTES_MAX (16U << 20)

static char *path_in(const struct lab_run *r, const char *name, const char *suffix)
{
	return text_format("%s/%s%s", r->dir, name, suffix);
}

static int open_in(const struct lab_run *r, const char *name, const char *suffix)
{
	char *path = path_in(r, name, suffix);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	mem_free(path);
	return fd;
}

/* What a program last said on its standard error, without the newlines at its end. */
static void read_last_words(
	const struct lab_run *r, enum lab_host_id id, struct text *words)
{
	char *path = path_in(r, lab_host_name(id), ".err");
	text_reset(words);
	if (lab_read_file(path, LAST_WORDS_BYTES, words)) {
		while (words->len && words->ptr[words->len - 1] == '\n')
			words->ptr[--words->len] = '\0';
	}
	mem_free(path);
}

static bool start_program(struct lab_run *r, enum lab_host_id id, struct problem *p)
{
	const struct args *argv[LAB_HOSTS] = { &r->plan.client, &r->plan.middle,
		&r->plan.server };
	const struct args *env[LAB_HOSTS] = { &r->plan.client_env, &r->plan.middle_env,
		&r->plan.server_env };
	bool callers = id == LAB_CLIENT;
	int err_fd = open_in(r, lab_host_name(id), ".err");
	int out_fd = callers ? open_in(r, "load", ".json") : -1;
	bool ok = err_fd >= 0 && (out_fd >= 0 || !callers);
	if (!ok)
		problem_set(p, "cannot write in %s: %s", r->dir, strerror(errno));
	else
		ok = child_start(&r->child[id],
			&(struct child_cfg){
				.argv = args_v(argv[id]),
				.env = args_v(env[id]),
				.net = lab_hosts_net(&r->hosts, id),
				.out_fd = callers ? out_fd : err_fd,
				.err_fd = err_fd,
				.prompt =
					callers, /* their schedule must hold on a busy machine */
			},
			p);
	if (err_fd >= 0)
		close(err_fd);
	if (out_fd >= 0)
		close(out_fd);
	return ok;
}

/* Says why nobody can reach the program on that host. */
static bool not_ready(struct lab_run *r, enum lab_host_id id, bool listens,
	const struct diag_end *at, struct lab_trouble *why)
{
	struct text t;
	text_init(&t);
	const char *command = id == LAB_SERVER               ? r->c->server.command
			      : r->c->program == LAB_COMMAND ? r->c->command
							     : NULL;
	text_addf(&t, "%s: the %s", r->c->label, lab_host_name(id));
	if (command)
		text_addf(&t, " '%s'", command);
	if (!r->child[id].pid) {
		text_add(&t, " ended before it listened: ");
		text_add_child_end(&t, &r->child[id]);
	} else {
		text_add(&t, listens ? " does not listen where its callers come in, "
				     : " does not listen on ");
		text_add_end(&t, at);
		if (!listens)
			text_addf(&t, ", after %d s", (int)(READY_FOR / NS_S));
		text_add(&t, ": take it from WEIR_LISTEN_HOST and WEIR_LISTEN_PORT (or "
			     "PORT)");
	}
	problem_set(&why->p, "%s", t.ptr);
	text_fini(&t);
	read_last_words(r, id, &why->said);
	return false;
}

/* Waits until the program on that host listens. */
static bool wait_ready(struct lab_run *r, enum lab_host_id id, struct lab_trouble *why)
{
	bool server = id == LAB_SERVER;
	struct diag_end at;
	ns_t until = clock_now() + READY_FOR;
	bool ended = false, listens = false, reachable = false;
	char ip[LAB_IP_BYTES];
	lab_server_ip(r->c, 0, ip);
	CHECK(diag_end_parse(server ? ip : lab_middle_ip(r->c),
		server ? LAB_SERVER_PORT : LAB_MIDDLE_PORT, &at));
	while (!ended && !reachable && clock_now() < until) {
		ended = child_wait(&r->child[id], READY_STEP);
		listens = lab_hosts_listens(&r->hosts, id, &at, &reachable);
	}
	return (reachable && !ended) || not_ready(r, id, listens, &at, why);
}

static void kill_programs(struct lab_run *r)
{
	for (int i = 0; i < LAB_HOSTS; i++)
		child_kill(&r->child[i]);
}

static bool write_file(
	const struct lab_run *r, const char *name, const char *text, struct problem *p)
{
	int fd = open_in(r, name, "");
	size_t len = strlen(text);
	bool ok = fd >= 0;
	for (size_t put = 0; ok && put < len;) {
		ssize_t n = write(fd, text + put, len - put);
		ok = n > 0;
		put += ok ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	return ok ||
	       problem_set(p, "cannot write %s/%s: %s", r->dir, name, strerror(errno));
}

static bool write_files(struct lab_run *r, struct problem *p)
{
	struct text t;
	bool ok = true;
	text_init(&t);
	text_add_arrivals(&t, &r->c->callers, r->seed);
	if (t.len)
		ok = write_file(r, LAB_ARRIVALS_FILE, t.ptr, p);
	text_fini(&t);
	for (uint32_t i = 0; ok && i < r->plan.n_files; i++)
		ok = write_file(r, r->plan.files[i].name, r->plan.files[i].text, p);
	return ok;
}

bool lab_run_init(struct lab_run *r, const struct lab_run_of *of, struct lab_trouble *why)
{
	struct problem *p = &why->p;
	*r = (struct lab_run){
		.c = of->plan.c, .repetition = of->repetition, .seed = of->plan.seed
	};
	figures_init(&r->figures);
	lab_plan_init(&r->plan, &of->plan);
	r->dir = mem_strdup(of->plan.dir);
	bool ok = mkdir(r->dir, 0700) == 0 ||
		  problem_set(p, "cannot make %s: %s", r->dir, strerror(errno));
	if (!ok || !write_files(r, p) || !lab_hosts_init(&r->hosts, r->c, p)) {
		lab_plan_fini(&r->plan);
		mem_free(r->dir);
		r->dir = NULL;
		return false;
	}
	r->state = LAB_RUN_PREPARED;
	if (start_program(r, LAB_SERVER, p) && wait_ready(r, LAB_SERVER, why) &&
		start_program(r, LAB_MIDDLE, p) && wait_ready(r, LAB_MIDDLE, why))
		return true;
	lab_run_fini(r);
	return false;
}

void lab_run_fini(struct lab_run *r)
{
	if (!r->dir)
		return;
	kill_programs(r);
	lab_hosts_fini(&r->hosts);
	lab_plan_fini(&r->plan);
	json_doc_free(&r->load);
	json_doc_free(&r->server);
	json_doc_free(&r->middle);
	mem_free(r->samples);
	mem_free(r->note);
	mem_free(r->invalid);
	mem_free(r->dir);
	r->dir = NULL;
}

static double wall_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec * 1000 + (double)(ts.tv_nsec / NS_US) / 1000;
}

bool lab_run_start(struct lab_run *r, struct problem *p)
{
	/* The first count teaches which ports listen, so that closes find their side. */
	if (!lab_hosts_count(&r->hosts, clock_now()))
		return problem_set(p, "cannot count sockets: %s", strerror(errno));
	r->began = clock_now();
	r->began_at_ms = wall_ms();
	r->state = LAB_RUN_RUNNING;
	return start_program(r, LAB_CLIENT, p);
}

ns_t lab_case_for(const struct lab_case *c)
{
	ns_t wait = ns_min(
		c->callers.wait_for, ns_min(c->callers.patience, c->callers.timeout));
	return ns_add(c->callers.run_for, ns_min(wait, 60 * NS_S));
}

const struct lab_sample *lab_run_last(const struct lab_run *r)
{
	return r->n_samples ? &r->samples[r->n_samples - 1] : NULL;
}

static void refresh(struct json_doc **doc, const struct lab_run *r, const char *name)
{
	char *path = path_in(r, name, ".sock");
	struct json_doc *now = lab_fetch(path);
	if (now) {
		json_doc_free(doc);
		*doc = now;
	}
	mem_free(path);
}

void lab_run_sample(struct lab_run *r)
{
	if (r->state != LAB_RUN_RUNNING)
		return;
	if (r->n_samples == r->cap_samples) {
		r->cap_samples = r->cap_samples ? r->cap_samples * 2 : 256;
		r->samples = mem_realloc(
			r->samples, r->cap_samples * sizeof(*r->samples));
	}
	struct lab_sample *s = &r->samples[r->n_samples++];
	struct usage usage[LAB_HOSTS];
	pid_t leaders[LAB_HOSTS];
	*s = (struct lab_sample){ .at = clock_now() - r->began };
	lab_hosts_read_deaths(&r->hosts, clock_now());
	(void)lab_hosts_count(&r->hosts, clock_now());
	lab_hosts_read_deaths(&r->hosts, clock_now());
	lab_sample_hosts(s, &r->hosts);
	for (int i = 0; i < LAB_HOSTS; i++)
		leaders[i] = r->child[i].pid;
	usage_read(leaders, usage, LAB_HOSTS);
	for (int i = 0; i < LAB_HOSTS; i++)
		s->host[i].usage = usage[i];
	refresh(&r->server, r, "server");
	lab_sample_server(s, r->server);
	refresh(&r->middle, r, "middleware");
	lab_sample_middle(s, r->middle);
}

static void set_note(struct lab_run *r, const char *what, enum lab_host_id id)
{
	struct text t, words;
	if (r->note)
		return;
	text_init(&t);
	text_init(&words);
	text_addf(&t, "%s: the %s %s: ", r->c->label,
		id == LAB_CLIENT ? "load" : lab_host_name(id), what);
	text_add_child_end(&t, &r->child[id]);
	read_last_words(r, id, &words);
	if (words.len)
		text_addf(&t, "; it said: %s", words.ptr);
	text_fini(&words);
	r->note = text_take(&t);
}

/* Our samples and the load's time line on one clock: the load's. */
static void set_clock(struct lab_run *r)
{
	int64_t started_at_ms;
	if (!r->load || !json_get_int(r->load, "started_at_ms", &started_at_ms))
		return;
	ns_t by = (ns_t)(((double)started_at_ms - r->began_at_ms) * (double)NS_MS);
	for (uint32_t i = 0; i < r->n_samples; i++)
		r->samples[i].at -= by;
	r->began_at_ms = (double)started_at_ms;
}

static void read_report(struct lab_run *r)
{
	struct text report;
	char *path = path_in(r, "load", ".json");
	text_init(&report);
	if (lab_read_file(path, LOAD_BYTES_MAX, &report))
		r->load = json_doc_parse(text_slice(&report), NULL);
	/* A program that the user wrote may have nothing to say. */
	if (!r->load && (!r->c->callers.command || r->child[LAB_CLIENT].status != 0))
		set_note(r, r->c->callers.command ? "failed" : "gave no report",
			LAB_CLIENT);
	text_fini(&report);
	mem_free(path);
}

static void end(struct lab_run *r)
{
	struct diag_counters c;
	lab_run_sample(r);
	r->took_for = clock_now() - r->began;
	if (lab_hosts_counters(&r->hosts, LAB_MIDDLE, &c) == ERR_OK)
		closes_counters(&r->hosts.closes, &c);
	read_report(r);
	kill_programs(r);
	/* What was seen stays; the sockets and their hosts go, or they would be counted for
	 * as long as TIME_WAIT lasts. */
	lab_hosts_leave(&r->hosts);
	set_clock(r);
	measure(&r->figures, r);
	r->invalid = measure_invalid(r);
	r->state = LAB_RUN_OVER;
}

void lab_run_poll(struct lab_run *r, ns_t now)
{
	const struct lab_callers *k = &r->c->callers;
	if (r->state != LAB_RUN_RUNNING)
		return;
	lab_hosts_read_deaths(&r->hosts, now);
	for (int i = LAB_MIDDLE; i <= LAB_SERVER; i++) {
		if (r->child[i].pid && !child_runs(&r->child[i]))
			set_note(r, "ended while it was needed", i);
	}
	if (now - r->began > ns_add(ns_add(k->run_for, k->wait_for), OVERTIME)) {
		child_kill(&r->child[LAB_CLIENT]);
		set_note(r, "did not come to an end", LAB_CLIENT);
	}
	if (!child_runs(&r->child[LAB_CLIENT]))
		end(r);
}
