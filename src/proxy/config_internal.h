/* config.c, config_check.c and config_gather.c. */
#ifndef WEIR_PROXY_CONFIG_INTERNAL_H
#define WEIR_PROXY_CONFIG_INTERNAL_H

#include "proxy/config.h"

/* What every value means, alone and together; the levels are filled. */
void config_check(struct config *c);

/* What `gather: N` is a count of is a map here: its parts. */
const struct conf_node *config_gather_map(const struct conf_node *route);
/* Reads and checks it. The route's path is there, and its upstream if it names one. */
void config_read_gather(
	struct config *c, struct config_route *r, const struct conf_node *map);
void config_free_gather(struct config_gather **g);

/* The upstream of that name; complains and is false if there is none. */
MUST_USE bool config_find_upstream(
	struct config *c, const struct conf_node *node, uint32_t *index);
bool config_is_name(const char *s);
#define CONFIG_NAME_MAX 64

#endif
