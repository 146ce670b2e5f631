/* SPDX-License-Identifier: BSD-3-Clause */
// Bad files, each with the whole line that the operator reads.
#include "config/config.h"

#include "config_file.h"
#include "suite.h"

#include <errno.h>
#include <sys/stat.h>

#define PORTS "ports:\n  - device: \"pcap:/a\"\n" // two lines
#define STREAMS "streams:\n  - {name: plays, port: 9000, partitions: 16}\n" // two lines
#define STORE "store:\n  paths: [/s]\n" // two lines
#define REST PORTS STREAMS STORE // six lines
#define STREAM(rest) PORTS STORE "streams:\n  - {" rest "}\n" // the stream is line 6

#define PORT_KEYS "device, queues, rx_descriptors"
#define STREAM_KEYS "name, port, partitions, key, class, codec, keep_source"
#define CLASS_KEYS \
	"name, durability, batch_bytes, linger_us, retention_bytes, segment_age_s, retention_age_s"
#define ROOT_KEYS "runtime_dir, log_level, ports, lcores, memory, streams, classes, store"
#define NAME_WORDS "1 to 63 characters of a-z, 0-9, _ and -"
#define DEVICE_WORDS "af_xdp:IFACE, memif:SOCKET, memif-client:SOCKET, pcap:FILE or DPDK devargs"
#define KEY_WORDS "flow, or OFFSET:LENGTH with OFFSET 0 to 65506 and LENGTH 1 to 256"
#define TEN "1,2,3,4,5,6,7,8,9,10,"

struct bad_file {
	const char *text;
	const char *expected; // behind "FILE:"
};

static const struct bad_file syntax[] = {
	{"ports: \"a\n",
		"2: syntax error: found unexpected end of stream while scanning a quoted "
		"scalar that starts in line 1: check indentation, colons and quotes"},
	{"ports:\n\t- device: x\n",
		"2: syntax error: found character that cannot start any token "
		"while scanning for the next token that starts in line 2: "
		"check indentation, colons and quotes"},
	{"a: b\n c: d\n",
		"2: syntax error: mapping values are not allowed in this context: check "
		"indentation, colons and quotes"},
	{"a: *b\n", "1: syntax error: found undefined alias: check indentation, colons and quotes"},
	{"# text\nlog_level: caf\xe9 x y\n",
		"2: syntax error: invalid trailing UTF-8 octet: save the "
		"file as UTF-8"},
	{REST "log_level: info\nlog_level: debug\n",
		"8: log_level: stands here and in line 7: keep one of them"},
	{STREAM("name: a, port: 1,\n   port: 2"),
		"7: port: stands here and in line 6: keep one of "
		"them"},
	{REST "---\na: b\n", "8: a second YAML document starts: remove the '---' before it"},
	{REST "---\na: \"b\n",
		"9: syntax error: found unexpected end of stream while scanning a "
		"quoted scalar that starts in line 8: check indentation, colons and "
		"quotes"},
	{REST "? [a]\n: b\n", "7: a key is a list or a mapping: keys must be plain words"},
};

