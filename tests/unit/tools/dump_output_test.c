/* What pollux-dump prints, in each of its formats. */
#include "tools/dump/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char *text;
static size_t text_size;

static void begin(struct output *output, enum output_format format)
{
    FILE *to = open_memstream(&text, &text_size);
    assert_non_null(to);
    output_init(output, to, format);
}

/* Everything that the formats tell apart. */
static void show(struct output *output)
{
    output_text(output, "directory", "/data");
    output->shard = 3;
    output_object(output, "log");
    output_number(output, "last_index", 7);
    output_name(output, "birth", 0xabc);
    output_crc(output, "sum", 0x12);
    output_flag(output, "is_suspect", true);
    output_number(output, "most", UINT64_MAX);
    output_list(output, "records");
    output_row(output, "record");
    output_number(output, "index", 6);
    output_number(output, "term", 2);
    output_list(output, "operations");
    output_row(output, "operation");
    output_text(output, "operation", "set");
    output_end(output);
    output_end(output);
    output_end(output);
    output_row(output, "record");
    output_number(output, "index", 7);
    output_end(output);
    output_end(output);
    output_list(output, "findings");
    output_end(output);
    output_end(output);
}

static void end(struct output *output, const char *expected)
{
    output_deinit(output);
    fclose(output->to);
    assert_string_equal(text, expected);
    free(text);
}

static void test_output_as_text(void **state)
{
    struct output output;
    (void)state;
    begin(&output, OUTPUT_TEXT);
    show(&output);
    end(&output, "directory: /data\n"
                 "log\n"
                 "  last index: 7\n"
                 "  birth: 0000000000000abc\n"
                 "  sum: 00000012\n"
                 "  is suspect: yes\n"
                 "  most: 18446744073709551615\n"
                 "  records\n"
                 "    index 6, term 2\n"
                 "        operation set\n"
                 "    index 7\n"
                 "  findings: none\n");
}

static void test_output_as_json(void **state)
{
    struct output output;
    (void)state;
    begin(&output, OUTPUT_JSON);
    show(&output);
    end(&output, "{\"directory\": \"/data\",\n"
                 "  \"log\": {\"last_index\": 7, \"birth\": \"0000000000000abc\", "
                 "\"sum\": \"00000012\", \"is_suspect\": true, "
                 "\"most\": \"18446744073709551615\",\n"
                 "    \"records\": [\n"
                 "      {\"index\": 6, \"term\": 2,\n"
                 "        \"operations\": [\n"
                 "          {\"operation\": \"set\"}\n"
                 "        ]\n"
                 "      },\n"
                 "      {\"index\": 7}\n"
                 "    ],\n"
                 "    \"findings\": []\n"
                 "  }\n"
                 "}\n");
}

static void test_output_as_lines(void **state)
{
    struct output output;
    (void)state;
    begin(&output, OUTPUT_LINES);
    show(&output);
    end(&output, "{\"type\": \"dump\", \"directory\": \"/data\"}\n"
                 "{\"type\": \"log\", \"shard\": 3, \"last_index\": 7, "
                 "\"birth\": \"0000000000000abc\", \"sum\": \"00000012\", \"is_suspect\": true, "
                 "\"most\": \"18446744073709551615\"}\n"
                 "{\"type\": \"record\", \"shard\": 3, \"index\": 6, \"term\": 2}\n"
                 "{\"type\": \"operation\", \"shard\": 3, \"operation\": \"set\"}\n"
                 "{\"type\": \"record\", \"shard\": 3, \"index\": 7}\n");
}

static void test_output_prints_nothing_while_it_is_muted(void **state)
{
    struct output output;
    (void)state;
    begin(&output, OUTPUT_JSON);
    output.muted++;
    show(&output);
    output.muted--;
    end(&output, "{\n}\n");
}

static void assert_bytes(enum output_format format, const char *bytes, size_t size_bytes,
                         const char *expected)
{
    struct output output;
    begin(&output, format);
    output_bytes(&output, "key", span_of(bytes, size_bytes));
    end(&output, expected);
}

static void test_output_of_any_bytes(void **state)
{
    (void)state;
    assert_bytes(OUTPUT_JSON, "a\"\\\n\t\x01z", 7, "{\"key\": \"a\\\"\\\\\\n\\t\\u0001z\"\n}\n");
    assert_bytes(OUTPUT_JSON, "caf\xc3\xa9", 5, "{\"key\": \"caf\xc3\xa9\"\n}\n");
    assert_bytes(OUTPUT_JSON, "\xff\xfe\xfd", 3, "{\"key_base64\": \"//79\"\n}\n");
    assert_bytes(OUTPUT_JSON, "\xff", 1, "{\"key_base64\": \"/w==\"\n}\n");
    assert_bytes(OUTPUT_JSON, "\xc0\x80", 2, "{\"key_base64\": \"wIA=\"\n}\n");
    assert_bytes(OUTPUT_JSON, "\xed\xa0\x80", 3, "{\"key_base64\": \"7aCA\"\n}\n");
    assert_bytes(OUTPUT_JSON, "\xe2\x82", 2, "{\"key_base64\": \"4oI=\"\n}\n");
    assert_bytes(OUTPUT_JSON, "", 0, "{\"key\": \"\"\n}\n");
    assert_bytes(OUTPUT_TEXT, "a\x1b[31m\xff\\\xc3\xa9\xc2\x9b", 12,
                 "key: a\\x1b[31m\\xff\\x5c\xc3\xa9\\xc2\\x9b\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_as_text),
        cmocka_unit_test(test_output_as_json),
        cmocka_unit_test(test_output_as_lines),
        cmocka_unit_test(test_output_prints_nothing_while_it_is_muted),
        cmocka_unit_test(test_output_of_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
