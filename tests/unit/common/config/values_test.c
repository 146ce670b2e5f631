/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/config_internal.h"

#include "suite.h"

#include <string.h>

static void device_is_a_prefix_of_ours_or_devargs(void)
{
	static const struct {
		const char *text;
		bool is_right;
	} cases[] = {
		{"af_xdp:eth0", true},
		{"af_xdp:fifteen-letters", true},
		{"af_xdp:sixteen--letters", false},
		{"af_xdp:", false},
		{"af_xdp:a/b", false},
		{"memif:/run/memif.sock", true},
		{"memif:", false},
		{"memif-client:/run/memif.sock", true},
		{"memif-client:", false},
		{"memif-server:/run/memif.sock", false},
		{"pcap:/tmp/a:b.pcap", true},
		{"pcap:", false},
		{"0000:3b:00.0", true},
		{"3b:00.0,mprq_en=1", true},
		{"AF_XDP:eth0", false},
		{"afxdp:eth0", false},
		{"tap:x", false},
		{"net_null0", true},
		{"net_memif,role=server,socket=/run/x:y", true},
		{"net_tap0, iface=x", false},
		{"", false},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		CU_ASSERT_EQUAL(sl_config_is_device(cases[i].text), cases[i].is_right);
		if (sl_config_is_device(cases[i].text) != cases[i].is_right)
			printf("     device '%s'\n", cases[i].text);
	}
}

static void key_is_flow_or_a_byte_range(void)
{
	static const char *const right[] = {"flow", "0:1", "0:8", "65506:256", "00:01"};
	static const char *const wrong[] = {"", "Flow", "0", "0:", ":1", "0:0", "0:257", "65507:1",
		"-1:4", "1:-4", "1:4:", "1 :4", "1: 4", "0x1:2", "99999999999999999999:1"};

	for (size_t i = 0; i < SL_ARRAY_COUNT(right); i++)
		CU_ASSERT_TRUE(sl_config_is_key(right[i]));
	for (size_t i = 0; i < SL_ARRAY_COUNT(wrong); i++)
		CU_ASSERT_FALSE(sl_config_is_key(wrong[i]));
}

static void names_and_paths_are_bounded(void)
{
	char longest[1000];

	memset(longest, 'a', sizeof(longest));
	longest[64] = '\0';
	CU_ASSERT_FALSE(sl_config_is_name(longest));
	longest[63] = '\0';
	CU_ASSERT_TRUE(sl_config_is_name(longest));
	CU_ASSERT_FALSE(sl_config_is_name(""));
	CU_ASSERT_FALSE(sl_config_is_name("Plays"));
	CU_ASSERT_FALSE(sl_config_is_name("a.b"));

	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[901] = '\0';
	CU_ASSERT_FALSE(sl_config_is_path(longest));
	longest[900] = '\0';
	CU_ASSERT_TRUE(sl_config_is_path(longest));
	CU_ASSERT_FALSE(sl_config_is_path("relative"));
	CU_ASSERT_FALSE(sl_config_is_path(""));
	longest[93] = '\0';
	CU_ASSERT_FALSE(sl_config_is_runtime_dir(longest));
	longest[92] = '\0';
	CU_ASSERT_TRUE(sl_config_is_runtime_dir(longest));
}

static void choice_takes_whole_words_only(void)
{
	const struct sl_config_key *key = &sl_config_keys[SL_CONFIG_KEY_classes_durability];

	CU_ASSERT_EQUAL(sl_config_choice(key, "none"), 0);
	CU_ASSERT_EQUAL(sl_config_choice(key, "written"), 1);
	CU_ASSERT_EQUAL(sl_config_choice(key, "durable"), 2);
	CU_ASSERT_EQUAL(sl_config_choice(key, "dur"), -1);
	CU_ASSERT_EQUAL(sl_config_choice(key, "none|written"), -1);
	CU_ASSERT_EQUAL(sl_config_choice(key, ""), -1);
}

static const struct sl_test tests[] = {
	SL_TEST(device_is_a_prefix_of_ours_or_devargs),
	SL_TEST(key_is_flow_or_a_byte_range),
	SL_TEST(names_and_paths_are_bounded),
	SL_TEST(choice_takes_whole_words_only),
};
SL_SUITE(common_config_values);
