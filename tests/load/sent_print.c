/* SPDX-License-Identifier: BSD-3-Clause */
// The summary of a run as text.
#include "load/sent_file.h"

#include <stdio.h>

static void print_rate(const struct sl_generator_result *result, double rate)
{
	const struct sl_pacer *pacer = &result->pacer;

	if (pacer->rate == 0)
		printf("rate: %.0f events/s, flat out\n", rate);
	else if (sl_pacer_held(pacer, result->elapsed_ns))
		printf("rate: %.0f events/s, %llu asked for: held within 0.5 %%\n", rate,
			(unsigned long long)pacer->rate);
	else
		printf("rate: %.0f events/s, %llu asked for: NOT HELD, %llu of %llu seconds off by "
		       "more than 0.5 %%, the worst by %.1f %%; %.1f ms of delay not caught up\n",
			rate, (unsigned long long)pacer->rate,
			(unsigned long long)pacer->second_off_count,
			(unsigned long long)pacer->second_count,
			(double)sl_pacer_worst_per_mille(pacer) / 10.0,
			(double)pacer->forgiven_ns / 1e6);
}

static void print_sockets(const struct sl_transport_report *report)
{
	if (report->gso)
		printf("segmentation (UDP GSO): on\n");
	else
		printf("segmentation (UDP GSO): off: %s\n", report->gso_reason);
	if (report->retry_count != 0)
		printf("refused at first, sent again: %llu (does anybody listen?)\n",
			(unsigned long long)report->retry_count);
}

static void print_device(const struct sl_sent *sent)
{
	const struct sl_transport_report *report = sent->transport;
	double count = (double)SL_MAX(sent->generator->sent_count, 1);

	printf("device %s: %llu frames, %.1f bytes each with FCS; %.1f cycles to fill one, %.1f to "
	       "send it, %llu times no room\n",
		sent->device, (unsigned long long)sent->generator->sent_count,
		(double)report->frame_bytes / count, (double)report->fill_cycles / count,
		(double)report->send_cycles / count, (unsigned long long)report->retry_count);
	if (report->undelivered_unknown)
		printf("the driver does not say whether the receiver has taken the last frames\n");
	if (report->undelivered_count != 0)
		printf("NOT TAKEN by the receiver, which no longer empties its ring: %llu frames\n",
			(unsigned long long)report->undelivered_count);
}

static void print_sizes(const struct sl_payload_config *payload)
{
	if (payload->cycle_count == 0)
		printf("%u bytes", payload->bytes);
	else
		printf("%u sizes up to %u bytes", payload->cycle_count, payload->bytes);
}

static void print_run(const struct sl_sent *sent)
{
	const struct sl_payload_config *payload = &sent->config->payload;

	if (sent->replay != NULL) {
		printf("sent %llu frames of %s", (unsigned long long)sent->generator->sent_count,
			sent->replay);
		return;
	}
	printf("run %u: sent %llu %s events of ", payload->run_id,
		(unsigned long long)sent->generator->sent_count,
		sl_payload_kind_name(payload->kind));
	print_sizes(payload);
	printf(" to %s", sent->to);
}

static void print_keys(const struct sl_payload_config *payload)
{
	printf(" (%u flows, %u keys", payload->flow_count, payload->key_count);
	if (payload->zipf_per_mille != 0)
		printf(" by Zipf %.3f", payload->zipf_per_mille / 1000.0);
	printf(")");
}

void sl_sent_print(const struct sl_sent *sent)
{
	double seconds = (double)sent->result->elapsed_ns / 1e9;
	double count = (double)sent->generator->sent_count;

	print_run(sent);
	printf(" in %.3f s", seconds);
	if (sent->replay == NULL)
		print_keys(&sent->config->payload);
	printf("%s\n", sent->result->interrupted ? ", interrupted" : "");
	print_rate(sent->result, seconds > 0 ? count / seconds : 0);
	if (sent->device == NULL)
		print_sockets(sent->transport);
	else
		print_device(sent);
}
