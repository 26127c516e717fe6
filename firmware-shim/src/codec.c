#include "k210b/codec.h"

#include "../generated/k210b_protocol.h"
#include "k210b/status.h"

/** Records nest at most this deep (the card's heads hold a list of scalars, which needs no level of its own). */
#define MAX_DEPTH 4

/** One struct under way: which field is next, how many structs of this kind follow. */
typedef struct level {
    const k210b_row_t *row;
    uint8_t *base;
    uint8_t field;
    uint16_t structs_left;
} level_t;

/** Walks rows without recursion; yields one field after the other. */
typedef struct walk {
    level_t levels[MAX_DEPTH];
    int depth;
} walk_t;

static void walk_begin(walk_t *walk, const k210b_row_t *row, uint8_t *base)
{
    walk->levels[0].row = row;
    walk->levels[0].base = base;
    walk->levels[0].field = 0;
    walk->levels[0].structs_left = 1;
    walk->depth = 1;
}

/** Next field, with the start of its struct in `base`; NULL at the end. */
static const k210b_field_t *walk_next(walk_t *walk, uint8_t **base)
{
    while (walk->depth > 0) {
        level_t *level = &walk->levels[walk->depth - 1];
        if (level->field < level->row->field_count) {
            *base = level->base;
            return &level->row->fields[level->field++];
        }
        level->field = 0;
        level->base += level->row->struct_size;
        if (--level->structs_left == 0)
            walk->depth--;
    }
    return NULL;
}

/** Goes on with the `count` structs of a records field. */
static int walk_enter(walk_t *walk, const k210b_field_t *field, uint8_t *base, uint16_t count)
{
    level_t *level;
    if (count == 0)
        return K210B_OK;
    if (walk->depth == MAX_DEPTH)
        return K210B_ERR_INTERNAL;
    level = &walk->levels[walk->depth++];
    level->row = field->record;
    level->base = base + field->offset;
    level->field = 0;
    level->structs_left = count;
    return K210B_OK;
}

static size_t scalar_bytes(uint8_t kind)
{
    switch (kind) {
    case K210B_FIELD_U8: return 1;
    case K210B_FIELD_U16: return 2;
    case K210B_FIELD_U64: return 8;
    default: return 4;
    }
}

