#include "lab/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn/tls_issue.h"
#include "io/child.h"
#include "lab/embed.h"
#include "lab/fetch.h"

#define BUILD_FOR (180 * NS_S) /* a cold build of Go's library on a small machine */
#define COMPILER_WORDS_BYTES 4096

#define FASTHTTP_SOURCE "/usr/share/gocode/src/github.com/valyala/fasthttp"

/* Along PATH, and where Debian keeps servers; NULL: not installed; mem_free. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	struct text t, all;
	bool found = false;
	text_init(&t);
	text_init(&all);
	/* Servers are not on an ordinary user's PATH. */
	text_addf(&all, "%s:/usr/sbin:/usr/local/sbin", path ? path : "/usr/bin:/bin");
	for (const char *at = all.ptr; *at && !found;) {
		size_t len = strcspn(at, ":");
		text_reset(&t);
		text_addf(&t, "%.*s/%s", (int)len, at, name);
		found = len > 0 && access(t.ptr, X_OK) == 0;
		at += len + (at[len] == ':');
	}
	text_fini(&all);
	if (found)
		return text_take(&t);
	text_fini(&t);
	return NULL;
}

static bool has_program(const char *name)
{
	char *path = find_program(name);
	mem_free(path);
	return path != NULL;
}

static const char *server_needs(enum lab_server_program p)
{
	switch (p) {
	case LAB_SERVER_FASTHTTP:
		return "go";
	case LAB_SERVER_NODE:
		return "node";
	case LAB_SERVER_NGINX:
		return "nginx";
	case LAB_SERVER_WEIR:
	case LAB_SERVER_COMMAND:
		return NULL;
	}
	NEVER_HERE();
}

static const char *python_needs(const struct lab_case *c)
{
	const struct lab_pair *client = pairs_find(&c->env, "CLIENT");
	bool by_curl = client && !strcmp(client->value, "curl");
	return by_curl && has_program("python3") ? "curl" : "python3";
}

static const char *middle_needs(const struct lab_case *c)
{
	switch (c->program) {
	case LAB_NODE:
		return "node";
	case LAB_GO:
		return "go";
	case LAB_NGINX:
		return "nginx";
	case LAB_HAPROXY:
		return "haproxy";
	case LAB_PYTHON:
		return python_needs(c);
	case LAB_WEIR:
	case LAB_COMMAND:
		return NULL;
	}
	NEVER_HERE();
}

const char *lab_case_lacks(const struct lab_case *c)
{
	const char *server = server_needs(c->server.program);
	const char *middle = middle_needs(c);
	if (middle && !has_program(middle))
		return middle;
	if (server && !has_program(server))
		return server;
	if (c->server.program == LAB_SERVER_FASTHTTP && access(FASTHTTP_SOURCE, R_OK))
		return "golang-github-valyala-fasthttp-dev";
	return NULL;
}

void lab_wants_add(struct lab_wants *w, const struct lab_case *c)
{
	w->node |= c->program == LAB_NODE;
	w->go |= c->program == LAB_GO;
	w->nginx |= c->program == LAB_NGINX || c->server.program == LAB_SERVER_NGINX;
	w->haproxy |= c->program == LAB_HAPROXY;
	w->python |= c->program == LAB_PYTHON;
	w->tls |= c->server.tls;
	w->fasthttp |= c->server.program == LAB_SERVER_FASTHTTP;
	w->node_server |= c->server.program == LAB_SERVER_NODE;
}

static bool write_source(const char *path, const char *source, struct problem *p)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fputs(source, f) >= 0;
	if (f && fclose(f))
		ok = false;
	return ok || problem_set(p, "cannot write %s: %s", path, strerror(errno));
}

/* The user's build cache when there is one, else a cache that goes with the run. */
static void add_go_env(struct args *e, const char *dir)
{
	args_add(e, "GOPATH=/usr/share/gocode");
	args_add(e, "GO111MODULE=off");
	args_add(e, "GOFLAGS=");
	args_add(e, "CGO_ENABLED=0");
	if (!getenv("GOCACHE") && !getenv("HOME") && !getenv("XDG_CACHE_HOME"))
		args_addf(e, "GOCACHE=%s/go-cache", dir);
	args_addf(e, "GOTMPDIR=%s", dir);
}

