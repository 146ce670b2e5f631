/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/yaml_tree.h"

#include <errno.h>
#include <string.h>

// libyaml's API takes documents that it only reads without const.
static yaml_node_t *node_at(const struct sl_yaml_tree *tree, int index)
{
	return yaml_document_get_node((yaml_document_t *)&tree->document, index);
}

const yaml_node_t *sl_yaml_root(const struct sl_yaml_tree *tree)
{
	return yaml_document_get_root_node((yaml_document_t *)&tree->document);
}

const char *sl_yaml_text(const yaml_node_t *node)
{
	if (node == NULL || node->type != YAML_SCALAR_NODE)
		return NULL;
	return (const char *)node->data.scalar.value;
}

static bool is_key(const yaml_node_t *node, const char *key)
{
	const char *text = sl_yaml_text(node);

	return text != NULL && strcmp(text, key) == 0;
}

const yaml_node_t *sl_yaml_value(const struct sl_yaml_tree *tree, const yaml_node_t *node,
	const char *key, const yaml_node_t **key_node)
{
	if (node == NULL || node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		if (!is_key(node_at(tree, pair->key), key))
			continue;
		if (key_node != NULL)
			*key_node = node_at(tree, pair->key);
		return node_at(tree, pair->value);
	}
	return NULL;
}

const yaml_node_t *sl_yaml_item(
	const struct sl_yaml_tree *tree, const yaml_node_t *node, uint32_t index)
{
	if (node == NULL || node->type != YAML_SEQUENCE_NODE ||
		index >= node->data.sequence.items.top - node->data.sequence.items.start)
		return NULL;
	return node_at(tree, node->data.sequence.items.start[index]);
}

// libyaml gives a position for what it reads, an offset only for what it cannot decode.
static size_t line_of_problem(const yaml_parser_t *parser, const char *text, size_t text_bytes)
{
	size_t line = 1;

	if (parser->error != YAML_READER_ERROR)
		return parser->problem_mark.line + 1;
	for (size_t i = 0; i < SL_MIN(parser->problem_offset, text_bytes); i++)
		line += text[i] == '\n';
	return line;
}

static int syntax_error(const yaml_parser_t *parser, const char *path, const char *text,
	size_t text_bytes, struct sl_err *err)
{
	char context[160] = "";
	const char *problem = parser->problem == NULL ? "out of memory" : parser->problem;
	const char *remedy = parser->error == YAML_READER_ERROR
		? "save the file as UTF-8"
		: "check indentation, colons and quotes";

	if (parser->context != NULL)
		snprintf(context, sizeof(context), " %s that starts in line %zu", parser->context,
			parser->context_mark.line + 1);
	return sl_err_set(err, -EINVAL, "%s:%zu: syntax error: %s%s: %s", path,
		line_of_problem(parser, text, text_bytes), problem, context, remedy);
}

static int check_mapping(const struct sl_yaml_tree *tree, const yaml_node_t *mapping,
	const char *path, struct sl_err *err)
{
	const yaml_node_t *first = NULL;

	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
		pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = node_at(tree, pair->key);
		const char *text = sl_yaml_text(key);
		if (text == NULL)
			return sl_err_set(err, -EINVAL,
				"%s:%u: a key is a list or a mapping: keys must be plain words",
				path, sl_yaml_line(key));
		sl_yaml_value(tree, mapping, text, &first);
		if (first != key)
			return sl_err_set(err, -EINVAL,
				"%s:%u: %s: stands here and in line %u: keep one of them", path,
				sl_yaml_line(key), text, sl_yaml_line(first));
	}
	return 0;
}

static int check_keys(const struct sl_yaml_tree *tree, const char *path, struct sl_err *err)
{
	int code = 0;

	for (const yaml_node_t *node = tree->document.nodes.start;
		node < tree->document.nodes.top && code == 0; node++)
		if (node->type == YAML_MAPPING_NODE)
			code = check_mapping(tree, node, path, err);
	return code;
}

// Behind the first document there must be nothing.
static int check_end(yaml_parser_t *parser, const char *path, const char *text, size_t text_bytes,
	struct sl_err *err)
{
	struct sl_yaml_tree second = {0};
	int code = 0;

	if (!yaml_parser_load(parser, &second.document))
		return syntax_error(parser, path, text, text_bytes, err);
	const yaml_node_t *root = sl_yaml_root(&second);
	if (root != NULL)
		code = sl_err_set(err, -EINVAL,
			"%s:%u: a second YAML document starts: remove the '---' before it", path,
			sl_yaml_line(root));
	sl_yaml_free(&second);
	return code;
}

int sl_yaml_parse(struct sl_yaml_tree *tree, const char *path, const char *text, size_t text_bytes,
	struct sl_err *err)
{
	yaml_parser_t parser;
	int code = 0;

	memset(tree, 0, sizeof(*tree));
	if (!yaml_parser_initialize(&parser))
		return sl_err_set(err, -ENOMEM, "%s: out of memory", path);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, text_bytes);
	if (!yaml_parser_load(&parser, &tree->document))
		code = syntax_error(&parser, path, text, text_bytes, err);
	else if (sl_yaml_root(tree) != NULL)
		code = check_end(&parser, path, text, text_bytes, err);
	yaml_parser_delete(&parser);
	if (code == 0)
		code = check_keys(tree, path, err);
	if (code != 0)
		sl_yaml_free(tree);
	return code;
}

void sl_yaml_free(struct sl_yaml_tree *tree)
{
	if (tree->document.nodes.start != NULL)
		yaml_document_delete(&tree->document);
	memset(tree, 0, sizeof(*tree));
}