static const struct bad_file shape[] = {
	{"", "1: ports: is missing: must be a list of 1 to 8 entries, each a mapping with the keys " PORT_KEYS},
	{"hello\n",
		"1: the file: value 'hello' has the wrong shape: must be a mapping with the "
		"keys " ROOT_KEYS},
	{"[a]\n", "1: the file: has the wrong shape: must be a mapping with the keys " ROOT_KEYS},
	{REST "prots: 3\n", "7: prots: value '3' is for an unknown key: must be one of " ROOT_KEYS},
	{REST "drives:\n  - a\n", "7: drives: is for an unknown key: must be one of " ROOT_KEYS},
	{STREAM("name: a,\n   prt: 1"),
		"7: streams.prt: value '1' is for an unknown key: must be one of " STREAM_KEYS},
	{REST "memory: {mbuf: 1}\n",
		"7: memory.mbuf: value '1' is for an unknown key: must be one "
		"of mbufs, ring_entries"},
	{STREAMS STORE,
		"1: ports: is missing: must be a list of 1 to 8 entries, each a mapping "
		"with the keys " PORT_KEYS},
	{PORTS STREAMS,
		"1: store: is missing: must be a mapping with the keys paths, segment_bytes, "
		"format_bytes_per_s, reserve_bytes, in_flight_max, retry_limit, backoff_us_min, "
		"backoff_us_max, ledger_interval_s"},
	{PORTS STREAMS "store: {paths: [/s], ledger_interval_s: 0}\n",
		"5: store.ledger_interval_s: value '0' is wrong: must be a number from 1 to 86400"},
	{PORTS STORE,
		"1: streams: is missing: must be a list of 1 to 64 entries, each a mapping "
		"with the keys " STREAM_KEYS},
	{STREAM("name: a, port: 1"),
		"6: streams.partitions: is missing: must be a number from 1 to 4096"},
	{STREAM(""), "6: streams.name: is missing: must be " NAME_WORDS},
	{PORTS STREAMS "store: {in_flight_max: 3}\n",
		"5: store.paths: is missing: must be a list of 1 to 8 entries, each an absolute "
		"path of at most 900 bytes"},
	{STREAMS STORE "ports: pcap:/a\n",
		"5: ports: value 'pcap:/a' has the wrong shape: must be a list of 1 to 8 entries, "
		"each a mapping with the keys " PORT_KEYS},
	{STREAMS STORE "ports: []\n",
		"5: ports: has too few entries: must be a list of 1 to 8 "
		"entries, each a mapping with the keys " PORT_KEYS},
	{STREAMS STORE "ports:\n - {device: a}\n - pcap:/a\n",
		"7: ports: value 'pcap:/a' has the wrong shape: must be a mapping with the keys " PORT_KEYS},
	{STREAMS STORE "ports: [{device: a},{device: b},{device: c},{device: d},{device: e},"
		       "{device: f},{device: g},{device: h},{device: i}]\n",
		"5: ports: has too many entries: must be a list of 1 to 8 entries, each a mapping "
		"with the keys " PORT_KEYS},
	{REST "classes:\n",
		"7: classes: value '' has the wrong shape: must be a list of 1 to 8 "
		"entries, each a mapping with the keys " CLASS_KEYS},
	{REST "lcores: [1]\n",
		"7: lcores: has the wrong shape: must be a mapping with the keys "
		"rx_cpus, worker_cpus, main_cpu, stage_cycles"},
	{STREAM("name: [a], port: 1, partitions: 1"),
		"6: streams.name: has the wrong shape: must be " NAME_WORDS},
	{STREAM("name: a, port: {b: 1}, partitions: 1"),
		"6: streams.port: has the wrong shape: must be a number from 1 to 65535"},
	{REST "lcores: {rx_cpus: 0}\n",
		"7: lcores.rx_cpus: value '0' has the wrong shape: must be "
		"a list of 1 to 32 entries, each a number from 0 to 1023"},
	{REST "lcores: {rx_cpus: []}\n",
		"7: lcores.rx_cpus: has too few entries: must be a list "
		"of 1 to 32 entries, each a number from 0 to 1023"},
	{REST "lcores:\n  rx_cpus: [" TEN TEN TEN "1,2,3]\n",
		"8: lcores.rx_cpus: has too many entries: must be a list of 1 to 32 entries, each "
		"a number from 0 to 1023"},
	{REST "lcores:\n  rx_cpus:\n    - 0\n    - [1]\n",
		"10: lcores.rx_cpus: has the wrong shape: must be a number from 0 to 1023"},
	{PORTS STREAMS "store: {paths: /s}\n",
		"5: store.paths: value '/s' has the wrong shape: must be a list of 1 to 8 "
		"entries, each an absolute path of at most 900 bytes"},
	{PORTS STREAMS "store: {paths: [/a, /b, /c, /d, /e, /f, /g, /h, /i]}\n",
		"5: store.paths: has too many entries: must be a list of 1 to 8 entries, each an "
		"absolute path of at most 900 bytes"},
	{STREAM("name: &n a, port: 1, partitions: 1, class: *n"),
		"6: streams.class: value 'a' is an alias, which is not supported: must be the name "
		"of a class"},
};

