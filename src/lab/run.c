#include "lab/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/fetch.h"

#define READY_FOR (10 * NS_S)
#define OVERTIME (15 * NS_S) /* for callers that do not come to an end */
#define READY_STEP (5 * NS_MS)
#define LAST_WORDS_BYTES 2048
#define LOAD_BYTES_MAX (16U << 20)

ns_t lab_clock(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_S + ts.tv_nsec;
}

static char *path_in(const struct lab_run *r, const char *name, const char *suffix)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s/%s%s", r->dir, name, suffix);
	return text_take(&t);
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
				.env = id == LAB_MIDDLE ? args_v(&r->plan.middle_env)
							: NULL,
				.net = &r->hosts.at[id].net,
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
	text_addf(&t, "%s: the %s", r->variant->name, lab_host_name(id));
	if (r->variant->program == LAB_COMMAND && id == LAB_MIDDLE)
		text_addf(&t, " '%s'", r->variant->what);
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
	ns_t until = lab_clock() + READY_FOR;
	bool ended = false, listens = false, reachable = false;
	CHECK(diag_end_parse(server ? LAB_SERVER_IP_1 : LAB_MIDDLE_IP_IN,
		server ? LAB_SERVER_PORT : LAB_MIDDLE_PORT, &at));
	while (!ended && !reachable && lab_clock() < until) {
		ended = child_wait(&r->child[id], READY_STEP);
		listens = lab_host_listens(&r->hosts.at[id], &at, &reachable);
	}
	return (reachable && !ended) || not_ready(r, id, listens, &at, why);
}

static void kill_programs(struct lab_run *r)
{
	for (int i = 0; i < LAB_HOSTS; i++)
		child_kill(&r->child[i]);
}

bool lab_run_init(
	struct lab_run *r, const struct lab_plan_of *of, struct lab_trouble *why)
{
	struct problem *p = &why->p;
	*r = (struct lab_run){ .act = of->act, .variant = of->variant };
	lab_plan_init(&r->plan, of);
	r->dir = mem_strdup(of->dir);
	bool ok = mkdir(r->dir, 0700) == 0 ||
		  problem_set(p, "cannot make %s: %s", r->dir, strerror(errno));
	if (!ok || !lab_hosts_init(&r->hosts, p)) {
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
	if (r->state != LAB_RUN_OVER)
		lab_hosts_fini(&r->hosts);
	else
		closes_fini(&r->hosts.closes);
	lab_plan_fini(&r->plan);
	json_doc_free(&r->load);
	json_doc_free(&r->server);
	json_doc_free(&r->middle);
	mem_free(r->samples);
	mem_free(r->note);
	mem_free(r->dir);
	r->dir = NULL;
}

bool lab_run_start(struct lab_run *r, struct problem *p)
{
	/* The first count teaches which ports listen, so that closes find their side. */
	for (int i = 0; i < LAB_HOSTS; i++) {
		enum err e = lab_host_count(&r->hosts.at[i], lab_clock());
		if (e != ERR_OK)
			return problem_set(p, "cannot count sockets: %s: %s", err_text(e),
				strerror(errno));
	}
	r->began = lab_clock();
	r->state = LAB_RUN_RUNNING;
	return start_program(r, LAB_CLIENT, p);
}

const struct lab_sample *lab_run_last(const struct lab_run *r)
{
	return r->n_samples ? &r->samples[r->n_samples - 1] : NULL;
}

static ns_t cpu_of(const struct child *c)
{
	clockid_t clock;
	struct timespec ts;
	if (c->pid <= 0 || clock_getcpuclockid(c->pid, &clock) ||
		clock_gettime(clock, &ts))
		return 0;
	return ts.tv_sec * NS_S + ts.tv_nsec;
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
	struct lab_sample *s = &r->samples[r->n_samples];
	*s = (struct lab_sample){ .at = lab_clock() - r->began };
	for (int i = 0; i < LAB_HOSTS; i++) {
		lab_hosts_read_deaths(&r->hosts, lab_clock());
		lab_sample_host(s, &r->hosts.at[i], lab_clock());
		s->cpu_for[i] = cpu_of(&r->child[i]);
	}
	refresh(&r->server, r, "server");
	lab_sample_server(s, r->server);
	if (r->variant->program == LAB_PROXY) {
		refresh(&r->middle, r, "middleware");
		lab_sample_middle(s, r->middle);
	}
	r->n_samples++;
}

static void set_note(struct lab_run *r, const char *what, enum lab_host_id id)
{
	struct text t, words;
	if (r->note)
		return;
	text_init(&t);
	text_init(&words);
	text_addf(&t, "%s: the %s %s: ", r->variant->name,
		id == LAB_CLIENT ? "load" : lab_host_name(id), what);
	text_add_child_end(&t, &r->child[id]);
	read_last_words(r, id, &words);
	if (words.len)
		text_addf(&t, "; it said: %s", words.ptr);
	text_fini(&words);
	r->note = text_take(&t);
}

static void end(struct lab_run *r)
{
	struct text report;
	struct diag_counters c;
	char *path = path_in(r, "load", ".json");
	lab_run_sample(r);
	r->took_for = lab_clock() - r->began;
	if (diag_net_counters(&r->hosts.at[LAB_MIDDLE].files, &c) == ERR_OK)
		closes_counters(&r->hosts.closes, &c);
	text_init(&report);
	if (lab_read_file(path, LOAD_BYTES_MAX, &report))
		r->load = json_doc_parse(text_slice(&report), NULL);
	if (!r->load)
		set_note(r, "gave no report", LAB_CLIENT);
	text_fini(&report);
	mem_free(path);
	kill_programs(r);
	/* The figures stay; the sockets and their hosts go, or they would be counted for
	 * as long as TIME_WAIT lasts. */
	struct closes kept = r->hosts.closes;
	closes_init(&r->hosts.closes);
	lab_hosts_fini(&r->hosts);
	r->hosts.closes = kept;
	r->state = LAB_RUN_OVER;
}

void lab_run_poll(struct lab_run *r, ns_t now)
{
	const struct lab_setting *set = &r->plan.set;
	if (r->state != LAB_RUN_RUNNING)
		return;
	lab_hosts_read_deaths(&r->hosts, now);
	for (int i = LAB_MIDDLE; i <= LAB_SERVER; i++) {
		if (r->child[i].pid && !child_runs(&r->child[i]))
			set_note(r, "ended while it was needed", i);
	}
	if (now - r->began > set->run_for + set->wait_for + OVERTIME) {
		child_kill(&r->child[LAB_CLIENT]);
		set_note(r, "did not come to an end", LAB_CLIENT);
	}
	if (!child_runs(&r->child[LAB_CLIENT]))
		end(r);
}
