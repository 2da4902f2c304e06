/* Bits in, bits out. Runs of octets are moved eight at a time, wherever in an octet they start. */
#ifndef PLUGPASS_EXI_BITS_H
#define PLUGPASS_EXI_BITS_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DONE 0
#define REFUSED (-1) /* or failed, if a Python exception is set */
#define LARGE 1      /* an integer of 63 bits or more */

#define MOST_INTEGER_BITS 4096
#define SMALL_STREAM 512 /* octets written before the heap is needed */

typedef struct {
    const uint8_t *data;
    size_t size; /* bits in all */
    size_t at;   /* bits read so far, never beyond size */
    unsigned max_depth;
} Reader;

static inline uint64_t
load64(const uint8_t *from)
{
    return (uint64_t)from[0] << 56 | (uint64_t)from[1] << 48 | (uint64_t)from[2] << 40 | (uint64_t)from[3] << 32 |
           (uint64_t)from[4] << 24 | (uint64_t)from[5] << 16 | (uint64_t)from[6] << 8 | (uint64_t)from[7];
}

/* The next `count` bits, at most 32. */
static inline int
take(Reader *from, unsigned count, uint32_t *value)
{
    if (count > from->size - from->at) {
        return REFUSED;
    }
    const uint8_t *octet = from->data + from->at / 8;
    size_t whole = from->size / 8 - from->at / 8;
    uint64_t window = 0;
    if (whole >= 8) {
        window = load64(octet);
    }
    else {
        for (size_t i = 0; i < whole; i++) {
            window |= (uint64_t)octet[i] << (56 - 8 * i);
        }
    }
    *value = (uint32_t)(window << (from->at & 7) >> 1 >> (63 - count)); /* in two steps: a shift by 64 is undefined */
    from->at += count;
    return DONE;
}

/* The next `count` octets, wherever in an octet they start: eight at a time. */
static int
take_octets(Reader *from, uint8_t *to, size_t count)
{
    if (count > (from->size - from->at) / 8) {
        return REFUSED;
    }
    const uint8_t *octet = from->data + from->at / 8;
    unsigned skip = from->at & 7;
    from->at += 8 * count;
    if (skip == 0) {
        memcpy(to, octet, count);
        return DONE;
    }
    for (; count >= 8; count -= 8, octet += 8, to += 8) {
        uint64_t run = load64(octet) << skip | octet[8] >> (8 - skip);
        for (int i = 0; i < 8; i++) {
            to[i] = (uint8_t)(run >> (56 - 8 * i));
        }
    }
    for (; count > 0; count--, octet++, to++) {
        *to = (uint8_t)(octet[0] << skip | octet[1] >> (8 - skip));
    }
    return DONE;
}

/* An EXI unsigned integer (EXI 7.1.6) of at most `most` bits, rounded up to groups of seven. LARGE if it has 63 bits or
 * more; the reader then stands somewhere within it. */
static int
take_unsigned(Reader *from, unsigned most, uint64_t *value)
{
    uint64_t sum = 0;
    uint32_t octet;
    unsigned shift = 0;
    do {
        if (shift > 0 && shift >= most) {
            return REFUSED;
        }
        if (shift == 63) {
            return LARGE;
        }
        if (take(from, 8, &octet) < 0) {
            return REFUSED;
        }
        sum |= (uint64_t)(octet & 0x7F) << shift;
        shift += 7;
    } while (octet & 0x80);
    *value = sum;
    return DONE;
}

/* The same for any size up to MOST_INTEGER_BITS: through hexadecimal digits, least significant last. */
static PyObject *
take_large(Reader *from, unsigned most)
{
    char digits[MOST_INTEGER_BITS / 4 + 4];
    char *first = digits + sizeof digits - 1;
    uint32_t octet, pending = 0;
    unsigned shift = 0, held = 0;
    *first = '\0';
    do {
        if ((shift > 0 && shift >= most) || take(from, 8, &octet) < 0) {
            return NULL;
        }
        pending |= (octet & 0x7F) << held;
        shift += 7;
        for (held += 7; held >= 4; held -= 4, pending >>= 4) {
            *--first = "0123456789abcdef"[pending & 15];
        }
    } while (octet & 0x80);
    *--first = "0123456789abcdef"[pending & 15];
    return PyLong_FromString(first, NULL, 16);
}

