/* embed: the files of lab/, as text inside weir, so that weir alone is enough. Made by
 * embed.py at build time. */
#ifndef WEIR_LAB_EMBED_H
#define WEIR_LAB_EMBED_H

extern const char lab_embed_node[];         /* lab/middlewares/node.js */
extern const char lab_embed_go[];           /* lab/middlewares/go/main.go */
extern const char lab_embed_python[];       /* lab/middlewares/python.py */
extern const char lab_embed_nginx[];        /* lab/middlewares/nginx.conf */
extern const char lab_embed_haproxy[];      /* lab/middlewares/haproxy.conf */
extern const char lab_embed_fasthttp[];     /* lab/servers/fasthttp/main.go */
extern const char lab_embed_node_server[];  /* lab/servers/node.js */
extern const char lab_embed_nginx_server[]; /* lab/servers/nginx.conf */
extern const char lab_embed_new[];          /* lab/new.yaml */

/* lab/scenarios/NAME.yaml, by name; NULL ends. */
struct lab_embed {
	const char *name, *text;
};
extern const struct lab_embed lab_embed_scenarios[];

extern const char lab_embed_page[]; /* page/, as made by page/pack.py */

#endif
