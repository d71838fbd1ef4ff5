/* The pcap writer. */
#include "tools/switch/capture.h"

#include "base/le.h"

#include <string.h>

#define FILE_HEADER_BYTES   24
#define RECORD_HEADER_BYTES 16
#define MAGIC_NANOSECONDS   0xa1b23c4d
#define LINK_TYPE_ETHERNET  1
#define NS_PER_SECOND       (1000ULL * 1000 * 1000)

enum error capture_open(struct capture *capture, const char *path, uint64_t limit_bytes,
                        uint64_t epoch_ns)
{
    uint8_t header[FILE_HEADER_BYTES] = {0};
    le32_store(header, MAGIC_NANOSECONDS);
    le16_store(header + 4, 2);
    le16_store(header + 6, 4);
    le32_store(header + 16, CAPTURE_FRAME_BYTES_MAX);
    le32_store(header + 20, LINK_TYPE_ETHERNET);
    FILE *file = fopen(path, "wbe");
    if (file == NULL) {
        return ERR_IO;
    }
    if (fwrite(header, sizeof(header), 1, file) != 1) {
        fclose(file);
        return ERR_IO;
    }
    enum error error = capture_close(capture);
    *capture = (struct capture){.file = file,
                                .limit_bytes = limit_bytes,
                                .written_bytes = sizeof(header),
                                .epoch_ns = epoch_ns};
    return error;
}

void capture_write(struct capture *capture, uint64_t now_ns, struct span frame)
{
    uint8_t header[RECORD_HEADER_BYTES];
    uint64_t time_ns = capture->epoch_ns + now_ns;
    uint64_t size_bytes = sizeof(header) + frame.size_bytes;
    if (capture->file == NULL) {
        return;
    }
    if (frame.size_bytes > CAPTURE_FRAME_BYTES_MAX ||
        capture->written_bytes + size_bytes > capture->limit_bytes) {
        capture->skipped_packets++;
        return;
    }
    le32_store(header, (uint32_t)(time_ns / NS_PER_SECOND));
    le32_store(header + 4, (uint32_t)(time_ns % NS_PER_SECOND));
    le32_store(header + 8, (uint32_t)frame.size_bytes);
    le32_store(header + 12, (uint32_t)frame.size_bytes);
    if (fwrite(header, sizeof(header), 1, capture->file) != 1 ||
        fwrite(frame.data, frame.size_bytes, 1, capture->file) != 1) {
        capture->skipped_packets++;
        return;
    }
    capture->written_bytes += size_bytes;
    capture->written_packets++;
}

enum error capture_close(struct capture *capture)
{
    if (capture->file == NULL) {
        return OK;
    }
    bool has_failed = ferror(capture->file) != 0;
    has_failed = fclose(capture->file) != 0 || has_failed;
    capture->file = NULL;
    return has_failed ? ERR_IO : OK;
}