static const struct bad_file values[] = {
	{REST "runtime_dir: run\n",
		"7: runtime_dir: value 'run' is wrong: must be an absolute path of at most 92 bytes"},
	{REST "log_level: verbose\n",
		"7: log_level: value 'verbose' is wrong: must be one of "
		"error, warning, notice, info, debug"},
	{STREAMS STORE "ports:\n  - device: afxdp:eth0\n",
		"6: ports.device: value 'afxdp:eth0' is wrong: must be " DEVICE_WORDS},
	{STREAMS STORE "ports: [{device: \"af_xdp:an-interface-name-of-many-letters-and-more-than-"
		       "eighty-bytes-of-text-in-all\"}]\n",
		"5: ports.device: value 'af_xdp:an-interface-name-of-many-letters-and-more-than-"
		"eighty-bytes-of-text-in-a..' is wrong: must be " DEVICE_WORDS},
	{STREAMS STORE "ports: [{device: \"pcap:/a\", queues: 17}]\n",
		"5: ports.queues: value '17' is wrong: must be a number from 0 to 16"},
	{STREAMS STORE "ports: [{device: \"pcap:/a\", rx_descriptors: 1000}]\n",
		"5: ports.rx_descriptors: value '1000' is wrong: must be a number from 64 to "
		"32768, a power of two"},
	{REST "lcores:\n  rx_cpus:\n    - 0\n    - one\n",
		"10: lcores.rx_cpus: value 'one' is wrong: must be a number from 0 to 1023"},
	{REST "lcores: {main_cpu: -1}\n",
		"7: lcores.main_cpu: value '-1' is wrong: must be a number from 0 to 1023"},
	{REST "memory: {mbufs: 64k}\n",
		"7: memory.mbufs: value '64k' is wrong: must be a number from 1024 to 8388608"},
	{REST "memory: {ring_entries: 1000}\n",
		"7: memory.ring_entries: value '1000' is wrong: must be a number from 16 to "
		"262144, a power of two"},
	{STREAM("name: Plays, port: 1, partitions: 1"),
		"6: streams.name: value 'Plays' is wrong: must be " NAME_WORDS},
	{STREAM("name: a, port: 65536, partitions: 1"),
		"6: streams.port: value '65536' is wrong: must be a number from 1 to 65535"},
	{STREAM("name: a, port: 0x10, partitions: 1"),
		"6: streams.port: value '0x10' is wrong: must be a number from 1 to 65535"},
	{STREAM("name: a, port: 010, partitions: 1"),
		"6: streams.port: value '010' is wrong: must be a number from 1 to 65535"},
	{STREAM("name: a, port: 99999999999999999999, partitions: 1"),
		"6: streams.port: value '99999999999999999999' is wrong: must be a number from 1 "
		"to 65535"},
	{STREAM("name: a, port: , partitions: 1"),
		"6: streams.port: value '' is wrong: must be a number from 1 to 65535"},
	{STREAM("name: a, port: 1, partitions: 0"),
		"6: streams.partitions: value '0' is wrong: must be a number from 1 to 4096"},
	{STREAM("name: a, port: 1, partitions: 1, key: user"),
		"6: streams.key: value 'user' is wrong: must be " KEY_WORDS},
	{STREAM("name: a, port: 1, partitions: 1, codec: lines"),
		"6: streams.codec: value 'lines' is wrong: must be raw"},
	{STREAM("name: a, port: 1, partitions: 1, keep_source: flase"),
		"6: streams.keep_source: value 'flase' is wrong: must be true or false"},
	{REST "classes: [{name: default, durability: safe}]\n",
		"7: classes.durability: value 'safe' is wrong: must be one of none, written, "
		"durable"},
	{REST "classes: [{name: default, batch_bytes: 70000}]\n",
		"7: classes.batch_bytes: value '70000' is wrong: must be a number from 65536 to "
		"4194304, a multiple of 4096"},
	{REST "classes: [{name: default, linger_us: 1000001}]\n",
		"7: classes.linger_us: value '1000001' is wrong: must be a number from 0 to "
		"1000000"},
	{PORTS STREAMS "store: {paths: [/s, /t, /s]}\n",
		"5: store.paths: value '/s' is listed twice: list each path once"},
	{PORTS STREAMS "store: {paths: [data]}\n",
		"5: store.paths: value 'data' is wrong: must be an absolute path of at most 900 "
		"bytes"},
	{PORTS STREAMS "store: {paths: [/s], segment_bytes: 1000000000}\n",
		"5: store.segment_bytes: value '1000000000' is wrong: must be a number from "
		"16777216 to 68719476736, a multiple of 4096"},
	{PORTS STREAMS "store: {paths: [/s], in_flight_max: 33}\n",
		"5: store.in_flight_max: value '33' is wrong: must be a number from 1 to 32"},
};