static bool go_build(const char *dir, const char *name, const char *source, char **binary,
	struct lab_trouble *why)
{
	struct problem *p = &why->p;
	struct child c;
	struct args argv, env;
	char *folder = text_format("%s/%s", dir, name);
	char *main_go = text_format("%s/main.go", folder);
	char *log = text_format("%s/build.log", folder);
	*binary = text_format("%s/%s", folder, name);
	args_init(&argv);
	args_init(&env);
	const char *const words[] = { "go", "build", "-o", *binary, main_go };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		args_add(&argv, words[i]);
	add_go_env(&env, dir);
	bool ok = mkdir(folder, 0700) == 0 && write_source(main_go, source, p);
	int fd = ok ? open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	ok = ok && child_start(&c,
			   &(struct child_cfg){ .argv = args_v(&argv),
				   .env = args_v(&env),
				   .dir = folder,
				   .out_fd = fd,
				   .err_fd = fd },
			   p);
	if (ok && (!child_wait(&c, BUILD_FOR) || c.status != 0)) {
		child_kill(&c);
		ok = problem_set(p, "cannot build the %s: go build failed", name);
		(void)lab_read_file(log, COMPILER_WORDS_BYTES, &why->said);
	}
	if (fd >= 0)
		close(fd);
	args_fini(&argv);
	args_fini(&env);
	mem_free(folder);
	mem_free(main_go);
	mem_free(log);
	return ok;
}

static char *own_path(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (len <= 0)
		return mem_strdup("/proc/self/exe");
	path[len] = '\0';
	/* Replaced while it runs (a new build): the old file is still behind the link. */
	return mem_strdup(access(path, X_OK) ? "/proc/self/exe" : path);
}

static bool write_into(const char *dir, const char *name, const char *source, char **path,
	struct problem *p)
{
	*path = text_format("%s/%s", dir, name);
	return write_source(*path, source, p);
}

/* For the server at each address it may have (lab_server_ip), on either set of hosts. */
static bool make_cert(struct lab_toolbox *b, const char *dir, struct problem *p)
{
	char ips[2 * LAB_ADDRESSES_MAX][LAB_IP_BYTES];
	const char *all[2 * LAB_ADDRESSES_MAX + 1] = { NULL };
	struct text cert, key;
	for (uint32_t i = 0; i < ARRAY_LEN(ips); i++) {
		const struct lab_case c = { .one_host = i >= LAB_ADDRESSES_MAX };
		lab_server_ip(&c, i, ips[i]);
		all[i] = ips[i];
	}
	text_init(&cert);
	text_init(&key);
	tls_issue(all, &cert, &key);
	bool ok = write_into(dir, "cert.pem", cert.ptr, &b->cert, p) &&
		  write_into(dir, "key.pem", key.ptr, &b->key, p);
	text_fini(&cert);
	text_fini(&key);
	return ok;
}

bool lab_tools_init(struct lab_toolbox *b, const char *dir, const struct lab_wants *wants,
	void (*say)(const char *what), struct lab_trouble *why)
{
	struct problem *p = &why->p;
	bool ok = true;
	*b = (struct lab_toolbox){ .weir = own_path() };
	if (wants->node)
		ok = write_into(dir, "node.js", lab_embed_node, &b->node_js, p);
	if (ok && wants->node_server)
		ok = write_into(
			dir, "server.js", lab_embed_node_server, &b->node_server, p);
	if (ok && wants->python)
		ok = write_into(dir, "python.py", lab_embed_python, &b->python_py, p);
	if (ok && wants->tls)
		ok = make_cert(b, dir, p);
	if (wants->nginx)
		b->nginx = find_program("nginx");
	if (wants->haproxy)
		b->haproxy = find_program("haproxy");
	if (ok && wants->go) {
		if (say)
			say("building the Go middleware");
		ok = go_build(dir, "middleware", lab_embed_go, &b->go_middleware, why);
	}
	if (ok && wants->fasthttp) {
		if (say)
			say("building the fasthttp server");
		ok = go_build(dir, "fasthttp", lab_embed_fasthttp, &b->fasthttp, why);
	}
	b->tools = (struct lab_tools){ b->weir, "node", b->node_js, b->go_middleware,
		b->fasthttp, b->node_server, b->nginx, b->haproxy, b->python_py, b->cert,
		b->key };
	return ok;
}

void lab_tools_versions(
	const struct lab_toolbox *b, const char *dir, struct lab_machine *m)
{
	const struct {
		bool used;
		const char *name, *argv[3];
	} all[] = {
		{ b->node_js || b->node_server, "node", { "node", "--version", NULL } },
		{ b->go_middleware || b->fasthttp, "go", { "go", "version", NULL } },
		{ b->nginx, "nginx", { b->nginx, "-v", NULL } },
		{ b->haproxy, "haproxy", { b->haproxy, "-v", NULL } },
		{ b->python_py, "python", { "python3", "--version", NULL } },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].used)
			lab_machine_program(m, dir, all[i].name, all[i].argv);
	}
}

void lab_tools_fini(struct lab_toolbox *b)
{
	char *const all[] = { b->weir, b->node_js, b->node_server, b->go_middleware,
		b->fasthttp, b->nginx, b->haproxy, b->python_py, b->cert, b->key };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		mem_free(all[i]);
	*b = (struct lab_toolbox){ 0 };
}
