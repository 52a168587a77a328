/* embed: the programs of lab/, as text inside weir, so that weir alone is enough. Made by
 * embed.py at build time. */
#ifndef WEIR_LAB_EMBED_H
#define WEIR_LAB_EMBED_H

extern const char lab_embed_node_js[];  /* lab/middlewares/node.js */
extern const char lab_embed_go_main[];  /* lab/middlewares/go/main.go */
extern const char lab_embed_fasthttp[]; /* lab/servers/fasthttp/main.go */

extern const char lab_embed_page[]; /* page/, as made by page/pack.py */

#endif
