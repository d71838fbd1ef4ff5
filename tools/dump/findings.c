/* What is wrong with a file, as rows; and which parts are asked for. See dump.h. */
#include "tools/dump/dump.h"

bool dump_has(const struct dump *dump, uint32_t parts)
{
    return (dump->options->parts & parts) != 0;
}

void dump_mute_unless(struct dump *dump, uint32_t parts)
{
    dump->output.muted += !dump_has(dump, parts);
}

void dump_unmute_unless(struct dump *dump, uint32_t parts)
{
    dump->output.muted -= !dump_has(dump, parts);
}

void dump_file(struct dump *dump, const char *path)
{
    output_text(&dump->output, "file", path);
    dump->output.file = path;
}

void dump_file_end(struct dump *dump)
{
    output_end(&dump->output);
    dump->output.file = NULL;
}

void dump_refuse(struct dump *dump, enum error error, const char *note)
{
    output_text(&dump->output, "error", error_name(error));
    output_text(&dump->output, "note", note);
    dump->refused += dump->output.muted == 0;
}

void dump_refuse_of(struct dump *dump, const struct dump_shard *shard, enum error error,
                    const char *note)
{
    if (error == ERR_NOT_FOUND && shard->is_unmade)
        output_text(&dump->output, "note", "no start has made this file yet");
    else
        dump_refuse(dump, error, note);
}

void dump_finding(struct dump *dump, const struct finding *finding)
{
    struct output *output = &dump->output;
    output_row(output, "finding");
    output_text(output, "kind", finding_kind_name(finding->kind));
    output_text(output, "what", finding->what);
    output_number(output, "offset", finding->offset);
    output_number(output, "size_bytes", finding->size_bytes);
    if (finding->index != 0)
        output_number(output, "from_index", finding->index);
    output_end(output);
    dump->damaged += output->muted == 0 && finding_is_damage(finding->kind);
}

static void take(void *context, const struct finding *finding)
{
    dump_finding((struct dump *)context, finding);
}

struct finding_sink dump_finding_sink(struct dump *dump)
{
    return (struct finding_sink){.take = take, .context = dump};
}