static const struct bad_file meaning[] = {
	{STREAMS STORE "ports:\n  - device: pcap:/a\n  - device: pcap:/a\n",
		"7: ports.device: value 'pcap:/a' is the port of line 6 already: list each device "
		"once"},
	{REST "lcores:\n  rx_cpus: [0,\n    0]\n",
		"9: lcores.rx_cpus: value '0' is listed twice: list each CPU once"},
	{REST "lcores:\n  worker_cpus: [0, 0]\n",
		"8: lcores.worker_cpus: value '0' is listed twice: list each CPU once"},
	{REST "lcores:\n  rx_cpus: [" TEN "11]\n  worker_cpus: [20,21,22,23,24,25,26,27,28,29,"
	      "30,31,32,33,34,35,36,37,38,39,40,41,1,2]\n",
		"7: lcores: has 33 different CPUs in rx_cpus and worker_cpus: list at most 32"},
	{PORTS STORE "streams:\n  - {name: a, port: 1, partitions: 1}\n"
		     "  - {name: a, port: 2, partitions: 1}\n",
		"7: streams.name: value 'a' is the stream of line 6 already: choose another name"},
	{PORTS STORE "streams:\n  - {name: a, port: 1, partitions: 1}\n"
		     "  - name: b\n    port: 1\n    partitions: 1\n",
		"8: streams.port: value '1' is the port of stream 'a' (line 6) already: choose "
		"another port"},
	{STREAM("name: a, port: 1, partitions: 1, class: gold"),
		"6: streams.class: value 'gold' is no class: the classes are default"},
	{REST "classes: [{name: gold}, {name: silver}]\n",
		"4: streams.class: is missing: the classes are gold, silver"},
	{REST "classes:\n  - name: default\n  - name: default\n",
		"9: classes.name: value 'default' is the class of line 8 already: choose another "
		"name"},
	{REST "classes: [{name: default, retention_age_s: 60}]\n",
		"7: classes.retention_age_s: value '60' needs segments that end by age: set "
		"segment_age_s to at least 1 and at most 60"},
	{REST "classes: [{name: default, retention_age_s: 60, segment_age_s: 61}]\n",
		"7: classes.retention_age_s: value '60' needs segments that end by age: set "
		"segment_age_s to at least 1 and at most 60"},
	{REST "classes: [{name: default, retention_bytes: 1000}]\n",
		"7: classes.retention_bytes: value '1000' is less than 4 segments: must be 0 or at "
		"least 4294967296"},
	{PORTS STREAMS "classes: [{name: default, batch_bytes: 4194304}]\nstore:\n  paths: [/s]\n"
		       "  segment_bytes: 16777216\n",
		"8: store.segment_bytes: value '16777216' is less than 8 batches of class "
		"'default': must be at least 33554432"},
	{PORTS STREAMS "store:\n  paths: [/s]\n  segment_bytes: 16777216\n  in_flight_max: 32\n",
		"7: store.segment_bytes: value '16777216' is less than in_flight_max + 2 batches "
		"of class 'default' and 2097152 bytes: must be at least 19922944"},
	{PORTS STREAMS
		"store:\n  paths: [/s, /t]\n  segment_bytes: 20967424\n  in_flight_max: 32\n",
		"7: store.segment_bytes: value '20967424' is less than in_flight_max + 4 batches "
		"of class 'default' and 2097152 bytes: must be at least 20971520"},
	{PORTS STREAMS "store: {paths: [/s], backoff_us_min: 1000, backoff_us_max: 999}\n",
		"5: store.backoff_us_max: value '999' is less than backoff_us_min: must be at "
		"least 1000"},
	{PORTS STREAMS "store: {paths: [/s], retry_limit: 1001}\n",
		"5: store.retry_limit: value '1001' is wrong: must be a number from 0 to 1000"},
};

static void expect(const struct bad_file *cases, size_t count)
{
	struct config_file file;
	struct sl_config config;
	struct sl_err err = {0};
	char expected[SL_ERR_TEXT_BYTES_MAX];

	for (size_t i = 0; i < count; i++) {
		config_file_write(&file, cases[i].text);
		snprintf(expected, sizeof(expected), "%s:%s", file.path, cases[i].expected);
		CU_ASSERT_EQUAL(sl_config_load(&config, file.path, &err), -EINVAL);
		CU_ASSERT_STRING_EQUAL(err.text, expected);
		if (strcmp(err.text, expected) != 0)
			printf("     got  %s\n     want %s\n", err.text, expected);
		CU_ASSERT_PTR_NULL(config.storage);
		config_file_remove(&file);
	}
}

static void syntax_errors_name_line_and_problem(void)
{
	expect(syntax, SL_ARRAY_COUNT(syntax));
}

static void shape_errors_name_line_key_and_what_would_be_right(void)
{
	expect(shape, SL_ARRAY_COUNT(shape));
}

static void wrong_values_name_line_key_value_and_what_would_be_right(void)
{
	expect(values, SL_ARRAY_COUNT(values));
}