static uint64_t load(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;
    size_t i;
    for (i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void store(uint8_t *to, size_t bytes, uint64_t value)
{
    size_t i;
    for (i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/** A scalar of the struct as bits; the struct is in the machine's own byte order. */
static uint64_t get_scalar(uint8_t kind, const uint8_t *at)
{
    switch (kind) {
    case K210B_FIELD_U8: return *at;
    case K210B_FIELD_U16: return *(const uint16_t *)(const void *)at;
    case K210B_FIELD_U64: return *(const uint64_t *)(const void *)at;
    case K210B_FIELD_F32: {
        union { float real; uint32_t bits; } pun;
        pun.real = *(const float *)(const void *)at;
        return pun.bits;
    }
    default: return *(const uint32_t *)(const void *)at;
    }
}

static void set_scalar(uint8_t kind, uint8_t *at, uint64_t value)
{
    switch (kind) {
    case K210B_FIELD_U8: *at = (uint8_t)value; break;
    case K210B_FIELD_U16: *(uint16_t *)(void *)at = (uint16_t)value; break;
    case K210B_FIELD_U64: *(uint64_t *)(void *)at = value; break;
    case K210B_FIELD_F32: {
        union { float real; uint32_t bits; } pun;
        pun.bits = (uint32_t)value;
        *(float *)(void *)at = pun.real;
        break;
    }
    default: *(uint32_t *)(void *)at = (uint32_t)value; break;
    }
}

/** Bytes on their way to the wire. */
typedef struct sink {
    uint8_t *out;
    size_t cap;
    size_t used;
} sink_t;

static int put_number(sink_t *sink, size_t bytes, uint64_t value)
{
    if (sink->cap - sink->used < bytes)
        return K210B_ERR_SPACE;
    store(sink->out + sink->used, bytes, value);
    sink->used += bytes;
    return K210B_OK;
}

static int put_bytes(sink_t *sink, const uint8_t *data, size_t bytes)
{
    size_t i;
    uint8_t *to = sink->out + sink->used;
    if (sink->cap - sink->used < bytes)
        return K210B_ERR_SPACE;
    sink->used += bytes;
    if (to == data)
        return K210B_OK;
    for (i = 0; i < bytes; i++)
        to[i] = data[i];
    return K210B_OK;
}

static int put_scalars(sink_t *sink, const k210b_field_t *field, const uint8_t *at, uint16_t count)
{
    size_t bytes = scalar_bytes(field->kind);
    uint16_t i;
    for (i = 0; i < count; i++) {
        int result = put_number(sink, bytes, get_scalar(field->kind, at + i * bytes));
        if (result != K210B_OK)
            return result;
    }
    return K210B_OK;
}

static int encode_field(sink_t *sink, walk_t *walk, const k210b_field_t *field, uint8_t *base)
{
    const uint8_t *at = base + field->offset;
    uint16_t count = 1;
    if (field->prefix != 0) {
        int result;
        count = *(const uint16_t *)(const void *)(base + field->count_offset);
        if (count > field->limit)
            return K210B_ERR_RANGE;
        result = put_number(sink, field->prefix, count);
        if (result != K210B_OK)
            return result;
    }
    switch (field->kind) {
    case K210B_FIELD_FIXED: return put_bytes(sink, at, field->limit);
    case K210B_FIELD_BYTES: return put_bytes(sink, *(const uint8_t *const *)(const void *)at, count);
    case K210B_FIELD_TEXT:
        return put_bytes(sink, (const uint8_t *)*(const char *const *)(const void *)at, count);
    case K210B_FIELD_RECORDS: return walk_enter(walk, field, base, count);
    default: return put_scalars(sink, field, at, count);
    }
}

int k210b_encode(const k210b_row_t *row, const void *value, uint8_t *out, size_t cap)
{
    sink_t sink;
    walk_t walk;
    uint8_t *base;
    const k210b_field_t *field;
    sink.out = out;
    sink.cap = cap;
    sink.used = 0;
    /* The walk is shared with decode, which writes; nothing is written through it here. */
    walk_begin(&walk, row, (uint8_t *)(uintptr_t)value);
    while ((field = walk_next(&walk, &base)) != NULL) {
        int result = encode_field(&sink, &walk, field, base);
        if (result != K210B_OK)
            return result;
    }
    return (int)sink.used;
}

/** Bytes that came from the wire. */
typedef struct source {
    const uint8_t *bytes;
    size_t len;
    size_t used;
} source_t;

/** The next `bytes` bytes, or NULL when there are fewer. */
static const uint8_t *take(source_t *source, size_t bytes)
{
    const uint8_t *at = source->bytes + source->used;
    if (source->len - source->used < bytes)
        return NULL;
    source->used += bytes;
    return at;
}

static int decode_value(source_t *source, const k210b_field_t *field, uint8_t *to, uint16_t count)
{
    size_t item = field->kind >= K210B_FIELD_FIXED ? 1 : scalar_bytes(field->kind);
    size_t items = field->kind == K210B_FIELD_FIXED ? field->limit : count;
    const uint8_t *from = take(source, items * item);
    size_t i;
    if (from == NULL)
        return K210B_ERR_BAD_REQUEST;
    switch (field->kind) {
    case K210B_FIELD_BYTES: *(const uint8_t **)(void *)to = from; break;
    case K210B_FIELD_TEXT: *(const char **)(void *)to = (const char *)from; break;
    case K210B_FIELD_FIXED:
        for (i = 0; i < items; i++)
            to[i] = from[i];
        break;
    default:
        for (i = 0; i < items; i++)
            set_scalar(field->kind, to + i * item, load(from + i * item, item));
        break;
    }
    return K210B_OK;
}

static int decode_field(source_t *source, walk_t *walk, const k210b_field_t *field, uint8_t *base)
{
    uint16_t count = 1;
    if (field->prefix != 0) {
        const uint8_t *prefix = take(source, field->prefix);
        if (prefix == NULL)
            return K210B_ERR_BAD_REQUEST;
        count = (uint16_t)load(prefix, field->prefix);
        if (count > field->limit)
            return K210B_ERR_BAD_REQUEST;
        *(uint16_t *)(void *)(base + field->count_offset) = count;
    }
    if (field->kind == K210B_FIELD_RECORDS)
        return walk_enter(walk, field, base, count);
    return decode_value(source, field, base + field->offset, count);
}

int k210b_decode(const k210b_row_t *row, const uint8_t *bytes, size_t len, void *value)
{
    source_t source;
    walk_t walk;
    uint8_t *base;
    const k210b_field_t *field;
    source.bytes = bytes;
    source.len = len;
    source.used = 0;
    walk_begin(&walk, row, (uint8_t *)value);
    while ((field = walk_next(&walk, &base)) != NULL) {
        int result = decode_field(&source, &walk, field, base);
        if (result != K210B_OK)
            return result;
    }
    return (int)source.used;
}

const k210b_message_t *k210b_message_find(uint8_t id)
{
    size_t i;
    for (i = 0; i < K210B_MESSAGE_COUNT; i++) {
        if (k210b_messages[i].id == id)
            return &k210b_messages[i];
    }
    return NULL;
}
