/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/pcap_file.h"

#include <byteswap.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define MAGIC_PCAPNG 0x0a0d0d0au
#define LINKTYPE_ETHERNET 1u
#define ETHERNET_HEADER_BYTES 14u
// What a device sends at most as one frame.
#define FRAME_BYTES_MAX 9018u

struct file_header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	uint32_t zone, accuracy;
	uint32_t snap_bytes;
	uint32_t link_type; // low 28 bits
};
static_assert(sizeof(struct file_header) == 24, "file format");

struct frame_header {
	uint32_t seconds, fraction;
	uint32_t captured_bytes;
	uint32_t original_bytes;
};
static_assert(sizeof(struct frame_header) == 16, "file format");

static int read_all(int fd, uint8_t *out, size_t bytes)
{
	while (bytes > 0) {
		ssize_t got = read(fd, out, bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -EIO : -errno;
		out += got;
		bytes -= (size_t)got;
	}
	return 0;
}

static int load(const char *path, uint8_t **contents, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		rc = -errno;
	else if (!S_ISREG(status.st_mode))
		rc = -EINVAL;
	if (rc == 0) {
		*bytes = (size_t)status.st_size;
		*contents = malloc(*bytes + 1); // an empty file, too
		rc = *contents == NULL ? -ENOMEM : read_all(fd, *contents, *bytes);
	}
	close(fd);
	return rc;
}

static int check_header(
	const uint8_t *contents, size_t bytes, const char *path, bool *swapped, struct sl_err *err)
{
	struct file_header header;
	uint32_t link_type;

	if (bytes < sizeof(header))
		return sl_err_set(err, -EINVAL, "--replay %s: no pcap file: too short", path);
	memcpy(&header, contents, sizeof(header));
	*swapped = header.magic == bswap_32(MAGIC_US) || header.magic == bswap_32(MAGIC_NS);
	if (header.magic == MAGIC_PCAPNG)
		return sl_err_set(err, -EINVAL,
			"--replay %s: is pcapng; 'editcap -F pcap %s NEW.pcap' makes a pcap file of it",
			path, path);
	if (!*swapped && header.magic != MAGIC_US && header.magic != MAGIC_NS)
		return sl_err_set(err, -EINVAL, "--replay %s: no pcap file", path);
	link_type = *swapped ? bswap_32(header.link_type) : header.link_type;
	if ((link_type & 0x0fffffff) != LINKTYPE_ETHERNET)
		return sl_err_set(err, -EINVAL,
			"--replay %s: its frames are of link type %u; only Ethernet (1) can be sent",
			path, link_type & 0x0fffffff);
	return 0;
}

// Adds the frame at *at to pcap (or only counts it, without frames) and moves behind it.
static int take_frame(struct sl_pcap_file *pcap, size_t *at, size_t bytes, bool swapped,
	const char *path, struct sl_err *err)
{
	unsigned long long number = pcap->frame_count + 1;
	struct frame_header header;
	uint32_t captured, original;

	if (bytes - *at < sizeof(header))
		return sl_err_set(err, -EINVAL, "--replay %s: cut off in frame %llu", path, number);
	memcpy(&header, pcap->contents + *at, sizeof(header));
	captured = swapped ? bswap_32(header.captured_bytes) : header.captured_bytes;
	original = swapped ? bswap_32(header.original_bytes) : header.original_bytes;
	*at += sizeof(header);
	if (bytes - *at < captured)
		return sl_err_set(err, -EINVAL, "--replay %s: cut off in frame %llu", path, number);
	if (captured != original)
		return sl_err_set(err, -EINVAL,
			"--replay %s: frame %llu was captured in part (%u of %u bytes); capture with "
			"'tcpdump -s 0'",
			path, number, captured, original);
	if (captured < ETHERNET_HEADER_BYTES || captured > FRAME_BYTES_MAX)
		return sl_err_set(err, -EINVAL,
			"--replay %s: frame %llu has %u bytes; %u to %u can be sent", path, number,
			captured, ETHERNET_HEADER_BYTES, FRAME_BYTES_MAX);
	if (pcap->frames != NULL)
		pcap->frames[pcap->frame_count] =
			(struct sl_pcap_frame){pcap->contents + *at, captured};
	pcap->frame_bytes_max = SL_MAX(pcap->frame_bytes_max, captured);
	pcap->frame_count++;
	*at += captured;
	return 0;
}

static int walk(
	struct sl_pcap_file *pcap, size_t bytes, bool swapped, const char *path, struct sl_err *err)
{
	size_t at = sizeof(struct file_header);
	int rc = 0;

	pcap->frame_count = 0;
	while (rc == 0 && at < bytes)
		rc = take_frame(pcap, &at, bytes, swapped, path, err);
	if (rc == 0 && pcap->frame_count == 0)
		rc = sl_err_set(err, -EINVAL, "--replay %s: holds no frame", path);
	return rc;
}

int sl_pcap_open(struct sl_pcap_file *pcap, const char *path, struct sl_err *err)
{
	bool swapped = false;
	size_t bytes = 0;

	*pcap = (struct sl_pcap_file){0};
	int rc = load(path, &pcap->contents, &bytes);
	if (rc != 0)
		rc = sl_err_set(err, rc, "--replay %s: %s", path, strerror(-rc));
	if (rc == 0)
		rc = check_header(pcap->contents, bytes, path, &swapped, err);
	if (rc == 0)
		rc = walk(pcap, bytes, swapped, path, err); // counts
	if (rc == 0) {
		pcap->frames = calloc(pcap->frame_count, sizeof(*pcap->frames));
		rc = pcap->frames == NULL ? sl_err_set(err, -ENOMEM, "--replay %s: no memory", path)
					  : walk(pcap, bytes, swapped, path, err);
	}
	if (rc != 0)
		sl_pcap_close(pcap);
	return rc;
}

void sl_pcap_close(struct sl_pcap_file *pcap)
{
	free(pcap->frames);
	free(pcap->contents);
	*pcap = (struct sl_pcap_file){0};
}