typedef struct {
    uint8_t *buffer; /* `small` until that is full */
    size_t capacity; /* octets */
    size_t at;       /* bits written so far; what is behind them in the buffer does not count */
    unsigned max_depth;
    uint8_t small[SMALL_STREAM];
} Writer;

static inline void
store64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static int
grow(Writer *to, size_t needed)
{
    size_t capacity = needed > 2 * to->capacity ? needed : 2 * to->capacity;
    if (capacity > PY_SSIZE_T_MAX / 16) {
        PyErr_NoMemory();
        return REFUSED;
    }
    uint8_t *buffer = PyMem_Realloc(to->buffer == to->small ? NULL : to->buffer, capacity);
    if (buffer == NULL) {
        PyErr_NoMemory();
        return REFUSED;
    }
    if (to->buffer == to->small) {
        memcpy(buffer, to->small, to->capacity);
    }
    to->buffer = buffer;
    to->capacity = capacity;
    return DONE;
}

/* Room for `octets` more, and for the eight that `put` always stores. */
static inline int
reserve(Writer *to, size_t octets)
{
    size_t needed = to->at / 8 + octets + 9;
    return needed <= to->capacity ? DONE : grow(to, needed);
}

/* The bits of the last octet that are written already. */
static inline uint8_t
begun(const Writer *to)
{
    return (uint8_t)(to->buffer[to->at / 8] & (0xFF00u >> (to->at & 7)));
}

/* Append `count` bits, at most 32; `value` fits. */
static inline int
put(Writer *to, uint32_t value, unsigned count)
{
    if (count == 0) {
        return DONE;
    }
    if (reserve(to, 0) < 0) {
        return REFUSED;
    }
    unsigned used = to->at & 7;
    store64(to->buffer + to->at / 8, (uint64_t)begun(to) << 56 | (uint64_t)value << (64 - used - count));
    to->at += count;
    return DONE;
}

/* Append octets, wherever in an octet the stream stands: eight at a time. */
static int
put_octets(Writer *to, const uint8_t *from, size_t count)
{
    if (reserve(to, count) < 0) {
        return REFUSED;
    }
    uint8_t *octet = to->buffer + to->at / 8;
    unsigned used = to->at & 7;
    uint8_t carry = begun(to);
    to->at += 8 * count;
    if (used == 0) {
        memcpy(octet, from, count);
        return DONE;
    }
    for (; count >= 8; count -= 8, octet += 8, from += 8) {
        uint64_t run = load64(from);
        store64(octet, (uint64_t)carry << 56 | run >> used);
        carry = (uint8_t)(run << (8 - used));
    }
    for (; count > 0; count--, octet++, from++) {
        *octet = (uint8_t)(carry | *from >> used);
        carry = (uint8_t)(*from << (8 - used));
    }
    *octet = carry;
    return DONE;
}

static int
put_unsigned(Writer *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        if (put(to, 0x80 | (uint32_t)(value & 0x7F), 8) < 0) {
            return REFUSED;
        }
    }
    return put(to, (uint32_t)value, 8);
}

static unsigned
hex_value(Py_UCS1 digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* The same for an int of any size, not negative: through its hexadecimal digits. */
static int
put_large(Writer *to, PyObject *value)
{
    PyObject *text = PyNumber_ToBase(value, 16);
    if (text == NULL) {
        return REFUSED;
    }
    const Py_UCS1 *digits = PyUnicode_1BYTE_DATA(text) + 2; /* after 0x */
    size_t left = (size_t)PyUnicode_GET_LENGTH(text) - 2;
    unsigned pending = 0, held = 0;
    int result = DONE;
    while (result == DONE) {
        for (; held < 7 && left > 0; held += 4) {
            pending |= hex_value(digits[--left]) << held;
        }
        /* No digit that is left is zero altogether: the first one is not. */
        int more = left > 0 || pending >> 7 != 0;
        result = put(to, (more ? 0x80 : 0) | (pending & 0x7F), 8);
        pending >>= 7;
        held = held > 7 ? held - 7 : 0;
        if (!more) {
            break;
        }
    }
    Py_DECREF(text);
    return result;
}

#endif
