#include "lab/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/child.h"
#include "lab/embed.h"
#include "lab/fetch.h"

#define BUILD_FOR (180 * NS_S) /* a cold build of Go's library on a small machine */
#define COMPILER_WORDS_BYTES 4096

bool lab_has_program(const char *name)
{
	const char *path = getenv("PATH");
	bool found = false;
	struct text t;
	text_init(&t);
	while (path && *path && !found) {
		size_t len = strcspn(path, ":");
		text_reset(&t);
		text_addf(&t, "%.*s/%s", (int)len, path, name);
		found = access(t.ptr, X_OK) == 0;
		path += len + (path[len] == ':');
	}
	text_fini(&t);
	return found;
}

static char *join(const char *dir, const char *name)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s/%s", dir, name);
	return text_take(&t);
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
	char *folder = join(dir, name), *main_go = join(folder, "main.go");
	char *log = join(folder, "build.log");
	*binary = join(folder, name);
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

bool lab_tools_init(struct lab_toolbox *b, const char *dir, const struct lab_wants *wants,
	void (*say)(const char *what), struct lab_trouble *why)
{
	*b = (struct lab_toolbox){ .weir = own_path() };
	b->tools.weir = b->weir;
	if (wants->node) {
		b->node_js = join(dir, "node.js");
		if (!write_source(b->node_js, lab_embed_node_js, &why->p))
			return false;
		b->tools.node = "node";
		b->tools.node_js = b->node_js;
	}
	if (wants->go) {
		if (say)
			say("building the Go middleware");
		if (!go_build(
			    dir, "middleware", lab_embed_go_main, &b->go_middleware, why))
			return false;
		b->tools.go_middleware = b->go_middleware;
	}
	if (wants->fasthttp) {
		if (say)
			say("building the fasthttp server");
		if (!go_build(dir, "fasthttp", lab_embed_fasthttp, &b->fasthttp, why))
			return false;
		b->tools.fasthttp = b->fasthttp;
	}
	return true;
}

void lab_tools_fini(struct lab_toolbox *b)
{
	mem_free(b->weir);
	mem_free(b->node_js);
	mem_free(b->go_middleware);
	mem_free(b->fasthttp);
	*b = (struct lab_toolbox){ 0 };
}
