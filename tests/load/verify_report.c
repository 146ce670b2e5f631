/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/verify_report.h"

static bool is_allowed(const struct sl_verify *verify, int fault)
{
	return (fault == SL_VERIFY_MISSING && verify->config.allow_missing) ||
		(fault == SL_VERIFY_FOREIGN && verify->config.allow_foreign);
}

static void print_missing(const struct sl_verify_example *example, FILE *out)
{
	fprintf(out, "sequence %llu", (unsigned long long)example->sequence);
	if (example->count > 1)
		fprintf(out, " to %llu",
			(unsigned long long)(example->sequence + example->count - 1));
	if (example->partition != SL_VERIFY_NOWHERE)
		fprintf(out, ", of key %u, whose partition is %u", example->key,
			example->partition);
}

static void print_example(int fault, const struct sl_verify_example *example, FILE *out)
{
	fprintf(out, "  %s: ", sl_verify_fault_name((enum sl_verify_fault)fault));
	if (fault == SL_VERIFY_MISSING)
		print_missing(example, out);
	else if (fault == SL_VERIFY_OFFSET)
		fprintf(out, "partition %u, offset %llu where %llu comes next", example->partition,
			(unsigned long long)example->offset, (unsigned long long)example->sequence);
	else if (fault == SL_VERIFY_FOREIGN)
		fprintf(out, "partition %u, offset %llu", example->partition,
			(unsigned long long)example->offset);
	else
		fprintf(out, "sequence %llu, key %u, partition %u, offset %llu",
			(unsigned long long)example->sequence, example->key, example->partition,
			(unsigned long long)example->offset);
	fputc('\n', out);
}

static void print_fault(const struct sl_verify *verify, int fault, FILE *out)
{
	uint64_t named_count = 0;

	for (uint32_t i = 0; i < verify->example_counts[fault]; i++) {
		print_example(fault, &verify->examples[fault][i], out);
		named_count += verify->examples[fault][i].count;
	}
	if (named_count < verify->fault_counts[fault])
		fprintf(out, "  %s: and %llu more\n",
			sl_verify_fault_name((enum sl_verify_fault)fault),
			(unsigned long long)(verify->fault_counts[fault] - named_count));
}

static double mean_age_us(const struct sl_verify *verify)
{
	if (verify->stored_count == 0)
		return 0;
	return (double)verify->age_ns_sum / (double)verify->stored_count / 1e3;
}

void sl_verify_print(const struct sl_verify *verify, FILE *out)
{
	fprintf(out, "run %u: %llu of %llu events found, in %u partitions; %llu events read\n",
		verify->config.payload.run_id, (unsigned long long)verify->distinct_count,
		(unsigned long long)verify->config.sent_count, verify->partition_count,
		(unsigned long long)verify->event_count);
	for (int fault = 0; fault < SL_VERIFY_FAULT_COUNT; fault++)
		fprintf(out, "%s%s %llu%s", fault == 0 ? "" : ", ",
			sl_verify_fault_name((enum sl_verify_fault)fault),
			(unsigned long long)verify->fault_counts[fault],
			verify->fault_counts[fault] != 0 && is_allowed(verify, fault) ? " (allowed)"
										      : "");
	fprintf(out, "; of other runs %llu\n", (unsigned long long)verify->other_run_count);
	for (int fault = 0; fault < SL_VERIFY_FAULT_COUNT; fault++)
		print_fault(verify, fault, out);
	if (verify->stored_count != 0)
		fprintf(out, "from send to receive: %.1f to %.1f us, %.1f on average\n",
			(double)verify->age_ns_min / 1e3, (double)verify->age_ns_max / 1e3,
			mean_age_us(verify));
	fprintf(out, "%s\n", sl_verify_is_good(verify) ? "all is well" : "NOT WELL");
}

static json_t *example_json(int fault, const struct sl_verify_example *example)
{
	json_t *partition = example->partition == SL_VERIFY_NOWHERE
		? json_null()
		: json_integer(example->partition);

	if (fault == SL_VERIFY_MISSING)
		return json_pack("{s:I, s:I, s:o}", "sequence", (json_int_t)example->sequence,
			"count", (json_int_t)example->count, "partition", partition);
	if (fault == SL_VERIFY_OFFSET)
		return json_pack("{s:o, s:I, s:I}", "partition", partition, "offset",
			(json_int_t)example->offset, "expected", (json_int_t)example->sequence);
	if (fault == SL_VERIFY_FOREIGN)
		return json_pack("{s:o, s:I}", "partition", partition, "offset",
			(json_int_t)example->offset);
	return json_pack("{s:I, s:I, s:o, s:I}", "sequence", (json_int_t)example->sequence, "key",
		(json_int_t)example->key, "partition", partition, "offset",
		(json_int_t)example->offset);
}

static json_t *examples_json(const struct sl_verify *verify, int fault)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < verify->example_counts[fault]; i++)
		json_array_append_new(array, example_json(fault, &verify->examples[fault][i]));
	return array;
}

json_t *sl_verify_json(const struct sl_verify *verify)
{
	json_t *examples = json_object();
	json_t *document = json_pack(
		"{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "ok",
		sl_verify_is_good(verify), "run_id", (json_int_t)verify->config.payload.run_id,
		"sent", (json_int_t)verify->config.sent_count, "events_read",
		(json_int_t)verify->event_count, "stored", (json_int_t)verify->stored_count,
		"distinct", (json_int_t)verify->distinct_count, "other_runs",
		(json_int_t)verify->other_run_count, "partitions",
		(json_int_t)verify->partition_count, "first_receive_ns",
		(json_int_t)verify->first_receive_ns, "last_receive_ns",
		(json_int_t)verify->last_receive_ns, "send_to_receive_us_min",
		(double)verify->age_ns_min / 1e3, "send_to_receive_us_mean", mean_age_us(verify),
		"send_to_receive_us_max", (double)verify->age_ns_max / 1e3);

	for (int fault = 0; fault < SL_VERIFY_FAULT_COUNT; fault++) {
		const char *name = sl_verify_fault_name((enum sl_verify_fault)fault);

		json_object_set_new(
			document, name, json_integer((json_int_t)verify->fault_counts[fault]));
		json_object_set_new(examples, name, examples_json(verify, fault));
	}
	json_object_set_new(document, "examples", examples);
	return document;
}