static void contradictions_name_line_key_value_and_what_would_be_right(void)
{
	expect(meaning, SL_ARRAY_COUNT(meaning));
}

static void cpu_that_does_not_exist_is_named_with_those_that_do(void)
{
	char list[256] = "", expected[512];
	FILE *online = fopen("/sys/devices/system/cpu/online", "r");
	struct bad_file cases[] = {
		{REST "lcores: {rx_cpus: [0, 1023]}\n", expected},
		{REST "lcores: {worker_cpus: [1023]}\n", expected},
		{REST "lcores: {main_cpu: 1023}\n", expected},
	};
	static const char *const keys[] = {"rx_cpus", "worker_cpus", "main_cpu"};

	CU_ASSERT_PTR_NOT_NULL_FATAL(online);
	CU_ASSERT_EQUAL(fscanf(online, "%255s", list), 1);
	fclose(online);
	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		snprintf(expected, sizeof(expected),
			"7: lcores.%s: value '1023' is wrong: CPU 1023 does not exist; this "
			"machine has %s",
			keys[i], list);
		expect(&cases[i], 1);
	}
}

static void partitions_of_all_streams_are_at_most_65536(void)
{
	static char text[8192];
	struct bad_file bad = {text,
		"22: streams.partitions: value '1' makes 65537 partitions with "
		"those before: all streams together can have 65536"};
	struct config_file file;
	struct sl_config config;
	struct sl_err err = {0};
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", PORTS STORE "streams:\n");

	for (int i = 0; i < 16; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"  - {name: s%d, port: %d, partitions: 4096}\n", i, i + 1);
	config_file_write(&file, text);
	CU_ASSERT_EQUAL(sl_config_load(&config, file.path, &err), 0);
	sl_config_free(&config);
	config_file_remove(&file);
	snprintf(text + used, sizeof(text) - used, "  - {name: one, port: 99, partitions: 1}\n");
	expect(&bad, 1);
}

static void file_that_cannot_be_read_says_why(void)
{
	struct sl_config config;
	struct sl_err err = {0};
	struct config_file file;
	static char large[256 * 1024 + 1];

	CU_ASSERT_EQUAL(sl_config_load(&config, "/absent.yaml", &err), -ENOENT);
	CU_ASSERT_STRING_EQUAL(err.text,
		"/absent.yaml: cannot open it: No such file or directory; "
		"name a file that is there");
	CU_ASSERT_EQUAL(sl_config_load(&config, "/tmp", &err), -EISDIR);
	CU_ASSERT_STRING_EQUAL(err.text, "/tmp: cannot read it: Is a directory; name a file");
	memset(large, '#', sizeof(large));
	config_file_write_bytes(&file, large, sizeof(large));
	CU_ASSERT_EQUAL(sl_config_load(&config, file.path, &err), -EFBIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is larger than 262144 bytes"));
	config_file_remove(&file);
}

// Whatever a half-written file ends with, the loader says so or takes it; the sanitizers watch.
static void a_good_file_cut_anywhere_never_harms(void)
{
	static const char whole[] = REST "classes: [{name: default}]\nmemory: {mbufs: 2048}\n";
	struct config_file file;
	struct sl_config config;
	struct sl_err err = {0};
	int loaded_count = 0;

	for (size_t bytes = 0; bytes < sizeof(whole); bytes++) {
		config_file_write_bytes(&file, whole, bytes);
		int code = sl_config_load(&config, file.path, &err);
		CU_ASSERT(code == 0 || (code == -EINVAL && strlen(err.text) > strlen(file.path)));
		loaded_count += code == 0;
		sl_config_free(&config);
		config_file_remove(&file);
	}
	CU_ASSERT(loaded_count >= 3 && loaded_count < (int)sizeof(whole) / 2);
}

static const struct sl_test tests[] = {
	SL_TEST(syntax_errors_name_line_and_problem),
	SL_TEST(shape_errors_name_line_key_and_what_would_be_right),
	SL_TEST(wrong_values_name_line_key_value_and_what_would_be_right),
	SL_TEST(contradictions_name_line_key_value_and_what_would_be_right),
	SL_TEST(cpu_that_does_not_exist_is_named_with_those_that_do),
	SL_TEST(partitions_of_all_streams_are_at_most_65536),
	SL_TEST(file_that_cannot_be_read_says_why),
	SL_TEST(a_good_file_cut_anywhere_never_harms),
};
SL_SUITE(common_config_errors);
