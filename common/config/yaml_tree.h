/* SPDX-License-Identifier: BSD-3-Clause */
// A YAML file as a tree that remembers lines: what libcyaml does not offer, and error messages
// need. Thread rule: the loading thread.
#pragma once

#include "base.h"
#include "err.h"

#include <yaml.h>

struct sl_yaml_tree {
	yaml_document_t document;
};

// Parses one document and refuses keys that stand twice in a mapping. path is for errors only.
// Returns 0 or -EINVAL with err filled; on success the caller owns the tree.
int sl_yaml_parse(struct sl_yaml_tree *tree, const char *path, const char *text, size_t text_bytes,
	struct sl_err *err);

// Legal on a zeroed tree.
void sl_yaml_free(struct sl_yaml_tree *tree);

// NULL when the file is empty.
const yaml_node_t *sl_yaml_root(const struct sl_yaml_tree *tree);

// The value of a key in a mapping, and in *key_node the key itself (may be NULL). NULL when node is
// NULL, no mapping, or has no such key.
const yaml_node_t *sl_yaml_value(const struct sl_yaml_tree *tree, const yaml_node_t *node,
	const char *key, const yaml_node_t **key_node);

// An item of a list. NULL when node is NULL, no list, or shorter.
const yaml_node_t *sl_yaml_item(
	const struct sl_yaml_tree *tree, const yaml_node_t *node, uint32_t index);

// The text of a scalar, NULL when node is NULL or none.
const char *sl_yaml_text(const yaml_node_t *node);

static inline uint32_t sl_yaml_line(const yaml_node_t *node)
{
	return (uint32_t)node->start_mark.line + 1;
}
